"""Runs one kernel of answers.cu or mistakes.cu: `run("answers", "vote", Settings())` gives its tensors back."""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch

from tests.executor import compile_kernels
from tests.executor.fake_cupy import Cupy, Module, Settings

# Args of both files.
LAYOUT = np.dtype([("out", "u8"), ("values", "u8"), ("n", "i4")], align=True)


class Found(NamedTuple):
    out: torch.Tensor
    values: torch.Tensor


def run(
    file: str,
    kernel: str,
    settings: Settings,
    n: int = 0,
    blocks: int = 2,
    values: list[float] | None = None,
    block: tuple[int, int, int] = (32, 4, 1),
) -> Found:
    """`out`: an int for each thread, and zero at first. Raises ExecutorError for what CUDA does not allow."""
    out = torch.zeros(blocks * 128, dtype=torch.int32)
    floats = torch.tensor(values or [0.0] * 8)
    packed = np.array([(out.data_ptr(), floats.data_ptr(), n)], LAYOUT)
    module(file, settings).launch(
        kernel, (blocks, 1, 1), block, (packed,), {"out": out, "values": floats}, settings
    )
    return Found(out, floats)


def module(file: str, settings: Settings) -> Module:
    return _module(
        file, settings.fused, settings.sanitizer, settings.architecture, settings.portable
    )


@cache
def _module(file: str, *compiled) -> Module:
    fused, sanitizer, architecture, portable = compiled
    chosen = Settings(
        fused=fused, sanitizer=sanitizer, architecture=architecture, portable=portable
    )
    text = (compile_kernels.HERE / f"{file}.cu").read_text()
    return Module(Cupy(chosen), f'#line 1 "kernels/{file}.cu"\n{text}')
