"""The contract speaks of public names alone: what a test of it may import, and which attributes it may read."""

import ast
from pathlib import Path

import pytest

PUBLIC = {"glrast", "glrast.torch", "glrast.clip", "glrast.visibility", "glrast.pytorch3d"}
FILES = sorted(Path(__file__).parent.glob("*.py"))


def strays(source: str) -> list[str]:
    """Imports from inside glrast or from the twins, and private attributes of glrast, with their lines."""
    found = []
    for node in ast.walk(ast.parse(source)):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        for module in modules:
            inside = module.split(".")[0] == "glrast" and module not in PUBLIC
            if inside or module.startswith("tests.reference"):
                found.append(f"line {node.lineno}: {module}")
        if isinstance(node, ast.Attribute) and private(node):
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


def private(node: ast.Attribute) -> bool:
    """`glrast._x`, or `glrast.ops`: a room of the house."""
    owner = ast.unparse(node.value)
    return owner in ("glrast", "dr") and (node.attr.startswith("_") or node.attr in ROOMS)


ROOMS = {
    "bench", "camera", "core", "doctor", "fit", "gl", "launch", "mesh", "ops", "raster", "shading", "shim",
}  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_section_of_the_contract_uses_public_names_only(path):
    assert not strays(path.read_text())


def test_a_private_name_is_found():
    said = strays(
        "import glrast.ops.check\nfrom glrast.gl import x\nfrom tests.reference import peel\n"
        "from glrast.clip import Mesh\nglrast._topologies\nglrast.ops.rasterize\nglrast.rasterize\n"
    )
    assert [line.split(":")[0] for line in said] == [f"line {n}" for n in (1, 2, 3, 5, 6)]
