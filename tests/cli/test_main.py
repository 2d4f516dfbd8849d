"""The command line itself: which command runs, what an error looks like, which exit code comes back."""

import subprocess
import sys
import types

import pytest

import glrast
from glrast.cli import main as cli


@pytest.fixture
def command(monkeypatch):
    """Puts a fake module in the place of every command; its `run` is what the test sets."""
    fake = types.SimpleNamespace(add_arguments=lambda parser: None, run=lambda args: 0)
    monkeypatch.setattr(cli.importlib, "import_module", lambda name: fake)
    monkeypatch.delenv("GLRAST_DEBUG", raising=False)
    return fake


def raising(error):
    def run(args):
        raise error

    return run


@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_help_and_version_import_no_command(monkeypatch, capsys, words):
    monkeypatch.setattr(cli.importlib, "import_module", raising(AssertionError("imported")))
    with pytest.raises(SystemExit) as exit:
        cli.main(words)
    assert exit.value.code == 0
    out = capsys.readouterr().out
    assert (
        glrast.__version__ in out if words == ["--version"] else all(c in out for c in cli.COMMANDS)
    )


def test_only_the_command_that_is_asked_for_is_imported(monkeypatch):
    imported = []

    def note(name):
        imported.append(name)
        return types.SimpleNamespace(add_arguments=lambda parser: None, run=lambda args: 7)

    monkeypatch.setattr(cli.importlib, "import_module", note)
    assert cli.main(["render"]) == 7
    assert imported == ["glrast.cli.render"]


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_arguments_and_help(capsys, name):
    with pytest.raises(SystemExit) as exit:
        cli.main([name, "--help"])
    assert exit.value.code == 0
    assert f"glrast {name}" in capsys.readouterr().out


def test_no_command_prints_the_help_and_fails(capsys):
    assert cli.main([]) == cli.WRONG_INPUT
    assert "doctor" in capsys.readouterr().out


def test_an_unknown_command_is_refused_by_name(capsys):
    with pytest.raises(SystemExit) as exit:
        cli.main(["paint"])
    assert exit.value.code == cli.WRONG_INPUT
    assert "paint" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error, line",
    [
        (ValueError("glrast.rasterize: tri must be [T,3]"), "glrast.rasterize: tri must be [T,3]"),
        (IndexError("glrast.interpolate: 7"), "glrast.interpolate: 7"),
        (FileNotFoundError(2, "No such file", "a.obj"), "glrast doctor: [Errno 2] No such file: 'a.obj'"),
        (ModuleNotFoundError("No module named 'PIL'", name="PIL"),
         'glrast doctor: PIL is not installed; run: pip install "glrast[fit,bench]"'),
(RuntimeError("no memory"),
         "glrast doctor: RuntimeError: no memory (GLRAST_DEBUG=1 shows where this comes from)"),
    ],
)  # fmt: skip
def test_an_expected_error_is_one_line_and_exit_code_2(command, capsys, error, line):
    command.run = raising(error)
    assert cli.main(["doctor"]) == cli.WRONG_INPUT
    assert capsys.readouterr().err == line + "\n"


def test_an_error_while_a_command_is_imported_is_one_line_too(monkeypatch, capsys):
    monkeypatch.setattr(
        cli.importlib, "import_module", raising(ImportError("libfoo.so is missing"))
    )
    assert cli.main(["fit"]) == cli.WRONG_INPUT
    assert capsys.readouterr().err == "glrast fit: libfoo.so is missing\n"


def test_ctrl_c_gives_130_without_a_traceback(command, capsys):
    command.run = raising(KeyboardInterrupt())
    assert cli.main(["bench"]) == cli.INTERRUPTED
    assert capsys.readouterr().err.strip() == "glrast bench: interrupted"


@pytest.mark.parametrize(
    "error", [KeyError("resolution"), TypeError("missing 1 argument"), IndexError("7")]
)
def test_a_defect_shows_its_traceback(command, error):
    command.run = raising(error)
    with pytest.raises(type(error)):
        cli.main(["bench"])


@pytest.mark.parametrize("error", [ValueError("glrast: wrong"), KeyboardInterrupt()])
def test_glrast_debug_lets_every_error_through(command, monkeypatch, error):
    monkeypatch.setenv("GLRAST_DEBUG", "1")
    command.run = raising(error)
    with pytest.raises(type(error)):
        cli.main(["bench"])


@pytest.mark.slow
def test_python_dash_m_glrast_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "glrast", "--version"], capture_output=True, text=True, timeout=600
    )
    assert (done.returncode, done.stdout.strip()) == (0, f"glrast {glrast.__version__}")
