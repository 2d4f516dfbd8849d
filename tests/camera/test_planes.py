"""glrast/camera/planes.py: planes from the mesh that a camera sees, and what cameras alone can tell."""

import math

import pytest
import torch

from glrast.camera.planes import guess_planes, planes_around
from glrast.clip import Camera, cube, grid, icosphere, look_at, orthographic, perspective

MARGIN = 0.0101  # what planes_around keeps from the mesh, and rounding
RIGHT_ANGLE = math.pi / 2


def camera_at(eye=(0.0, 0.0, 0.0), target=(0.0, 0.0, -1.0), fov=RIGHT_ANGLE) -> Camera:
    return Camera(look_at(eye, target), perspective(fov, 1.0, 0.1, 10.0), (33, 33))


def planes_of(camera: Camera) -> tuple[float, float]:
    a, b = camera.projection.double()[2, 2:].tolist()
    return b / (a - 1), b / (a + 1)


def test_an_object_in_front_lies_just_between_the_planes():
    pos, tri = icosphere(3)
    near, far = planes_around(camera_at((0, 0, 5)), pos, tri)
    assert near == pytest.approx(4.0, rel=MARGIN) and near < 4
    assert far == pytest.approx(6.0, rel=MARGIN) and far > 6


@pytest.mark.parametrize("scale", [1e-12, 1e-4, 1.0, 1e6, 1e12])
def test_planes_scale_with_the_scene(scale):
    pos, tri = cube()
    small = planes_around(camera_at((0, 0, 3)), pos, tri)
    camera = Camera(look_at((0, 0, 3 * scale), (0, 0, 0)), perspective(1.5, 1, 1, 2), (9, 9))
    large = planes_around(camera, pos * scale, tri)
    assert large == pytest.approx([scale * x for x in small], rel=1e-5)


def test_inside_a_room_near_is_the_nearest_point_in_view_not_the_nearest_vertex():
    pos, tri = cube()  # [-1,1]^3
    room = pos * torch.tensor([4.0, 3.0, 10.0])
    near, far = planes_around(camera_at((0.0, 0.0, 9.0)), room, tri)
    # floor and ceiling are 3 away and come into view, at 45 degrees, at the depth 3; the far wall is at 19
    assert near == pytest.approx(3.0, rel=MARGIN) and far == pytest.approx(19.0, rel=MARGIN)


def test_a_floor_that_reaches_behind_the_camera_starts_where_the_view_meets_it():
    pos = torch.tensor([[-1e3, -1.6, -1e3], [1e3, -1.6, -1e3], [1e3, -1.6, 1e3], [-1e3, -1.6, 1e3]])
    tri = torch.tensor([[0, 2, 1], [0, 3, 2]])
    near, far = planes_around(camera_at(fov=math.radians(60)), pos, tri)
    assert near == pytest.approx(1.6 / math.tan(math.radians(30)), rel=MARGIN)
    assert far == pytest.approx(1000, rel=MARGIN)


def test_one_triangle_around_the_whole_view_is_found_by_the_corners_of_the_view():
    # all three vertices and edges are outside the view, two vertices behind the camera
    pos = torch.tensor([[0.0, 60.0, -30.0], [-900.0, -300.0, 20.0], [900.0, -300.0, 20.0]])
    camera = camera_at()
    near, far = planes_around(camera, pos, torch.tensor([[0, 1, 2]]))
    normal = torch.linalg.cross(pos[1] - pos[0], pos[2] - pos[0]).double()
    rays = torch.tensor([[x, y, -1.0] for x in (-1, 1) for y in (-1, 1)], dtype=torch.float64)
    depth = (normal @ pos[0].double()) / (rays @ normal)
    assert near == pytest.approx(float(depth[depth > 0].min()), rel=MARGIN)
    assert far >= float(depth.max())


@pytest.mark.parametrize("seed", range(8))
def test_no_point_in_view_is_cut_off(seed):
    """Against points spread over every triangle, for triangles all around the camera."""
    generator = torch.Generator().manual_seed(seed)
    pos = torch.randn(60, 3, generator=generator) * 3
    tri = torch.arange(60).reshape(20, 3)
    eye = torch.randn(3, generator=generator)
    camera = camera_at(eye.tolist(), (eye + torch.randn(3, generator=generator)).tolist(), 1.2)
    near, far = planes_around(camera, pos, tri)
    weight = torch.rand(10000, 3, generator=generator, dtype=torch.float64)
    weight = weight / weight.sum(1, keepdim=True)
    points = torch.einsum("kc,tcx->ktx", weight, pos[tri].double()).reshape(-1, 3)
    matrix = camera.world_to_clip.double()
    clip = points @ matrix[:, :3].T + matrix[:, 3]
    w = clip[:, 3]
    seen = w[(clip[:, :2].abs() <= w[:, None]).all(1)]
    assert near <= float(seen.min()) and far >= float(seen.max())
    # and near is no smaller than it need be, up to the step of the sampling
    assert near >= 0.98 * float(seen.min()) - 0.2


def test_a_camera_on_the_surface_keeps_a_positive_near_plane():
    pos, tri = grid(1, 1)
    near, far = planes_around(camera_at((0, 0, 0), (1, 0, 0)), pos, tri)
    assert 0 < near < 1e-4 * far


def test_a_vertex_far_off_does_not_cut_the_object():
    """A sky dome around an object: near follows the object, however large the dome is."""
    ball, ball_tri = icosphere(2)
    pos = torch.cat([ball, 1e6 * ball])
    tri = torch.cat([ball_tri, ball_tri + len(ball)])
    near, far = planes_around(camera_at((0, 0, 5)), pos, tri)
    assert near == pytest.approx(4, rel=0.02) and far >= 1e6 * 0.9


@pytest.mark.parametrize("what", ["behind", "empty", "not finite"])
def test_nothing_in_front_gives_none(what):
    pos, tri = cube()
    if what == "behind":
        pos = pos + torch.tensor([0.0, 0.0, 9.0])
    elif what == "empty":
        tri = tri[:0]
    else:
        pos = pos * math.nan
    assert planes_around(camera_at(), pos, tri) is None


def test_vertices_that_are_not_finite_or_unused_do_not_count():
    pos, tri = cube()
    strange = torch.tensor([[math.inf, 0.0, 0.0], [0.0, 0.0, -1e9]])
    plain = planes_around(camera_at((0, 0, 4)), pos, tri)
    assert planes_around(camera_at((0, 0, 4)), torch.cat([pos, strange]), tri) == plain


def test_parallel_projections_hold_the_mesh_in_front_or_all_of_it():
    pos, tri = cube()

    def around(z, near):
        view = look_at((0.0, 0.0, z), (0.0, 0.0, z - 1))
        return planes_around(Camera(view, orthographic(1.0, 1.0, near, 9.0), (9, 9)), pos, tri)

    assert around(5.0, 0.0) == pytest.approx((4, 6), rel=MARGIN)
    assert around(0.5, 0.0) == pytest.approx((0, 1.5), abs=0.02)
    assert around(0.5, -1.0) == pytest.approx((-0.5, 1.5), abs=0.021)
    assert around(-5.0, 0.0) is None


def test_with_planes_makes_the_projection_that_the_planes_would_have_made():
    for wanted, other in (
        (perspective(0.7, 1.5, 0.3, 7.0), perspective(0.7, 1.5, 2.0, 3.0)),
        (orthographic(2.0, 1.5, 0.3, 7.0), orthographic(2.0, 1.5, -2.0, 3.0)),
    ):
        camera = Camera(torch.eye(4), other, (10, 15), "a").with_planes(0.3, 7.0)
        assert torch.allclose(camera.projection, wanted, rtol=1e-6, atol=1e-7)
        assert camera.name == "a" and camera.near_plane == pytest.approx(0.3, rel=1e-5)


def test_with_planes_passes_gradients_to_the_planes_and_to_the_lens():
    near = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    lens = perspective(0.7, 1.0, 1.0, 2.0).requires_grad_()
    camera = Camera(torch.eye(4), lens, (9, 9)).with_planes(near, 4.0)
    camera.projection.sum().backward()
    # d/dn of -(f+n)/(f-n) - 2fn/(f-n) at f = 4: -(2f + 2f^2) / (f-n)^2
    assert float(near.grad) == pytest.approx(-(8 + 32) / 3.5**2, rel=1e-5)
    assert lens.grad[0, 0] == 1 and lens.grad[2].abs().sum() == 0


def test_planes_in_the_wrong_order_and_other_projections_are_named():
    camera = camera_at()
    for near, far in ((2.0, 1.0), (0.0, 1.0), (-1.0, 1.0)):
        with pytest.raises(ValueError, match=r"with_planes: near and far must satisfy 0 < near"):
            camera.with_planes(near, far)
    parallel = Camera(torch.eye(4), orthographic(1, 1, 0, 1), (9, 9))
    with pytest.raises(ValueError, match=r"must satisfy near < far; got near=1, far=1"):
        parallel.with_planes(1.0, 1.0)
    with pytest.raises(ValueError, match=r"projection must be a perspective.*parallel"):
        Camera(torch.eye(4), torch.ones(4, 4), (9, 9)).with_planes(1, 2)
    with pytest.raises(ValueError, match=r"near must be finite"):
        camera.with_planes(math.nan, 1.0)


def around(directions, radius):
    """Centres on a circle and the backward axes of cameras there."""
    angle = torch.arange(directions, dtype=torch.float64) * (2 * math.pi / directions)
    out = torch.stack([angle.cos(), angle.sin(), 0 * angle], 1)
    return out * radius, out


def test_cameras_around_something_measure_their_distance_to_it():
    centres, outward = around(6, 4.0)
    shift = torch.tensor([100.0, -50.0, 7.0])
    assert guess_planes(centres + shift, outward) == pytest.approx((0.04, 40.0))


def test_cameras_that_look_outwards_side_by_side_or_alone_get_generous_planes():
    centres, outward = around(6, 0.5)
    near, far = guess_planes(centres, -outward)
    assert near <= 0.01 and far >= 50
    row = torch.tensor([[-1.0, 0, 5], [0, 0, 5], [1, 0, 5]], dtype=torch.float64)
    near, far = guess_planes(row, torch.tensor([[0.0, 0, 1]] * 3, dtype=torch.float64))
    assert near <= 0.05 and far >= 500
    near, far = guess_planes(row[:1], torch.tensor([[0.0, 0, 1]], dtype=torch.float64))
    assert near <= 0.06 and far >= 50
    assert guess_planes(0 * row[:1], torch.tensor([[0.0, 0, 1]], dtype=torch.float64)) is None
