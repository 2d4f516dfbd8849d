"""The figures, the pictures and the turntable's cameras."""

import json
import math
from pathlib import Path

import imageio.v3 as iio
import pytest
import torch

import glrast
from glrast.clip import load_mesh, transform_points
from glrast.fit import turntable
from glrast.fit.dataset import Dataset
from glrast.fit.loop import Fit
from glrast.fit.report import Judgement, metrics, write_comparison, write_losses, write_report
from glrast.fit.stages import Stage
from glrast.fit.turntable import orbit, up_axis
from tests.fit.sphere import CENTRE, sphere_views

CPU = torch.device("cpu")


def judgement(views: int = 3, height: int = 17, width: int = 33) -> Judgement:
    target = torch.rand(views, height, width, 3, generator=torch.Generator().manual_seed(0))
    psnr, iou = torch.tensor([30.0, 20.0, 40.0]), torch.tensor([0.9, 1.0, 0.8])
    return Judgement(psnr, iou, target, target.flip(2))


def test_metrics_are_means_and_carry_the_facts():
    found = metrics(judgement(), seconds=1.5, device="cpu")
    assert found["psnr"] == pytest.approx(30.0) and found["mask_iou"] == pytest.approx(0.9)
    assert found["seconds"] == 1.5 and found["versions"]["glrast"] == glrast.__version__
    assert json.loads(json.dumps(found)) == found


def test_the_comparison_shows_target_render_and_difference_of_each_view(tmp_path: Path):
    made = judgement()
    write_comparison(tmp_path / "compare.png", made)
    sheet = torch.from_numpy(iio.imread(tmp_path / "compare.png")).float() / 255
    assert sheet.shape == (3 * 17, 3 * 33, 3)
    # Row 0 of a file is the top; the captions stand in the upper left.
    torch.testing.assert_close(sheet[16, :33], made.target[0, 0], rtol=0, atol=1 / 255)
    torch.testing.assert_close(sheet[16, 33:66], made.rendered[0, 0], rtol=0, atol=1 / 255)


@pytest.mark.slow
def test_the_loss_curve_is_drawn_for_few_and_many_steps(tmp_path: Path):
    for losses in ([0.5], [1.0 / (k + 1) for k in range(300)]):
        write_losses(tmp_path / "loss.png", losses, [len(losses)])
        assert iio.imread(tmp_path / "loss.png").shape[0] > 100


def test_the_turntable_keeps_the_whole_object_in_sight():
    pos = torch.rand(200, 3, generator=torch.Generator().manual_seed(1)) * torch.tensor([1, 5, 2])
    clip = transform_points(orbit(pos, torch.tensor([0.0, 0.0, 1.0])), pos)
    inside = clip[..., :3].abs() <= clip[..., 3:]
    assert bool(inside.all())
    # No wider than needed: the farthest vertex comes close to the border of some frame.
    assert float((clip[..., :2] / clip[..., 3:]).abs().max()) > 0.8


def test_up_is_the_axis_that_the_cameras_stand_on():
    views = sphere_views(8)
    assert up_axis(views).tolist() == [0.0, 0.0, 1.0]
    views.world_to_camera[:, :3, :3] *= -1  # the same cameras over a world upside down
    assert up_axis(views).tolist() == [0.0, 0.0, -1.0]


def test_up_may_be_no_axis_of_the_world():
    # Far from any axis the mean of the cameras' own up directions counts.
    half = math.sqrt(0.5)
    views = sphere_views(1)
    views.world_to_camera[0, 1, :3] = torch.tensor([0.0, half, half])
    assert up_axis(views).tolist() == pytest.approx([0.0, half, half])


@pytest.mark.slow
@pytest.mark.parametrize("texture", [False, True])
def test_a_report_is_complete_and_leaves_nothing_half_written(
    texture: bool, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(turntable, "FRAMES", 4)
    views = sphere_views(6)
    stage = Stage("only", 2, 1, 0.15, 0.0, 10.0, 1e-3, 5e-2, 1.0, texture)
    fit = Fit(views, [stage], 2, 0, CPU)
    fit.begin()
    while not fit.done:
        fit.step()
    values = write_report(tmp_path, fit, Dataset(views, views, "nothing"))
    names = {"mesh.glb", "metrics.json", "turntable.gif", "loss.png", "compare.png"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert json.loads((tmp_path / "metrics.json").read_text()) == values
    mesh = load_mesh(tmp_path / "mesh.glb")
    assert (mesh.pos.mean(dim=0) - torch.tensor(CENTRE)).abs().max() < 0.05
    skin = mesh.appearance()[0][0].texture
    saved = skin if texture else mesh.color[:, :3]
    # A texture is saved in 8 bits, colours of vertices as floats.
    tolerance = 0.51 / 255 if texture else 1e-4
    torch.testing.assert_close(saved, fit.mesh().color, rtol=0, atol=tolerance)
    assert values["colour"] == ("texture" if texture else "vertex")
    assert values["texture_size"] == (len(skin) if texture else None)
    assert iio.imread(tmp_path / "turntable.gif").shape[0] == 4
    file = gltf(tmp_path / "mesh.glb")
    # sphere_views stand on z
    assert file["nodes"][file["scenes"][0]["nodes"][0]]["extras"] == {"glrast": {"up": [0, 0, 1]}}
    assert "NORMAL" in file["meshes"][0]["primitives"][0]["attributes"]
    assert ("TEXCOORD_0" in file["meshes"][0]["primitives"][0]["attributes"]) == texture
    assert file["extensionsUsed"] == ["KHR_materials_unlit"]
    assert all("KHR_materials_unlit" in material["extensions"] for material in file["materials"])
    assert [s["wrapS"] for s in file.get("samplers", [])] == ([33071] if texture else [])


def gltf(path: Path) -> dict:
    """The JSON of a glb."""
    content = path.read_bytes()
    return json.loads(content[20:][: int.from_bytes(content[12:16], "little")])
