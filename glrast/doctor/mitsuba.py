"""Mitsuba, for path-traced pictures: is it here, and does its compiler find an LLVM that it can use?"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib import metadata

import torch

from .. import mitsuba
from .finding import Finding


def path_tracer(
    device: torch.device,
    version: Callable[[], str | None] | None = None,
    fault: Callable[[torch.device], str] | None = None,
) -> list[Finding]:
    """What `glrast.mitsuba.render` would say for tensors of `device`; never a fault, for drawing needs none of it."""
    found = (version or _version)()
    if found is None:
        text = (
            "not installed; glrast.mitsuba.render (global illumination) needs it, nothing else does"
        )
        return [Finding("Mitsuba", text, facts={"mitsuba": None})]
    why = (fault or mitsuba.missing)(device)
    facts = {"mitsuba": found}
    if why:
        text, _, remedy = why.partition(": ")
        return [Finding("Mitsuba", f"{found}: {text}", "note", remedy, facts)]
    text = f"{found} works for {device.type} tensors"
    if device.type == "cpu":
        drjit = importlib.import_module("drjit")
        facts["llvm"] = ".".join(map(str, drjit.detail.llvm_version()))
        text += f", with LLVM {facts['llvm']}"
    return [Finding("Mitsuba", text, facts=facts)]


def _version() -> str | None:
    try:
        return metadata.version("mitsuba")
    except metadata.PackageNotFoundError:
        return None
