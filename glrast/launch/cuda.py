"""Kernels on a GPU: the kernel text compiled by NVRTC through CuPy, launched on PyTorch's current stream.

Kernels that add to a gradient use atomics. After torch.use_deterministic_algorithms(True) they write their adds down
instead; these are sorted by the place they go to and summed in that order (kernels/record.cuh): slower, but the bits
depend on nothing but the inputs.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ..core.per_tensor import is_capturing, stream_number
from . import cubins, source

_log = logging.getLogger("glrast")
_NOTHING = nullcontext()
_BLOCK = (32, 4, 1)  # as GLRAST_CUDA_THREAD in kernels/device.cuh counts them
_THREADS = 128
# CuPy gives three more: -ftz=true, the architecture, --device-as-default-execution-space. NVRTC before 12.9 refuses an
# option that is given twice, under either of its names.
OPTIONS = ("-std=c++17",)
RECORD = "-DGLRAST_RECORD"

# The adds that one element of a scatter kernel makes, at most.
ADDS: dict[str, Callable[[dict[str, Any]], int]] = {
    "rasterize_backward": lambda a: 9,  # x, y, w of three vertices
    "interpolate_backward": lambda a: 3 * (a["grad_row"] + a["D"]),
    "antialias_backward_pos": lambda a: 12,  # x, y, w of an edge's two ends, for two pairs
    "antialias_inner_backward_pos": lambda a: 48,  # x, y, z, w of two triangles' vertices, likewise
    "fragments_backward_points": lambda a: 9,  # x, y, w of three vertices
    "fragments_backward_runs": lambda a: 24,  # x, y, z, w of two triangles' vertices
    "dirt_backward": lambda a: 9,  # x, y, w of three vertices
    "opendr_backward": lambda a: 9,  # likewise
    "nmr_backward": lambda a: 9,
    "edge_grad_backward": lambda a: 48,  # x, y, z, w of two triangles' vertices, for two pairs
    "edge_sampling_backward": lambda a: 6,  # x, y, w of an edge's ends
    "nearest_faces_backward": lambda a: 12,  # x, y, z, w of three vertices
    "texture_backward": lambda a: (
        (1, 4, 4, 8)[int(a["filter"])] * int(a["C"])
    ),  # texels by enum Filter
}
_RECORD_BYTES = 128 << 20  # of adds at once; sorting takes about three times as much again
_INT32 = 2**31  # places below it are sorted in half the time
_MOST_ROWS = 2**31


def run(stem: str, kernel: str, arguments: dict[str, Any], device: torch.device) -> None:
    """Launch KERNEL of kernels/STEM.cu over arguments["width"] x arguments["rows"] elements; does not wait."""
    width, rows = arguments["width"], arguments["rows"]
    if width == 0 or rows == 0:
        return
    if rows >= _MOST_ROWS:
        name = source.kernels(stem)[kernel].kernel
        raise ValueError(f"glrast: {name}: {rows} rows are beyond what kernels count to, 2^31")
    if kernel in ADDS and torch.are_deterministic_algorithms_enabled():
        if arguments["grad"] is not None:
            _add_in_order(stem, kernel, arguments, device)
            return
    packed = _packed(source.kernels(stem)[kernel], arguments, device)
    grid = _grid(width, arguments["H"])
    _start(stem, kernel, device, _blocks(width, rows), packed, grid)


@lru_cache(maxsize=256)
def _grid(width: int, height: int) -> np.ndarray[Any, Any]:
    """A kernel's second argument: how to find its columns and images without a division."""
    layout, columns = source.arguments("device.cuh", "GridArgs"), -(-width // _BLOCK[0])
    (columns_by, columns_shift), (by, shift) = reciprocal(columns), reciprocal(height)
    values = dict(
        columns=columns, columns_by=columns_by, columns_shift=columns_shift, height_by=by, height_shift=shift
    )  # fmt: skip
    return np.frombuffer(layout.pack(values), dtype=layout.dtype)


def reciprocal(divisor: int) -> tuple[int, int]:
    """(by, shift), by below 2^32: n // divisor is n * by >> shift for every n below 2^31. `divisor` from 1 to 2^31."""
    shift = 31 + (divisor - 1).bit_length()
    return -(-(1 << shift) // divisor), shift


def _blocks(width: int, rows: int) -> int:
    return -(-width // _BLOCK[0]) * -(-rows // _BLOCK[1])


def _packed(
    layout: source.Arguments, arguments: dict[str, Any], device: torch.device
) -> np.ndarray[Any, Any]:
    """The struct as an array of one: that is what CuPy passes by value."""
    for name in layout.rows:  # a view of the caller's may begin anywhere
        tensor = arguments.get(name)
        if isinstance(tensor, torch.Tensor) and tensor.data_ptr() & 15:
            arguments[name] = tensor.clone()
    # the executor of tests/ has the CPU's memory
    number = device.index if device.type == "cuda" else source.CPU
    return np.frombuffer(layout.pack(arguments, number), dtype=layout.dtype)


def _start(
    stem: str,
    kernel: str,
    device: torch.device,
    blocks: int,
    *structs: np.ndarray[Any, Any],
    option: str = "",
) -> None:
    cupy, stream = _cupy(), _Stream(stream_number(device))
    is_current = cupy.cuda.runtime.getDevice() == device.index  # entering it would take longer
    with _NOTHING if is_current else cupy.cuda.Device(device.index):
        function = _function(stem, kernel, device.index, option)
        function((blocks, 1, 1), _BLOCK, structs, stream=stream)


class _Stream(NamedTuple):
    """PyTorch's current stream as CuPy's launch takes one: it asks for the handle alone."""

    ptr: int


# ---- deterministic ---------------------------------------------------------------------------------------


def _add_in_order(stem: str, kernel: str, arguments: dict[str, Any], device: torch.device) -> None:
    """The same sums as with atomics, each in the order of a stable sort."""
    grad, width, rows = arguments["grad"], arguments["width"], arguments["rows"]
    per_element = ADDS[kernel](arguments)
    if not grad.numel() or not per_element:
        return
    layout, record = source.kernels(stem)[kernel], source.arguments("record.cuh", "RecordArgs")
    kind = torch.int32 if grad.numel() < _INT32 else torch.int64
    step = max(1, _RECORD_BYTES // ((kind.itemsize + 4) * per_element * width))
    for first in range(0, rows, step):
        last = min(rows, first + step)
        adds = (last - first) * width * per_element
        places = torch.empty(adds, dtype=kind, device=device)
        values = torch.empty(adds, dtype=torch.float32, device=device)
        narrow = kind is torch.int32
        written = dict(
            first_row=first, last_row=last, size=grad.numel(), places=places if narrow else None,
            wide_places=None if narrow else places, values=values, per_element=per_element,
        )  # fmt: skip
        grid = _grid(width, arguments["H"])
        packed = _packed(layout, arguments, device), grid, _packed(record, written, device)
        _start(stem, kernel, device, _blocks(width, last - first), *packed, option=RECORD)
        if not is_capturing(device):  # a captured graph sorts them all
            # Most lanes have given theirs to another. To learn how many are left waits, which sorting all would not,
            # and would take ten times as long.
            (left,) = torch.nonzero(places < grad.numel(), as_tuple=True)
            places, values = places[left], values[left]
        places, order = torch.sort(places, stable=True)
        _reduce(stem, places.long(), values, order, grad, device)


def _reduce(
    stem: str,
    places: torch.Tensor,
    values: torch.Tensor,
    order: torch.Tensor | None,
    grad: torch.Tensor,
    device: torch.device,
) -> None:
    """grad[place] += its values, in rounds: what a round cannot finish it carries to the next, 32 times fewer."""
    layout = source.arguments("record.cuh", "ReduceArgs")
    while len(places):
        pieces = -(-len(places) // _piece())
        last = pieces == 1
        carry_places = None if last else places.new_empty(2 * pieces)
        carry_values = None if last else values.new_empty(2 * pieces)
        arguments = dict(
            count=len(places), size=grad.numel(), places=places, values=values, order=order, grad=grad,
            carry_places=carry_places, carry_values=carry_values,
        )  # fmt: skip
        packed = _packed(layout, arguments, device)
        _start(stem, "glrast_reduce", device, -(-pieces // _THREADS), packed, option=RECORD)
        if carry_places is None or carry_values is None:
            return
        places, values, order = carry_places, carry_values, None


@cache
def _piece() -> int:
    text = (source.folder("kernels") / "record.cuh").read_text()
    found = re.search(r"#define GLRAST_PIECE (\d+)", text)
    assert found
    return int(found[1])


# ---- compilation -----------------------------------------------------------------------------------------


@cache
def _cupy() -> Any:
    try:
        import cupy  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        missing = getattr(error, "name", None) == "cupy"
        what = "is not installed" if missing else f"does not import ({error.__cause__ or error})"
        raise RuntimeError(
            f"glrast: CUDA tensors need CuPy, which {what}: pip install 'glrast[{_extra()}]'"
        ) from error
    return cupy


def _extra() -> str:
    """That of the CUDA version that PyTorch was built for."""
    version = torch.version.cuda
    return f"cuda{version.split('.')[0]}" if version else "cuda"


@cache
def _function(stem: str, kernel: str, device_index: int, option: str) -> Any:
    try:
        return _module(stem, device_index, option).get_function(kernel)
    except Exception as error:
        # by name: tests put another in CuPy's place
        if type(error).__name__ == "CompileException":
            raise RuntimeError(_explain(stem, str(error))) from None
        if type(error).__name__ == "DynamicLibNotFoundError" or "libnvrtc" in str(error):
            raise RuntimeError(_without_nvrtc(error)) from error
        raise


@cache
def _module(stem: str, device_index: int, option: str) -> Any:
    """All kernels of a file, for one device: as the package brings them, else compiled, which CuPy keeps on disk by the
    text with its includes."""
    options = (*OPTIONS, option) if option else OPTIONS
    file = cubins.found(stem, options, _capability(device_index))
    if file is not None:
        made = _loaded(file)
        if made is not None:
            return made
    return _cupy().RawModule(code=source.text(stem), options=options)


def _loaded(file: Path) -> Any | None:
    """The module of a cubin; None where the driver refuses it, as one that is older than the compiler may."""
    made = _cupy().RawModule(path=str(file))
    try:
        made.compile()  # loads it: otherwise the first kernel would
    except Exception as error:  # CuPy's CUDADriverError; whatever it is, NVRTC may do better
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        _log.warning("the driver does not load %s (%s): NVRTC compiles it anew", file.name, said)
        return None
    return made


def _capability(device_index: int | None) -> str:
    """As '90'; '' where no GPU is, or an emulated one."""
    if device_index is None or not torch.cuda.is_available():
        return ""
    return "{}{}".format(*torch.cuda.get_device_capability(device_index))


def _without_nvrtc(error: Exception) -> str:
    twelve = _extra() == "cuda12"
    return (
        "glrast: the kernels of CUDA tensors are compiled by NVRTC, which CuPy does not find "
        f"({str(error).splitlines()[0] if str(error) else type(error).__name__}): "
        f"pip install nvidia-cuda-nvrtc{'-cu12' if twelve else ''}"
    )


def _explain(stem: str, message: str) -> str:
    """kernels/FILE:LINE, that line, and NVRTC's errors; the file's own lines thanks to #line."""
    place = re.search(r"kernels/([\w./]+)\((\d+)\): (?:catastrophic )?error", message)
    if not place:
        return f"glrast: kernels/{source.stems()[stem]} does not compile:\n{message}"
    file_name, number = place[1], int(place[2])
    lines = (source.folder("kernels") / file_name).read_text().splitlines()
    shown = lines[number - 1].strip() if 1 <= number <= len(lines) else ""
    errors = "\n".join(line for line in message.splitlines() if "error" in line)
    return f"glrast: kernels/{file_name}:{number} does not compile: {shown}\n{errors}"
