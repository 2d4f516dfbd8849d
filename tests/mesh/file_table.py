"""docs/files.md from the features that the tests prove: `python -m tests.mesh.file_table > docs/files.md`.

A module tests/mesh/features_*.py has FEATURES, rows of (format, feature, status, proof): format as in ".obj";
status "read", "written", "refused" (an error names it) or "ignored" (it loads, without it); proof a function
of a folder that fails where the status is not true. A feature may have several rows.
"""

import importlib
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "files.md"
HEAD = """# What of a mesh file is read, and what is written

`load_mesh` reads a file right or says what it does not read: an error names the file, the feature and the remedy.
This page is made of the rows that tests/mesh/test_file_table.py proves one by one.

| format | feature | read | written | refused |
|---|---|---|---|---|
"""


def rows():
    """All rows, module by module."""
    for path in sorted(HERE.glob("features_*.py")):
        yield from importlib.import_module(f"tests.mesh.{path.stem}").FEATURES


def page():
    table = {}
    for name, feature, status, _ in rows():
        assert status in ("read", "written", "refused", "ignored"), (feature, status)
        table.setdefault((name, feature), set()).add(status)
    lines = []
    for (name, feature), status in table.items():
        read = "yes" if "read" in status else "left out" if "ignored" in status else ""
        written = "yes" if "written" in status else ""
        refused = "by name" if "refused" in status else ""
        lines.append(f"| {name} | {feature} | {read} | {written} | {refused} |\n")
    return HEAD + "".join(lines)


if __name__ == "__main__":
    print(page(), end="")
