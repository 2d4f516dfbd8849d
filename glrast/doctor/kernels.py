"""The kernels: where the host library is, and one kernel run on numbers whose result is known."""

from __future__ import annotations

import torch

from ..launch import cpu
from ..ops.interpolate import interpolate
from .finding import Finding
from .symptoms import explained

BUILD = "install a C++17 compiler (apt-get install g++) and run: pip install . in the checkout"
CUPY = "pip install 'glrast[cuda]' (CuPy and cuda-bindings of the CUDA version that PyTorch was built for)"


def host_library() -> list[Finding]:
    """The kernels compiled for the CPU. They serve CPU tensors, and software OpenGL whatever the tensors."""
    try:
        place = cpu.host_library()._name
    except Exception as error:  # absent, built for another machine, older than the sources
        return [Finding("Kernels", f"the host library does not load: {error}", "fault", BUILD)]
    return [Finding("Kernels", f"host library {place}", facts={"host_library": place})]


def self_test(device: torch.device) -> list[Finding]:
    """`interpolate` on a hand-made pixel: 1/4 of vertex 0, 1/2 of vertex 1, 1/4 of vertex 2. Needs no OpenGL."""
    try:
        rast = torch.tensor([[[[0.25, 0.5, 0.0, 1.0]]]], device=device)
        attr = torch.tensor([[8.0], [4.0], [-4.0]], device=device, requires_grad=True)
        tri = torch.tensor([[0, 1, 2]], dtype=torch.int32, device=device)
        out, _ = interpolate(attr, rast, tri)
        out.sum().backward()
        gradient = attr.grad.flatten().tolist() if attr.grad is not None else []
    except Exception as error:  # a compiler, a driver, a package: whatever it is, it is the finding
        remedy = CUPY if device.type == "cuda" else BUILD
        return [
            explained(Finding("Kernels", f"a kernel fails on {device}: {error}", "fault", remedy))
        ]
    if abs(out.item() - 3.0) > 1e-6 or gradient != [0.25, 0.5, 0.25]:
        text = f"a kernel on {device} gives {out.item()} and gradient {gradient}, not 3 and [1/4, 1/2, 1/4]"
        return [Finding("Kernels", text, "fault", BUILD)]
    return [Finding("Kernels", f"a kernel on {device} gives the right value and gradient")]
