"""The house stands on floors: a module imports its own floor and those below, and no two import each other.

Imports inside functions and those for type checkers count: what a module knows of is what it depends on.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# From the lowest; rooms of one floor know nothing of each other. `__init__` is the package's own face.
FLOORS = (
    ("core",),
    ("launch",),
    ("camera", "mesh"),
    ("gl",),
    ("raster",),
    ("context",),
    ("ops",),
    ("visibility",),
    ("losses", "optim", "explain", "pytorch3d", "mitsuba"),
    ("clip",),
    ("__init__",),
    ("torch", "shading"),
    ("shim", "fit", "doctor", "bench"),
    ("cli",),
    ("__main__",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def modules(package: Path) -> dict[str, Path]:
    """The modules of a package by name, "" for its own __init__."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path], top: str) -> set[str]:
    """Those of the package that a module imports, anywhere in its text."""
    within = (f"{top}.{name}" if name else top).split(".")
    package = within if path.name == "__init__.py" else within[:-1]
    named = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                named.add(full if full.removeprefix(f"{top}.") in known else base)
    inside = {n.removeprefix(top).removeprefix(".") for n in named if f"{n}.".startswith(f"{top}.")}
    return {n for n in inside if n in known} - {name}


def graph(package: Path) -> dict[str, set[str]]:
    known = modules(package)
    return {name: imports(name, path, known, package.name) for name, path in known.items()}


def circle(edges: dict[str, set[str]]) -> list[str]:
    """Modules of which each imports the next, and the last the first; [] where there are none."""
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> list[str]:
        if name in way:
            return way[way.index(name) :]
        if name in done:
            return []
        for other in sorted(edges[name]):
            found = walk(other, [*way, name])
            if found:
                return found
        done.add(name)
        return []

    for name in edges:
        found = walk(name, [])
        if found:
            return found
    return []


def climbing(edges: dict[str, set[str]]) -> list[str]:
    """Imports from a lower floor to a higher one, or between two rooms of one floor."""
    wrong = []
    for name, others in edges.items():
        room = name.split(".")[0] or "__init__"
        for other in others:
            theirs = other.split(".")[0] or "__init__"
            if room != theirs and FLOOR[theirs] >= FLOOR[room]:
                wrong.append(f"{name or 'glrast'} imports {other or 'glrast'}")
    return wrong


@pytest.fixture(scope="module")
def house():
    return graph(ROOT / "glrast")


def test_every_room_has_a_floor(house):
    assert {name.split(".")[0] or "__init__" for name in house} <= set(FLOOR)


def test_no_modules_import_each_other_in_a_circle(house):
    assert len(house) > 100 and not circle(house)


def test_no_floor_imports_a_higher_one(house):
    assert not climbing(house)


def test_a_circle_and_a_climb_are_found(tmp_path):
    rooms = {
        "core/a.py": "def f():\n    from ..ops import b\n",
        "ops/b.py": "from . import c\n",
        "ops/c.py": "from ..core.a import f\n",
    }
    for name, text in rooms.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    edges = graph(tmp_path)
    assert circle(edges) == ["core.a", "ops.b", "ops.c"]
    assert climbing(edges) == ["core.a imports ops.b"]
