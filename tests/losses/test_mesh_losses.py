"""Losses of meshes against loops over their edges in float64; flat, open, broken and empty meshes."""

import numpy as np
import pytest
import torch

from glrast import losses
from glrast.clip import grid, icosphere, laplacian
from tests.losses import twins

FAN = [[0, 1, 2], [0, 2, 3], [0, 3, 4], [2, 1, 5]]  # a border, and vertex 6 in no triangle
VERTICES = 7


def noise(count=VERTICES, width=3):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(3))


def convex():
    """The fan nearly flat, so that its angles are ordinary."""
    pos = torch.tensor(
        [[0.0, 0, 0], [2, 0, 0], [1.5, 1, 0], [-1, 1.2, 0], [-1, -1, 0], [3, 1, 0], [9, 9, 9]]
    )
    return pos + 0.1 * noise()


MESH_LOSSES = {
    "laplacian": losses.mesh_laplacian_smoothing,
    "laplacian cot": lambda pos, tri: losses.mesh_laplacian_smoothing(pos, tri, "cot"),
    "laplacian squared": lambda pos, tri: losses.mesh_laplacian_smoothing(pos, tri, squared=True),
    "normals": losses.mesh_normal_consistency,
    "normals squared": lambda pos, tri: losses.mesh_normal_consistency(pos, tri, squared=True),
    "edges": losses.mesh_edge_loss,
    "edges 1": lambda pos, tri: losses.mesh_edge_loss(pos, tri, 1.0),
    "edges mean": lambda pos, tri: losses.mesh_edge_loss(pos, tri, "mean"),
    "dirichlet": losses.dirichlet_energy,
}


@pytest.mark.parametrize("method", ["uniform", "cot"])
@pytest.mark.parametrize("squared", [False, True])
def test_laplacian_smoothing_is_that_of_the_loops(method, squared):
    pos = convex()
    fixed = pos.double().numpy()  # the cotangents are constants
    twins.assert_is_the_twin(
        lambda x: losses.mesh_laplacian_smoothing(x, torch.tensor(FAN), method, squared),
        lambda x: twins.laplacian_smoothing(x, FAN, method, squared, angles=fixed),
        pos,
    )


def test_cotangents_leave_a_flat_mesh_alone_and_uniform_weights_do_not():
    pos, tri = grid(4, 3)
    inner = interior(tri, len(pos))
    assert 0 < inner.sum() < len(pos)
    pos[inner, :2] += 0.05 * noise(int(inner.sum()), 2)  # still flat, with uneven triangles
    for method, is_still in (("cot", True), ("uniform", False)):
        found = losses.mesh_laplacian_smoothing(pos, tri, method).item() * len(pos)
        border = [
            alone(pos.double().numpy(), tri.tolist(), vertex, method)
            for vertex in (~inner).nonzero()[:, 0].tolist()
        ]
        rest = found - sum(np.linalg.norm(pull) for pull in border)
        assert abs(rest) < 1e-5 if is_still else rest > 1e-2


def alone(pos, tri, vertex, method):
    """From a vertex to the weighted mean of its neighbours."""
    total, pull = 0.0, np.zeros(3)
    for i, j in twins.edges(tri):
        if vertex in (i, j):
            other = i + j - vertex
            weight = 1.0 if method == "uniform" else twins.cotangents(pos, tri, i, j)
            total, pull = total + abs(weight), pull + weight * (pos[other] - pos[vertex])
    return pull / total


def interior(tri, V):
    """Vertices around which triangles close."""
    count = {}
    for t in tri.tolist():
        for edge in zip(t, t[1:] + t[:1]):
            count[frozenset(edge)] = count.get(frozenset(edge), 0) + 1
    out = torch.ones(V, dtype=torch.bool)
    for edge, number in count.items():
        if number == 1:
            out[list(edge)] = False
    return out


@pytest.mark.parametrize("squared", [False, True])
def test_normal_consistency_is_that_of_the_loops_and_blind_to_the_sense_of_rotation(squared):
    pos = convex()
    turned = torch.tensor(FAN)
    turned[1] = turned[1].flip(0)
    for tri in (torch.tensor(FAN), turned):
        twins.assert_is_the_twin(
            lambda x, tri=tri: losses.mesh_normal_consistency(x, tri, squared),
            lambda x: twins.normal_consistency(x, FAN, squared),
            pos,
            gradient=1e-3,  # 1 - cos of small angles is the difference of nearly equal numbers
        )


@pytest.mark.parametrize(
    ("angle", "expected"), [(0.0, 0.0), (90.0, 1.0), (180.0, 2.0), (60.0, 0.5)]
)
def test_normal_consistency_of_a_hinge_is_one_less_the_cosine(angle, expected):
    a = np.radians(angle)
    pos = torch.tensor([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0.3, -np.cos(a), np.sin(a)]]).float()
    tri = torch.tensor([[0, 1, 2], [1, 0, 3]])
    found = losses.mesh_normal_consistency(pos, tri)
    assert found.item() == pytest.approx(expected, abs=1e-6)
    between = np.pi - a  # the two triangles: flat is 180 degrees
    found = losses.mesh_normal_consistency(pos, tri, squared=True)
    assert found.item() == pytest.approx((np.cos(between) + 1) ** 2, abs=1e-6)


def test_edges_with_three_triangles_and_triangles_without_area_do_not_count():
    pos = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, -1, 0], [2, 0, 0]])
    hinge, third, line = [[0, 1, 2], [1, 0, 3]], [0, 1, 4], [0, 1, 1]
    sliver = [0, 3, 3]
    assert losses.mesh_normal_consistency(pos, torch.tensor(hinge)).item() == pytest.approx(1.0)
    found = losses.mesh_normal_consistency(pos, torch.tensor([*hinge, line, sliver]))
    assert found.item() == pytest.approx(1.0)
    assert losses.mesh_normal_consistency(pos, torch.tensor([*hinge, third])).item() == 0.0


@pytest.mark.parametrize("target", [0.0, 0.7, "mean"])
def test_edge_loss_is_that_of_the_loops(target):
    twins.assert_is_the_twin(
        lambda x: losses.mesh_edge_loss(x, torch.tensor(FAN), target),
        lambda x: twins.edge_loss(x, FAN, target),
        noise(),
    )


def test_edges_of_one_length_cost_nothing_towards_their_mean_at_any_size():
    pos = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    tri = torch.tensor([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])
    for size in (1.0, 30.0):
        assert losses.mesh_edge_loss(size * pos, tri, "mean").item() < 1e-9 * size**2


def test_dirichlet_energy_adds_the_squared_steps_along_the_edges():
    values = torch.tensor([[0.0, 1.0], [1.0, 1.0], [3.0, 2.0]]).requires_grad_()
    loss = losses.dirichlet_energy(values, torch.tensor([[0, 1, 2]]))
    assert loss.item() == pytest.approx(((1 + 4 + 9) + (0 + 1 + 1)) / 3)
    loss.backward()
    # d/dv0 of (v0-v1)^2 + (v0-v2)^2, over 3 vertices.
    assert values.grad[0].tolist() == pytest.approx([2 * (-1 - 3) / 3, 2 * (0 - 1) / 3])


def test_dirichlet_energy_is_the_form_of_the_laplacian():
    attr = noise(width=5)
    matrix = laplacian(torch.tensor(FAN), VERTICES).to_dense().double().numpy()
    twins.assert_is_the_twin(
        lambda x: losses.dirichlet_energy(x, torch.tensor(FAN)),
        lambda x: np.trace(x.T @ matrix @ x) / VERTICES,
        attr,
    )


@pytest.mark.parametrize("name", MESH_LOSSES)
def test_a_batch_costs_the_mean_of_its_shapes(name):
    pos, tri = torch.stack([convex(), 2 * convex(), convex().flip(1)]), torch.tensor(FAN)
    pos.requires_grad_()
    together = MESH_LOSSES[name](pos, tri)
    each = sum(MESH_LOSSES[name](shape, tri) for shape in pos) / len(pos)
    torch.testing.assert_close(together, each, rtol=1e-5, atol=1e-6)
    grads = [torch.autograd.grad(loss, pos)[0] for loss in (together, each)]
    torch.testing.assert_close(*grads, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", MESH_LOSSES)
@pytest.mark.parametrize("shape", [(0, 3), (4, 3), (2, 4, 3), (0, 4, 3)])
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_a_mesh_without_triangles_costs_nothing(name, shape, dtype):
    pos = torch.ones(shape, requires_grad=True)
    loss = MESH_LOSSES[name](pos, torch.zeros(0, 3, dtype=dtype))
    loss.backward()
    assert loss.item() == 0 and not pos.grad.any()


@pytest.mark.parametrize("name", MESH_LOSSES)
@pytest.mark.parametrize("size", [0.0, 1e-30, 1e-10, 1e10])
def test_degenerate_meshes_have_gradients_that_are_numbers(name, size):
    pos = size * convex()
    tri = torch.tensor([*FAN, [1, 1, 2], [3, 3, 3], [0, 2, 1]])
    for shape in (pos, pos * torch.tensor([1.0, 0, 0]), pos[:1].expand(VERTICES, 3)):
        x = shape.clone().requires_grad_()
        loss = MESH_LOSSES[name](x, tri)
        loss.backward()
        assert torch.isfinite(loss) and torch.isfinite(x.grad).all()


def test_neighbours_are_found_once_and_anew_where_tri_changes():
    from glrast.losses.adjacency import adjacency

    pos, tri = convex(), torch.tensor(FAN)
    first = adjacency("f", tri, pos)
    assert adjacency("f", tri, 2 * pos) is first
    before = losses.mesh_edge_loss(pos, tri).item()
    tri[3] = torch.tensor([0, 1, 4])
    assert adjacency("f", tri, pos) is not first
    assert losses.mesh_edge_loss(pos, tri).item() == pytest.approx(
        twins.edge_loss(pos.double().numpy(), tri.tolist(), 0.0), rel=1e-5
    )
    assert losses.mesh_edge_loss(pos, tri).item() != before


def test_a_sphere_is_smoother_than_a_dented_one_by_every_measure():
    pos, tri = icosphere(2)
    dented = pos.clone()
    dented[5] *= 0.5
    for name, loss in MESH_LOSSES.items():
        if name not in ("edges", "edges 1", "dirichlet"):  # these want another size
            assert loss(pos, tri) < loss(dented, tri), name


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda p, t: losses.mesh_edge_loss(t, p),
            "glrast.losses.mesh_edge_loss: pos must be float32 and tri int32 or int64; got pos int64 "
            "[4,3] and tri float32 [7,3]: they look swapped, pos comes before tri",
        ),
        (
            lambda p, t: losses.mesh_edge_loss(p[:5], t),
            "glrast.losses.mesh_edge_loss: tri must be [T,3] of vertex indices in [0,5); got 0 to 5: "
            "pass the vertices that tri belongs to",
        ),
        (
            lambda p, t: losses.mesh_normal_consistency(p, t - 1),
            "glrast.losses.mesh_normal_consistency: tri must be [T,3] of vertex indices in [0,7); "
            "got -1 to 4: pass the vertices that tri belongs to",
        ),
        (
            lambda p, t: losses.mesh_laplacian_smoothing(torch.cat([p, p[:, :1]], 1), t),
            "glrast.losses.mesh_laplacian_smoothing: pos must be [V,3] or [N,V,3]; got [7,4]: pass "
            "world positions, without the fourth coordinate",
        ),
        (
            lambda p, t: losses.mesh_laplacian_smoothing(p, t, "cotan"),
            "glrast.losses.mesh_laplacian_smoothing: method must be 'uniform' or 'cot'; got 'cotan'",
        ),
        (
            lambda p, t: losses.mesh_edge_loss(p, t, -1),
            "glrast.losses.mesh_edge_loss: target_length must be 0 or more; got -1.0: or 'mean' for "
            "edges that are alike",
        ),
        (
            lambda p, t: losses.mesh_edge_loss(p.double(), t),
            "glrast.losses.mesh_edge_loss: pos must be float32; got float64: convert it with "
            "pos.float()",
        ),
        (
            lambda p, t: losses.dirichlet_energy(p[0], t),
            "glrast.losses.dirichlet_energy: attr must be [V,A] or [N,V,A]; got [3]",
        ),
        (
            lambda p, t: losses.dirichlet_energy(p[:2], t),
            "glrast.losses.dirichlet_energy: tri must be [T,3] of vertex indices in [0,2); got 0 to "
            "5: pass the vertices that tri belongs to",
        ),
    ],
)
def test_a_wrong_argument_is_named_with_the_remedy(call, words):
    with pytest.raises((TypeError, ValueError)) as error:
        call(convex(), torch.tensor(FAN))
    assert str(error.value) == words
