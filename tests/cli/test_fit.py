"""`glrast fit` as a person meets it: results, messages, Ctrl-C, and going on."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import glrast
from glrast.bake.unwrap import Atlas
from glrast.cli import fit
from glrast.cli.main import main
from glrast.clip import load_mesh
from glrast.fit import stages, turntable
from glrast.fit.losses import composite
from glrast.fit.model import ColoredMesh, render
from glrast.losses import psnr
from tests.fit.sphere import sphere_views, write_dataset
from tests.fit.test_captures import MIXED, write_nerfstudio

RESULTS = {"mesh.glb", "metrics.json", "turntable.gif", "loss.png", "compare.png", "checkpoint.pt"}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "data", sphere_views(6))
    write_dataset(tmp_path / "data", sphere_views(2), "transforms_test.json")
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def coarse_and_short(monkeypatch: pytest.MonkeyPatch):
    """Meshes for pictures of 33 pixels, and a turntable of four frames."""
    plans = {
        colour: [(share, replace(stage, shrink=1, edge=stage.edge * 4, split=0.0)) for share, stage in plan]
        for colour, plan in stages._PLANS.items()
    }  # fmt: skip
    monkeypatch.setattr(stages, "_PLANS", plans)
    monkeypatch.setattr(turntable, "FRAMES", 4)


def words(dataset: Path | str, out: Path, *more: str) -> list[str]:
    return ["fit", str(dataset), "--out", str(out), "--steps", "8", "--device", "cpu", *more]


def measured(out: Path) -> dict:
    """metrics.json without what differs from run to run."""
    values = json.loads((out / "metrics.json").read_text())
    return {name: value for name, value in values.items() if name != "seconds"}


@pytest.mark.slow
def test_a_run_writes_its_results_and_the_same_seed_gives_the_same_metrics(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(words(dataset, tmp_path / "a")) == 0
    assert {path.name for path in (tmp_path / "a").iterdir()} == RESULTS
    said = capsys.readouterr().out
    assert "psnr" in said
    size = (tmp_path / "a" / "checkpoint.pt").stat().st_size / 1e6
    assert f"checkpoint.pt ({size:.1f} MB) serves --resume only" in said
    assert main(words(dataset, tmp_path / "b")) == 0
    found = measured(tmp_path / "a")
    assert found == measured(tmp_path / "b")
    assert found["steps"] == 8 and found["held_out"] == "transforms_test.json"
    assert found["colour"] == "texture" and found["texture_size"] >= 64
    assert 0.5 < found["mask_iou"] <= 1.0 and found["device"].startswith("cpu")


@pytest.mark.slow
def test_photographs_of_several_bent_lenses_and_sizes_are_fitted_with_one_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    write_nerfstudio(tmp_path / "data", MIXED)
    (tmp_path / "data" / "images" / "4.png").unlink()
    assert main(words(tmp_path / "data", tmp_path / "out", "--skip-missing")) == 0
    assert "1 of 9 pictures is missing" in capsys.readouterr().out
    found = measured(tmp_path / "out")
    assert found["mask_iou"] > 0.85 and found["psnr"] > 12  # eight steps from the hull
    assert {path.name for path in (tmp_path / "out").iterdir()} == RESULTS


@pytest.mark.slow
def test_vertex_colours_are_to_be_had_too(dataset: Path, tmp_path: Path):
    assert main(words(dataset, tmp_path / "a", "--colour", "vertex")) == 0
    found, mesh = measured(tmp_path / "a"), load_mesh(tmp_path / "a" / "mesh.glb")
    assert found["colour"] == "vertex" and found["texture_size"] is None
    assert mesh.color is not None and mesh.texture is None


@pytest.mark.slow
@pytest.mark.parametrize("colour", ["texture", "vertex"])
def test_exact_edges_are_to_be_had_and_resumed_with(dataset: Path, tmp_path: Path, capsys, colour):
    more = ["--colour", colour, "--edges", "exact"]
    assert main(words(dataset, tmp_path / "a", *more)) == 0
    capsys.readouterr()
    assert 0.5 < measured(tmp_path / "a")["mask_iou"] <= 1.0
    assert "--edges was exact" in refused(
        capsys, *words(dataset, tmp_path / "a", *more[:2], "--resume")
    )


@pytest.mark.slow
def test_the_mesh_looks_in_glrast_render_as_in_the_fit(dataset: Path, tmp_path: Path):
    # Red, green and blue are x, y and z here: a texture upside down could not hide.
    assert main(words(dataset, tmp_path / "a", "--steps", "40")) == 0
    mesh, cameras = tmp_path / "a" / "mesh.glb", dataset / "transforms_test.json"
    seen = ["render", str(mesh), "--cameras", str(cameras), "--out", str(tmp_path / "b")]
    assert main([*seen, "--resolution", "33", "--format", "npy", "--layers", "color"]) == 0
    views = sphere_views(2)
    loaded = load_mesh(mesh)
    texture = loaded.appearance()[0][0].texture
    assert loaded.color is None and loaded.uv is not None and texture is not None
    skin = Atlas(loaded.uv, loaded.uv_tri, len(texture))
    fitted = ColoredMesh(loaded.pos, loaded.tri, texture, skin)
    for index, matrix in enumerate(views.world_to_clip.float()):
        picture = torch.from_numpy(np.load(tmp_path / "b" / "color" / f"r_{index}.npy")).flip(0)
        rgba = render(glrast.Context("cpu"), fitted, matrix[None], (33, 33))[0]
        torch.testing.assert_close(picture[..., 3], rgba[..., 3], rtol=0, atol=1e-5)
        # The fit filters its texture as the pictures are, in sRGB; render, as everyone else does, in linear light.
        difference = (picture[..., :3] * picture[..., 3:] - rgba[..., :3]).abs()
        assert difference.max() < 0.03 and difference.mean() < 0.001
        assert (
            float(psnr(composite(rgba, 1.0)[None], composite(views.rgba[index] / 255, 1.0)[None]))
            > 22
        )


@pytest.mark.slow
@pytest.mark.parametrize("given, up", [("--up=-x", [-1, 0, 0]), ("--up=y", None)])
def test_the_axis_that_points_up_can_be_named(
    dataset: Path, tmp_path: Path, given: str, up: list | None
):
    assert main([*words(dataset, tmp_path / "a", "--colour", "vertex"), given]) == 0
    content = (tmp_path / "a" / "mesh.glb").read_bytes()
    file = json.loads(content[20:][: int.from_bytes(content[12:16], "little")])
    root = file["nodes"][file["scenes"][0]["nodes"][0]]
    assert root.get("extras") == (None if up is None else {"glrast": {"up": up}})


# In the shape's stages, and in the texture's.
@pytest.mark.slow
@pytest.mark.parametrize("step", [3, 7])
def test_an_interrupted_run_says_how_to_go_on_and_ends_with_the_same_bits(
    step: int, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch
):
    # Ctrl-C during a step, sent to ourselves.
    show = fit._Progress.show

    def that_step(self, running) -> None:
        show(self, running)
        if len(running.losses) == step:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(fit._Progress, "show", that_step)
    assert main(words(dataset, tmp_path / "a")) == 130
    said = capsys.readouterr().err.replace("\n", " ")
    assert f"glrast fit {dataset} --out {tmp_path / 'a'}" in said and "--resume" in said
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"checkpoint.pt"}
    monkeypatch.setattr(fit._Progress, "show", show)
    assert main(words(dataset, tmp_path / "a", "--resume")) == 0
    assert f"Continuing from step {step}" in capsys.readouterr().err
    assert main(words(dataset, tmp_path / "b")) == 0
    assert measured(tmp_path / "a") == measured(tmp_path / "b")
    first, second = (torch.load(tmp_path / name / "checkpoint.pt") for name in "ab")
    assert torch.equal(first["u"], second["u"]) and first["losses"] == second["losses"]
    assert torch.equal(first["color"], second["color"]) and first["atlas"] is not None


@pytest.mark.slow
def test_a_killed_run_goes_on_from_its_last_checkpoint(dataset: Path, tmp_path: Path):
    # Far more steps than the run will live to see.
    arguments = [*words(dataset, tmp_path / "a"), "--steps", "100000"]
    code = "import sys; from glrast.cli.main import main; from glrast.fit import loop\n"
    code += "loop.SAVE_SECONDS = 0.0; sys.exit(main(sys.argv[1:]))"
    running = subprocess.Popen([sys.executable, "-c", code, *arguments], stderr=subprocess.DEVNULL)
    checkpoint, waited = tmp_path / "a" / "checkpoint.pt", time.monotonic() + 100
    while not checkpoint.exists() and time.monotonic() < waited:
        time.sleep(0.05)
    time.sleep(0.3)
    running.kill()
    running.wait()
    assert len(torch.load(checkpoint)["losses"]) > 0


@pytest.mark.slow
def test_resume_without_a_checkpoint_starts_and_other_settings_are_refused(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "a"
    assert main(words(dataset, out, "--resume")) == 0
    assert "starting from the beginning" in capsys.readouterr().err
    assert "--seed was 0" in refused(capsys, *words(dataset, out, "--resume", "--seed", "1"))
    assert main(words(dataset, out, "--resume")) == 0
    said = capsys.readouterr().err  # no bar: there is no step left
    assert "Continuing from step 8" in said and said.count("\n") == 1


def test_a_run_that_fails_before_its_first_step_shows_no_bar(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(ValueError, match="before"):
        with fit._Progress(types.SimpleNamespace(stages=stages.plan(40, "texture"))):
            raise ValueError("before")
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_masks_that_contradict_the_others_are_named(tmp_path: Path, capsys):
    views = sphere_views(12)
    views.rgba[4, 13:20, 13:20] = 0  # a hole in the middle of the sphere
    write_dataset(tmp_path / "data", views)
    assert main(words(tmp_path / "data", tmp_path / "a")) == 0
    said = capsys.readouterr().err
    assert "The masks of 1 of" in said and "r_4.png" in said


@pytest.mark.slow
def test_a_disk_that_is_full_at_the_end_leaves_the_results(
    dataset: Path, tmp_path: Path, capsys, monkeypatch
):
    def full(*_) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(torch, "save", full)
    assert main(words(dataset, tmp_path / "a")) == 2
    said = capsys.readouterr().err
    assert "results in" in said and "checkpoint.pt could not be written, the disk is full" in said
    assert {path.name for path in (tmp_path / "a").iterdir()} == RESULTS - {"checkpoint.pt"}


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a refused command says, one line."""
    assert main(list(arguments)) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("glrast")
    return said


def test_an_output_folder_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "file").write_text("")
    # The data set does not exist either: the folder is looked at first.
    said = refused(capsys, *words("nowhere", tmp_path / "file"))
    assert "--out must be a folder that can be written" in said


def test_a_missing_data_set_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    said = refused(capsys, *words(tmp_path / "nowhere", tmp_path / "out"))
    assert (
        "DATASET must be the word demo, a transforms.json, or a folder" in said
        and "nowhere is no folder" in said
    )


def test_a_single_view_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write_dataset(tmp_path / "data", sphere_views(1))
    said = refused(capsys, *words(tmp_path / "data", tmp_path / "out"))
    assert "at least 2 views" in said and "found 1 (r_0.png)" in said
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("words_", [["--steps", "0"], ["--batch", "x"], ["--resolution", "-3"]])
def test_counts_must_be_whole_and_positive(words_: list[str], capsys):
    with pytest.raises(SystemExit) as caught:
        main(["fit", "demo", "--out", "out", *words_])
    assert caught.value.code == 2
    assert "expected a whole number above zero" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["1", "15", "99999999"])
def test_pictures_have_a_size_that_shows_something(size: str, capsys):
    with pytest.raises(SystemExit):
        main(["fit", "demo", "--out", "out", "--resolution", size])
    assert f"--resolution: expected 16 to 8192 pixels; got {size}" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["30", "1001", "10000"])
def test_a_texture_has_a_size_that_can_be_halved(size: str, capsys):
    with pytest.raises(SystemExit):
        main(["fit", "demo", "--out", "out", "--texture-size", size])
    assert "expected a multiple of 4 from 32 to 8192" in capsys.readouterr().err


def test_an_unknown_device_is_named(dataset: Path, tmp_path: Path, capsys):
    arguments = [*words(dataset, tmp_path / "out"), "--device", "toaster"]
    assert "--device must be auto, cpu, cuda or cuda:N; got 'toaster'" in refused(
        capsys, *arguments
    )
