"""constant: small tables on the device, without host memory that a CUDA graph would read again at each replay."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from glrast import launch

CPU = torch.device("cpu")


class Called(TorchDispatchMode):
    """The operators that are called inside."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.append(str(function))
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("values", [(), (3,), (0, 2**40, -7)])
def test_a_constant_holds_its_numbers_and_is_kept(values):
    found = launch.constant(values, torch.int64, CPU)
    assert found.tolist() == list(values) and found.dtype == torch.int64
    assert launch.constant(values, torch.int64, CPU) is found


@pytest.mark.parametrize("values", [(), (3,), (0, 2**40, -7)])
def test_inside_a_capture_it_is_filled_on_the_device_and_not_kept(monkeypatch, values):
    monkeypatch.setattr(launch, "is_capturing", lambda device: True)
    with Called() as called:
        found = launch.constant(values, torch.int64, CPU)
    assert found.tolist() == list(values)
    assert {name.split(".")[1] for name in called.names} <= {"empty", "select", "fill_"}
    monkeypatch.undo()
    assert launch.constant(values, torch.int64, CPU) is not found


def test_a_cpu_captures_nothing():
    assert not launch.is_capturing(CPU)
