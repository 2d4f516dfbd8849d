"""--device cpu: scripts in the habits of public programs, with 'cuda' in their code, run unchanged."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CLIENTS = sorted(p.stem for p in (HERE / "clients").glob("*.py") if p.stem != "mesh")


@pytest.fixture(scope="module")
def errors():
    """{client: what it raised, or None}; one process for all: most of the time is the import of PyTorch."""
    scripts = [str(HERE / "clients" / f"{name}.py") for name in CLIENTS]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "glrast.shim", "--device", "cpu", HERE / "run_clients.py", *scripts],
        capture_output=True, text=True, timeout=600, env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_runs_without_a_gpu_as_it_is(errors, name):
    assert errors[name] is None, errors[name]


def test_each_of_them_writes_cuda_and_none_asks_whether_it_is_there():
    mesh = (HERE / "clients" / "mesh.py").read_text()
    assert len(CLIENTS) == 10 and "'cuda'" in mesh.replace('"', "'")
    for name in CLIENTS:
        text = (HERE / "clients" / f"{name}.py").read_text()
        assert "from mesh import" in text and "is_available" not in text
