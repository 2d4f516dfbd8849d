"""Which of EGL's devices draws for a torch device."""

from __future__ import annotations

import os

import torch

from . import egl, fork, interop


def open_context(device: torch.device) -> egl.Context:
    """A context on the EGL device that belongs to `device`: the same GPU for CUDA, any that works for the CPU."""
    fork.remember()
    found = egl.devices()
    if not found:
        raise egl.EGLError(
            "glrast: EGL lists no device; its vendor files are missing (/usr/share/glvnd/egl_vendor.d): "
            "apt-get install libegl-mesa0 libgl1-mesa-dri for the CPU; for an NVIDIA GPU see `glrast doctor`"
        )
    failures: list[str] = []
    spare: egl.Context | None = None
    for candidate in sorted(found, key=lambda d: _preference(d, device)):
        try:
            opened = egl.Context(candidate)
            if device.type == "cpu" or _renders_on(opened, device):
                if spare:
                    spare.release()
                return opened
        except egl.EGLError as error:
            failures.append(f"EGL device {candidate.index}: {error}")
            continue
        if spare is None:
            spare = opened  # not the GPU that was asked for; it still draws, and host memory carries the images
        else:
            opened.release()
    if spare:
        return spare
    raise egl.EGLError(
        f"glrast: no EGL device gives an OpenGL 4.5 context for {device}:\n  "
        + "\n  ".join(failures)
    )


def _renders_on(opened: egl.Context, device: torch.device) -> bool:
    """Does the context render on this CUDA device? CUDA knows; EGL's own number counts what CUDA_VISIBLE_DEVICES
    hides, and not in CUDA's order everywhere."""
    with opened:
        devices = interop.cuda_devices(device)
    if devices is None:  # no cuda-bindings to ask with
        return opened.device.cuda_index in (None, _cuda_ordinal(device))
    return device.index in devices


def _preference(candidate: egl.Device, device: torch.device) -> tuple[int, ...]:
    """CPU tensors go to the software device: results are the same on every machine. CUDA tensors go to their GPU."""
    if device.type == "cuda":
        return (candidate.cuda_index != _cuda_ordinal(device), candidate.software, candidate.index)
    return (not candidate.software, candidate.index)


def _cuda_ordinal(device: torch.device) -> int:
    """The driver's number of a torch device, which counts only what CUDA_VISIBLE_DEVICES lists."""
    visible = [
        v.strip() for v in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if v.strip()
    ]
    index = device.index or 0
    if index < len(visible) and visible[index].isdigit():
        return int(visible[index])
    return index
