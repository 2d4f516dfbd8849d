"""docs/visibility.md says what is measured: the table that tests/visibility/claims_table.py prints."""

import re
from pathlib import Path

import pytest

from tests.visibility import claims_table as table
from tests.visibility import discontinuities as kinds

PAGE = Path(__file__).resolve().parents[2] / "docs" / "visibility.md"
ROUNDED = (
    0.02  # of the figures on the page, which have two places; and float32 sums on other machines
)


def figures(text: str) -> dict[tuple[str, str], list[float]]:
    """{(kind, member): [smooth, noise]} of a table as claims_table prints it."""
    rows = [row.strip("| ").split(" | ") for row in text.splitlines() if row.startswith("| ")]
    head = next(row for row in rows if row[0] == "kind")
    found = {}
    for row in rows[rows.index(head) + 1 :]:
        if row[0] in kinds.KINDS:
            for name, cell in zip(head[1:], row[1:]):
                found[row[0], name] = [float(x) for x in re.findall(r"[\d.]+", cell)]
    return found


@pytest.mark.slow
def test_the_page_has_what_is_measured():
    written = figures(PAGE.read_text())
    printed = figures("\n".join([f"| kind | {' | '.join(table.MEMBERS)} |", *table.rows()]))
    assert set(written) == set(printed) and len(printed) == len(kinds.KINDS) * len(table.MEMBERS)
    for at, values in printed.items():
        for one, other in zip(values, written[at]):
            assert one == pytest.approx(other, abs=ROUNDED, rel=ROUNDED), at
