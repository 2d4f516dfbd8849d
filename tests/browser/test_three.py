"""What `glrast render` shows of a file, three.js in a browser shows too.

`make browser-check` installs what is needed (chromium, and what package.json names) and runs this.
"""

import functools
import http.server
import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glrast.cli import main as cli
from glrast.fit import turntable
from glrast.fit.dataset import Dataset
from glrast.fit.loop import Fit
from glrast.fit.model import supersampled
from glrast.fit.report import write_report
from glrast.fit.stages import Stage
from tests.browser import scenes
from tests.fit.sphere import sphere_views

HERE = Path(__file__).resolve().parent
HEIGHT, WIDTH, FOV = 135, 181, 0.75  # odd sizes; the angle is the one across
BACKGROUND = (30, 60, 90)
# Bytes. The mean over the pixels that see the mesh in both pictures and whose neighbours do: rounding, four samples a
# pixel there and an exact edge here. Then the part of them that is more than LARGE away, which only edges may be.
MEAN, LARGE, PART = 1.5, 24, 0.02
SCENES = ["cube_obj", "cube_glb", "two_materials_obj", "leaf", "wraps", "floor", "product", "panes"]

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def tools():
    """(node, chromium), or a skip that says what is missing."""
    node = shutil.which("node")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    for there, name in [
        (node, "node"),
        (chromium, "chromium"),
        ((HERE / "node_modules").is_dir(), "tests/browser/node_modules"),
    ]:
        if not there:
            pytest.skip(f"{name} is missing: make browser-check installs it")
    return node, chromium


@pytest.fixture(scope="module")
def shoot(tools, tmp_path_factory):
    """shoot(folder, {name: scene of page.js}) gives {name: picture [H,W,3] in bytes} by three.js, of files there."""

    def pictures(folder, wanted):
        for name in ("page.html", "page.js"):
            shutil.copy(HERE / name, folder)
        (folder / "three").symlink_to(HERE / "node_modules" / "three")
        out = tmp_path_factory.mktemp("three")
        (out / "scenes.json").write_text(json.dumps(wanted))
        with served(folder) as address:
            done = subprocess.run(
                [tools[0], str(HERE / "shoot.mjs"), address, tools[1], str(out / "scenes.json"), str(out)],
                capture_output=True, text=True, timeout=600, cwd=HERE,
            )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return {name: np.asarray(Image.open(out / f"{name}.png").convert("RGB")) for name in wanted}

    return pictures


class served:
    """A folder on this machine alone, at a free port, while the `with` lasts."""

    def __init__(self, folder):
        handler = functools.partial(_Quiet, directory=str(folder))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def as_page(file, pose):
    """A scene as page.js takes it."""
    mtl = f"/{Path(file).stem}.mtl" if file.endswith(".obj") else None
    return {
        "file": f"/{file}", "mtl": mtl, "camera": pose.tolist(), "fov_rad": FOV, "size": [HEIGHT, WIDTH],
        "background": BACKGROUND,
    }  # fmt: skip


def rendered(folder, file, pose, name):
    """[H,W,4] in 0..1 by `glrast render`, top row first."""
    frames = [{"file_path": name, "transform_matrix": pose.tolist()}]
    cameras = folder / f"{name}.json"
    cameras.write_text(
        json.dumps({"camera_angle_x": FOV, "w": WIDTH, "h": HEIGHT, "frames": frames})
    )
    words = [
        "render",
        folder / file,
        "--cameras",
        cameras,
        "--out",
        folder / "out",
        "--layers",
        "color",
        "--device",
        "cpu",
    ]
    assert cli.main([str(word) for word in words]) == 0
    return np.asarray(Image.open(folder / "out" / "color" / f"{name}.png")) / 255.0


def over_the_background(rgba):
    """[H,W,3] in bytes."""
    return (rgba[..., :3] * rgba[..., 3:] + (1 - rgba[..., 3:]) * np.divide(BACKGROUND, 255)) * 255


def inner(ours, theirs):
    """Pixels that show the mesh in both pictures, whose eight neighbours do too."""
    both = (np.abs(ours - BACKGROUND).max(-1) > 2) & (np.abs(theirs - BACKGROUND).max(-1) > 2)
    H, W = both.shape
    padded = np.pad(both, 1)
    near = [padded[y : y + H, x : x + W] for y in range(3) for x in range(3)]  # fmt: skip
    return np.all(near, 0)


def compared(ours, theirs, measured, name):
    """Asserts that two pictures are the same but for edges."""
    theirs = theirs.astype(float)
    inside = inner(ours, theirs)
    difference = np.abs(ours - theirs)
    mean, part = difference[inside].mean(), (difference[inside].max(-1) > LARGE).mean()
    silhouette = (np.abs(ours - BACKGROUND).max(-1) > 40) ^ (
        np.abs(theirs - BACKGROUND).max(-1) > 40
    )
    measured(
        f"three.js, {name}: mean difference {mean:.2f} of 255, {100 * part:.2f} % of pixels above {LARGE}, "
        f"silhouettes differ in {100 * silhouette.mean():.2f} %"
    )
    assert inside.mean() > 0.1
    assert mean < MEAN and part < PART
    assert silhouette.mean() < 0.02


@pytest.fixture(scope="module")
def pairs(shoot, tmp_path_factory):
    """{scene: (ours, theirs)}, bytes [H,W,3]."""
    folder = tmp_path_factory.mktemp("scenes")
    made = scenes.write_all(folder)
    assert sorted(made) == sorted(SCENES)
    theirs = shoot(folder, {name: as_page(*scene) for name, scene in made.items()})
    found = {}
    for name, (file, pose) in made.items():
        found[name] = over_the_background(rendered(folder, file, pose, name)), theirs[name]
    keep({name: pair[0] for name, pair in found.items()}, theirs)
    return found


def keep(ours, theirs):
    """Both pictures of each scene side by side, in the folder that GLRAST_BROWSER_PICTURES names, if it does."""
    folder = os.environ.get("GLRAST_BROWSER_PICTURES")
    for name in ours if folder else ():
        sheet = np.concatenate([np.round(ours[name]), theirs[name]], 1).astype(np.uint8)
        Image.fromarray(sheet).save(Path(folder) / f"{name}.png")


@pytest.mark.parametrize("name", SCENES)
def test_three_js_shows_what_render_shows(pairs, name, measured):
    ours, theirs = pairs[name]
    compared(ours, theirs, measured, name)


def test_a_fitted_mesh_stands_upright_in_three_js_and_looks_as_in_the_turntable(shoot, tmp_path, measured):  # fmt: skip
    """Its colours are x, y and z: no turn of the mesh could hide. The data set's up is z, glTF's y."""
    views = sphere_views(6)
    stage = Stage("only", 20, 1, 0.15, 0.0, 10.0, 1e-3, 5e-2, 1.0, texture=True)
    fit = Fit(views, [stage], 2, 0, torch.device("cpu"))
    fit.begin()
    while not fit.done:
        fit.step()
    write_report(tmp_path, fit, Dataset(views, views, "nothing"))
    mesh, size = fit.mesh(), 96
    matrices = turntable.orbit(mesh.pos, torch.tensor([0.0, 0.0, 1.0]))[:: turntable.FRAMES // 3]
    z_to_y = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    wanted, ours = {}, {}
    for k, matrix in enumerate(matrices):
        # world to clip is projection x view: its rows are the view's, the first two times 1 / tan(fov / 2)
        scale = np.tan(turntable.FOV_RAD / 2)
        view = np.stack([matrix[0] * scale, matrix[1] * scale, -matrix[3], [0, 0, 0, 1]])
        pose = z_to_y @ np.linalg.inv(view)
        page = as_page("mesh.glb", pose)
        wanted[f"t{k}"] = page | {"fov_rad": turntable.FOV_RAD, "size": [size, size]}
        rgba = supersampled(fit.ctx, mesh, matrix.float()[None], (size, size), 2)[0].flip(0).numpy()
        ours[f"t{k}"] = (rgba[..., :3] + (1 - rgba[..., 3:]) * np.divide(BACKGROUND, 255)) * 255
    theirs = shoot(tmp_path, wanted)
    keep(ours, theirs)
    for name in wanted:
        compared(ours[name], theirs[name], measured, f"fitted {name}")
