"""gpu_check: runs to its end on the fakes, keeps what it has found, and believes no figure of another path."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from glrast.gl.host_copy import HostCopy
from tools import gpu_check
from tools.gpu import llvmpipe, machine, report, setting, steps
from tools.gpu.plan import RUNGS, STEPS
from tools.gpu.rungs import BREAK, Wrong

ROOT = Path(__file__).resolve().parents[2]
CPU = setting.Setting(torch.device("cpu"), fake=False, tiny=True)
FAKE = setting.Setting(torch.device("cpu"), fake=True, tiny=True)
ON_FAKES = {"ladder: kernels", "timings: nvdiffrast", "parity", "memcheck"}  # what they cannot tell


@pytest.fixture
def start(tmp_path, monkeypatch, capsys):
    """Run it with these words; returns its exit code, results.json, results.md."""

    def start(*words):
        code = gpu_check.main(["--out", str(tmp_path), *words])
        said = [p.name for p in tmp_path.iterdir()]
        assert sorted(said) == ["log.txt", "results.json", "results.md"]
        found = json.loads((tmp_path / "results.json").read_text())
        return code, found, (tmp_path / "results.md").read_text()

    return start


@pytest.fixture
def planned(monkeypatch):
    """planned(step=command, ...): these are run instead of what they are."""

    def planned(**instead):
        monkeypatch.setattr(steps, "commands", lambda args, scratch: instead)
        monkeypatch.setattr(gpu_check, "prepared", lambda *_: None)
        return ["--device", "cpu", "--only", *instead]

    return planned


def python(program):
    return [sys.executable, "-c", program]


# ---- the whole -------------------------------------------------------------------------------------------


@pytest.mark.slow  # eight processes with PyTorch
def test_on_the_fakes_everything_that_can_run_so_is_right_and_the_rest_is_named(start):
    code, found, text = start("--fake", "--commit", "abc123")
    states = {name: step["state"] for name, step in found["steps"].items()}
    assert code == 0 and list(states) == [step.name for step in STEPS], text
    assert {n for n, s in states.items() if s != "right"} <= ON_FAKES, text
    assert {what for what, *_ in report.missing(found)} <= ON_FAKES
    for step, rungs in RUNGS.items():
        assert set(found["steps"][step]["rungs"]) == set(rungs)
    assert found["machine"]["glrast"] == "abc123" and "trial run on fakes" in text
    for heading in ("Views", "Sharing", "Iterations", "Operations", "Others", "Missing"):
        assert f"## {heading}" in text
    assert "| R32UI x 3 | [[3, 64, 96]] |" in text and "| 64 views id |" in text
    assert "| memcheck | absent | " in text or states["memcheck"] == "right"


@pytest.mark.slow  # four processes with PyTorch
def test_a_crash_of_one_rung_leaves_the_figures_of_the_others(start, monkeypatch):
    monkeypatch.setenv(BREAK, "ladder/OpenGL=segv,llvmpipe/soup=exit,ladder/kernels=kill")
    code, found, text = start("--fake", "--only", "ladder", "llvmpipe")
    assert code == 1
    wrong = {
        f"{step}/{rung}": note["error"]
        for step in found["steps"]
        for rung, note in found["steps"][step]["rungs"].items()
        if note["state"] == "wrong"
    }
    assert list(wrong) == ["ladder/OpenGL", "ladder/kernels", "llvmpipe/soup"]
    assert "SIGSEGV" in wrong["ladder/OpenGL"] and "| ladder: OpenGL | wrong |" in text
    assert found["steps"]["ladder"]["rungs"]["interop R32UI x 3"]["data"]["read"] is True


@pytest.mark.slow  # PyTorch starts
def test_if_it_is_itself_ended_half_way_what_was_measured_is_on_the_disk(tmp_path):
    command = [
        sys.executable,
        str(ROOT / "tools" / "gpu_check.py"),
        "--fake",
        "--only",
        "ladder",
        "--out",
        tmp_path,
    ]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stderr=subprocess.STDOUT)
    line = next(line for line in running.stdout if "ladder: versions" in line)
    running.kill()
    running.wait()
    found = json.loads((tmp_path / "results.json").read_text())["steps"]["ladder"]
    assert "right" in line and found["rungs"]["versions"]["state"] == "right"
    assert found["rungs"]["versions"]["data"]["torch"] == torch.__version__


# ---- steps and their time --------------------------------------------------------------------------------


@pytest.mark.slow  # fresh Pythons
def test_a_step_that_fails_or_is_absent_hides_no_other(start, planned):
    words = planned(
        depth=python("print('so it goes'); raise SystemExit(3)"),
        memcheck="no compute-sanitizer here",
        suite=python("print('well')"),
    )
    code, found, text = start(*words)
    states = {name: step["state"] for name, step in found["steps"].items()}
    assert code == 1 and states == dict(depth="wrong", memcheck="absent", suite="right")
    assert (
        "so it goes" in found["steps"]["depth"]["output"]
        and "| depth | wrong | so it goes |" in text
    )
    assert "| memcheck | absent | no compute-sanitizer here |" in text


@pytest.mark.slow  # fresh Pythons
def test_a_step_that_hangs_takes_no_other_steps_time(start, planned, monkeypatch):
    hangs = python("import time; print('begun', flush=True); time.sleep(600)")
    lasts = python("import time; time.sleep(0.6); print('all of it')")
    words = planned(depth=hangs, waiting=hangs, suite=lasts)
    by = {"prepare": 0.0, "depth": 2.0, "waiting": 6.0, "suite": 60.0}
    monkeypatch.setattr(gpu_check, "ends", lambda limit: by)
    code, found, _ = start(*words)
    states = {name: step["state"] for name, step in found["steps"].items()}
    assert code == 1 and states == dict(depth="too slow", waiting="too slow", suite="right")
    assert all("begun" in found["steps"][name]["output"] for name in ("depth", "waiting"))
    assert found["steps"]["depth"]["seconds"] < by["waiting"]


def test_a_step_whose_time_was_up_before_it_began_is_named(start, planned):
    code, found, text = start(*planned(ladder=python("")), "--limit", "0")
    assert code == 1 and "| ladder | no time | not begun |" in text


@pytest.mark.slow  # fresh Pythons
def test_tests_that_were_cut_by_the_time_count_as_far_as_they_came(start, planned):
    said = "print('t.py::test_a PASSED', flush=True); print('t.py::test_b[x y] {}', flush=True)"
    hang = "; import time; time.sleep(600)"
    for state, expected in (("PASSED", "cut"), ("FAILED", "too slow")):
        code, found, text = start(*planned(depth=python(said.format(state) + hang)), "--limit", "9")
        step = found["steps"]["depth"]
        assert step["state"] == expected and (code == 0) == (expected == "cut")
        assert (
            step["says"].endswith("then the time was up")
            and "| depth |" in text.split("## Missing")[1]
        )
    assert step["failed"] == ["t.py::test_b[x y]"]


# ---- what is believed ------------------------------------------------------------------------------------


def test_figures_of_images_that_went_through_host_memory_are_wrong_with_the_reason(gl, monkeypatch):
    monkeypatch.setattr(gl, "sharing", HostCopy("OpenGL runs on the CPU"))
    with pytest.raises(Wrong, match="through host memory: OpenGL runs on the CPU") as raised:
        FAKE.shares(lambda: {"ms": 1})()
    assert raised.value.data == {"ms": 1}
    assert CPU.shares(lambda: 5)() == 5  # without a GPU there is nothing to share


@pytest.mark.slow  # two runs of pytest
def test_a_test_that_falls_back_to_host_memory_fails(tmp_path):
    (tmp_path / "conftest.py").write_text(
        "def pytest_addoption(parser): parser.addoption('--device')\n"
    )
    text = "import warnings\ndef test_it(): warnings.warn({!r}, RuntimeWarning)\n"
    for number, said in enumerate(
        ["glrast: OpenGL's images reach CUDA through host memory", "other"]
    ):
        (tmp_path / f"test_{number}.py").write_text(text.format(said))
    args = SimpleNamespace(device="cpu", fake=False)
    command = [*steps.pytest(args, str(tmp_path)), "--rootdir", str(tmp_path), "-c", "/dev/null"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    log = tmp_path / "log"
    log.write_text(done.stdout)
    judged = steps._judged("suite", done.returncode, log, 0)
    assert judged["state"] == "wrong" and judged["failed"] == ["test_0.py::test_it"]
    assert judged["says"] == "1 passed, 1 failed, 0 skipped"


@pytest.mark.slow  # PyTorch starts
def test_operations_whose_images_go_through_host_memory_are_not_compared(tmp_path):
    args = SimpleNamespace(device="cpu", fake=False, tiny=True)
    command = steps.commands(args, tmp_path)["parity"]
    program = "from glrast.gl.host_copy import host_copy; host_copy('made up')"
    words = [*command[: command.index("-m")], "-c", program]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert (
        done.returncode == 1 and "through host memory, correct but slower: made up" in done.stderr
    )


@pytest.mark.parametrize("name", llvmpipe.SCENES)
def test_what_llvmpipe_draws_is_what_the_file_holds(device, name):
    if device.type != "cpu":
        pytest.skip("`make gpu-check` compares a GPU with it")
    found = llvmpipe.compare(CPU, name)
    assert found["other triangle"] <= llvmpipe.OTHER_TRIANGLES and len(found) == 4
    held = llvmpipe.carried(name)
    assert held.unique().numel() >= 2 and held.shape[1:] == llvmpipe.SCENES[name]().resolution


def test_other_pixels_than_those_of_the_file_are_wrong(device, monkeypatch):
    ids = llvmpipe.carried("sheet")
    monkeypatch.setattr(llvmpipe, "carried", lambda name: ids.roll(1, 2))
    with pytest.raises(Wrong, match="more than allowed: other triangle"):
        llvmpipe.compare(CPU, "sheet")


def test_a_file_of_other_scenes_says_how_to_make_it(monkeypatch):
    monkeypatch.setattr(llvmpipe, "VERSION", 99)
    with pytest.raises(
        RuntimeError, match="drawn.npz holds other scenes: python -m tools.gpu.llvm"
    ):
        llvmpipe.carried("soup")


# ---- a bare machine --------------------------------------------------------------------------------------


def test_without_git_the_commit_is_given_or_stands_in_a_file(monkeypatch, tmp_path):
    assert machine.facts("given")["glrast"] == "given"
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    assert machine.facts(None)["glrast"] == "unknown (name it: --commit)"
    (tmp_path / "COMMIT").write_text("0123abc\n")
    assert machine.facts(None)["glrast"] == "0123abc"


def test_without_a_compiler_or_time_for_it_the_check_goes_on(monkeypatch, tmp_path):
    said = []
    assert machine.build_host_library(tmp_path, time.monotonic(), said.append) is None
    assert "no time" in said[-1] or "Errno" in said[-1]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.build_host_library(tmp_path, time.monotonic() + 60, said.append) is None
    assert "no C++ compiler" in said[-1] and "GLRAST_HOST_LIBRARY" in said[-1]


def test_a_host_library_that_is_there_is_not_built_again(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "build_host_library", lambda *_: pytest.fail("built"))
    monkeypatch.setattr(machine, "_run", lambda command, end, say, environment=None: True)
    environment = machine.prepared(None, None, tmp_path, 60, print)
    assert str(machine.ROOT) in environment["PYTHONPATH"]


@pytest.mark.slow  # a C++ compiler runs
def test_the_host_library_compiled_side_by_side_loads(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "_OPTIONS", ["-O0" if o == "-O3" else o for o in machine._OPTIONS])
    rest = shutil.ignore_patterns(
        "rasterize.cu", "texture.cu", "peel.cu", "interpolate.cu", "visibility"
    )
    shutil.copytree(ROOT / "kernels", tmp_path / "kernels", ignore=rest)
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    said = []
    library = machine.build_host_library(tmp_path, time.monotonic() + 600, said.append)
    if library is None:
        pytest.skip(said[-1])
    program = "from glrast.launch.cpu import host_library as h; print(h()._name)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={"GLRAST_HOST_LIBRARY": str(library)},
    )
    assert done.stdout.strip() == str(library), done.stderr
