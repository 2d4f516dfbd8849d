"""Outputs are the old file or the whole new one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from glrast.core.files import remove_leftovers, replacing, writable_folder


def test_replacing_gives_the_file_its_name_only_at_the_end(tmp_path: Path):
    target = tmp_path / "a.txt"
    with replacing(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
        assert temporary.suffix == ".txt" and temporary.parent == tmp_path
    assert target.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_replacing_keeps_the_old_file_when_the_writer_fails(tmp_path: Path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(target) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_writable_folder_makes_the_folder_and_leaves_it_empty(tmp_path: Path):
    folder = writable_folder(tmp_path / "a" / "b")
    assert folder.is_dir() and not list(folder.iterdir())


def test_writable_folder_names_a_path_where_a_file_stands(tmp_path: Path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(PermissionError, match=r"^glrast fit: --out must be a folder .*taken gave"):
        writable_folder(tmp_path / "taken")


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a folder nobody can write to")
def test_writable_folder_names_a_folder_that_refuses_files():
    # /proc refuses new files to root too, which a chmod would not.
    with pytest.raises(PermissionError, match=r"--out must be a folder that can be written; /proc"):
        writable_folder("/proc/self")


def test_what_a_killed_run_left_goes_and_what_others_write_stays(tmp_path: Path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    dead, alive = process.pid, os.getpid()
    ours = [f".checkpoint.{dead}.partial.pt", f".mesh.{dead}.partial.glb", f".a.b.{dead}.partial"]
    others = [
        f".checkpoint.{alive}.partial.pt",
        f"checkpoint.{dead}.partial.pt",
        f".video.{dead}.part",
        ".checkpoint.partial.pt",
        "mesh.glb",
    ]
    for name in ours + others:
        (tmp_path / name).write_text("half")
    writable_folder(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(others)


def test_a_number_that_another_process_has_now_protects_no_older_file(tmp_path: Path):
    old = tmp_path / f".checkpoint.{os.getppid()}.partial.pt"
    old.write_text("half")
    assert not remove_leftovers(tmp_path)  # it may be writing at this moment
    os.utime(old, (1, 1))
    assert remove_leftovers(tmp_path) == [old.name]
