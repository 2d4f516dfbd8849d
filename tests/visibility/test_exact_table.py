"""tests/visibility/exact_table.py: which scenes it has rows of, with and without ../shared."""

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
