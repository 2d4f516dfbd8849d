"""`glrast bench`: milliseconds, bytes and memory of each operation on this machine, and a peer beside them."""

from __future__ import annotations

import argparse
import datetime
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

import glrast

from ..bench import (
    exact,
    launches,
    measure,
    members,
    operations,
    overhead,
    paper,
    paper_page,
    peer,
    scaling,
    scene,
    table,
    texture,
)  # fmt: skip
from ..core.files import replacing
from ..raster.self_test import tested
from .device import chosen

REPEATS, SCALING_REPEATS, TEXTURE_REPEATS, OVERHEAD_REPEATS = 15, 7, 9, 500
LAUNCHES_REPEATS = 100
EXACT_REPEATS = 9
MEMBERS_REPEATS, PAPER_REPEATS = 5, 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `glrast bench`."""
    parser.description = (
        "Measure rasterize, interpolate (3 channels) and antialias, forward and backward, on icospheres that fill "
        "64 % of the image. Medians after a warm-up; tables in Markdown."
    )
    parser.add_argument(
        "--resolution", type=_count, nargs="+", default=[512, 1024], help="pixels on a side (default: 512 1024)"
    )  # fmt: skip
    parser.add_argument(
        "--triangles", type=_count, nargs="+", default=[20480, 81920, 327680],
        help="20 * 4^n each (default: 20480 81920 327680)",
    )  # fmt: skip
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda or cuda:N")
    parser.add_argument("--repeats", type=_count, help=f"runs per median (default: {REPEATS})")
    parser.add_argument("--json", metavar="FILE", help="also write the numbers there")
    parser.add_argument(
        "--peer", choices=sorted(peer.PEERS),
        help="measure it too, in turns with glrast, and print the ratios (nvdiffrast: on a GPU)",
    )  # fmt: skip
    parser.add_argument(
        "--overhead", action="store_true", help="only what Python and dispatch take at 64 x 64"
    )
    parser.add_argument(
        "--launches", action="store_true",
        help="only how many kernels a GPU is given, and what the host takes for them; needs no GPU",
    )  # fmt: skip
    parser.add_argument(
        "--exact", action="store_true",
        help="only fragments and resolve, near and all: against antialias in turns, and stage by stage",
    )  # fmt: skip
    parser.add_argument(
        "--scaling", action="store_true", help="only the table from 256 to 4096 pixels and 1k to 1M triangles"
    )  # fmt: skip
    parser.add_argument(
        "--texture", action="store_true",
        help="only the table of texture: linear and trilinear, 2D and cube, PyTorch's grid_sample and the pyramid",
    )  # fmt: skip
    parser.add_argument(
        "--members", action="store_true",
        help="only every answer to the discontinuity problem (glrast.visibility), in turns with antialias; any even "
        "number of --triangles",
    )  # fmt: skip
    _add_paper_arguments(parser)
    parser.add_argument(
        "--sizes", type=_count, nargs="+", default=list(texture.SIZES),
        help=f"--texture: texels on a side (default: {_listed(texture.SIZES)})",
    )  # fmt: skip
    parser.add_argument(
        "--channels", type=_count, nargs="+", default=list(texture.CHANNELS),
        help=f"--texture: channels (default: {_listed(texture.CHANNELS)})",
    )  # fmt: skip


def _add_paper_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--paper", action="store_true",
        help="only the table of Laine et al. 2020: 14 meshes from 284 to 308,170 triangles, 256 to 4096 pixels, glrast "
        "against softras and against PyTorch3D where it is installed",
    )  # fmt: skip
    parser.add_argument(
        "--quick", action="store_true", help="--paper: three meshes, two resolutions, one pass"
    )
    parser.add_argument(
        "--limit", type=_count, metavar="SECONDS",
        help=f"--paper: what takes longer is left out, and says so (default: {paper.LIMIT_S:.0f}; --quick "
        f"{paper.QUICK_LIMIT_S:.0f})",
    )  # fmt: skip
    parser.add_argument("--markdown", metavar="FILE", help="--paper: also write the page there")


def run(args: argparse.Namespace) -> int:
    """Measure, print, and write --json whole or not at all."""
    device = glrast.Context(chosen("bench", args.device)).device
    report: dict[str, Any] = {"machine": machine(device)}
    print(", ".join(f"{name} {value}" for name, value in report["machine"].items()), flush=True)
    if args.overhead:
        found = overhead.measure_overhead(device, args.repeats or OVERHEAD_REPEATS)
        report["overhead"] = asdict(found)
        print(table.overhead(found))
    if args.launches:
        counted = launches.measure_launches(args.repeats or LAUNCHES_REPEATS)
        report["launches"] = [asdict(row) for row in counted]
        print(table.launches(counted))
    if args.scaling:
        rows = list(scaling.measure_scaling(device, args.repeats or SCALING_REPEATS))
        report["scaling"] = [asdict(row) for row in rows]
        print(table.scaling(rows))
    if args.texture:
        report["texture"] = _texture(args, device)
    if args.exact:
        report["exact"] = _exact(args, device)
    if args.members:
        report["members"] = _members(args, device)
    if args.paper:
        report["paper"] = _paper(args, device, report["machine"])
    parts = "launches", "overhead", "scaling", "texture", "exact", "members", "paper"
    if not any(getattr(args, part) for part in parts):
        report |= _operations(args, device)
    if args.json:
        with replacing(Path(args.json)) as temporary:
            temporary.write_text(json.dumps(report, indent=1) + "\n")
        print(f"wrote {args.json}")
    return 0


def _operations(args: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """The default: all operations, and the peer if asked, at each resolution with each number of triangles."""
    repeats = args.repeats or REPEATS
    scenes = [scene.sphere(t, r, device) for r in args.resolution for t in args.triangles]
    bandwidth = measure.copy_bandwidth(device)
    rows = [row for s in scenes for row in operations.measure_operations(s, repeats)]
    print(f"copy bandwidth {bandwidth / 1e9:.1f} GB/s; medians of {repeats}\n")
    print(table.operations(rows, bandwidth), flush=True)
    report: dict[str, Any] = {
        "copy_bytes_per_second": bandwidth,
        "operations": [asdict(r) for r in rows],
    }
    if args.peer:
        found = [peer.compare(s, repeats, args.peer) for s in scenes]
        report["peer"] = [asdict(c) | {"ratio": c.ratio} for c in found]
        print("\nWorld positions and colours to the gradients of both, in turns with the peer:\n")
        print(table.peer(found))
    return report


def _exact(args: argparse.Namespace, device: torch.device) -> list[dict[str, Any]]:
    """--exact: the table for each resolution and number of triangles, and the stages of the last of them."""
    scenes = [scene.sphere(t, r, device) for r in args.resolution for t in args.triangles]
    rows: list[exact.Exact] = []
    for s in scenes:
        last = s is scenes[-1] and device.type == "cpu"
        rows += exact.measure_exact(s, args.repeats or EXACT_REPEATS, stages=last)
    print("forward + backward, in turns with antialias; medians\n")
    print(table.exact(rows), flush=True)
    for row in rows:
        if row.stages:
            print(f"\n{row.discontinuities}, stages of the last in milliseconds of the processor\n")
            print(table.stages(row.stages), flush=True)
    return [asdict(row) for row in rows]


def _texture(args: argparse.Namespace, device: torch.device) -> list[dict[str, Any]]:
    """--texture: the table, and what was left out of it."""
    repeats = args.repeats or TEXTURE_REPEATS
    wanted, left_out = texture.textures(args.sizes, args.channels)
    rows = list(texture.measure_texture(device, repeats, wanted))
    samples = f"{texture.RESOLUTION} x {texture.RESOLUTION}"
    print(
        f"{samples} samples, gradients to texture and coordinates; medians of {repeats}, in turns\n"
    )
    print(table.texture(rows), flush=True)
    if left_out:
        names = ", ".join(f"{map} {size} x {size} x {C}" for map, size, C in left_out)
        print(f"\nleft out, textures above {texture.MOST_BYTES >> 20} MiB: {names}")
    return [asdict(row) for row in rows]


def _members(args: argparse.Namespace, device: torch.device) -> list[dict[str, Any]]:
    """--members: a table for each resolution and number of triangles."""
    rows: list[members.Member] = []
    for r in args.resolution:
        for t in args.triangles:
            made = scene.even_sphere(t, r, device)
            rows += members.measure_members(made, args.repeats or MEMBERS_REPEATS)
    print(table.members(rows), flush=True)
    return [asdict(row) for row in rows]


def _paper(
    args: argparse.Namespace, device: torch.device, about: dict[str, Any]
) -> list[dict[str, Any]]:
    """--paper: a line as each case is done, then the page; --markdown after every case, for it takes long."""
    quick = args.quick
    limit_s = args.limit or (paper.QUICK_LIMIT_S if quick else paper.LIMIT_S)
    cases: list[paper.Case] = []
    for case in paper.measure_paper(
        device,
        args.repeats or (paper.QUICK_REPEATS if quick else PAPER_REPEATS),
        limit_s,
        paper.counts(paper.QUICK_MESHES) if quick else paper.counts(),
        paper.QUICK_RESOLUTIONS if quick else paper.RESOLUTIONS,
    ):
        cases.append(case)
        took = (f"{n} {c.why_not or f'{c.ms:.1f} ms'}" for n, c in case.cells.items())
        print(f"{case.triangles:,} at {case.resolution}: {'; '.join(took)}", flush=True)
        if args.markdown:
            with replacing(Path(args.markdown)) as temporary:
                temporary.write_text(paper_page.page(cases, about, datetime.date.today(), limit_s))
    print(f"\n{table.paper(cases)}")
    return [asdict(case) for case in cases]


def machine(device: torch.device) -> dict[str, Any]:
    """What the numbers depend on."""
    context = tested(device)
    return {
        "glrast": glrast.__version__,
        "torch": torch.__version__,
        "device": str(device) if device.type == "cpu" else torch.cuda.get_device_name(device),
        "cpu": _cpu(),
        "threads": torch.get_num_threads(),
        "OpenGL": f"{context.renderer} {context.version}",
        "program": glrast.Context(device).program,
    }


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass  # not Linux: what Python knows
    return platform.processor() or platform.machine()


def _listed(numbers: Sequence[int]) -> str:
    return " ".join(map(str, numbers))


def _count(text: str) -> int:
    """argparse type: a whole number above zero."""
    value = int(text) if text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above zero; got {text!r}")
    return value
