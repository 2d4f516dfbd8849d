"""A checkpoint survives a kill at any moment and is refused when it does not belong."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from glrast.core.files import DiskFull
from glrast.fit.checkpoint import FORMAT, Saver, load_checkpoint, require_same, save_checkpoint


def test_a_checkpoint_gives_back_the_same_bits(tmp_path: Path):
    state = {"u": torch.randn(7, 3), "losses": [0.1, 1 / 3], "stage": 2, "nested": {"a": [1]}}
    save_checkpoint(tmp_path / "c.pt", state)
    loaded = load_checkpoint(tmp_path / "c.pt")
    assert torch.equal(loaded.pop("u"), state.pop("u"))
    assert loaded == state


# Dies as by kill -9 at the worst moment: all bytes written, the rename not yet done.
KILLED_BEFORE_RENAME = """
import os, signal, sys, torch
from glrast.fit.checkpoint import save_checkpoint
os.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
save_checkpoint(sys.argv[1], {'value': 2})
"""


@pytest.mark.slow
def test_a_kill_between_write_and_rename_leaves_the_old_checkpoint(tmp_path: Path):
    path = tmp_path / "c.pt"
    save_checkpoint(path, {"value": 1})
    done = subprocess.run([sys.executable, "-c", KILLED_BEFORE_RENAME, str(path)])
    assert done.returncode == -signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 2  # the temporary file was there, so the moment was right
    assert load_checkpoint(path) == {"value": 1}


def test_a_damaged_checkpoint_is_refused_with_its_name(tmp_path: Path):
    path = tmp_path / "c.pt"
    save_checkpoint(path, {"value": torch.zeros(1000)})
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"--resume expected a checkpoint in .*c\.pt.*start over"):
        load_checkpoint(path)


def test_one_flipped_bit_is_found(tmp_path: Path):
    path = tmp_path / "c.pt"
    save_checkpoint(path, {"u": torch.ones(1000)})
    content = bytearray(path.read_bytes())
    at = bytes(content).index(torch.ones(1000).numpy().tobytes())
    content[at + 3] ^= 1 << 6  # 1 becomes infinity
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"c\.pt is damaged \(the checksum of .*data/0 .*start over"
    ):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [[1, 2], {"value": 1}, torch.zeros(3)])
def test_another_programs_file_is_refused_with_its_name(content, tmp_path: Path):
    torch.save(content, tmp_path / "c.pt")
    with pytest.raises(ValueError, match=r"of format .* in .*c\.pt; found none"):
        load_checkpoint(tmp_path / "c.pt")
    with pytest.raises(ValueError, match=r"c\.pt, but it has no settings"):
        require_same(None, {"seed": 0}, tmp_path / "c.pt")


def full(*_) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_warns_once_and_the_last_save_fails(tmp_path: Path, monkeypatch):
    said: list[str] = []
    saver = Saver(tmp_path / "c.pt", 5.0, said.append)
    saver.save({"value": 1})
    monkeypatch.setattr(torch, "save", full)
    saver.save({"value": 2})
    saver.save({"value": 3})
    assert len(said) == 1 and "the disk is full" in said[0] and "try again" in said[0]
    with pytest.raises(DiskFull, match=r"c\.pt could not be written, the disk is full .* MB free"):
        saver.save({"value": 4}, needed=True)
    assert load_checkpoint(tmp_path / "c.pt") == {"value": 1}
    assert os.listdir(tmp_path) == ["c.pt"]
    monkeypatch.undo()
    saver.save({"value": 5})
    monkeypatch.setattr(torch, "save", full)
    saver.save({"value": 6})
    assert len(said) == 2  # full anew


def test_a_save_is_due_after_its_seconds_and_thirty_times_what_the_last_one_took(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("glrast.fit.checkpoint.time.monotonic", lambda: clock[0])
    saver = Saver(Path("c.pt"), 5.0, print)

    def two_seconds(*_) -> None:
        clock[0] += 2.0

    monkeypatch.setattr("glrast.fit.checkpoint.save_checkpoint", two_seconds)
    due = []
    for now in (4.9, 5.1):
        clock[0] = now
        due.append(saver.due)
    saver.save({})
    for wait in (59.0, 2.0):
        clock[0] += wait
        due.append(saver.due)
    assert due == [False, True, False, True]


# What stops a write in the middle: a limit on the size of files stands in for a full disk.
LIMITED = """
import resource, sys, torch
from glrast.fit.checkpoint import save_checkpoint
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
save_checkpoint(sys.argv[1], {'value': torch.zeros(100_000)})
"""


@pytest.mark.slow
def test_a_write_that_the_system_stops_is_named(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "c.pt")], capture_output=True, text=True
    )
    assert "DiskFull" in done.stderr and "c.pt could not be written" in done.stderr
    assert not os.listdir(tmp_path)


def test_a_checkpoint_of_another_format_is_refused(tmp_path: Path):
    torch.save({"format": FORMAT + 1}, tmp_path / "c.pt")
    with pytest.raises(ValueError, match=f"of format {FORMAT} in .* found {FORMAT + 1}"):
        load_checkpoint(tmp_path / "c.pt")


def test_settings_that_differ_are_named_with_both_values():
    with pytest.raises(ValueError, match=r"--batch was 4 in c\.pt and is 8 now"):
        require_same({"seed": 0, "batch": 4}, {"seed": 0, "batch": 8}, "c.pt")
    stages = [{"name": "coarse", "steps": 30}, {"name": "joint", "steps": 10, "texture": True}]
    said = r"--steps or --colour was 40 steps, texture in c\.pt and is 30 steps, vertex now"
    with pytest.raises(ValueError, match=said):
        require_same({"stages": stages}, {"stages": stages[:1]}, "c.pt")
    with pytest.raises(ValueError, match="DATASET or --resolution was pictures 8c in"):
        require_same({"data": "8c"}, {"data": "66"}, "c.pt")
    require_same({"seed": 0}, {"seed": 0}, "c.pt")
