"""Launches of the public operations, recorded on the CPU with what the host library made of them, and run again.

`record` runs cases of operations.py; `replay` gives one launch, from the same memory, to the executor through the
launch code of a GPU; `disagreements` compares every tensor.
"""

import contextlib
import copy
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch

import glrast
from glrast.launch import cpu, cuda, source
from tests.executor.fake_cupy import Cupy, Settings, instead_of_the_host_library
from tests.executor.operations import CASES

# Where only the host's form writes: buffers for its threads.
OF_THE_HOST = {"spare"}


@dataclass
class Launch:
    case: str
    stem: str
    kernel: str
    before: dict  # arguments, with memory as it was
    after: dict  # and as the host library left it


def record(cases: Iterable[str] = tuple(CASES), buffers: str = "id") -> list[Launch]:
    """Every launch of these cases. What a kernel writes whatever was there before holds other bits in `before`: a place
    that the executor forgets shows."""
    launches: list[Launch] = []
    run_here = cpu.run

    def run(stem: str, kernel: str, arguments: dict) -> None:
        before = copied(arguments)
        run_here(stem, kernel, arguments)
        after = copied(arguments)
        launches.append(Launch(case, stem, kernel, spoilt(stem, kernel, before, after), after))

    context = glrast.Context("cpu", buffers=buffers)
    cpu.run = run
    torch.use_deterministic_algorithms(
        True, warn_only=True
    )  # new memory then holds NaN, never an older result
    try:
        for case in cases:
            CASES[case](context)
    finally:
        cpu.run = run_here
        torch.use_deterministic_algorithms(False)
    return launches


def copied(arguments: dict) -> dict:
    """Tensors that share memory share it in the copy."""
    plain = {n: v.detach() if isinstance(v, torch.Tensor) else v for n, v in arguments.items()}
    return copy.deepcopy(plain)


def bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.reshape(-1).view(torch.uint8)


def spoilt(stem: str, kernel: str, before: dict, after: dict) -> dict:
    """`before` with other bits in the tensors that the host library changed, or else in the bytes; if it
    comes to the same from there."""
    for whole in (True, False):
        changed = copied(before)
        for name, tensor in tensors(changed).items():
            old, new = bits(tensor), bits(after[name])
            differ = old != new
            old[differ | (whole & differ.any())] ^= 0xFF
        trial = copied(changed)
        cpu_run(stem, kernel, trial)
        if all(torch.equal(bits(t), bits(after[n])) for n, t in tensors(trial).items()):
            return changed
    return before


def tensors(arguments: dict) -> dict[str, torch.Tensor]:
    return {name: value for name, value in arguments.items() if isinstance(value, torch.Tensor)}


cpu_run = cpu.run


def replay(launch: Launch) -> dict:
    """The launch's arguments after it has run, on whatever `cpu.run` is now."""
    arguments = copied(launch.before)
    cpu.run(launch.stem, launch.kernel, arguments)
    return arguments


@contextlib.contextmanager
def executing(patch, settings: Settings, deterministic: bool = False) -> Iterator[Cupy]:
    """Inside, `replay` runs the executor."""
    with instead_of_the_host_library(patch, settings) as cupy:
        torch.use_deterministic_algorithms(deterministic)
        try:
            yield cupy
        finally:
            torch.use_deterministic_algorithms(False)


def all_kernels() -> set[str]:
    """Of kernels/, from its text: those of the macros, and functions that are __global__ themselves."""
    texts = [source.text(stem) for stem in source.stems()]
    plain = r'^extern "C" __global__ void (?:__launch_bounds__\(\w+\) )?(\w+)\('
    found = {name for text in texts for name in re.findall(plain, text, re.M)}
    return found | {name for stem in source.stems() for name in source.kernels(stem)}


# ---- what may differ -------------------------------------------------------------------------------------

# Each of the largest number in the tensor. Without fused arithmetic all tensors are equal to the bit, but
SUMS = (
    2e-6  # a gradient that many threads add to: sums of float32 in another order (measured: 1e-6)
)
LOGARITHM = 1e-6  # texture chooses its level by log2f, for which the host has its own polynomial (measured: 8e-8)
# Fused, a product that is subtracted from another is no longer rounded, which shows where the difference is small: in
# triangles seen edge-on most of all (measured: 7e-6 for antialias_inner_pairs; rasterize_backward 1.3e-5 of a mesh from
# outside and 9e-5 of its peeled layers; others 1e-6), and where it is divided by: nmr by that of a pixel's middle
# from an edge (1.3e-4). Whole numbers stay equal.
FUSED, FUSED_SMALL_DIFFERENCE = 2e-5, 2e-4
SMALL_DIFFERENCES = ("rasterize_backward", "nmr_backward")


def tolerance(kernel: str, tensor: str, is_float: bool, settings: Settings) -> float:
    if not is_float:
        return 0.0
    if settings.fused or settings.flush:
        return FUSED_SMALL_DIFFERENCE if kernel in SMALL_DIFFERENCES else FUSED
    if kernel in cuda.ADDS and tensor == "grad":
        return SUMS
    return LOGARITHM if kernel in ("texture_forward", "texture_backward") else 0.0


def disagreements(launch: Launch, found: dict, settings: Settings) -> list[str]:
    """In words: every tensor that differs from the host's by more than it may."""
    out = []
    for name, want in tensors(launch.after).items():
        if name in OF_THE_HOST:
            continue
        got = found[name]
        differ = (got != want) & ~((got != got) & (want != want))
        if not differ.any():
            continue
        scale = want.double().nan_to_num(0, 0, 0).abs().max().clamp_min(1e-30)
        most = float(
            ((got.double() - want.double()).abs()[differ] / scale).nan_to_num(torch.inf).max()
        )
        allowed = tolerance(launch.kernel, name, want.is_floating_point(), settings)
        if most > allowed:
            at = differ.reshape(-1).nonzero()[0].item()
            out.append(
                f"{launch.kernel} ({launch.case}): {name} {list(want.shape)} differs at {int(differ.sum())} of "
                f"{want.numel()} elements by up to {most:.2g} of the largest; allowed {allowed:.2g}; element {at}: "
                f"{got.reshape(-1)[at].item()}, host {want.reshape(-1)[at].item()}"
            )
    return out
