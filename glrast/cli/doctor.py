"""`glrast doctor`: what of OpenGL is found here, whether rendering works, and if not, why and what to do."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Callable
from dataclasses import asdict

import torch

from ..doctor import Finding, egl, kernels, machine, mitsuba, nvidia, triangle
from .device import chosen

WIDTH = 110


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `glrast doctor`."""
    parser.description = (
        "Say what of OpenGL is found and whether it renders. Exit code 0: it does; 1: it does not."
    )
    parser.add_argument(
        "--device", default="auto", help="cpu, cuda, cuda:1 ...; auto is CUDA where PyTorch has it"
    )
    parser.add_argument(
        "--json", action="store_true", help="the findings as JSON on standard output"
    )


def run(args: argparse.Namespace) -> int:
    """Look, print, and return 0 if rendering works on the asked device, else 1."""
    device = chosen("doctor", args.device)
    findings = examine(device)
    works = not any(f.state == "fault" for f in findings)
    if args.json:
        report = {"device": str(device), "works": works, "findings": [asdict(f) for f in findings]}
        print(json.dumps(report, indent=1, default=str))
    else:
        print(as_text(findings, device))
    return 0 if works else 1


def examine(device: torch.device) -> list[Finding]:
    """All findings, from the outside in. After a fault, what depends on it is left out: it would only repeat it."""
    version = nvidia.driver()
    cuda = torch.cuda.is_available()
    has_nvidia = version is not None or cuda
    findings = [
        *machine.versions(),
        *machine.wsl(),
        *machine.libstdcxx(),
        *machine.spinning_threads(device),
        *machine.render_nodes(),
        *nvidia.container(has_nvidia),
        *nvidia.mismatch(version),
        *nvidia.processes(has_nvidia),
    ]
    vendors: list[Finding] = []
    findings += _until_fault(
        lambda: nvidia.cuda_device(device),
        kernels.host_library,
        lambda: nvidia.kernels(device),
        lambda: kernels.compiled(device),
        kernels.streams,
        lambda: kernels.self_test(device),
        lambda: nvidia.bindings() if cuda else [],
    )
    findings += _until_fault(
        machine.moderngl,
        egl.library,
        egl.opengl_library,
        lambda: nvidia.egl_library(cuda, version),
        lambda: vendors.extend(egl.vendors(has_nvidia)) or vendors,
        lambda: egl.devices(vendors),
    )
    if any(f.state == "fault" for f in findings):
        return findings
    findings += egl.used(torch.device("cpu"), asked=device.type == "cpu")
    if cuda:
        drawn = device if device.type == "cuda" else torch.device("cuda", 0)
        findings += egl.used(drawn, asked=device.type == "cuda")
    else:
        findings.append(Finding("OpenGL", "PyTorch has no CUDA device: there are only cpu tensors"))
    findings += egl.global_symbols()
    findings += mitsuba.path_tracer(device)
    return findings + _until_fault(
        lambda: triangle.draw(device, "id"), lambda: triangle.draw(device, "full")
    )


def as_text(findings: list[Finding], device: torch.device) -> str:
    """The report as people read it: the verdict last, where the eye is."""
    marks = {"ok": "ok  ", "note": "note", "fault": "FAIL"}
    lines, topic = [], ""
    for finding in findings:
        if finding.topic != topic:
            topic = finding.topic
            lines.append(topic)
        lines += _wrapped(f"  {marks[finding.state]}  ", finding.text)
        if finding.remedy:
            lines += _wrapped("        -> ", finding.remedy)
    fault = next((f for f in findings if f.state == "fault"), None)
    if fault is None:
        return "\n".join([*lines, f"Rendering works on {device}."])
    lines += _wrapped(f"Rendering does NOT work on {device}: ", fault.text)
    return "\n".join(lines + (_wrapped("What to do: ", fault.remedy) if fault.remedy else []))


def _until_fault(*detections: Callable[[], list[Finding]]) -> list[Finding]:
    """The findings of one after the other, up to and with the first fault."""
    findings: list[Finding] = []
    for detection in detections:
        findings += detection()
        if any(f.state == "fault" for f in findings):
            break
    return findings


def _wrapped(mark: str, text: str) -> list[str]:
    flat = " ".join(text.split())
    return textwrap.wrap(
        flat, WIDTH, initial_indent=mark, subsequent_indent=" " * min(len(mark), 11),
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
