"""A checkpoint survives a kill at any moment and is refused when it does not belong."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from glrast.fit.checkpoint import FORMAT, load_checkpoint, require_same, save_checkpoint


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
