"""`emulate`: the operations on CPU tensors run the CUDA form of the kernels."""

from contextlib import contextmanager

import pytest

from glrast.launch import cpu
from tests.executor import fake_cupy


@pytest.fixture
def emulate(monkeypatch, device):
    """A context manager inside which the operations run CUDA's form of the kernels; yields the fake CuPy."""
    if device.type != "cpu":
        pytest.skip("the executor takes CPU tensors")
    run_here = cpu.run

    @contextmanager
    def switch(**settings):
        chosen = fake_cupy.Settings(**settings)
        with fake_cupy.instead_of_the_host_library(monkeypatch, chosen) as cupy:
            yield cupy
        assert cpu.run is run_here

    return switch
