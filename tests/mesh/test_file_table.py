"""docs/files.md says what the tests prove."""

import pytest

from tests.mesh.file_table import PAGE, page, rows

ROWS = list(rows())


@pytest.mark.parametrize("row", ROWS, ids=[f"{r[0]} {r[1]} {r[2]}" for r in ROWS])
def test_a_row_of_the_table_is_true(row, tmp_path):
    row[3](tmp_path)


def test_the_page_is_what_the_rows_say():
    again = "python -m tests.mesh.file_table > docs/files.md"
    assert PAGE.read_text(encoding="utf-8") == page(), f"make the page again: {again}"
