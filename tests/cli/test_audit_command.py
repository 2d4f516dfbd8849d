"""`glrast audit`: what it prints, draws and writes."""

import json

import pytest

from glrast.cli import audit
from glrast.cli.main import main

QUICK = ["audit", "--quick", "--estimator", "exact near", "edge_grad"]


@pytest.fixture(scope="module")
def report():
    """One for all: the command asks for it, and what it is asked is checked."""
    return audit.audit(["exact near", "edge_grad"], quick=True)


@pytest.fixture
def measured(report, monkeypatch):
    def known(estimators, *, quick, ctx, say):
        assert (estimators, quick) == (["exact near", "edge_grad"], True) and ctx is not None
        return report

    monkeypatch.setattr(audit, "audit", known)


@pytest.mark.slow
def test_it_prints_aligned_tables_and_draws(measured, capsys, tmp_path):
    assert main([*QUICK, "--plot", str(tmp_path / "all.png")]) == 0
    out, said = capsys.readouterr()
    for title in ("Relative error, smooth loss", "Error of the image, rms", "The table of ticks"):
        assert title in out
    assert "torch" in out.splitlines()[-1] and "wrote" in said
    assert (tmp_path / "all.png").stat().st_size > 10_000


@pytest.mark.slow
def test_json_has_the_machine_and_every_figure(measured, capsys):
    assert main([*QUICK, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert {"date", "cpu", "torch"} <= set(made["machine"])
    assert [t["method"] for t in made["ticks"]] == ["exact near", "edge_grad"]
    assert len(made["cases"]) == 2 * len(made["kinds"])


@pytest.mark.parametrize(
    "words, said",
    [
        (["--estimator", "hardd"], "estimators must be"),
        (["--page", "x.md", "--quick"], "--page needs all figures; leave out --quick"),
        (["--page", "no/such/page.md"], "page.md"),
        (["--device", "tpu"], "--device must be"),
    ],
)
def test_wrong_words_are_one_line(capsys, words, said):
    assert main(["audit", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_page_gets_what_is_between_its_marks(monkeypatch):
    monkeypatch.setattr(audit, "tables", lambda report: [audit_table()])
    page = "above\n<!-- audit:one -->\nold\n<!-- audit:end -->\nbelow <!-- audit:machine -->\n<!-- audit:end -->"
    made = audit.filled(page, None, {"date": "today"})
    assert made == (
        "above\n<!-- audit:one -->\n| a |\n| --- |\n| 1 |\n<!-- audit:end -->\n"
        "below <!-- audit:machine -->\nMeasured: date today.\n<!-- audit:end -->"
    )
    assert audit.filled(made, None, {"date": "today"}) == made
    with pytest.raises(ValueError, match="audit:one --> without"):
        audit.filled("<!-- audit:one -->", None, {})


def audit_table():
    from glrast.visibility.audit.tables import Table

    return Table("one", "", ["a"], [["1"]])
