"""The tutorials tell the truth: each page runs as one program and prints what stands below its blocks, every decimal of
its sentences is among what it prints, and its pictures are drawn from the names that its program leaves."""

import codeop
import importlib
import re
import sys
from pathlib import Path

import matplotlib
import pytest

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "tutorials"
PAGES = sorted(FOLDER.glob("0*.md"))
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w]|\.\d)")
PNG_SIZE = slice(16, 24)  # width and height in the header


@pytest.fixture
def run(monkeypatch):
    """docs/tutorials/run.py as its command sees it."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module("run")
    sys.modules.pop("run", None)


@pytest.fixture
def pictures(run, monkeypatch):
    """docs/tutorials/pictures.py."""
    monkeypatch.syspath_prepend(str(FOLDER.parent / "pictures"))
    with matplotlib.rc_context():  # style.py sets some
        yield importlib.import_module("pictures")
    for name in ("pictures", "boundary", "blurred", "repaired", "style"):
        sys.modules.pop(name, None)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_tutorial_prints_what_it_shows_and_its_pictures_are_those_of_the_page(
    page, run, pictures, tmp_path
):
    steps, names = run.run(page)
    assert len(steps) > 5
    for step in steps:
        assert not differences(step.printed, step.shown), (
            f"{page.name}:{step.line} prints\n{step.printed}"
        )
    unknown = unprinted(page.read_text(), "".join(step.printed for step in steps))
    assert not unknown, f"{page.name}: no block prints {', '.join(unknown)}"
    for drawn in pictures.draw(page, names, tmp_path):
        kept = FOLDER / drawn.name
        assert f"]({drawn.name})" in page.read_text()
        assert drawn.read_bytes()[PNG_SIZE] == kept.read_bytes()[PNG_SIZE]
        assert all(20_000 < p.stat().st_size < 200_000 for p in (drawn, kept))  # not blank


def test_every_tutorial_has_exercises_with_answers_and_a_way_on():
    assert len(PAGES) == 6
    for page, after in zip(PAGES, [*PAGES[1:], FOLDER / "README.md"]):
        text = page.read_text()
        asked, answered = (
            items(part) for part in re.split("## (?:Exercises|Answers|Papers)\n", text)[1:3]
        )
        assert asked == answered == ["1.", "2.", "3."], page.name
        assert f"]({after.name})" in text.splitlines()[-1]
        assert f"]({page.name})" in (FOLDER / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_blocks_can_be_pasted_into_an_interpreter(page, run):
    """An empty line ends a statement there, and nothing else ends the body of a loop or a function."""
    for block in run.BLOCK.finditer(page.read_text()):
        compiler, statement = codeop.CommandCompiler(), []
        for line in [*block[1].splitlines(), ""]:
            statement.append(line)
            if compiler("\n".join(statement), str(page), "single") is not None:
                statement = []
        assert not "".join(statement)


def test_another_figure_is_told_and_a_unit_in_the_last_digit_is_not():
    assert not differences("error 0.123, 7 times\n", "error 0.122, 7 times\n")
    assert differences("error 0.123, 7 times\n", "error 0.121, 7 times\n")
    assert differences("error 0.123, 7 times\n", "error 0.123, 8 times\n")
    assert differences("error 0.123\n", "length 0.123\n")
    assert unprinted("It is 0.36 here, `0.5` there, and 0.48.\n\n## Papers\n\n1.5", "0.362") == [
        "0.48"
    ]


def differences(printed: str, shown: str) -> bool:
    """Whether two texts differ by a word or a number; decimals may be off by one in their last digit."""
    if NUMBER.sub("#", printed).split() != NUMBER.sub("#", shown).split():
        return True
    return not all(near(p, s) for p, s in zip(NUMBER.findall(printed), NUMBER.findall(shown)))


def near(printed: str, shown: str) -> bool:
    if "." not in shown:
        return printed == shown
    return abs(float(printed) - float(shown)) < 1.01 * 10 ** -len(shown.partition(".")[2])


def unprinted(text: str, printed: str) -> list[str]:
    """The decimals of a page's sentences that its program does not print."""
    prose = re.sub(
        r"^```.*?^```|`[^`]*`|\]\([^)]*\)|section \S+", "", text, flags=re.DOTALL | re.MULTILINE
    )
    prose = prose.partition("## Papers")[0]
    known = NUMBER.findall(printed)
    decimals = [n for n in NUMBER.findall(prose) if "." in n]
    return [n for n in decimals if not any(near(k, n) for k in known)]


def items(part: str) -> list[str]:
    return re.findall(r"^\d\.(?= )", part, re.MULTILINE)
