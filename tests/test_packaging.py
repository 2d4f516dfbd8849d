"""The wheel works by itself: built, installed in an empty folder, used from an empty folder."""

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from glrast.launch import cubins, cuda

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.slow  # a compiler run and two fresh Pythons

CUBIN = cubins.name("transform", cuda.OPTIONS, "90")
SCRIPT = """
import sys
from pathlib import Path
import torch, glrast
from glrast.launch import cpu, cubins, cuda, source

home = Path(sys.argv[1])
assert Path(glrast.__file__).is_relative_to(home), glrast.__file__
for folder in ("kernels", "shaders"):
    assert source.folder(folder).is_relative_to(home), source.folder(folder)
assert Path(cpu.host_library()._name).is_relative_to(home), cpu.host_library()._name

found = cubins.found("transform", cuda.OPTIONS, "90")
assert found and found.is_relative_to(home), found
assert cubins.found("interpolate", cuda.OPTIONS, "90") is None

context = glrast.Context("cpu")
pos = torch.tensor([[[-1.0, -1.0, 0.0, 1.0], [3.0, -1.0, 0.0, 1.0], [-1.0, 3.0, 0.0, 1.0]]], requires_grad=True)
tri = torch.tensor([[0, 1, 2]])
for program in ("id", "full"):
    rast, rast_db = glrast.rasterize(glrast.Context("cpu", buffers=program), pos, tri, (17, 33))
    out, _ = glrast.interpolate(torch.eye(3), rast, tri)
    image = glrast.antialias(out, rast, pos, tri)
    image[..., 0].sum().backward()
    print(program, int((rast[..., 3] == 1).sum()), bool(pos.grad.isfinite().all()))
print("text", len(source.text("antialias")) > 1000)
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The tracked kind of files, copied so that nothing lands in the checkout."""
    copy = tmp_path_factory.mktemp("copy") / "source"
    ignore = shutil.ignore_patterns("__pycache__", "*.so", "build", "out", "*.cubin")
    for name in ("glrast", "kernels", "shaders"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    rules = (
        copy / "kernels" / "CMakeLists.txt"
    )  # what is in the wheel counts here, not how fast it runs
    assert " -O3 " in rules.read_text()
    rules.write_text(rules.read_text().replace(" -O3 ", " -O0 "))
    (copy / "glrast" / "cubins").mkdir(exist_ok=True)
    (copy / "glrast" / "cubins" / CUBIN).write_bytes(b"of a GPU")  # as tools/cubins.py does
    shutil.copy(ROOT / ".gitignore", copy / ".gitignore")  # which names them
    return copy


@pytest.fixture(scope="module")
def wheel(copy, tmp_path_factory):
    """The wheel, built from the copy."""
    if not any(shutil.which(name) for name in ("c++", "g++", "clang++")):
        pytest.skip("no C++ compiler here")
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        str(copy),
        "--no-deps",
        "-w",
        str(folder / "dist"),
        "-q",
    ]
    if importlib.util.find_spec("scikit_build_core"):  # else pip fetches the build's requirements
        command.append("--no-build-isolation")
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    (built,) = (folder / "dist").glob("*.whl")
    return built, copy


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    home = tmp_path_factory.mktemp("installed")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--target",
        str(home),
        str(wheel[0]),
        "-q",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return home


def test_the_wheel_holds_kernels_shaders_library_and_licence_and_nothing_of_the_tests(wheel):
    built, copy = wheel
    assert built.name.startswith("glrast-") and "-py3-none-" in built.name
    names = set(zipfile.ZipFile(built).namelist())
    for file in [*(copy / "kernels").rglob("*.cu*"), *(copy / "shaders").iterdir()]:
        assert f"glrast/{file.relative_to(copy).as_posix()}" in names
    assert "glrast/launch/libglrast_host.so" in names
    if platform.machine() == "x86_64":
        assert "glrast/launch/libglrast_host_avx2.so" in names
    assert f"glrast/cubins/{CUBIN}" in names
    assert "glrast/shim/names/nvdiffrast/torch/ops.py" in names
    assert "glrast/shim/names/nvdiffrast-0.4.0.egg-info/PKG-INFO" in names
    assert any(name.endswith("LICENSE") for name in names)
    assert not any(name.split("/")[0] in ("tests", "examples", ".ci") for name in names)


def test_it_renders_from_an_empty_folder_with_everything_from_the_wheel(installed, tmp_path):
    said = python(installed, tmp_path, "-c", SCRIPT, str(installed))
    assert said == "id 561 True\nfull 561 True\ntext True\n"
    assert not list(tmp_path.iterdir())  # and leaves nothing behind


NOTHING_ELSE = """
import importlib.util, os, site, sys
site.addsitedir(sys.argv[1])  # as Python does with site-packages: it runs the .pth files
import glrast
from glrast.launch import source

checkout = sys.argv[2]
outside = [os.path.realpath(entry) for entry in sys.path]
assert checkout not in outside and os.path.dirname(checkout) not in outside, outside
assert os.path.realpath(glrast.__file__) == os.path.join(checkout, "glrast", "__init__.py"), glrast.__file__
for folder in ("kernels", "shaders"):  # the checkout's: a change shows without another install
    assert os.path.realpath(source.folder(folder)) == os.path.join(checkout, folder), source.folder(folder)
print([name for name in sys.argv[3:] if importlib.util.find_spec(name)])
"""


def test_an_editable_install_makes_glrast_importable_and_nothing_beside_it(copy, tmp_path):
    checkout, home, elsewhere = tmp_path / "all" / "glrast", tmp_path / "home", tmp_path / "empty"
    shutil.copytree(copy, checkout)
    beside = ("triton", "cupy", "trimesh_is_no_such_package")
    for name in beside:
        (tmp_path / "all" / name).mkdir()
    elsewhere.mkdir()
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(home)]
    command += [
        "--config-settings=wheel.cmake=false",
        "-e",
        str(checkout),
    ]  # the kernels do not matter here
    if importlib.util.find_spec("scikit_build_core"):
        command.append("--no-build-isolation")
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    words = ["-c", NOTHING_ELSE, str(home), str(checkout), "tests", "tools", "kernels", "shaders"]
    there = [
        name for name in beside if importlib.util.find_spec(name)
    ]  # installed for other reasons
    said = python(home, elsewhere, *words, *(set(beside) - set(there)))
    assert said == "[]\n"


def test_this_environment_has_no_checkout_on_its_path(tmp_path):
    script = "import sys, os; print(*map(os.path.realpath, sys.path), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=600,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not {str(ROOT), str(ROOT.parent)} & set(done.stdout.splitlines())


def python(home, folder, *arguments):
    """A Python without site-packages' .pth files (an editable glrast would win), but with its libraries."""
    libraries = [entry for entry in sys.path if entry.endswith("-packages")]
    environment = {k: v for k, v in os.environ.items() if k != "GLRAST_HOST_LIBRARY"}
    environment["PYTHONPATH"] = os.pathsep.join([str(home), *libraries])
    command = [sys.executable, "-S", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
