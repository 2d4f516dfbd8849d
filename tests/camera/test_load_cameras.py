"""glrast/camera/load_cameras.py: NeRF-synthetic and nerfstudio camera files."""

import json
import math
from pathlib import Path

import pytest
import torch

from glrast.clip import load_cameras, look_at, transform_points

SPOT = Path(__file__).resolve().parents[3] / "shared" / "data" / "spot"
EPS = 1e-5  # float32 results of a few operations on numbers near 1
SIZE = (17, 33)  # (height, width) of the pictures


def pose(eye, target=(0.0, 0.0, 0.0)):
    return torch.linalg.inv(look_at(eye, target)).tolist()


EYES = [(0.0, 0.0, 4.0), (4.0, 0.0, 0.0), (0.0, 3.0, -1.0)]


@pytest.fixture
def folder(tmp_path):
    """A folder with three pictures r_0.png ... r_2.png, and a way to write a camera file."""
    image = pytest.importorskip("PIL.Image", reason="Pillow writes the pictures")
    for k in range(3):
        image.new("RGBA", SIZE[::-1]).save(tmp_path / f"r_{k}.png")
    return tmp_path


def write(folder: Path, suffix: str = ".png", **settings) -> Path:
    frames = [
        {"file_path": f"./r_{k}{suffix}", "transform_matrix": pose(eye)}
        for k, eye in enumerate(EYES)
    ]
    path = folder / "transforms.json"
    path.write_text(json.dumps({"frames": frames} | settings))
    return path


def edit(path, frame, **settings):
    data = json.loads(path.read_text())
    data["frames"][frame].update(settings)
    path.write_text(json.dumps(data))
    return path


def test_the_field_of_view_of_nerf_synthetic_is_horizontal(folder):
    angle = 0.9
    frames = load_cameras(write(folder, suffix="", camera_angle_x=angle))
    assert [f.image.name for f in frames] == ["r_0.png", "r_1.png", "r_2.png"]
    camera = frames[0].camera
    assert camera.resolution == SIZE and camera.name == "r_0" and frames[0].mask is None
    # fl = W/2 / tan(angle/2), and the projection has 2 fl/W and 2 fl/H
    focal = SIZE[1] / 2 / math.tan(angle / 2)
    assert float(camera.projection[0, 0]) == pytest.approx(2 * focal / SIZE[1], rel=EPS)
    assert float(camera.projection[1, 1]) == pytest.approx(2 * focal / SIZE[0], rel=EPS)


def test_cameras_stand_where_the_file_says_and_see_the_middle(folder):
    for eye, frame in zip(EYES, load_cameras(write(folder, camera_angle_x=0.9)), strict=True):
        assert frame.camera.centre.tolist() == pytest.approx(eye, abs=EPS)
        clip = transform_points(frame.camera.world_to_clip, [[0.0, 0.0, 0.0]])[0]
        assert clip[:2].tolist() == pytest.approx([0, 0], abs=EPS)
        assert float(clip[3]) == pytest.approx(math.dist(eye, (0, 0, 0)), rel=EPS)


def test_nerfstudio_intrinsics_have_pixel_centres_at_a_half(folder):
    lens = dict(fl_x=40.0, fl_y=44.0, cx=15.2, cy=9.1, w=SIZE[1], h=SIZE[0])
    camera = load_cameras(write(folder, camera_model="OPENCV", k1=0.0, p2=0, **lens))[0].camera
    X, Y, d = 0.3, 0.2, 4.0  # right, up, distance in the camera of EYES[0]
    clip = transform_points(camera.world_to_clip, [[X, Y, 0.0]])[0]
    x, y = (clip[:2] / clip[3]).tolist()
    assert (x + 1) / 2 * SIZE[1] == pytest.approx(40 * X / d + 15.2, abs=1e-4)
    assert (1 - y) / 2 * SIZE[0] == pytest.approx(-44 * Y / d + 9.1, abs=1e-4)


def test_a_frame_overrides_the_file(folder):
    path = edit(write(folder, fl_x=40.0), 1, fl_x=50.0, cx=10.0)
    first, second = (f.camera.projection for f in load_cameras(path)[:2])
    assert float(first[0, 0]) == pytest.approx(80 / 33, rel=EPS)
    assert float(second[0, 0]) == pytest.approx(100 / 33, rel=EPS)
    assert float(first[0, 2]) == 0 and float(second[0, 2]) == pytest.approx(1 - 20 / 33, rel=EPS)


def test_the_mask_of_a_frame_is_its_mask_path(folder):
    path = edit(write(folder, fl_x=40.0), 2, mask_path="r_0.png")
    frames = load_cameras(path)
    assert frames[0].mask is None and frames[2].mask == folder / "r_0.png"


def test_images_smaller_than_the_file_says_keep_the_projection(folder):
    whole = load_cameras(write(folder, fl_x=40.0, w=33, h=17))[0].camera
    double = load_cameras(write(folder, fl_x=80.0, w=66, h=34))[0].camera
    assert double.resolution == SIZE
    assert torch.allclose(double.projection, whole.projection)


def test_near_and_far_come_from_the_distances_to_what_the_cameras_see(folder):
    shift = (10.0, -20.0, 5.0)  # the rule must not depend on where the object stands
    path = write(folder, camera_angle_x=0.9)
    for k, eye in enumerate(EYES):
        moved = [a + b for a, b in zip(eye, shift, strict=True)]
        edit(path, k, transform_matrix=pose(moved, shift))
    matrix = load_cameras(path)[0].camera.projection.double()
    # z/w = -1 at near and +1 at far: near = b/(a-1), far = b/(a+1)
    a, b = matrix[2, 2], matrix[2, 3]
    assert float(b / (a - 1)) == pytest.approx(0.04, rel=1e-3)  # the median distance is 4
    assert float(b / (a + 1)) == pytest.approx(40.0, rel=1e-2)


def planes(camera):
    a, b = camera.projection.double()[2, 2:].tolist()
    return b / (a - 1), b / (a + 1)


def test_parallel_cameras_take_their_distances_and_the_origin_for_a_measure(folder):
    path = write(folder, camera_angle_x=0.9)
    for k in range(3):
        edit(path, k, transform_matrix=pose((k - 1.0, 0.0, 5.0), (k - 1.0, 0.0, 0.0)))
    near, far = planes(load_cameras(path)[0].camera)
    assert near == pytest.approx(2 / 100, rel=1e-3)  # the outer cameras are 2 apart
    assert far == pytest.approx(100 * math.hypot(1, 5), rel=1e-2)


def test_given_planes_are_used(folder):
    camera = load_cameras(write(folder, camera_angle_x=0.9), near=0.5, far=9.0)[0].camera
    for z, expected in ((3.5, -1), (-5.0, 1)):  # 0.5 and 9 in front of EYES[0]
        clip = transform_points(camera.world_to_clip, [[0.0, 0.0, z]])[0]
        assert float(clip[2] / clip[3]) == pytest.approx(expected, abs=1e-4)
    matrix = load_cameras(write(folder, camera_angle_x=0.9), near=0.5)[0].camera.projection
    assert float(matrix[2, 3] / (matrix[2, 2] - 1)) == pytest.approx(0.5, rel=1e-2)


def test_cameras_without_images_are_enough_to_render(folder):
    path = write(folder, suffix="_gone", camera_angle_x=0.9)
    frames = load_cameras(path, need_images=False, resolution=(10, 20))
    assert frames[0].camera.resolution == (10, 20)
    assert frames[0].image.name == "r_0_gone.png"
    path = write(folder, suffix="_gone", camera_angle_x=0.9, w=40, h=20)
    assert load_cameras(path, need_images=False)[0].camera.resolution == (20, 40)
    frames = load_cameras(path, need_images=False, resolution=(10, 20))
    assert frames[0].camera.resolution == (10, 20)


def test_the_spot_data_set_loads():
    if not SPOT.is_dir():
        pytest.skip("the shared data is not here")
    frames = load_cameras(SPOT / "transforms_test.json")
    assert len(frames) == 8 and all(f.image.is_file() for f in frames)
    assert {f.camera.resolution for f in frames} == {(512, 512)}
    for frame in frames:
        assert float(frame.camera.centre.norm()) == pytest.approx(3.2, rel=0.05)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"load_cameras: .*gone.json: .* does not exist; pass"
    ):
        load_cameras(tmp_path / "gone.json")
    with pytest.raises(FileNotFoundError, match=r"is a folder; pass the path of transforms.json"):
        load_cameras(tmp_path)


@pytest.mark.parametrize(
    "text, message",
    [
        ("{not json", "must be JSON; Expecting property name"),
        ("[]", "must have 'frames'.*got NoneType"),
        ('{"frames": []}', "must have 'frames'.*an empty list"),
        ('{"frames": [7]}', "frame 0: must be an object; got int"),
        ('{"frames": [{"file_path": "a"}]}', "frame 0: must have 'transform_matrix'"),
        ('{"frames": [{"transform_matrix": "x"}]}', "frame 0: transform_matrix must be 4 rows"),
        ('{"frames": [{"transform_matrix": [[1, 2], [3]]}]}', "transform_matrix must be 4 rows"),
    ],
)
def test_a_malformed_file_says_where_it_is_malformed(tmp_path, text, message):
    path = tmp_path / "transforms.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"load_cameras: .*transforms.json: .*{message}"):
        load_cameras(path)


@pytest.mark.parametrize(
    "settings, message",
    [
        (dict(transform_matrix=torch.zeros(4, 4).tolist()), "transform_matrix .*last row"),
        (
            dict(transform_matrix=torch.diag(torch.tensor([1.0, 1, 0, 1])).tolist()),
            "transform_matrix must be a camera-to-world pose; it is not invertible; fix or remove",
        ),
        (dict(transform_matrix=[[math.nan] * 4] * 4), "is not finite"),
        (dict(k1=-0.02), "k1 must be 0.*got -0.02; undistort"),
        (dict(camera_model="OPENCV_FISHEYE"), "camera_model must be a pinhole.*undistort"),
        (dict(is_fisheye=True), "camera_model must be a pinhole"),
        (dict(fl_x="wide"), "fl_x must be a finite number; got 'wide'"),
        (dict(fl_x=-3), "fl_x must be at least"),
        (dict(cx=math.nan), "cx must be a finite number; got nan"),
        (dict(file_path=3), "file_path must be the path of a file; got 3"),
        (dict(w=50, h=50), "w and h must have the aspect of the image; got 50 x 50 for 33 x 17"),
    ],
)
def test_a_wrong_frame_is_named_with_its_key(folder, settings, message):
    path = edit(write(folder, fl_x=40.0), 1, **settings)
    with pytest.raises(ValueError, match=rf"transforms.json: frame 1: .*{message}"):
        load_cameras(path)


def test_a_missing_focal_length_or_size_is_named(folder):
    with pytest.raises(
        ValueError, match=r"frame 0: must have 'fl_x' \(pixels\) or 'camera_angle_x'"
    ):
        load_cameras(write(folder))
    with pytest.raises(ValueError, match=r"frame 0: must tell the image's size"):
        load_cameras(write(folder, suffix="_gone", fl_x=3), need_images=False)
    with pytest.raises(ValueError, match=r"camera_angle_x must be at least .* below 3.14"):
        load_cameras(write(folder, camera_angle_x=40))


def test_a_missing_or_broken_image_is_named(folder):
    path = write(folder, camera_angle_x=0.9)
    (folder / "r_2.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"frame 2: file_path must be an image; .*r_2.png"):
        load_cameras(path)
    (folder / "r_2.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 3 pictures is missing: frame 2 \(.*r_2"):
        load_cameras(path)
    edit(path, 1, mask_path="masks/1.png")
    with pytest.raises(
        FileNotFoundError,
        match=r"1 of 3 pictures is missing: frame 2 .*; 1 of 3 masks is missing: frame 1 \(.*1.png",
    ):
        load_cameras(path)


def test_planes_in_the_wrong_order_are_named(folder):
    with pytest.raises(
        ValueError, match=r"transforms.json: near and far must .* got near=5, far=1: pass"
    ):
        load_cameras(write(folder, camera_angle_x=0.9), near=5, far=1)
