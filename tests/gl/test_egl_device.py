"""egl_device: a torch device is drawn for by the EGL device that is its own."""

import pytest
import torch

from glrast.gl import egl, egl_device, fork

# ---- which device ----------------------------------------------------------------------------------------


def test_no_device_and_devices_that_all_fail_are_told(monkeypatch):
    monkeypatch.setattr(fork, "_process", fork._process)
    monkeypatch.setattr(egl, "devices", lambda: [])
    with pytest.raises(
        egl.EGLError, match="EGL lists no device; its vendor files are missing .*apt-get install"
    ):
        egl_device.open_context(torch.device("cpu"))

    def refuse(device):
        raise egl.EGLError(f"glrast: refused {device.index}")

    monkeypatch.setattr(egl, "devices", lambda: [fake(0), fake(1)])
    monkeypatch.setattr(egl, "Context", refuse)
    with pytest.raises(egl.EGLError) as caught:
        egl_device.open_context(torch.device("cpu"))
    message = str(caught.value)
    assert message.startswith(
        "glrast: no EGL device gives an OpenGL 4.5 context for cpu:\n  EGL device "
    )
    assert (
        "EGL device 0: glrast: refused 0" in message
        and "EGL device 1: glrast: refused 1" in message
    )


@pytest.mark.parametrize(
    "visible, device, order",
    [("", "cpu", [3, 0, 1, 2]), ("", "cuda:0", [1, 0, 2, 3]), ("", "cuda:1", [0, 1, 2, 3]),
     ("1", "cuda:0", [0, 1, 2, 3]), ("1,0", "cuda:1", [1, 0, 2, 3]), ("GPU-abc", "cuda:0", [1, 0, 2, 3])],
)  # fmt: skip
def test_a_cuda_device_goes_to_its_own_gpu_and_the_cpu_to_software(
    monkeypatch, visible, device, order
):
    # EGL's order is not CUDA's: device 0 is CUDA 1, device 1 is CUDA 0, 2 another vendor's, 3 software
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = [fake(0, cuda=1), fake(1, cuda=0), fake(2), fake(3, software=True)]
    chosen = sorted(found, key=lambda d: egl_device._preference(d, torch.device(device)))
    assert [d.index for d in chosen] == order


# ---- which GPU -------------------------------------------------------------------------------------------


class Opened:
    """An egl.Context of a machine that is made up."""

    alive = []

    def __init__(self, device):
        if device.index == 9:
            raise egl.EGLError("broken")
        self.device = device
        Opened.alive.append(self)

    def __enter__(self):
        Opened.now = self.device.index

    def __exit__(self, *_): ...

    def release(self):
        Opened.alive.remove(self)


@pytest.fixture
def machine(monkeypatch):
    """EGL's devices, and what CUDA says of each: its devices, or None where there is nobody to ask."""

    def machine(devices, cuda):
        monkeypatch.setattr(Opened, "alive", [])
        monkeypatch.setattr(egl_device.egl, "devices", lambda: devices)
        monkeypatch.setattr(egl_device.egl, "Context", Opened)
        monkeypatch.setattr(
            egl_device.interop, "cuda_devices", lambda device: cuda and cuda[Opened.now]
        )

    return machine


@pytest.mark.parametrize("visible, index, chosen", [("", 0, 1), ("", 1, 0), ("1,0", 0, 0),
                         ("GPU-1234", 0, 0), ("GPU-1234,GPU-5678", 1, 1)])  # fmt: skip
def test_cuda_confirms_which_egl_device_is_its_own(machine, monkeypatch, visible, index, chosen):
    # EGL lists CUDA 1 first; with CUDA_VISIBLE_DEVICES the numbers that CUDA gives are those of what is visible
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    swapped = visible not in ("",)
    machine(
        [fake(0, cuda=1), fake(1, cuda=0), fake(2, software=True)],
        [[0], [1], []] if swapped else [[1], [0], []],
    )
    opened = egl_device.open_context(torch.device("cuda", index))
    assert opened.device.index == chosen and Opened.alive == [opened]


def test_two_gpus_in_one_process_get_a_context_each(machine):
    machine([fake(0, cuda=1), fake(1, cuda=0)], [[1], [0]])
    opened = [egl_device.open_context(torch.device("cuda", index)) for index in (0, 1)]
    assert [o.device.index for o in opened] == [1, 0]


def test_without_a_match_the_best_device_draws_and_the_others_are_released(machine):
    machine([fake(0, software=True), fake(1), fake(9)], [[], []])
    opened = egl_device.open_context(torch.device("cuda", 0))
    assert opened.device.index == 1 and Opened.alive == [opened]


def test_without_cuda_to_ask_egls_number_decides(machine, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    machine([fake(0, cuda=1), fake(1, cuda=0)], None)
    assert egl_device.open_context(torch.device("cuda", 1)).device.index == 0


# ---- helpers ---------------------------------------------------------------------------------------------


def fake(index, cuda=None, software=False):
    return egl.Device(index=index, handle=1000 + index, cuda_index=cuda, software=software)
