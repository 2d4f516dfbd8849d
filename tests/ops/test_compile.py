"""torch.compile without graph breaks, and torch.library's own checks of every operator."""

import warnings

import pytest
import torch

import glrast
from tests import scenes
from tests.ops.compare import encode, random, relative_error
from tests.scenes import ODD

# The compiler may reorder the sums of the loss around our operators; they themselves run unchanged.
REORDERED = 1e-6


@pytest.fixture(scope="module", autouse=True)
def fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.slow
@pytest.mark.parametrize("topology", ["made outside", "found inside"])
def test_a_render_compiles_without_graph_breaks_and_equals_eager(device, topology):
    pos, tri, attr = (t.to(device) for t in scenes.closed_mesh(1, images=2))
    context = glrast.Context(device)
    handle = glrast.antialias_construct_topology_hash(tri) if topology == "made outside" else None
    target = random(2, *ODD, 3).to(device)

    def loss(pos, attr):
        rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
        color, color_da = glrast.interpolate(attr, rast, tri, rast_db, [0, -1])
        image = glrast.antialias(color, rast, pos, tri, topology_hash=handle)
        return (image - target).square().sum() + color_da.square().sum()

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    for step in range(3):  # the second and third run reuse the graph
        at = [(t + 0.01 * step).requires_grad_() for t in (pos, attr)]
        eager = loss(*at)
        wanted = torch.autograd.grad(eager, at)
        found = compiled(*at)
        assert relative_error(found, eager) < REORDERED
        for f, w in zip(torch.autograd.grad(found, at), wanted):
            assert relative_error(f, w) < REORDERED


@pytest.mark.slow
def test_compiled_antialias_sees_that_tri_changed_in_place(device):
    context = glrast.Context(device)
    pos, tri, _ = (t.to(device) for t in scenes.shared_edge())
    rast, _ = glrast.rasterize(context, pos[None], tri, ODD)
    color = random(1, *ODD, 3).to(device)
    glrast.antialias(color, rast, pos, tri)  # eager: the neighbours are remembered
    compiled = torch.compile(
        lambda t: glrast.antialias(color, rast, pos, t), fullgraph=True, backend="aot_eager"
    )
    for second in ([0, 1, 3], [1, 3, 2], [0, 3, 1]):
        tri[1] = torch.tensor(second)
        assert torch.equal(compiled(tri), glrast.antialias(color, rast, pos, tri.clone()))


@pytest.mark.slow
def test_range_mode_compiles_and_resolutions_may_change(device):
    pos, tri, attr = (t.to(device) for t in scenes.overlapping_polygons())
    context = glrast.Context(device, output_db=False)
    ranges = torch.tensor([[0, 4], [4, len(tri) - 4]])

    def image(pos, size):
        rast, _ = glrast.rasterize(context, pos, tri, size, ranges=ranges)
        return glrast.interpolate(attr, rast, tri)[0]

    compiled = torch.compile(image, fullgraph=True, backend="aot_eager")
    for size in (ODD, (20, 24), (33, 9)):
        assert torch.equal(compiled(pos, size), image(pos, size))
    ranges[1, 1] += 1  # values are checked when it runs
    with pytest.raises(ValueError, match="ranges must lie within tri"):
        compiled(pos, ODD)


def test_operators_pass_the_checks_of_torch_library(device):
    """Schemas tell the truth, fakes know shapes and types, and nothing is aliased."""
    glrast.Context(device)
    for name, arguments in calls(device):
        operator = getattr(torch.ops.glrast, name).default
        checks = ("test_schema", "test_faketensor", "test_autograd_registration")
        torch.library.opcheck(operator, arguments, test_utils=checks)


@pytest.mark.slow
def test_operators_pass_with_dynamic_shapes(device):
    for name, arguments in calls(device):
        operator = getattr(torch.ops.glrast, name).default
        torch.library.opcheck(operator, arguments, test_utils="test_aot_dispatch_dynamic")


def calls(device):
    """Every operator with representative arguments, none of which asks for a gradient."""
    pos, tri, attr = (t.to(device) for t in scenes.closed_mesh(0, images=2))
    context = glrast.Context(device)
    handle, size = context.handle, ODD
    rast, rast_db, ids = torch.ops.glrast.rasterize(
        pos, tri, None, handle, *size, "id", "none", True
    )
    color = random(2, *size, 3).to(device)
    opposite = glrast.antialias_construct_topology_hash(tri).opposite
    out, flags, alpha = torch.ops.glrast.antialias(color, rast, pos, tri, opposite)
    inner = torch.ops.glrast.antialias_inner(color, rast, pos, tri, opposite)[2]
    grad, grad_da = random(2, *size, 3).to(device), random(2, *size, 4).to(device)
    ranges = torch.tensor([[0, 3], [1, 2], [2, 0]])
    return [
        ("rasterize", (pos, tri, None, handle, *size, "id", "none", True)),
        ("rasterize", (pos, tri, None, handle, *size, "full", "back", False)),
        ("rasterize", (pos[0], tri, ranges, handle, *size, "id", "front", False)),
        ("rasterize", (pos, tri[:0], None, handle, *size, "id", "none", True)),
        ("rasterize_backward", (pos, tri, ids, random(*rast.shape).to(device), None)),
        ("rasterize_backward", (pos, tri, ids, None, random(*rast.shape).to(device))),
        ("interpolate", (attr, rast, tri, None, [])),
        ("interpolate", (attr, rast, tri, rast_db, [0, 2])),
        (
            "interpolate_backward",
            (attr, rast, tri, rast_db, [0, 2], grad, grad_da, [True, True, True]),
        ),
        ("interpolate_backward", (attr, rast, tri, None, [], grad, None, [False, True, False])),
        ("antialias", (color, rast, pos, tri, opposite)),
        ("antialias", (color, rast, pos[0], tri, opposite)),
        ("antialias_backward", (color, rast, pos, tri, flags, alpha, grad, 2.0, [True, True])),
        ("antialias_backward", (color, rast, pos, tri, flags, alpha, grad, 1.0, [False, True])),
        ("antialias_inner", (color, rast, pos, tri, opposite)),
        (
            "antialias_inner_backward",
            (color, rast, pos, tri, flags, inner, grad, 2.0, [True, True]),
        ),
    ]


@pytest.mark.slow
def test_triangle_id_compiles(device):
    rast = torch.zeros(1, 1, 3, 4, device=device)
    rast[0, 0, 1, 3] = 5
    rast[0, 0, 2, 3] = encode([2**24 + 7])[0]
    compiled = torch.compile(glrast.triangle_id, fullgraph=True, backend="aot_eager")
    assert compiled(rast).tolist() == [[[-1, 4, 2**24 + 6]]]


@pytest.mark.slow
def test_half_precision_positions_are_warned_of_while_they_are_compiled(device):
    context = glrast.Context(device)
    pos, tri, _ = (t.to(device) for t in scenes.one_triangle(1))

    def drawn(pos):
        with torch.autocast(device.type, torch.bfloat16):
            rast, _ = glrast.rasterize(context, pos.bfloat16(), tri, ODD)
            return glrast.antialias(rast, rast, pos.bfloat16(), tri)

    compiled = torch.compile(drawn, fullgraph=True, backend="aot_eager")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        first = compiled(pos)
    said = [w for w in caught if "pos must be float32" in str(w.message)]
    assert [str(w.message).split(":")[0] for w in said] == ["glrast.rasterize", "glrast.antialias"]
    assert all("bfloat16" in str(w.message) and w.filename == __file__ for w in said)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(compiled(pos), first)  # what is compiled runs without a word
