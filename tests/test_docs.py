"""The pages tell the truth: their code runs, their links lead somewhere, their pictures are drawn by the script."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "MIGRATING.md", ROOT / "docs" / "conventions.md"]
PICTURE = re.compile(r"!\[[^]]+\]\((conventions_\w+\.png)\)")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs_from_top_to_bottom(page, capsys):
    names = {}
    text = page.read_text()
    blocks = list(re.finditer(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    assert len(blocks) >= 3
    for block in blocks:
        above = text[: block.start(1)].count("\n")  # so that a traceback names the line of the page
        exec(compile("\n" * above + block[1], str(page), "exec"), names)
    promised = re.findall(r"^ *print\(\w+\)  # (.*)", text, re.MULTILINE)
    printed = capsys.readouterr().out
    for words in promised:
        assert all(part.strip() in printed for part in words.split("..."))


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


def test_every_picture_is_on_the_page_once_and_small():
    kept = {picture.name for picture in (ROOT / "docs").glob("conventions_*.png")}
    assert sorted(named()) == sorted(kept)
    assert sum((ROOT / "docs" / name).stat().st_size for name in kept) < 1_200_000


LINKED = [*PAGES, ROOT / "README.md", ROOT / "docs" / "materials.md"]


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.stem)
def test_links_of_a_page_lead_to_files(page):
    links = re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text())
    assert links and all((page.parent / link).exists() for link in links)


def test_every_row_of_the_tables_names_a_test():
    rows = [line for line in PAGES[0].read_text().splitlines() if line.startswith("| ")]
    rows = [row for row in rows if not row.startswith("| what |")]
    assert len(rows) > 40
    assert all(re.search(r"\]\(tests/[\w/]+\.py\) \|$", row) for row in rows)


def named():
    return PICTURE.findall(PAGES[1].read_text())
