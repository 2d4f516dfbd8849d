"""Everything that wants a GPU, in one go: `make gpu-check`, or `python3 tools/gpu_check.py` on a bare machine.

Needs Python with PyTorch, NumPy, CuPy, cuda-bindings, moderngl and pytest; `--wheels DIR` takes what is missing from a
folder of wheels, `--packages DIR` OpenGL's loader from Debian's packages, without a network. A C++ compiler is needed
only where glrast is not installed and GLRAST_HOST_LIBRARY names no library.

What nobody knows comes first. A step is a process with its own part of the time; the rungs of a step are written down
one by one, and one that crashes or hangs is passed over by a new process: it costs itself. `tools/gpu/plan.py` has the
list.

Writes DIR/results.md, results.json (both anew after every rung) and log.txt; DIR is --out, else out/gpu-check. `--fake`
runs all that can run on the fakes of the tests, without a GPU: does the check itself work?
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.gpu import report as reporting  # noqa: E402
from tools.gpu import steps  # noqa: E402
from tools.gpu.machine import ROOT, facts, prepared  # noqa: E402
from tools.gpu.plan import DEFAULT_LIMIT_S, STEPS, ends  # noqa: E402


def main(words: list[str] | None = None) -> int:
    args = arguments(words)
    begin, by = time.monotonic(), ends(args.limit)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "log.txt").write_bytes(b"")
    report: dict[str, Any] = {
        "device": args.device, "fake": args.fake, "limit_s": args.limit, "machine": facts(args.commit),
        "steps": {
            step.name: {"state": "no time", "seconds": 0.0, "why": "not begun"}
            for step in STEPS
            if args.only is None or step.name in args.only
        },
    }  # fmt: skip
    reporting.write(report, args.out)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        environment = prepared(args.wheels, args.packages, scratch, by["prepare"], print)
        for name, command in planned(args, scratch, report).items():
            shown: set[str] = set()

            def said(known: dict[str, Any], name: str = name, shown: set[str] = shown) -> None:
                report["steps"][name] = known
                reporting.write(report, args.out)
                for rung, note in known.get("rungs", {}).items():
                    if rung not in shown:
                        shown.add(rung)
                        print(f"  {name}: {rung:28} {note['state']:8} {line(note)}", flush=True)

            left = by[name] - (time.monotonic() - begin)
            if left > 0:
                said(steps.run(name, command, left, environment, args.out, scratch, said))
            done = report["steps"][name]
            print(
                f"{name:12} {done['state']:10} {done['seconds']:6.1f} s  {done.get('says', done.get('why', ''))}",
                flush=True,
            )
    reporting.write(report, args.out)
    print(f"\n{reporting.markdown(report)}\nwrote {args.out}/results.md, results.json and log.txt")
    return 0 if reporting.holds(report) else 1


def planned(
    args: argparse.Namespace, scratch: Path, report: dict[str, Any]
) -> dict[str, list[str] | str]:
    found = steps.commands(args, scratch)
    return {name: found[name] for name in report["steps"]}


def line(note: dict[str, Any]) -> str:
    """A rung's figures or error, in so many characters."""
    return str(note.get("error") or note.get("data"))[:300].replace("\n", " ")


def arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", default=None, help="default: cuda; with --fake the CPU")
    parser.add_argument(
        "--limit", type=float, default=DEFAULT_LIMIT_S, help="seconds for everything"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "gpu-check")
    parser.add_argument("--wheels", type=Path, help="folder of wheels to use, without a network")
    parser.add_argument(
        "--packages",
        type=Path,
        help="folder of .deb files to unpack: libegl1 libglvnd0 libopengl0 ...",
    )
    parser.add_argument(
        "--commit", help="what the figures are of; else git tells, or the file COMMIT"
    )
    parser.add_argument(
        "--fake", action="store_true", help="on the fakes of the tests, at the smallest sizes"
    )
    parser.add_argument("--tiny", action="store_true", help="smallest sizes: does it run at all?")
    parser.add_argument(
        "--only", nargs="+", choices=[step.name for step in STEPS], help="these steps alone"
    )
    args = parser.parse_args(words)
    args.tiny |= args.fake
    args.device = args.device or ("cpu" if args.fake else "cuda")
    args.out = args.out.absolute()
    return args


if __name__ == "__main__":
    raise SystemExit(main())
