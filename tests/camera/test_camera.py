"""glrast/camera/camera.py: points through matrices, and the Camera that holds them."""

import math

import numpy as np
import pytest
import torch

from glrast.clip import Camera, look_at, perspective, transform_points

EPS = 1e-5  # float32 results of a few operations on numbers near 1


def example_camera() -> Camera:
    view = look_at((1.0, 2.0, 3.0), (0.0, 0.5, -0.5))
    return Camera(view, perspective(0.8, 17 / 33, 0.1, 10.0), (33, 17), "r_007")


def test_points_through_a_matrix_are_the_homogeneous_product():
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(4, 4, generator=generator)
    points = torch.randn(7, 3, generator=generator)
    expected = torch.cat([points, torch.ones(7, 1)], 1) @ matrix.T
    assert torch.allclose(transform_points(matrix, points), expected, atol=EPS)


def test_points_broadcast_over_matrices_in_every_combination():
    matrices, points = torch.randn(5, 4, 4), torch.randn(5, 7, 3)
    assert transform_points(matrices, points[0]).shape == (5, 7, 4)
    assert transform_points(matrices, points).shape == (5, 7, 4)
    assert transform_points(matrices[0], points).shape == (5, 7, 4)
    assert transform_points(matrices[:1], points).shape == (5, 7, 4)
    assert transform_points(matrices[:1], points[0]).shape == (1, 7, 4)
    for n in range(5):
        alone = transform_points(matrices[n], points[n])
        assert torch.equal(transform_points(matrices, points)[n], alone)


def test_points_may_be_none_or_arrays_or_lists():
    assert transform_points(torch.eye(4), torch.zeros(0, 3)).shape == (0, 4)
    assert transform_points(torch.zeros(0, 4, 4), torch.zeros(6, 3)).shape == (0, 6, 4)
    out = transform_points(np.eye(4), [[1, 2, 3]])
    assert out.dtype == torch.float32 and out.tolist() == [[1, 2, 3, 1]]


def test_gradients_of_transformed_points_reach_matrix_and_points():
    matrix = torch.randn(3, 4, 4, requires_grad=True)
    points = torch.randn(6, 3, requires_grad=True)
    weight = torch.randn(3, 6, 4)
    (transform_points(matrix, points) * weight).sum().backward()
    homogeneous = torch.cat([points.detach(), torch.ones(6, 1)], 1)
    assert matrix.grad is not None and points.grad is not None
    assert torch.allclose(matrix.grad, weight.transpose(1, 2) @ homogeneous, atol=EPS)
    expected = (weight @ matrix.detach()[:, :, :3]).sum(0)
    assert torch.allclose(points.grad, expected, atol=1e-4)


@pytest.mark.parametrize("matrices", [(), (1,), (3,)])
@pytest.mark.parametrize("sets", [(), (1,), (3,)])
def test_gradients_of_transformed_points_are_summed_where_an_input_was_broadcast(matrices, sets):
    matrix = torch.randn(*matrices, 4, 4, requires_grad=True)
    points = torch.randn(*sets, 6, 3, requires_grad=True)
    out = transform_points(matrix, points)
    ones = torch.ones(*points.shape[:-1], 1)
    product = torch.cat([points, ones], -1) @ matrix.transpose(-1, -2)
    weight = torch.randn(product.shape)
    grads = torch.autograd.grad((out * weight).sum(), (matrix, points))
    expected = torch.autograd.grad((product * weight).sum(), (matrix, points))
    for grad, wanted in zip(grads, expected):
        assert grad.shape == wanted.shape and torch.allclose(grad, wanted, atol=1e-4)


def test_the_gradient_of_transformed_points_has_a_gradient():
    matrix, points = torch.randn(4, 4, requires_grad=True), torch.randn(5, 3, requires_grad=True)
    out = transform_points(matrix, points).square().sum()
    (first,) = torch.autograd.grad(out, points, create_graph=True)
    (second,) = torch.autograd.grad(first[0, 0], points)
    columns = matrix.detach()[:, :3]
    assert torch.allclose(second[0], 2 * columns.T @ columns[:, 0], atol=1e-4)


def test_autocast_does_not_move_points():
    matrix, points = torch.randn(4, 4), torch.randn(9, 3)
    exact = transform_points(matrix, points)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(transform_points(matrix, points), exact)
        assert transform_points(matrix.bfloat16(), points).dtype == torch.float32


def test_the_world_to_clip_matrix_of_a_camera_is_projection_times_view():
    camera = example_camera()
    assert torch.allclose(
        camera.world_to_clip, camera.projection @ camera.world_to_camera, atol=EPS
    )
    exact = camera.world_to_clip
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(camera.world_to_clip, exact)


def test_the_centre_of_a_camera_is_its_eye():
    assert torch.allclose(example_camera().centre, torch.tensor([1.0, 2.0, 3.0]), atol=EPS)


def test_another_resolution_leaves_the_matrices_alone():
    camera = example_camera()
    small = camera.at_resolution(9, 5)
    assert small.resolution == (9, 5) and small.name == "r_007"
    assert torch.equal(small.world_to_clip, camera.world_to_clip)
    assert camera.resolution == (33, 17)
    assert camera.to("cpu").resolution == (33, 17)


def test_a_camera_passes_gradients_to_its_pose():
    eye = torch.tensor([0.0, 0.0, 4.0], requires_grad=True)
    camera = Camera(look_at(eye, (0, 0, 0)), perspective(math.pi / 2, 1, 0.1, 10), [8, 8])
    transform_points(camera.world_to_clip, [[0.0, 0.0, 0.0]])[0, 3].backward()
    # w is the distance along the axis, which grows by 1 when the eye moves back by 1
    assert eye.grad is not None
    assert torch.allclose(eye.grad, torch.tensor([0.0, 0.0, 1.0]), atol=EPS)


@pytest.mark.parametrize("resolution", [(0, 5), (5,), (5, 5, 3), (2.5, 3), "ab", None, (5, -1)])
def test_a_camera_refuses_what_is_no_resolution(resolution):
    with pytest.raises(ValueError, match=r"glrast.clip.Camera: resolution must be \(height, width"):
        Camera(torch.eye(4), torch.eye(4), resolution)


def test_resolution_may_be_an_array_or_a_size():
    for resolution in (np.array([33, 17]), torch.Size([33, 17]), torch.tensor([33, 17])):
        assert Camera(torch.eye(4), torch.eye(4), resolution).resolution == (33, 17)


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"Camera: projection must be \[4,4\]; got \[3,4\]"):
        Camera(torch.eye(4), torch.zeros(3, 4), (3, 3))
    with pytest.raises(ValueError, match=r"Camera: world_to_camera must be finite"):
        Camera(torch.full((4, 4), math.nan), torch.eye(4), (3, 3))
    with pytest.raises(ValueError, match=r"matrix must be \[4,4\] or \[N,4,4\]; got \[3,4\]"):
        transform_points(torch.zeros(3, 4), torch.zeros(5, 3))
    with pytest.raises(ValueError, match=r"points must be \[V,3\] or \[N,V,3\]; got \[5,4\]"):
        transform_points(torch.eye(4), torch.zeros(5, 4))
    with pytest.raises(ValueError, match=r"points must have N=2 .* got \[3,5,3\]"):
        transform_points(torch.zeros(2, 4, 4), torch.zeros(3, 5, 3))
    with pytest.raises(TypeError, match=r"matrix must be a tensor, array or list .* got str"):
        transform_points("eye", torch.zeros(5, 3))


@pytest.mark.parametrize("matrix", [torch.zeros(4, 4), torch.ones(4, 4)])
def test_the_centre_of_a_camera_that_cannot_be_inverted_is_named(matrix):
    camera = Camera(matrix, perspective(0.8, 1.0, 0.1, 10.0), (3, 3))
    with pytest.raises(
        ValueError, match=r"glrast.clip.Camera: centre needs a world_to_camera .*invert.*look_at"
    ):
        camera.centre  # noqa: B018
