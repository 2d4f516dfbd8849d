"""glrast/camera/projection.py: where points of camera space land."""

import math

import pytest
import torch

from glrast.clip import (
    from_intrinsics,
    orthographic,
    perspective,
    transform_points,
    world_to_camera_from_opencv,
)

EPS = 1e-5  # float32 results of a few operations on numbers near 1
PIXEL_EPS = 2e-3  # in pixels: float32 at coordinates of a few hundred
FINITE_DIFFERENCE_STEP = 1e-3


def ndc(matrix, point):
    clip = transform_points(matrix, [point])[0]
    return (clip[:3] / clip[3]).tolist()


def pixel(matrix, point, resolution):
    """(from the left, from the BOTTOM), pixel centres at + 1/2, as the rasterizer has it."""
    x, y, _ = ndc(matrix, point)
    return (x + 1) / 2 * resolution[1], (y + 1) / 2 * resolution[0]


def test_perspective_maps_near_and_far_to_minus_one_and_one():
    matrix = perspective(0.7, 1.3, 0.25, 20.0)
    assert ndc(matrix, (0, 0, -0.25))[2] == pytest.approx(-1, abs=EPS)
    assert ndc(matrix, (0, 0, -20.0))[2] == pytest.approx(1, abs=EPS)


def test_perspective_puts_the_edge_of_the_field_of_view_on_the_edge_of_the_image():
    fov, aspect = 0.7, 1.6
    top = math.tan(fov / 2) * 3  # at distance 3
    matrix = perspective(fov, aspect, 0.1, 10)
    assert ndc(matrix, (0, top, -3))[:2] == pytest.approx([0, 1], abs=EPS)
    assert ndc(matrix, (-top * aspect, 0, -3))[:2] == pytest.approx([-1, 0], abs=EPS)


def test_w_is_the_distance_along_the_axis():
    assert transform_points(perspective(1, 1, 0.1, 9), [[0.5, 0.5, -4.0]])[0, 3] == 4


def test_orthographic_keeps_sizes_at_all_distances():
    matrix = orthographic(2.0, 1.5, -2.0, 10.0)
    for z in (2.0, -10.0):
        assert ndc(matrix, (3.0, -2.0, z))[:2] == pytest.approx([1, -1], abs=EPS)
    assert ndc(matrix, (0, 0, 2))[2] == pytest.approx(-1, abs=EPS)
    assert ndc(matrix, (0, 0, -10))[2] == pytest.approx(1, abs=EPS)


@pytest.mark.parametrize("pixel_centre", [0.0, 0.5])
def test_a_point_lands_on_the_pixel_that_opencv_says(pixel_centre):
    # OpenCV: x_cam = R X + t, u = fx x/z + cx from the left, v = fy y/z + cy from the top
    fx, fy, cx, cy, resolution = 311.0, 287.0, 170.3, 99.6, (217, 331)
    angle = 0.3
    R = [
        [math.cos(angle), 0.0, math.sin(angle)],
        [0.0, 1.0, 0.0],
        [-math.sin(angle), 0.0, math.cos(angle)],
    ]
    t = [0.1, -0.2, 4.0]
    world = [0.4, 0.3, -0.5]
    X, Y, Z = (sum(r * w for r, w in zip(row, world)) + s for row, s in zip(R, t))
    u, v = fx * X / Z + cx, fy * Y / Z + cy
    projection = from_intrinsics(fx, fy, cx, cy, resolution, 0.1, 10, pixel_centre)
    view = world_to_camera_from_opencv(R, t)
    x, y = pixel(projection.double() @ view.double(), world, resolution)
    # a pixel whose centre the convention calls (u, v) has its centre at + 1/2 here
    shift = 0.5 - pixel_centre
    assert x == pytest.approx(u + shift, abs=PIXEL_EPS)
    assert resolution[0] - y == pytest.approx(v + shift, abs=PIXEL_EPS)


def test_a_centred_principal_point_is_plain_perspective():
    height, width, fov = 33, 17, 0.9
    f = height / 2 / math.tan(fov / 2)
    expected = perspective(fov, width / height, 0.1, 7)
    colmap = from_intrinsics(f, f, width / 2, height / 2, (height, width), 0.1, 7)
    opencv = from_intrinsics(
        f, f, (width - 1) / 2, (height - 1) / 2, (height, width), 0.1, 7, pixel_centre=0.0
    )
    assert torch.allclose(colmap, expected, atol=EPS)
    assert torch.allclose(opencv, expected, atol=EPS)


@pytest.mark.parametrize("build", [perspective, orthographic])
def test_gradients_reach_every_parameter(build):
    values = [torch.tensor(x, dtype=torch.float64) for x in (0.9, 1.3, 0.4, 5.0)]
    weight = torch.randn(4, 4, generator=torch.Generator().manual_seed(1))
    for k in range(4):
        inputs = [x.clone().requires_grad_(i == k) for i, x in enumerate(values)]
        (build(*inputs) * weight).sum().backward()
        either = []
        for sign in (1, -1):
            moved = [x + sign * FINITE_DIFFERENCE_STEP * (i == k) for i, x in enumerate(values)]
            either.append(float((build(*moved) * weight).sum()))
        slope = (either[0] - either[1]) / (2 * FINITE_DIFFERENCE_STEP)
        grad = inputs[k].grad
        assert grad is not None and float(grad) == pytest.approx(slope, rel=1e-2, abs=1e-2)


def test_intrinsics_can_be_fitted():
    fx = torch.tensor(40.0, requires_grad=True)
    cx = torch.tensor(7.5, requires_grad=True)
    matrix = from_intrinsics(fx, 40, cx, 8, (16, 17), 0.1, 10)
    (transform_points(matrix, [[1.0, 0.0, -2.0]])[0, 0]).backward()
    # x = 2 fx X/W + (2 cx/W - 1) d
    assert fx.grad is not None and float(fx.grad) == pytest.approx(2 / 17, rel=EPS)
    assert cx.grad is not None and float(cx.grad) == pytest.approx(2 / 17 * 2, rel=EPS)


def test_results_are_float32_tensors():
    for matrix in (perspective(1, 1, 1, 2), orthographic(1, 1, 1, 2)):
        assert matrix.dtype == torch.float32 and matrix.shape == (4, 4)


def test_impossible_values_are_named_with_the_remedy():
    with pytest.raises(
        ValueError, match=r"perspective: fov_rad must be in \(0, pi\); got 40: .*radi"
    ):
        perspective(40, 1, 0.1, 10)
    with pytest.raises(
        ValueError, match=r"perspective: aspect must be positive; got 0: pass width"
    ):
        perspective(1, 0, 0.1, 10)
    with pytest.raises(ValueError, match=r"0 < near < far; got near=0, far=10"):
        perspective(1, 1, 0, 10)
    with pytest.raises(ValueError, match=r"perspective: near must be finite; got nan"):
        perspective(1, 1, math.nan, 10)
    with pytest.raises(ValueError, match=r"perspective: fov_rad must be one number; got \[2\]"):
        perspective([1, 1], 1, 1, 10)
    with pytest.raises(TypeError, match=r"perspective: fov_rad must be a tensor, .* got str"):
        perspective("wide", 1, 1, 10)
    with pytest.raises(ValueError, match=r"orthographic: half_height must be positive; got -1"):
        orthographic(-1, 1, 0, 1)
    with pytest.raises(
        ValueError, match=r"orthographic: near must be less than far; got near=3, far=1"
    ):
        orthographic(1, 1, 3, 1)
    with pytest.raises(ValueError, match=r"from_intrinsics: pixel_centre must be 0.5 .* got 1"):
        from_intrinsics(1, 1, 1, 1, (2, 2), 0.1, 1, pixel_centre=1)
    with pytest.raises(ValueError, match=r"from_intrinsics: fy must be positive; got 0"):
        from_intrinsics(1, 0, 1, 1, (2, 2), 0.1, 1)
