"""The stem rule: from any file of an operation you find the others by its name (design.md)."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STEMS = sorted(path.stem for path in (ROOT / "kernels").glob("*.cu"))


def test_there_are_kernels():
    assert {"rasterize", "interpolate", "antialias"} <= set(STEMS)


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize(
    "place", ["glrast/ops/{}.py", "tests/reference/{}.py", "tests/ops/test_{}.py"]
)
def test_a_kernel_file_has_its_operation_its_twin_and_its_test(stem, place):
    assert (ROOT / place.format(stem)).is_file()


@pytest.mark.parametrize("stem", STEMS)
def test_the_operation_and_its_twin_are_functions_of_that_name(stem):
    for module in (f"glrast.ops.{stem}", f"tests.reference.{stem}"):
        function = getattr(importlib.import_module(module), stem)
        assert inspect.isfunction(function) and function.__module__ == module


@pytest.mark.parametrize("stem", STEMS)
def test_the_library_compiles_it(stem):
    built = re.search(r"set\(kernels (.*)\)", (ROOT / "kernels" / "CMakeLists.txt").read_text())
    assert built and f"{stem}.cu" in built[1].split()


def test_every_shader_belongs_to_an_operation():
    for shader in (ROOT / "shaders").iterdir():
        assert (
            shader.suffix in (".vert", ".frag", ".comp")
            and (ROOT / f"glrast/ops/{shader.stem}.py").is_file()
        )


def test_every_operation_has_a_kernel_file():
    operations = {
        path.stem for path in (ROOT / "glrast/ops").glob("*.py") if not path.stem.startswith("_")
    }
    assert operations <= set(STEMS)
