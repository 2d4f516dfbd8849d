"""What every image estimator promises: the image as it is, gradients where they belong, errors that say what to do."""

import pytest
import torch

import glrast
from glrast import visibility
from glrast.visibility.edge_sampling import edges_of
from tests import scenes
from tests.ops.compare import (
    SHAPES_OF_POS,
    draw,
    random,
    relative_error,
    three_images,
    torch_threads,
)
from tests.visibility.estimators import gradients, shade

NAMES = ("opendr", "dirt", "nmr", "edge_grad", "edge_sampling")
each_estimator = pytest.mark.parametrize("name", NAMES)


def seeded(name, seed=0, device="cpu"):
    """The estimator, its randomness fixed."""
    function = getattr(visibility, name)
    if name != "edge_sampling":
        return function
    return lambda *given: function(*given, generator=torch.Generator(device).manual_seed(seed))


@each_estimator
def test_the_image_is_color_and_color_gets_the_incoming_gradient(context, name):
    shaded = shade(context, scenes.closed_mesh(1))
    y = random(*shaded[0].shape)
    image, by_color, by_pos = gradients(seeded(name, device=context.device.type), *shaded, y)
    assert torch.equal(image, shaded[0]) and torch.equal(by_color.cpu(), y)
    assert by_pos.any() and torch.isfinite(by_pos).all()


@each_estimator
@pytest.mark.parametrize("shape", SHAPES_OF_POS)
def test_positions_shared_by_images_get_the_sum_of_what_each_image_gives(context, shape, name):
    if name == "edge_sampling" and shape == "[N,V,4]":
        pytest.skip("other random numbers in each image")
    rast, pos, tri = three_images(context, shape)
    pos, tri = pos.to(context.device), tri.to(context.device)
    color = random(*rast.shape[:3], 3).to(rast)
    y = random(*color.shape, seed=1)
    found = gradients(seeded(name, device=context.device.type), color, rast, pos, tri, y)[2]
    assert found.shape == pos.shape
    if name == "edge_sampling":
        return
    parts = []
    for n in range(3):
        own = pos[n : n + 1] if shape == "[N,V,4]" else pos
        one = slice(n, n + 1)
        parts.append(gradients(seeded(name), color[one], rast[one], own, tri, y[one])[2])
    wanted = torch.cat(parts) if shape == "[N,V,4]" else sum(parts)
    assert relative_error(found, wanted) < 1e-5


@each_estimator
@pytest.mark.parametrize("scene", [scenes.no_triangles, scenes.no_vertices, scenes.no_images])
def test_empty_meshes_and_no_images_are_no_error(context, scene, name):
    pos, tri, _ = scene()
    pos, tri = pos.to(context.device), tri.to(context.device)
    rast, _ = draw(context, (pos, tri))
    color = torch.ones(*rast.shape[:3], 3, device=rast.device)
    _, _, grad = gradients(seeded(name), color, rast, pos, tri, torch.ones(color.shape))
    assert grad.shape == pos.shape and not grad.any()


@each_estimator
def test_the_result_does_not_depend_on_the_number_of_threads(context, name):
    shaded = shade(context, scenes.closed_mesh(1), (65, 127))
    y = random(*shaded[0].shape)
    found = []
    for threads in (1, 2):
        with torch_threads(threads):
            found.append(gradients(seeded(name, device=context.device.type), *shaded, y)[2])
    if context.device.type == "cpu":
        assert torch.equal(*found)


@each_estimator
def test_what_is_wrong_is_named(context, name):
    color, rast, pos, tri = shade(context, scenes.one_triangle(1))
    function = getattr(visibility, name)
    with pytest.raises(
        ValueError, match=rf"glrast\.{name}: color must be \[N,H,W,C\]; got \[17,33,3\]"
    ):
        function(color[0], rast, pos, tri)
    with pytest.raises(
        ValueError, match=rf"{name}: rast must be \[N,H,W,4\] with N=1, H=17, W=33 \(from color\)"
    ):
        function(color, rast[:, :5], pos, tri)
    with pytest.raises(ValueError, match=rf"{name}: pos must be \[N,V,4\], \[1,V,4\] or \[V,4\]"):
        function(color, rast, pos[..., :3], tri)
    with pytest.raises(TypeError, match=rf"{name}: color must be float32; got float64"):
        function(color.double(), rast, pos, tri)
    with pytest.raises(TypeError, match=rf"{name}: pos must be float32 and tri int32 or int64"):
        function(color, rast, tri, pos)


@each_estimator
def test_a_second_derivative_is_refused(context, name):
    color, rast, pos, tri = shade(context, scenes.one_triangle(1))
    pos = pos.requires_grad_()
    image = getattr(visibility, name)(color, rast, pos, tri)
    (grad,) = torch.autograd.grad(image.square().sum(), pos, create_graph=True)
    with pytest.raises(RuntimeError, match=rf"glrast\.{name}: second derivatives"):
        grad.sum().backward()


@each_estimator
def test_ids_that_no_triangle_has_give_nothing(context, name):
    color, rast, pos, tri = shade(context, scenes.one_triangle(1))
    rast = torch.where(rast[..., 3:] > 0, rast + torch.tensor([0, 0, 0, 7.0]).to(rast), rast)
    y = random(*color.shape)
    _, _, grad = gradients(seeded(name, device=context.device.type), color, rast, pos, tri, y)
    assert not grad.any()


def test_under_debug_ids_that_no_triangle_has_are_an_error(context):
    color, rast, pos, tri = shade(context, scenes.one_triangle(1))
    with glrast.debug(), pytest.raises(ValueError, match=r"glrast\.nmr: rast must name triangles"):
        visibility.nmr(color, rast + torch.tensor([0, 0, 0, 7.0]).to(rast), pos, tri)


@pytest.mark.slow
def test_operators_pass_the_checks_of_torch_library(device):
    context = glrast.Context(device)
    color, rast, pos, tri = given = shade(context, scenes.closed_mesh(0))
    y = random(*color.shape).to(color)
    opposite = glrast.antialias_construct_topology_hash(tri).opposite
    edges, owners = edges_of(tri, tri)
    chosen = torch.rand(1, 64, dtype=torch.float64).to(device)
    at, shown, alpha = (torch.rand(1, 5, 6, 2, *c).to(device) for c in ((3,), (3,), ()))
    calls = {
        "opendr": (*given, opposite),
        "dirt": given,
        "nmr": (*given, 1e-3, True),
        "edge_grad": (*given, False),
        "edge_sampling": (*given, edges, owners, chosen, False),
        "rasterize_then_splat": (at, shown, alpha),
        "opendr_backward": (*given, None, y),
        "dirt_backward": (*given, y),
        "nmr_backward": (*given, y, 1e-3, True),
        "edge_grad_backward": (*given, y, False),
        "edge_sampling_backward": (*given, y, edges, owners, chosen, False),
        "rasterize_then_splat_backward": (at, shown, alpha, torch.rand(1, 5, 6, 4).to(device)),
    }
    for name, arguments in calls.items():
        operator = getattr(torch.ops.glrast, name).default
        checks = ("test_schema", "test_faketensor", "test_aot_dispatch_dynamic")
        torch.library.opcheck(operator, arguments, test_utils=checks)
