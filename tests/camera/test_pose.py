"""glrast/camera/pose.py: world-to-camera matrices."""

import math

import pytest
import torch

from glrast.clip import from_blender, look_at, transform_points, world_to_camera_from_opencv

EPS = 1e-5  # float32 results of a few operations on numbers near 1


def apply(matrix, point):
    return transform_points(matrix, [point])[0, :3].tolist()


def turned(angle):
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]], dtype=torch.float64)


def test_look_at_maps_the_eye_to_the_origin_and_the_target_to_the_axis():
    eye, target = (1.0, -2.0, 3.0), (0.5, 1.0, -1.0)
    matrix = look_at(eye, target)
    assert apply(matrix, eye) == pytest.approx([0, 0, 0], abs=EPS)
    assert apply(matrix, target) == pytest.approx([0, 0, -math.dist(eye, target)], abs=EPS)


def test_look_at_keeps_up_upwards_and_is_a_rotation():
    eye, target, up = (1.0, -2.0, 3.0), (0.5, 1.0, -1.0), (0.1, 0.2, 5.0)
    matrix = look_at(eye, target, up)
    x, y, _ = apply(matrix, [a + b for a, b in zip(eye, up)])
    assert x == pytest.approx(0, abs=EPS) and y > 0
    rotation = matrix[:3, :3]
    assert torch.allclose(rotation @ rotation.T, torch.eye(3), atol=EPS)
    assert torch.linalg.det(rotation) == pytest.approx(1, abs=EPS)


def test_look_at_from_the_front_is_a_plain_translation():
    expected = torch.eye(4)
    expected[2, 3] = -4
    assert torch.allclose(look_at((0, 0, 4), (0, 0, 0)), expected)


def test_gradients_of_look_at_are_those_of_finite_differences():
    values = [torch.tensor(x, dtype=torch.float64) for x in ([1, 2, 3], [0, 1, 0], [0.1, 1, 0])]
    weight = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
    inputs = [x.clone().requires_grad_() for x in values]
    (look_at(*inputs) * weight).sum().backward()
    step = 1e-3
    for k, x in enumerate(inputs):
        for i in range(3):
            either = []
            for sign in (step, -step):
                moved = [v.clone() for v in values]
                moved[k][i] += sign
                either.append(float((look_at(*moved) * weight).sum()))
            slope = (either[0] - either[1]) / (2 * step)
            assert x.grad is not None
            assert float(x.grad[i]) == pytest.approx(slope, abs=3e-3)  # float32 result / step


def test_scalars_in_a_list_keep_their_gradient():
    distance = torch.tensor(4.0, requires_grad=True)
    look_at([torch.tensor(0.0), torch.tensor(0.0), distance], (0, 0, 0))[2, 3].backward()
    assert distance.grad == -1


def test_opencv_axes_have_y_down_and_z_forward():
    matrix = world_to_camera_from_opencv(torch.eye(3), [0, 0, 0])
    assert apply(matrix, (1, 2, 3)) == [1, -2, -3]


def test_opencv_rotation_and_translation_are_applied_in_that_order():
    R, t, world = turned(0.4), torch.tensor([[0.1], [0.2], [3.0]]), [0.3, -0.7, 0.9]
    x, y, z = (R @ torch.tensor(world, dtype=torch.float64) + t[:, 0]).tolist()
    assert apply(world_to_camera_from_opencv(R, t), world) == pytest.approx([x, -y, -z], abs=EPS)


def test_blender_camera_to_world_is_inverted():
    camera_to_world = torch.eye(4, dtype=torch.float64)
    camera_to_world[:3, :3] = turned(0.7)
    camera_to_world[:3, 3] = torch.tensor([1.0, 2.0, 3.0])
    matrix = from_blender(camera_to_world)
    assert torch.allclose(matrix.double() @ camera_to_world, torch.eye(4).double(), atol=EPS)
    assert torch.equal(from_blender(camera_to_world[:3]), matrix)
    assert torch.equal(from_blender(camera_to_world.tolist()), matrix)


def test_blender_scale_is_divided_out():
    camera_to_world = torch.eye(4)
    camera_to_world[:3, 3] = torch.tensor([1.0, 2.0, 3.0])
    scaled = camera_to_world.clone()
    scaled[:3, :3] *= 7
    assert torch.allclose(from_blender(scaled), from_blender(camera_to_world))


def test_look_at_and_blender_agree():
    view = look_at((1, 2, 3), (0, 0, 0))
    assert torch.allclose(from_blender(torch.linalg.inv(view)), view, atol=EPS)


def test_poses_that_are_none_are_named_with_the_remedy():
    with pytest.raises(
        ValueError, match=r"look_at: target must differ from eye; got \[1.0, 1.0, 1.0\]"
    ):
        look_at((1, 1, 1), (1, 1, 1))
    with pytest.raises(
        ValueError, match=r"look_at: up must be neither zero nor along .*another axis"
    ):
        look_at((0, 3, 0), (0, 0, 0), (0, 1, 0))
    with pytest.raises(ValueError, match=r"look_at: eye must be \[3\]; got \[2\]"):
        look_at((0, 3), (0, 0, 0))
    with pytest.raises(ValueError, match=r"R must be a rotation; got a matrix that has axes .*K"):
        world_to_camera_from_opencv([[800, 0, 400], [0, 800, 300], [0, 0, 1]], [0, 0, 0])
    with pytest.raises(ValueError, match=r"mirrors the world \(negative determinant\)"):
        world_to_camera_from_opencv(torch.diag(torch.tensor([1.0, 1.0, -1.0])), [0, 0, 0])


@pytest.mark.parametrize(
    "matrix, problem",
    [
        (torch.zeros(4, 4), "has the last row"),
        (torch.diag(torch.tensor([1.0, 1.0, 0.0, 1.0])), "is not invertible"),
        (torch.full((4, 4), math.nan), "is not finite"),
        (torch.eye(3), r"has the shape \[3,3\]"),
        (torch.eye(4) + torch.eye(4).roll(1, 1)[:, [0, 1, 2, 3]].triu(), "orthonormal"),
        (torch.diag(torch.tensor([-1.0, 1.0, 1.0, 1.0])), "mirrors the world"),
    ],
)
def test_a_matrix_that_is_no_pose_is_told_what_it_lacks(matrix, problem):
    with pytest.raises(ValueError, match=f"from_blender: camera_to_world must be .*{problem}"):
        from_blender(matrix)
