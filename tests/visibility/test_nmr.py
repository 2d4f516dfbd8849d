"""nmr: the rule worked out by hand, the float64 twin, and how far it is from a derivative."""

import pytest
import torch

import glrast
from glrast.visibility import nmr
from glrast.visibility.nmr import EPS, EPS_SILHOUETTES
from tests import scenes
from tests.ops.compare import relative_error, torch_threads
from tests.reference.visibility import nmr as twin
from tests.scenes import ODD, SCENES
from tests.visibility.estimators import check_against_twin, gradients, shade


def edge_by_hand(eps: float) -> float:
    """d loss/d x of the right edge of a triangle, loss = -sum: white up to x = 15.3 on a grey of 0.3, one scan line.

    In pixels whose centres are whole numbers the edge is at 14.8: the pixel inside is 14. Outside 15 to 32: delta =
    0.7; inside delta = -0.7, which is left out.
    """
    unit = 2 / min(ODD)
    return -sum(3 * 0.7 / ((d1 - 14.8) * unit + eps) for d1 in range(15, ODD[1]))


@pytest.mark.parametrize("eps", [EPS, EPS_SILHOUETTES])
def test_an_edge_is_pulled_by_every_pixel_beyond_it(context, eps):
    color, rast, pos, tri = shade(context, scenes.vertical_edge(15.3))
    # the lower, right triangle has the edge; its corners turn counterclockwise
    _, _, grad = gradients(nmr, color, rast, pos, tri, -torch.ones(color.shape), eps=eps)
    unit = 2 / min(ODD)
    by_pixel = (grad[[1, 2], 0] * pos[[1, 2], 3]).sum().item() * 2 / ODD[1]
    # the ends share by where the scan line is: t and 1 - t of 1/dist, and eps
    assert by_pixel == pytest.approx(
        ODD[0] * edge_by_hand(eps) * unit, rel=0.02 if eps == EPS else 0.01
    )


def test_back_faces_get_nothing_unless_they_are_filled(context):
    color, rast, pos, tri = shade(context, scenes.one_triangle(1))
    turned = tri[:, [0, 2, 1]].contiguous()
    y = torch.randn(color.shape, generator=torch.Generator().manual_seed(1))
    _, _, front = gradients(nmr, color, rast, pos, tri, y)
    _, _, none = gradients(nmr, color, rast, pos, turned, y)
    _, _, filled = gradients(nmr, color, rast, pos, turned, y, fill_back=True)
    assert front.any() and not none.any()
    assert relative_error(filled, front) < 1e-4


# Where edges pass through the centres of pixels, rounding decides which one is the in-pixel.
THROUGH_CENTRES = ("shared_edge", "degenerate", "edge_before_object")


@pytest.mark.parametrize("name", [n for n in SCENES if n not in THROUGH_CENTRES])
def test_positions_get_what_the_twin_gives_them(context, name):
    color, rast, pos, tri = shaded = shade(context, SCENES[name]())
    if twin.margin(rast.cpu(), pos.cpu(), tri.cpu()) < 1e-5:
        pytest.fail("float32 may round to another pixel here: choose other positions")
    check_against_twin(nmr, twin.nmr, shaded)


def test_two_by_two_pixels_make_one(context):
    size = (2 * 9, 2 * 17)
    shaded = shade(context, scenes.closed_mesh(0), size)
    color, rast, pos, tri = shaded
    image = nmr(color, rast, pos, tri, supersample=2)
    assert image.shape == (1, 9, 17, 3)
    assert torch.allclose(image[0, 3, 5], color[0, 6:8, 10:12].mean((0, 1)), atol=1e-6)
    y = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    moving, still = pos.clone().requires_grad_(), pos.cpu().double().requires_grad_()
    (nmr(color, rast, moving, tri, supersample=2) * y.to(color)).sum().backward()
    image = twin.nmr(color.cpu().double(), rast.cpu(), still, tri.cpu(), supersample=2)
    (image * y).sum().backward()
    assert relative_error(moving.grad, still.grad) < 1e-4


def test_sizes_that_do_not_halve_are_refused(context):
    color, rast, pos, tri = shade(context, scenes.one_triangle(1))
    with pytest.raises(ValueError, match=r"glrast\.nmr: color must be of even size .* got 17 x 33"):
        nmr(color, rast, pos, tri, supersample=2)
    with pytest.raises(ValueError, match=r"glrast\.nmr: eps must be greater than 0; got 0\.0"):
        nmr(color, rast, pos, tri, eps=0)


@pytest.mark.slow
def test_the_bits_do_not_depend_on_the_number_of_threads(context):
    shaded = shade(context, scenes.closed_mesh(2), (256, 256))
    y = torch.randn(shaded[0].shape, generator=torch.Generator().manual_seed(0))
    found = []
    for threads in (1, 2, 3):
        with torch_threads(threads):
            found.append(gradients(nmr, *shaded, y)[2])
    if context.device.type == "cpu":
        assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])


# ---- what the published library's own tests expect --------------------------------------------------------
# One image of a batch of four shows the triangle, the others a degenerate one. Pixels are counted from the top.
OUTSIDE = ([[0.8, 0.8], [0.0, -0.5], [0.2, -0.4]], (25, 35), 1.0)
OUTSIDE_GRAD = [[1.6725862, -0.26021874], [1.41986704, -1.64284933], [0.0, 0.0]]
INSIDE = ([[0.8, 0.8], [-0.5, -0.8], [0.8, -0.8]], (40, 50), 0.0)
INSIDE_GRAD = [[0.98646867, 1.04628897], [-1.03415668, -0.10403691], [3.00094461, -1.55173182]]


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize("case, grad", [(OUTSIDE, OUTSIDE_GRAD), (INSIDE, INSIDE_GRAD)])
def test_the_published_gradients_of_one_pixel(context, case, grad, channels):
    places, (row, column), target = case
    pos = torch.zeros(4, 3, 4)
    pos[..., 3] = 1
    pos[2, :, :2] = torch.tensor(places)
    pos = pos.to(context.device).requires_grad_()
    tri = torch.tensor([[0, 1, 2]], dtype=torch.int32, device=context.device)
    rast, _ = glrast.rasterize(context, pos, tri, (64, 64))
    color = (rast[..., 3:] > 0).float().expand(-1, -1, -1, channels).contiguous()
    image = nmr(color, rast, pos, tri, eps=EPS_SILHOUETTES, fill_back=True).mean(-1).flip(1)
    (found,) = torch.autograd.grad((image[:, row, column] - target).abs().sum(), pos)
    assert relative_error(found[2, :, :2], torch.tensor(grad)) < 1e-4
    assert not found[..., 2].any() and not found[[0, 1, 3]].any()
