"""--device cpu: what PyTorch says and does to a program that writes 'cuda' into its code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

WANTED = {
    "factories that PyTorch lists and that are not exchanged": [],
    "tensors are made": True,
    "tensors are moved": True,
    "what is converted on the way": ["torch.float64", "torch.float16", True],
    "modules": True,
    "defaults": True,
    "generators": True,
    "files": True,
    "inside backward, and in another thread": True,
    "torch.cuda": True,
    "is there a GPU": [False, False, 0],
    "compiled and scripted": [[2.0, 2.0], [2.0, 2.0]],
    "interface": ["0.4.0", "0.4.0", True, True],
}
WORKERS = """
import torch, torch.multiprocessing as mp
import nvdiffrast.torch as dr

def child(rank, queue):
    queue.put(str(torch.ones(1, device="cuda").cuda().device))

if __name__ == "__main__":
    context = mp.get_context("spawn")
    queue = context.Queue()
    worker = context.Process(target=child, args=(0, queue))
    worker.start()
    print(queue.get(timeout=600))
    worker.join()
    data = torch.utils.data.TensorDataset(torch.arange(4.0))
    for (batch,) in torch.utils.data.DataLoader(data, num_workers=1, pin_memory=True, batch_size=4):
        print(batch.cuda(non_blocking=True).tolist())
"""


def run(*words):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "glrast.shim", *words], capture_output=True, text=True, timeout=600,
        env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def facts():
    done = run("--device", "cpu", str(Path(__file__).parent / "facts.py"))
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("fact", WANTED)
def test_what_a_program_sees(facts, fact):
    assert facts[fact] == WANTED[fact]


@pytest.mark.slow
def test_the_plugin_has_nothing_and_says_so_by_name(facts):
    assert facts["the plugin"].startswith(
        "AttributeError: nvdiffrast's plugin has no 'rasterize_fwd' here"
    )


@pytest.mark.slow
def test_processes_that_it_starts_are_on_the_cpu_too(tmp_path):
    (tmp_path / "train.py").write_text(WORKERS)
    done = run("--device=cpu", str(tmp_path / "train.py"))
    assert done.stdout.splitlines() == ["cpu", "[0.0, 1.0, 2.0, 3.0]"], done.stderr[-2000:]


@pytest.mark.slow
def test_without_the_option_nothing_is_exchanged(tmp_path):
    (tmp_path / "train.py").write_text(
        "import torch, nvdiffrast.torch\nprint(hasattr(torch.zeros, '__wrapped__'), torch.cuda.Event.__module__)\n"
    )
    done = run(str(tmp_path / "train.py"))
    assert done.stdout == "False torch.cuda.streams\n", done.stderr[-2000:]
