"""The kernels: where they come from, on which stream they run, and one of them on numbers whose result is known."""

from __future__ import annotations

import os
from collections.abc import Mapping

import torch

from ..launch import cpu, cubins, cuda, source
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


def compiled(device: torch.device, capability: str | None = None) -> list[Finding]:
    """Whether a GPU's kernels come with the package, or a compiler makes them at the first call of each.

    Args:
        capability: of the GPU, as '90'; None: that of `device`.
    """
    if device.type == "cpu":
        return []
    if capability is None:
        capability = cuda._capability(device.index or 0)
    facts = {"capability": capability, "compiled_for": list(cubins.CAPABILITIES)}
    changed = [s for s in source.stems() if not cubins.found(s, cuda.OPTIONS, capability)]
    if not changed:
        text = f"the kernels of sm_{capability} come with the package: no first call compiles"
        return [Finding("Kernels", text, facts=facts)]
    if capability not in cubins.CAPABILITIES:
        text = (
            f"the package has no kernels for sm_{capability}: NVRTC compiles each file at its first use, seconds each, "
            "once; CuPy keeps them"
        )
        return [Finding("Kernels", text, "note", "nothing to do; see CUPY_CACHE_DIR", facts)]
    if len(changed) == len(source.stems()):
        text = "NVRTC compiles each kernel file at its first use, seconds each, once: a checkout brings none compiled"
        return [Finding("Kernels", text, "ok", "make wheel, and install that, brings them", facts)]
    text = f"other kernels than the package has compiled: {', '.join(sorted(changed))}; NVRTC compiles those"
    return [Finding("Kernels", text, "note", "make wheel compiles them for every GPU", facts)]


def streams(environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """CuPy with a default stream for each thread: glrast's launches name PyTorch's stream, CuPy's own do not."""
    if environ.get("CUPY_CUDA_PER_THREAD_DEFAULT_STREAM", "0") == "0":
        return []
    text = (
        "CUPY_CUDA_PER_THREAD_DEFAULT_STREAM is set: glrast's kernels run on PyTorch's stream all the same, but "
        "CuPy's own operations on another"
    )
    remedy = "unset it, or enter cupy.cuda.ExternalStream(torch.cuda.current_stream().cuda_stream)"
    return [Finding("Kernels", text, "note", remedy)]


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
