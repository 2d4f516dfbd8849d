"""gpu_check: runs to its end on the CPU at the smallest sizes, and a step that fails or hangs hides no other."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("gpu_check", ROOT / "tools" / "gpu_check.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def start(tool, monkeypatch, tmp_path):
    """Run it with these words; returns its exit code, the JSON and the Markdown."""

    def start(*words):
        given = ["gpu_check", "--device", "cpu", "--tiny", "--out", str(tmp_path), *words]
        monkeypatch.setattr(sys, "argv", given)
        code = tool.main()
        assert {p.name for p in tmp_path.iterdir()} == {"cpu.json", "cpu.md"}
        return (
            code,
            json.loads((tmp_path / "cpu.json").read_text()),
            (tmp_path / "cpu.md").read_text(),
        )

    return start  # fmt: skip


@pytest.mark.slow
def test_every_step_runs_on_the_cpu_at_the_smallest_sizes(start):
    code, report, text = start()
    states = {name: step["state"] for name, step in report["steps"].items()}
    assert code == 0 and set(states.values()) <= {"right", "absent"}, report
    for name in ("doctor", "parity", "sharing", "resolutions", "large", "triangles", "suite"):
        assert states[name] == "right"
    assert all(row["holds"] for row in report["steps"]["parity"]["data"])
    assert report["steps"]["sharing"]["data"]["make current"] > 0
    assert report["machine"]["device"] == "cpu" and "Copy bandwidth" in text
    assert "| rasterize | 40 | 80 |" in text and "0 of 26 differ" in text


@pytest.mark.slow
def test_a_step_that_fails_or_hangs_hides_no_other(tool, start, monkeypatch):
    python = [sys.executable, "-c"]
    planned = [
        ("fails", [*python, "print('so it goes'); raise SystemExit(3)"], 30),
        ("hangs", [*python, "import time; print('begun', flush=True); time.sleep(60)"], 1),
        ("absent", None, 30),
        ("works", [*python, "print('well')"], 30),
    ]
    monkeypatch.setattr(tool, "steps", lambda args, scratch: planned)
    monkeypatch.setattr(tool, "prepared", lambda *_: None)
    code, report, text = start()
    states = {name: step["state"] for name, step in report["steps"].items()}
    assert code == 1
    assert states == dict(fails="wrong", hangs="too slow", absent="absent", works="right")
    assert "so it goes" in text and report["steps"]["fails"]["code"] == 3


@pytest.mark.slow
def test_when_the_time_is_up_the_rest_is_named_and_left_out(tool, start, monkeypatch):
    planned = [("first", [sys.executable, "-c", "pass"], 30)]
    monkeypatch.setattr(tool, "steps", lambda args, scratch: planned)
    monkeypatch.setattr(tool, "prepared", lambda *_: None)
    code, report, _ = start("--limit", "0.5")
    assert code == 1 and report["steps"]["first"]["state"] == "no time"


def test_a_gpus_name_becomes_a_file_name(tool, tmp_path):
    report = {"machine": {"device": "NVIDIA RTX A6000 (48/GB)"}, "steps": {}}
    tool.write(report, tmp_path)
    assert (tmp_path / "nvidia-rtx-a6000-48-gb.md").is_file()


def test_bytes_over_time_are_a_part_of_the_copy_bandwidth(tool):
    row = dict(
        op="antialias", resolution=8, triangles=2, forward_ms=2.0, backward_ms=1.0,
        forward_bytes=10**9, backward_bytes=10**9, peak_bytes=0,
    )  # fmt: skip
    text = tool.operations({"copy_bytes_per_second": 2e12, "operations": [row]})
    assert "| antialias | 8 | 2 | 2.000 | 1.000 | 25% | 50% | 0 |" in text
