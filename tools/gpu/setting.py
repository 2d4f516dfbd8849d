"""What every measuring process is told, and what it refuses: images that went through host memory."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from glrast.gl.interop import Registered
from glrast.raster.self_test import tested

from . import fake
from .plan import RUNGS
from .rungs import Wrong, climb

Rung = Callable[[], object]


@dataclass(frozen=True)
class Setting:
    device: torch.device
    fake: bool
    tiny: bool  # the smallest sizes: does it run at all?

    @property
    def repeats(self) -> int:
        return 2 if self.tiny else 30

    def shares(self, function: Rung) -> Rung:
        """The rung, wrong where OpenGL's images did not stay on the GPU: its figures would be another path's."""

        def run() -> object:
            try:
                data = function()
            finally:
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()  # what a large rung leaves is not the next one's to miss
            refuse_host_copies(self, data)
            return data

        return run


def refuse_host_copies(setting: Setting, data: object = None) -> None:
    if setting.device.type == "cpu" and not setting.fake:
        return  # a trial run on the CPU: there is nothing to share with
    sharing = tested(setting.device).sharing
    if not isinstance(sharing, Registered) or sharing.host is not None:
        raise Wrong(f"images went through host memory: {sharing.reason or 'no reason given'}", data)


def run(
    step: str, rungs: Callable[[Setting], dict[str, Rung]], words: Sequence[str] | None = None
) -> int:
    """What `python -m tools.gpu.STEP` does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--notes", type=Path, required=True)
    parser.add_argument("--skip", nargs="*", default=[])
    parser.add_argument("--fake", action="store_true")
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args(words)
    device = torch.device(args.device)
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", 0)
    setting = Setting(device, args.fake, args.tiny)
    with fake.installed() if args.fake else nullcontext():
        made = rungs(setting)
        assert list(made) == list(RUNGS[step]), "plan.py lists other rungs"
        climb(step, made, args.notes, args.skip)
    return 0
