"""The pages tell the truth: their code runs, their links and names lead somewhere, their commands are understood, their
pictures are drawn by the script."""

import argparse
import importlib
import re
import shlex
import subprocess
import sys
from functools import reduce
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README, MIGRATING = ROOT / "README.md", ROOT / "MIGRATING.md"
CONVENTIONS = ROOT / "docs" / "conventions.md"
TUTORIALS = sorted(ROOT.glob("docs/tutorials/*.md"))  # tests/test_tutorials.py runs their code
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *TUTORIALS])
PICTURE = re.compile(r"!\[[^]]+\]\((conventions_\w+\.png)\)")
LINK = re.compile(r"\]\((?!https?:)([^)\s]*)\)")
PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
CALL = re.compile(r"(?:[A-Z_]+=\S* )*(?:make|glrast [\w-]+)( |$)")
ALL_LINES = 100  # what one reads of a page before one tries it


def of_pages(pages):
    return pytest.mark.parametrize("page", pages, ids=lambda page: str(page.relative_to(ROOT)))


each_page = of_pages(PAGES)
each_page_with_code = of_pages(
    [page for page in PAGES if page not in TUTORIALS and PYTHON.search(page.read_text())]
)


def test_the_readme_has_at_most_100_lines_of_which_every_one_fits_a_screen():
    lines = README.read_text().splitlines()
    assert len(lines) <= ALL_LINES
    assert max(map(len, lines)) <= 140


@pytest.mark.slow
@each_page_with_code
def test_the_code_of_a_page_runs_from_top_to_bottom(page, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # for what it writes
    names = {}
    text = page.read_text()
    for block in PYTHON.finditer(text):
        above = text[: block.start(1)].count("\n")  # so that a traceback names the line of the page
        exec(compile("\n" * above + block[1], str(page), "exec"), names)
    promised = re.findall(r"^ *print\(\w+\)  # (.*)", text, re.MULTILINE)
    printed = capsys.readouterr().out
    for words in promised:
        assert all(part.strip() in printed for part in words.split("..."))


def test_the_pages_that_teach_have_code():
    blocks = {page: len(PYTHON.findall(page.read_text())) for page in PAGES}
    assert blocks[README] == 1
    assert min(blocks[MIGRATING], blocks[CONVENTIONS]) >= 3


@pytest.mark.slow
def test_the_script_draws_every_picture_of_the_page(tmp_path):
    script = ROOT / "docs" / "conventions.py"
    done = subprocess.run(
        [sys.executable, str(script), "--out", str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert {picture.name for picture in tmp_path.iterdir()} == set(named())
    assert all(picture.stat().st_size > 10_000 for picture in tmp_path.iterdir())  # not blank


@pytest.mark.slow
def test_the_pictures_of_exact_gradients_are_drawn_by_their_script(tmp_path):
    command = [sys.executable, str(ROOT / "docs" / "exact.py"), "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "Warning" not in done.stderr, done.stderr
    for name in ("exact.png", "exact_idea.png"):
        for folder in (tmp_path, ROOT / "docs"):
            assert 20_000 < (folder / name).stat().st_size < 300_000


def test_every_picture_is_on_the_page_once_and_small():
    kept = {picture.name for picture in (ROOT / "docs").glob("conventions_*.png")}
    assert sorted(named()) == sorted(kept)
    assert sum((ROOT / "docs" / name).stat().st_size for name in kept) < 1_200_000


@each_page
def test_links_of_a_page_lead_to_files_and_headings(page):
    for link in links(page):
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: no file {link}"
        if heading:
            assert heading in headings(target), f"{page.name}: no heading {link}"


def test_every_page_and_picture_is_reached_from_the_readme():
    reached, ahead = set(), {README}
    while ahead:
        page = ahead.pop()
        reached.add(page)
        targets = {(page.parent / link.partition("#")[0]).resolve() for link in links(page)}
        ahead |= {t for t in targets if t.suffix == ".md"} - reached
        reached |= {t for t in targets if t.suffix == ".png"}
    kept = {*PAGES, *(ROOT / "docs").rglob("*.png")}
    assert sorted(path.name for path in kept - reached) == []


@each_page
def test_files_that_a_page_names_are_there(page):
    """`kernels/antialias.cu`, as code or in running text; a pattern such as tests/ops/*.py matches something."""
    if page.name == "CHANGELOG.md":  # of its time
        return
    folders = "glrast|kernels|shaders|tests|tools|docs|examples"
    spelled = rf"(?<![\w/.~-])(?:{folders})/[\w./*-]*\.(?:py|cuh?|cpp|frag|vert|md|sh|png)\b"
    for name in re.findall(spelled, page.read_text()):
        assert list(ROOT.glob(name)), f"{page.name}: no file {name}"


@each_page
def test_names_of_glrast_that_a_page_uses_exist(page):
    for name in set(re.findall(r"(?<![\w./])glrast(?:\.[A-Za-z_]\w*)+(?!/)", page.read_text())):
        _, *parts = name.split(".")
        try:
            reduce(attribute, parts, importlib.import_module("glrast"))
        except (AttributeError, ImportError):
            raise AssertionError(f"{page.name}: there is no {name}") from None


@each_page
def test_commands_of_a_page_are_understood(page):
    """Lines of blocks that call `glrast` or `make` parse; of code in a sentence the words and options exist."""
    text = page.read_text()
    for line in blocks(text):
        words = called(line)
        if words[0] == "make":
            known_targets(words[1:])
        else:
            parser(words[1]).parse_args(words[2:])
    for line in codes(text):
        words = called(line)
        if words[0] == "make":
            known_targets(words[1:])
        else:
            options = {word.partition("=")[0] for word in words[2:] if word.startswith("--")}
            assert options <= {*parser(words[1])._option_string_actions}, line


def test_every_row_of_the_tables_names_a_test():
    rows = [line for line in MIGRATING.read_text().splitlines() if line.startswith("| ")]
    rows = [row for row in rows if not row.startswith("| what |")]
    assert len(rows) > 40
    assert all(re.search(r"\]\(tests/[\w/]+\.py\) \|$", row) for row in rows)


def named():
    return PICTURE.findall(CONVENTIONS.read_text())


def links(page):
    return LINK.findall(without_blocks(page.read_text()))


def headings(page):
    """As forges name them: small letters, blanks become hyphens, other signs go."""
    titles = re.findall(r"^#+ (.*)", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def attribute(of, name):
    try:
        return getattr(of, name)
    except AttributeError:
        return importlib.import_module(f"{of.__name__}.{name}")


def blocks(text):
    """Lines of code that are a call, out of fenced and indented blocks."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    plain = "".join(lines for language, lines in fenced if not language)
    indented = re.findall(r"^    (\S.*)", without_blocks(text), re.MULTILINE)
    return list(filter(CALL.match, [*plain.replace("\\\n", " ").splitlines(), *indented]))


def codes(text):
    """Pieces of code in sentences that are a call."""
    pieces = re.findall(r"`([^`]+)`", without_blocks(text))
    return list(filter(CALL.match, (" ".join(piece.split()) for piece in pieces)))


def called(line):
    """The words of a call, without a comment and without the environment that stands before it."""
    words = shlex.split(line, comments=True)
    return words[next(n for n, word in enumerate(words) if "=" not in word) :]


def known_targets(words):
    targets = {word for word in words if "=" not in word}
    assert targets <= set(
        re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    )


def parser(command):
    made = argparse.ArgumentParser(command)
    importlib.import_module(f"glrast.cli.{command}").add_arguments(made)
    return made


def without_blocks(text):
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
