"""tests/visibility/exact_table.py: its rows, which scenes it has with and without ../shared, and when it fails."""

import sys

import pytest

from tests.visibility import crowded, exact_table


def test_without_the_bunny_the_table_says_which_rows_it_leaves_out(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(exact_table, "BUNNY", tmp_path / "stanford_bunny.obj")
    assert set(crowded.ALL) - set(exact_table.available()) == {"bunny_flat", "bunny_smooth"}
    said = capsys.readouterr().err
    assert (
        "left out" in said and "stanford_bunny.obj" in said and "bunny_flat, bunny_smooth" in said
    )


def test_with_the_bunny_the_table_has_every_row(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(exact_table, "BUNNY", tmp_path)
    assert exact_table.available() == crowded.ALL and not capsys.readouterr().err


@pytest.mark.parametrize("factor, status", [(1.0, 0), (1.02, 1)])
def test_it_fails_where_fragments_are_more_than_1_percent_off(monkeypatch, capsys, factor, status):
    exact = exact_table.gradients
    monkeypatch.setattr(exact_table, "gradients", lambda *a: [factor * g for g in exact(*a)])
    monkeypatch.setattr(exact_table, "available", lambda: {"leaving": crowded.ALL["leaving"]})
    monkeypatch.setattr(exact_table, "METHODS", {"antialias": exact_table.METHODS["antialias"]})
    monkeypatch.setattr(sys, "argv", ["exact_table", "--quick"])
    assert exact_table.main() == status
    head, line, row, _, worst = capsys.readouterr().out.splitlines()
    assert (
        head == "| scene | triangles | antialias | fragments, all |"
        and line == "|---|---:|---|---|"
    )
    assert row.startswith("| leaving | 1 | 0.0") and "(leaving)" in worst
