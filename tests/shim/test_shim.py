"""python -m glrast.shim: an unmodified script that imports nvdiffrast runs on glrast."""

import os
import subprocess
import sys

import pytest

from glrast.shim.__main__ import main

SCRIPT = """
import sys
import torch
import nvdiffrast
import nvdiffrast.torch as dr
from nvdiffrast.torch import RasterizeGLContext, interpolate

import beside_it  # a module in the script's own folder


def main():
    ctx = RasterizeGLContext(device="cpu")
    pos = torch.tensor([[[-0.8, -0.8, 0, 1], [0.8, -0.8, 0, 1], [0, 0.8, 0, 1.0]]], requires_grad=True)
    tri = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    rast, _ = dr.rasterize(ctx, pos, tri, resolution=[16, 16])
    color, _ = interpolate(torch.eye(3), rast, tri)
    dr.antialias(color, rast, pos, tri).sum().backward()
    print(sys.argv[1:], beside_it.NAME, dr.rasterize.__module__, bool(pos.grad.any()), nvdiffrast.__version__ != "")


if __name__ == "__main__":
    main()
    sys.exit(7)
"""
SPAWNING = """
import multiprocessing
import nvdiffrast.torch as dr

def child(queue):
    import nvdiffrast
    queue.put((nvdiffrast.__name__, dr.rasterize.__module__))

if __name__ == "__main__":
    spawn = multiprocessing.get_context("spawn")
    queue = spawn.Queue()
    worker = spawn.Process(target=child, args=(queue,))
    worker.start()
    print(queue.get(timeout=600))
    worker.join()
    import subprocess, sys
    print(subprocess.check_output([sys.executable, "-c", "import nvdiffrast.torch as dr; print(dr.texture.__name__)"]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["script", "module"])
def test_a_script_and_a_module_run_with_their_arguments_and_their_exit_code(tmp_path, way):
    write(tmp_path, **{"train.py": SCRIPT, "beside_it.py": "NAME = 'beside'"})
    words = [str(tmp_path / "train.py")] if way == "script" else ["-m", "train"]
    done = run(*words, "--lr", "-m", folder=None if way == "script" else tmp_path)
    assert done.stdout == "['--lr', '-m'] beside glrast.ops.rasterize True True\n", done.stderr
    assert done.returncode == 7


@pytest.mark.slow
def test_processes_that_the_script_starts_find_the_names_too(tmp_path):
    write(tmp_path, **{"train.py": SPAWNING})
    done = run(str(tmp_path / "train.py"))
    assert done.stdout.splitlines() == [
        "('nvdiffrast', 'glrast.ops.rasterize')",
        "b'texture\\n'",
    ], done.stderr


@pytest.mark.slow
def test_the_script_is_main_and_its_exception_is_told_with_exit_code_one(tmp_path):
    code = "import sys\nprint(__name__, sys.argv[0] == __file__, sys.modules['__main__'].__file__ == __file__)\n1 / 0\n"
    write(tmp_path, **{"wrong.py": code})
    done = run(str(tmp_path / "wrong.py"))
    assert done.returncode == 1 and done.stdout == "__main__ True True\n"
    assert "wrong.py" in done.stderr and done.stderr.strip().endswith("division by zero")


def test_wrong_use_is_told_with_exit_code_two(capsys):
    for words in ([], ["-m"], ["--fast", "x.py"]):
        assert main(words) == 2
        assert capsys.readouterr().err.startswith(
            "usage: python -m glrast.shim [--device cpu] SCRIPT"
        )
    assert main(["nowhere.py"]) == 2
    assert capsys.readouterr().err == "python -m glrast.shim: no such file: nowhere.py\n"
    assert main(["--help"]) == 0 and capsys.readouterr().out.startswith("usage:")


def write(folder, **texts):
    for name, text in texts.items():
        (folder / name).write_text(text)


def run(*words, folder=None):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-m", "glrast.shim", *words], capture_output=True, text=True, timeout=600, cwd=folder,
        env=environment,
    )  # fmt: skip
