"""Every kernel of kernels/, run in warps by the executor, against the host library: launches of the public operations.

The quick form. `make executor-check` (check.py) runs them in all orders, schedules and kinds of arithmetic, watched and
under sanitizers.
"""

from collections import defaultdict

import pytest
import torch

from glrast.launch import cuda
from tests.executor import compile_kernels, launches
from tests.executor.compile_kernels import Settings

pytestmark = [
    pytest.mark.slow,  # a C++ compiler runs for a second or two per kernel file
    pytest.mark.skipif(not compile_kernels.COMPILER, reason="no C++ compiler here"),
]

MIXED = Settings(order="random", schedule="scattered", seed=1)
KERNELS = sorted(launches.all_kernels())
# Launched by the deterministic mode alone, after the kernels that write their adds down.
OF_THE_DETERMINISTIC_MODE = {"glrast_reduce"}


@pytest.fixture(scope="module")
def recorded(device):
    """The launches of each kernel."""
    if device.type != "cpu":
        pytest.skip("the executor takes CPU tensors")
    found = defaultdict(list)
    for launch in launches.record():
        found[launch.kernel].append(launch)
    return found


def test_no_kernel_is_left_out(recorded):
    assert set(recorded) | OF_THE_DETERMINISTIC_MODE == set(KERNELS)
    assert len(KERNELS) > 30  # that the list is one


@pytest.mark.parametrize("settings", [Settings(), MIXED], ids=["in order", "mixed"])
@pytest.mark.parametrize("kernel", sorted(set(KERNELS) - OF_THE_DETERMINISTIC_MODE))
def test_in_warps_a_kernel_does_what_it_does_on_the_host(recorded, monkeypatch, kernel, settings):
    assert recorded[kernel]
    with launches.executing(monkeypatch, settings) as cupy:
        for launch in recorded[kernel]:
            said = launches.disagreements(launch, launches.replay(launch), settings)
            assert not said, said
    assert set(cupy.launched) == {kernel}


@pytest.mark.parametrize("kernel", sorted(cuda.ADDS))
def test_in_deterministic_mode_neither_order_nor_schedule_shows(recorded, monkeypatch, kernel):
    summed = [launch for launch in recorded[kernel] if launch.before["grad"] is not None]
    results = []
    for settings in (Settings(), Settings(order="last"), MIXED, Settings(schedule="apart")):
        with launches.executing(monkeypatch, settings, deterministic=True) as cupy:
            results.append([launches.replay(launch) for launch in summed])
        assert "glrast_reduce" in cupy.launched
    for launch, first, *others in zip(summed, *results):
        assert not launches.disagreements(launch, first, Settings())
        for other in others:
            assert torch.equal(launches.bits(other["grad"]), launches.bits(first["grad"]))


def test_a_place_that_is_not_written_shows(recorded):
    """Memory that kernels overwrite is spoilt before they run."""
    launch = recorded["interpolate_forward"][0]
    said = launches.disagreements(launch, launch.before, Settings())
    assert said and "interpolate_forward" in said[0]
    out = launch.before["out"]
    assert (out != launch.after["out"]).float().mean() > 0.9
