"""The stem rule: from any file of an operation you find the others by its name (docs/architecture.md)."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
KERNELS = ROOT / "kernels"
STEMS = sorted(path.stem for path in KERNELS.rglob("*.cu"))
# What the operations of glrast/ops share.
MACHINERY = {"function", "guard", "mipmap", "operator", "saved"}


def room(stem: str) -> str:
    """The folder of an operation, under glrast/ and under tests/."""
    return "visibility" if (ROOT / f"glrast/visibility/{stem}.py").is_file() else "ops"


def twin(stem: str) -> str:
    return (
        f"tests.reference.{stem}" if room(stem) == "ops" else f"tests.reference.visibility.{stem}"
    )


def test_there_are_kernels():
    assert {"rasterize", "interpolate", "antialias"} <= set(STEMS)


@pytest.mark.parametrize("stem", STEMS)
def test_a_kernel_file_has_its_operation_its_twin_and_its_test(stem):
    assert (ROOT / f"glrast/{room(stem)}/{stem}.py").is_file()
    assert (ROOT / f"{twin(stem).replace('.', '/')}.py").is_file()
    assert (ROOT / f"tests/{room(stem)}/test_{stem}.py").is_file()


@pytest.mark.parametrize("stem", STEMS)
def test_the_operation_and_its_twin_are_functions_of_that_name(stem):
    for module in (f"glrast.{room(stem)}.{stem}", twin(stem)):
        function = getattr(importlib.import_module(module), stem)
        assert inspect.isfunction(function) and function.__module__ == module


@pytest.mark.parametrize("stem", STEMS)
def test_the_library_compiles_it(stem):
    built = re.search(r"set\(kernels ([^)]*)\)", (KERNELS / "CMakeLists.txt").read_text())
    assert built and f"{stem}.cu" in [Path(name).name for name in built[1].split()]


def test_every_shader_belongs_to_an_operation():
    for shader in (ROOT / "shaders").iterdir():
        assert shader.suffix in (".vert", ".frag", ".comp")
        assert (ROOT / f"glrast/ops/{shader.stem}.py").is_file()


def test_every_operation_has_a_kernel_file():
    files = {path.stem for path in (ROOT / "glrast/ops").glob("[!_]*.py")}
    assert files - MACHINERY <= set(STEMS) and MACHINERY <= files
