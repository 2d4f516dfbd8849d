"""The sum over a warp's lanes before an atomic: every lane counts once, one atomic for each target."""

import subprocess

import pytest

from glrast.launch import source
from tests.launch import emulated


@pytest.mark.slow
@pytest.mark.skipif(not emulated.COMPILER, reason="no C++ compiler here")
def test_lanes_with_one_target_are_summed_by_one_atomic(tmp_path):
    (tmp_path / "kernel.inc").write_text(source.text("rasterize"))
    program = tmp_path / "warp"
    here = emulated.HERE
    subprocess.run(
        [emulated.COMPILER, "-std=c++17", "-O1", "-w", "-pthread", f"-I{here}", here / "warp.cpp",
         f'-DKERNEL_TEXT="{tmp_path / "kernel.inc"}"', "-o", program],
        check=True,
    )  # fmt: skip
    done = subprocess.run([program], capture_output=True, text=True, timeout=600)
    assert done.stdout == "40 right\n" and done.returncode == 0, done.stdout
