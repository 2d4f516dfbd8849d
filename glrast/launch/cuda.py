"""Kernels on a GPU: the kernel text compiled by NVRTC through CuPy, launched on PyTorch's current stream."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from . import source

_BLOCK = (32, 4, 1)  # as GLRAST_KERNEL in kernels/common.cuh counts them
OPTIONS = ("-std=c++17", "-default-device")


def run(stem: str, kernel: str, arguments: dict, device: torch.device) -> None:
    """Launch KERNEL of kernels/STEM.cu over arguments["width"] x arguments["rows"] elements; does not wait."""
    width, rows = arguments["width"], arguments["rows"]
    if width == 0 or rows == 0:
        return
    cupy = _cupy()
    layout = source.kernels(stem)[kernel]
    blocks = -(-width // _BLOCK[0]) * -(-rows // _BLOCK[1])
    packed = np.frombuffer(layout.pack(arguments), dtype=layout.dtype)[0]
    with cupy.cuda.Device(device.index), _stream(cupy, device):
        _function(stem, kernel, device.index)((blocks, 1, 1), _BLOCK, (packed,))


def _stream(cupy, device: torch.device):
    stream = torch.cuda.current_stream(device)
    external = getattr(cupy.cuda.Stream, "from_external", None)
    return external(stream) if external else cupy.cuda.ExternalStream(stream.cuda_stream)


@cache
def _cupy():
    try:
        import cupy
    except ImportError as error:
        raise RuntimeError(
            "glrast: CUDA tensors need CuPy, which is not installed: pip install 'glrast[cuda]'"
        ) from error
    return cupy


@cache
def _function(stem: str, kernel: str, device_index: int):
    module = _cupy().RawModule(
        code=source.text(f"{stem}.cu"), options=OPTIONS, name_expressions=None
    )
    return module.get_function(kernel)
