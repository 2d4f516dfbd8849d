"""Rungs of gpu_check: what one of them breaks costs itself alone, and each is on the disk before the next begins."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tools.gpu import rungs
from tools.gpu.plan import DEFAULT_LIMIT_S, PREPARE_S, RUNGS, STEPS, ends

HERE = Path(__file__).resolve().parent
NAMES = ("one", "two", "three", "four", "five")
FIGURES = {name: {"figure": number} for number, name in enumerate(NAMES)}
slow = pytest.mark.slow  # fresh Pythons
LIMITS = dict.fromkeys(NAMES, 20.0)
ENDS = {
    "segv": "SIGSEGV",
    "kill": "SIGKILL",
    "exit": "ended with code 3",
    "hang": "no answer in 0.5 s",
}


@pytest.fixture
def climbed(tmp_path, monkeypatch):
    """climbed(what is broken, *more words) -> what became of each rung; `.processes` are those started."""

    def climbed(broken=None, *words, limits=LIMITS, seconds=60.0, said=lambda found: None):
        ways = ",".join(f"made up/{name}={how}" for name, how in (broken or {}).items())
        monkeypatch.setenv(rungs.BREAK, ways)

        def start(command):
            process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
            climbed.processes.append(process)
            return process

        limits = {n: 0.5 if (broken or {}).get(n) == "hang" else s for n, s in limits.items()}
        command = [sys.executable, str(HERE / "climber.py"), *words]
        return rungs.watch(command, limits, seconds, start, tmp_path / "notes", said)

    climbed.processes = []
    return climbed


@slow
def test_every_figure_of_a_step_that_goes_well_is_told(climbed):
    found = climbed()
    assert {name: note["data"] for name, note in found.items()} == FIGURES
    assert all(note["state"] == "right" and note["seconds"] >= 0 for note in found.values())
    assert len(climbed.processes) == 1


@slow
@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("name", ["one", "three", "five"])
def test_a_rung_that_kills_or_holds_its_process_costs_itself(climbed, name, how):
    found = climbed({name: how})
    assert found[name]["state"] == "wrong" and ENDS[how] in found[name]["error"]
    rest = {n: note.get("data") for n, note in found.items() if n != name}
    assert rest == {n: f for n, f in FIGURES.items() if n != name}
    assert len(climbed.processes) == (
        1 if name == "five" else 2
    )  # another only where rungs are left
    assert all(process.returncode is not None for process in climbed.processes)


@slow
@pytest.mark.parametrize("seed", range(3))
def test_whatever_breaks_the_others_figures_stand(climbed, seed):
    chance = random.Random(seed)
    broken = {n: chance.choice(sorted(ENDS)) for n in chance.sample(NAMES, chance.randint(2, 5))}
    found = climbed(broken)
    for name, note in found.items():
        assert (note["state"] == "wrong") == (name in broken), (broken, note)
        assert name in broken or note["data"] == FIGURES[name]


@slow
def test_an_error_is_told_with_its_place_and_costs_no_process(climbed):
    found = climbed({"two": "raise"})
    assert (
        found["two"]["error"] == "ZeroDivisionError: broken on purpose"
        and "_break" in found["two"]["at"]
    )
    assert found["three"]["state"] == "right" and len(climbed.processes) == 1


@slow
def test_what_is_absent_says_why_and_doubtful_figures_are_wrong_and_kept(climbed):
    found = climbed(None, "--also", limits=LIMITS | {"absent": 5.0, "doubtful": 5.0})
    assert found["absent"] == found["absent"] | {"state": "absent", "error": "there is none here"}
    doubtful = found["doubtful"]
    assert doubtful["state"] == "wrong" and doubtful["data"] == {"ms": 3}
    assert "host memory" in doubtful["error"]


@slow
def test_a_process_killed_from_outside_at_any_moment_leaves_what_it_had_written(climbed):
    """As a machine does that runs out of memory; the rung that it was at is named, the rest goes on."""

    def kill():
        while not climbed.processes:
            time.sleep(0.01)
        time.sleep(random.Random(7).random() * 0.3)
        os.killpg(climbed.processes[0].pid, signal.SIGKILL)

    threading.Thread(target=kill).start()
    found = climbed({"five": "hang"}, limits=LIMITS)
    right = {name for name, note in found.items() if note["state"] == "right"}
    assert right >= set(NAMES[:4]) - {
        n for n, x in found.items() if "SIGKILL" in x.get("error", "")
    }
    assert set(found) == set(NAMES)


@slow
def test_a_process_that_never_reaches_a_rung_is_tried_twice_and_every_rung_says_why(climbed):
    found = climbed(None, "--no-such-word")
    assert len(climbed.processes) == 2
    assert all(
        n["error"] == "before any rung, the process ended with code 2" for n in found.values()
    )


@slow
def test_when_the_time_is_up_what_was_measured_stays_and_the_rest_is_named(climbed):
    found = climbed({"three": "hang"}, limits=LIMITS, seconds=1e6)
    assert found["three"]["error"] == "no answer in 0.5 s"
    climbed.processes.clear()
    said = []
    found = climbed(None, said=said.append, seconds=0.0)
    assert not climbed.processes and said
    assert all(
        note == {"state": "no time", "error": "the time of this step was up"}
        for note in found.values()
    )


@slow
def test_a_process_that_does_not_end_after_its_last_rung_is_ended(climbed, monkeypatch):
    monkeypatch.setattr(rungs, "_BETWEEN_S", 0.2)
    assert {n: note["data"] for n, note in climbed(None, "--never-ends").items()} == FIGURES
    assert climbed.processes[0].returncode == -signal.SIGKILL


@slow
def test_a_rung_is_told_of_before_the_next_begins(climbed):
    counts = []
    climbed(said=lambda found: counts.append(len(found)))
    assert (
        counts == [1, 2, 3, 4, 5, 5] or sorted(counts) == counts
    )  # several at once where it looks late


def test_half_a_line_is_not_a_note(tmp_path):
    file = tmp_path / "notes"
    whole = json.dumps({"rung": "one", "state": "begun"}) + "\n"
    file.write_text(whole + '{"rung": "tw')
    lines, place = rungs._read(file, 0)
    assert [line["rung"] for line in lines] == ["one"] and place == len(whole)
    file.write_text(whole + whole)
    assert len(rungs._read(file, place)[0]) == 1


# ---- the plan --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [DEFAULT_LIMIT_S, 60.0, 900.0])
def test_the_parts_of_all_steps_are_the_whole_time(limit):
    by = list(ends(limit).values())
    assert by == sorted(by) and abs(by[-1] - limit) < 1e-6
    assert PREPARE_S + sum(step.seconds for step in STEPS) == DEFAULT_LIMIT_S <= 420


def test_every_step_with_rungs_is_planned_and_the_last_is_memcheck():
    names = [step.name for step in STEPS]
    assert set(RUNGS) <= set(names) and len(set(names)) == len(names)
    assert names[0] == "ladder" and names[-2:] == ["suite", "memcheck"]
    assert names.index("depth") < names.index("timings")
