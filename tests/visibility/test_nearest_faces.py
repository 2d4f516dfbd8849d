"""nearest_faces: known by hand, ties, bits, hostile input, errors. On random scenes: test_nearest_faces_random.py."""

import pytest
import torch

import glrast
from glrast.visibility import nearest_faces
from tests import scenes
from tests.ops.compare import close, torch_threads
from tests.reference.visibility import nearest_faces as twin
from tests.scenes import ODD


@pytest.fixture
def context(device):
    return glrast.Context(device)


def on_screen(corners, resolution=ODD):
    """Clip positions [1,V,4] of vertices (x, y, z/w) in pixels."""
    at = torch.tensor(corners)
    height, width = resolution
    x, y = 2 * at[:, 0] / width - 1, 2 * at[:, 1] / height - 1
    return torch.stack([x, y, at[:, 2], torch.ones(len(at))], 1)[None]


# ---- known by hand ---------------------------------------------------------------------------------------


def test_distance_is_squared_in_pixels_and_negative_inside(context):
    pos, tri, _ = scenes.vertical_edge(15.25)
    near = nearest_faces(
        context, pos[None].to(context.device), tri.to(context.device), ODD, 2, reach_pix=3.0
    )
    row = near.dist2[0, 8, :, 0].cpu()
    at = torch.arange(33) + 0.5
    close(row[13:15], -((15.25 - at[13:15]) ** 2), 1e-5)
    close(row[15:18], (at[15:18] - 15.25) ** 2, 1e-5)
    # 18.5 is farther than 3
    assert (row[18:] == -1).all() and (near.id[0, 8, 18:] == -1).all()
    assert (near.z[0, 8, 18:] == -1).all() and (near.bary[0, 8, 18:] == -1).all()


def test_a_pixel_outside_has_the_barycentrics_of_the_edge(context):
    pos, tri, _ = scenes.vertical_edge(15.25)
    near = nearest_faces(
        context, pos[None].to(context.device), tri.to(context.device), ODD, 2, reach_pix=3.0
    )
    outside = (near.dist2 > 0) & (near.id >= 0)
    assert outside.any() and (near.bary[outside] >= 0).all()
    close(near.bary[near.id >= 0].sum(-1), torch.ones((near.id >= 0).sum()), 1e-6)
    free = nearest_faces(
        context, pos[None].to(context.device), tri.to(context.device), ODD, 2, reach_pix=3.0, clip_barycentrics=False
    )  # fmt: skip
    assert (free.bary[outside] < 0).any(-1).all()


def test_faces_come_by_depth_and_at_equal_depth_by_id(context):
    full = [(-90.0, -90.0), (300.0, -90.0), (-90.0, 300.0)]
    depths = [0.5, -0.25, 0.0, -0.25, 0.5, 0.0]
    pos = on_screen([(x, y, z) for z in depths for x, y in full]).to(context.device)
    tri = torch.arange(18).reshape(6, 3).to(context.device)
    near = nearest_faces(context, pos, tri, ODD, 4)
    assert (near.id == torch.tensor([1, 3, 2, 5], device=context.device)).all()
    close(near.z[0, 3, 7], torch.tensor([-0.25, -0.25, 0.0, 0.0]), 1e-6)
    every = nearest_faces(context, pos, tri, ODD, 64)
    assert (every.id[..., :6] == torch.tensor([1, 3, 2, 5, 0, 4], device=context.device)).all()
    assert (every.id[..., 6:] == -1).all()


def test_a_centre_on_a_shared_edge_has_one_of_the_two_faces(context):
    pos, tri, _ = (t.to(context.device) for t in scenes.shared_edge())
    for turned in (tri, tri[:, [0, 2, 1]], tri.flip(0)):
        near = nearest_faces(context, pos[None], turned.contiguous(), (40, 40), 2)
        rast, _ = glrast.rasterize(context, pos[None], turned.contiguous(), (40, 40))
        assert ((near.id >= 0).sum(-1) == (rast[..., 3] > 0)).all()


def test_one_face_without_reach_is_what_rasterize_shows(context):
    pos, tri, _ = scenes.closed_mesh(2)
    pos, tri = pos.to(context.device), tri.to(context.device)
    rast, _ = glrast.rasterize(context, pos, tri, (64, 64))
    near = nearest_faces(context, pos, tri, (64, 64), 1)
    same = near.id[..., 0] == glrast.triangle_id(rast)
    assert same.float().mean() > 0.998  # OpenGL moves vertices by up to 1/512 pixel
    shown = same & (near.id[..., 0] >= 0)
    close(near.z[..., 0][shown], rast[..., 2][shown], 1e-5)
    close(near.bary[..., 0, :2][shown], rast[..., :2][shown], 2e-3)


def test_layers_are_those_of_peel(context):
    pos, tri, _ = scenes.closed_mesh(1)
    pos, tri = pos.to(context.device), tri.to(context.device)
    layers = glrast.peel(context, pos, tri, ODD, max_layers=3)
    near = nearest_faces(context, pos, tri, ODD, 3)
    for k, (rast, _) in enumerate(layers):
        same = near.id[..., k] == glrast.triangle_id(rast)
        assert same.float().mean() > 0.99


# ---- bits, sizes, hostile input --------------------------------------------------------------------------


def test_results_do_not_depend_on_the_number_of_threads(context):
    pos, tri, _ = scenes.closed_mesh(2, images=2)
    results = []
    for threads in (1, 4):
        with torch_threads(threads):
            p = pos.to(context.device).requires_grad_()
            near = nearest_faces(context, p, tri.to(context.device), (65, 130), 5, reach_pix=2.0)
            grad = torch.autograd.grad(near.dist2.sum() + near.bary.square().sum(), p)[0]
            results.append((*near, grad))
    assert all(torch.equal(a, b) for a, b in zip(*results))


def test_sorted_by_z_then_by_id_to_the_last_bit(context):
    pos, tri, _ = scenes.closed_mesh(2)
    near = nearest_faces(
        context, pos.to(context.device), tri.to(context.device), (64, 64), 16, reach_pix=4.0
    )
    there = near.id >= 0
    both = there[..., 1:]
    assert (there[..., :-1] | ~both).all()
    ahead, behind = near.z[..., :-1], near.z[..., 1:]
    ascending = (ahead < behind) | ((ahead == behind) & (near.id[..., :-1] < near.id[..., 1:]))
    assert (ascending | ~both).all()


def test_faces_larger_than_the_image_and_tiles_are_all_found(context):
    pos = on_screen(
        [(-1e4, -1e4, 0.0), (3e4, -1e4, 0.0), (-1e4, 3e4, 0.0)]
        + [(30.5, 0.2, -0.1), (200.0, 69.0, -0.1), (30.6, 0.3, -0.1)],
        (70, 200),
    )  # fmt: skip
    tri = torch.tensor([[0, 1, 2], [3, 4, 5]], device=context.device)
    near = nearest_faces(context, pos.to(context.device), tri, (70, 200), 3, reach_pix=1.0)
    assert (near.id == 0).any(-1).all()
    wanted = twin.nearest_faces(pos.double(), tri.cpu(), (70, 200), 3, 1.0)
    assert ((near.id.cpu() == wanted.id).all(-1) | wanted.doubtful).all()
    assert (near.id == 1).sum() > 200


@pytest.mark.parametrize(
    "pos, tri",
    [
        (torch.zeros(1, 0, 4), torch.zeros(0, 3, dtype=torch.int32)),
        (torch.zeros(0, 3, 4), torch.tensor([[0, 1, 2]])),
        (torch.zeros(1, 3, 4), torch.tensor([[0, 1, 2]])),
        (torch.full((1, 3, 4), torch.nan), torch.tensor([[0, 1, 2]])),
        (torch.full((1, 3, 4), torch.inf), torch.tensor([[0, 1, 2]])),
        (torch.ones(1, 3, 4), torch.tensor([[0, 1, 7], [-1, 0, 1]])),
    ],
)
def test_what_cannot_be_drawn_is_nowhere(context, pos, tri):
    p = pos.to(context.device).requires_grad_()
    near = nearest_faces(context, p, tri.to(context.device), ODD, 2, reach_pix=2.0)
    assert (
        near.id.shape == (len(pos), *ODD, 2) and (near.id == -1).all() and (near.dist2 == -1).all()
    )
    (grad,) = torch.autograd.grad(near.dist2.sum() + near.z.sum(), p)
    assert not grad.any()


@pytest.mark.parametrize("size", [1e-35, 1e-20, 1e20, 1e37])
def test_sizes_at_the_ends_of_float32_give_finite_numbers(context, size):
    pos, tri, _ = scenes.one_triangle()
    p = (pos[None] * size).to(context.device).requires_grad_()
    near = nearest_faces(context, p, tri.to(context.device), ODD, 2, reach_pix=2.0)
    assert all(torch.isfinite(t).all() for t in near) and (near.id == 0).any()
    (grad,) = torch.autograd.grad(near.dist2.sum() + near.z.sum() + near.bary.sum(), p)
    assert torch.isfinite(grad).all()


def test_hostile_positions_do_no_harm(context):
    values = torch.tensor([0.0, -0.0, 1e-45, 1.0, -1.0, 1e38, -3e38, torch.inf, torch.nan])
    random = torch.Generator().manual_seed(0)
    for _ in range(60):
        p = values[torch.randint(0, len(values), (1, 9, 4), generator=random)].to(context.device)
        tri = torch.randint(-1, 10, (7, 3), generator=random).to(context.device)
        p.requires_grad_()
        near = nearest_faces(context, p, tri, ODD, 3, reach_pix=2.0)
        assert all(torch.isfinite(t).all() for t in near[1:3])
        torch.autograd.grad(near.z.sum(), p)


def test_torch_compile_runs_it(context):
    pos, tri, _ = (t.to(context.device) for t in scenes.one_triangle(1))

    def loss(p):
        near = nearest_faces(context, p, tri, ODD, 2, reach_pix=2.0)
        return (near.bary.square().sum(-1) * (near.id >= 0)).sum()

    p = pos.clone().requires_grad_()
    (wanted,) = torch.autograd.grad(loss(p), p)
    (found,) = torch.autograd.grad(torch.compile(loss, backend="aot_eager")(p), p)
    assert torch.equal(found, wanted)


# ---- errors ----------------------------------------------------------------------------------------------


def test_wrong_arguments_are_named(context):
    pos, tri, _ = (t.to(context.device) for t in scenes.one_triangle(1))

    def refused(message, *given, error=ValueError, **options):
        with pytest.raises(error, match=message):
            nearest_faces(context, *given, **options)

    refused("glrast.visibility.nearest_faces: pos must be .N,V,4.", pos[0], tri, ODD)
    refused("faces_per_pixel must be a whole number from 1; got 0", pos, tri, ODD, 0)
    refused("reach_pix must be 0 or more pixels; got -1.0", pos, tri, ODD, 1, -1.0)
    refused("reach_pix must be a finite number", pos, tri, ODD, 1, float("inf"))
    refused("within the 1 triangles of tri", pos[0], tri, ODD, ranges=[[0, 2]])
    refused("cull must be 'none', 'back' or 'front'", pos, tri, ODD, cull="both")
    wrong = dict(clip_barycentrics="no", error=TypeError)
    refused("clip_barycentrics must be True or False", pos, tri, ODD, **wrong)


def test_a_second_derivative_is_refused(context):
    pos, tri, _ = (t.to(context.device) for t in scenes.one_triangle(1))
    p = pos.requires_grad_()
    near = nearest_faces(context, p, tri, ODD, 1)
    (grad,) = torch.autograd.grad(near.z.square().sum(), p, create_graph=True)
    with pytest.raises(RuntimeError, match="second derivatives"):
        torch.autograd.grad(grad.sum(), p)
