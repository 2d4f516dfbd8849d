"""Runs the Python of a tutorial from top to bottom: `python docs/tutorials/run.py docs/tutorials/01_*.md [--write]`.

You will see: what each block prints. --write puts it into the page, in the ```text block below. Takes a second or two a
page. `tests/test_tutorials.py` holds every page to what it says.
"""

import argparse
import contextlib
import io
import re
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).resolve().parent
PAGES = sorted(FOLDER.glob("0*.md"))
# A block of Python, and right below it what it prints, where it prints anything.
BLOCK = re.compile(
    r"^```python\n(.*?)^```\n(?:\n?^```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE
)


class Step(NamedTuple):
    line: int  # of the page, where the block begins
    printed: str
    shown: str  # what the page says that it prints


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", nargs="+", type=Path)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    for page in args.page:
        steps, _ = run(page)
        print(f"{page.name}\n" + "".join(step.printed for step in steps))
        if args.write:
            page.write_text(written(page.read_text(), steps))


def run(page: Path) -> tuple[list[Step], dict[str, Any]]:
    """What the blocks of a page printed, and the names that its program leaves."""
    text, steps, names = page.read_text(), [], {"__name__": page.stem}
    for block in BLOCK.finditer(text):
        above = text[: block.start(1)].count("\n")  # so that a traceback names the line of the page
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile("\n" * above + block[1], str(page), "exec"), names)
        steps.append(Step(above + 1, out.getvalue(), block[2] or ""))
    return steps, names


def written(text: str, steps: list[Step]) -> str:
    """The page with what its blocks printed."""
    left = iter(steps)

    def block(found: re.Match[str]) -> str:
        printed = next(left).printed
        below = f"\n```text\n{printed}```\n" if printed else ""
        return f"```python\n{found[1]}```\n{below}"

    return BLOCK.sub(block, text)


if __name__ == "__main__":
    main()
