"""Everything that wants a GPU, in one go: `make gpu-check`, or `python3 tools/gpu_check.py` on a bare machine.

Needs Python with PyTorch, NumPy, CuPy, cuda-bindings, moderngl and pytest, and a C++ compiler where glrast is not
installed; `--wheels DIR` takes what is missing from a folder, without a network. Each step is a process with a time
limit of its own, so that one that fails or hangs hides none of the others, and all end within --limit seconds.
Writes tests/bench/results/NAME_OF_THE_GPU.json and .md, anew after every step.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 480
TAIL = 4000  # characters of a step's output that are kept
PYTHON = sys.executable


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds for everything")
    parser.add_argument("--out", type=Path, default=ROOT / "tests/bench/results")
    parser.add_argument("--wheels", type=Path, help="folder of wheels to use, without a network")
    parser.add_argument("--tiny", action="store_true", help="smallest sizes: does it run at all?")
    parser.add_argument("--only", nargs="+", help="these steps alone")
    args = parser.parse_args()
    end = time.monotonic() + args.limit
    with tempfile.TemporaryDirectory() as scratch:
        environment = prepared(args.wheels, Path(scratch))
        report = {"machine": machine(args.device, environment), "limit_s": args.limit, "steps": {}}
        for name, command, seconds in steps(args, Path(scratch)):
            if args.only and name not in args.only:
                continue
            left = end - time.monotonic()
            found = run(command, min(seconds, left), environment) if left > 1 else skipped()
            data = Path(scratch) / f"{name}.json"
            if data.exists():
                found["data"] = read(data)
            report["steps"][name] = found
            print(f"{name:12} {found['state']:10} {found['seconds']:6.1f} s", flush=True)
            write(report, args.out)
    return 0 if all(s["state"] in ("right", "absent") for s in report["steps"].values()) else 1


def steps(args: argparse.Namespace, scratch: Path) -> list[tuple[str, list[str] | None, float]]:
    """(name, command or None where it cannot be run here, seconds at most). The order is that of what matters."""
    device, tiny = ["--device", args.device], args.tiny
    small = ["--triangles", "80", "--resolution", "33"]
    sizes = [["33"], ["80"]] if tiny else [["256", "512", "1024", "2048"], ["81920"]]
    large = [["40"], ["80"]] if tiny else [["4096", "8192"], ["81920"]]
    counts = [["33"], ["20"]] if tiny else [["1024"], ["1280", "20480", "327680", "1310720"]]
    repeats = ["--repeats", "1"] if tiny else []

    def glrast(*words: str) -> list[str]:
        return [PYTHON, "-m", "glrast", *words]

    def measured(name: str, module: str, *words: str) -> list[str]:
        return [PYTHON, "-m", module, *device, "--json", str(scratch / f"{name}.json"), *words]

    def bench(name: str, grid: list[list[str]], *words: str) -> list[str]:
        given = ["--resolution", *grid[0], "--triangles", *grid[1], *repeats, *words]
        return glrast("bench", *device, "--json", str(scratch / f"{name}.json"), *given)

    sanitizer = shutil.which("compute-sanitizer")
    parity = [PYTHON, "-m", "glrast.bench.parity", *device, *small]
    memcheck = (
        [sanitizer, "--tool", "memcheck", "--error-exitcode", "9", *parity] if sanitizer else None
    )
    peer = "nvdiffrast" if not tiny and can_import("nvdiffrast") else None
    suite = [
        PYTHON,
        "-m",
        "pytest",
        "-q",
        "--no-header",
        "-p",
        "no:cacheprovider",
        *device,
        "tests/ops",
        "tests/gl",
    ]
    suite += ["tests/launch", "-m", "not slow"] if not tiny else ["-k", "analytic or twice"]
    return [
        ("doctor", glrast("doctor", *device), 60),
        ("parity", measured("parity", "glrast.bench.parity", *(small if tiny else [])), 90),
        ("sharing", measured("sharing", "glrast.bench.sharing", *(small if tiny else []), *repeats), 60),
        ("resolutions", bench("resolutions", sizes), 90),
        ("large", bench("large", large), 90),
        ("triangles", bench("triangles", counts), 120),
        ("peer", bench("peer", [["256", "1024"], ["20480"]], "--peer", peer) if peer else None, 60),
        ("overhead", glrast("bench", *device, "--overhead", *repeats, "--json", str(scratch / "overhead.json")), 60),
        ("memcheck", memcheck, 90),
        ("suite", suite, 240),
    ]  # fmt: skip


def can_import(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None


def run(command: list[str] | None, seconds: float, environment: dict[str, str]) -> dict:
    """State (right, wrong, too slow, absent), seconds, exit code and the end of what it printed."""
    if command is None:
        return {"state": "absent", "seconds": 0.0, "output": "not installed here"}
    start = time.monotonic()
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, errors="replace", start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        output, _ = process.communicate(timeout=seconds)
        state = "wrong" if process.returncode else "right"
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)  # the group that this step began
        output, _ = process.communicate()
        state = "too slow"
    took = round(time.monotonic() - start, 1)
    return {"state": state, "seconds": took, "code": process.returncode, "output": output[-TAIL:]}


def skipped() -> dict:
    return {"state": "no time", "seconds": 0.0, "output": "the time for everything was up"}


def prepared(wheels: Path | None, scratch: Path) -> dict[str, str]:
    """The environment of all steps: wheels unpacked, the host library built where glrast is not installed."""
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "PYTHONUNBUFFERED": "1"}
    paths = [str(ROOT)]
    if wheels:
        site = scratch / "site"
        words = ["-m", "pip", "install", "-q", "--no-index", "--no-deps", "--target", str(site)]
        subprocess.run([PYTHON, *words, *map(str, wheels.glob("*.whl"))], check=False)
        paths.append(str(site))
    environment["PYTHONPATH"] = os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")])
    probe = [PYTHON, "-c", "from glrast.launch.cpu import host_library as h; h()"]
    if subprocess.run(probe, cwd=ROOT, env=environment, capture_output=True).returncode:
        library = scratch / "libglrast_host.so"
        compiler = shutil.which("c++") or shutil.which("g++") or "c++"
        options = [
            "-std=c++17",
            "-O3",
            "-ffp-contract=off",
            "-fno-math-errno",
            "-shared",
            "-fPIC",
            "-Ikernels",
        ]
        sources = ["kernels/host.cpp", *map(str, sorted((ROOT / "kernels").rglob("*.cu")))]
        built = [compiler, *options, "-pthread", "-xc++", *sources, "-o", str(library)]
        try:
            subprocess.run(built, cwd=ROOT, check=True)
            environment["GLRAST_HOST_LIBRARY"] = str(library)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"the host library cannot be built: {error}")  # the steps will say what they miss
    return environment


def machine(device: str, environment: dict[str, str]) -> dict[str, str]:
    """What the numbers depend on; the device's name names the files."""
    program = (
        "import json,sys,torch;d=torch.device(sys.argv[1]);"
        "print(json.dumps({'device': torch.cuda.get_device_name(d) if d.type=='cuda' else 'cpu',"
        "'torch': torch.__version__,'cuda': str(torch.version.cuda)}))"
    )
    done = subprocess.run(
        [PYTHON, "-c", program, device], env=environment, capture_output=True, text=True
    )
    facts = json.loads(done.stdout) if not done.returncode else {"device": f"no {device}"}
    driver = Path("/proc/driver/nvidia/version")
    if driver.exists():
        found = re.search(r"\b(\d{3}\.[\d.]+)\b", driver.read_text())
        facts["driver"] = found[1] if found else "unknown"
    facts["python"] = platform.python_version()
    asked = ["git", "describe", "--always", "--dirty"]
    try:
        commit = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:  # a machine without git
        commit = ""
    facts["glrast"] = commit or "unknown"
    return facts


def read(file: Path):
    try:
        return json.loads(file.read_text())
    except ValueError:
        return None


def write(report: dict, folder: Path) -> None:
    """Both files, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^a-z0-9]+", "-", report["machine"]["device"].lower()).strip("-")
    for suffix, text in ((".json", json.dumps(report, indent=1) + "\n"), (".md", markdown(report))):
        making = folder / f".{name}{suffix}"
        making.write_text(text)
        making.replace(folder / f"{name}{suffix}")


# ---- the table -------------------------------------------------------------------------------------------


def markdown(report: dict) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in report["machine"].items())
    steps = report["steps"]
    parts = [f"# {report['machine']['device']}\n\n{facts}\n"]
    states = [
        (n, s["state"], f"{s['seconds']:.1f}", last_line(s["output"])) for n, s in steps.items()
    ]
    parts.append(table(("step", "state", "s", "last line"), states))
    data = {name: step.get("data") for name, step in steps.items()}
    if data.get("sharing"):
        rows = [
            (n, "-" if v is None else v if isinstance(v, str) else f"{v:.1f}")
            for n, v in data["sharing"].items()
        ]
        parts.append("Between OpenGL and tensors, microseconds:\n\n" + table(("step", "us"), rows))
    for name in ("resolutions", "large", "triangles", "peer"):
        if data.get(name):
            parts.append(operations(data[name]))
    if data.get("parity"):
        wrong = [r for r in data["parity"] if not r["holds"]]
        worst = max(data["parity"], key=lambda r: r["error"] / r["limit"])
        rows = [
            (r["op"], r["tensor"], f"{r['error']:.1e}", f"{r['limit']:.0e}")
            for r in wrong or [worst]
        ]
        head = f"CPU against this device: {len(wrong)} of {len(data['parity'])} differ; " + (
            "those" if wrong else "worst"
        )
        parts.append(head + ":\n\n" + table(("op", "tensor", "error", "limit"), rows))
    for name, step in steps.items():
        if step["state"] not in ("right", "absent"):
            parts.append(f"{name}:\n\n```\n{step['output'].strip()}\n```\n")
    return "\n".join(parts)  # fmt: skip


def operations(data: dict) -> str:
    """Milliseconds, and the bytes that must be moved over the time, as a part of the copy bandwidth."""
    bandwidth = data["copy_bytes_per_second"]
    rows = []
    for r in data["operations"]:
        parts = [
            f"{r[f'{way}_bytes'] / (r[f'{way}_ms'] * 1e-3) / bandwidth:.0%}"
            for way in ("forward", "backward")
        ]
        times = f"{r['forward_ms']:.3f}", f"{r['backward_ms']:.3f}"
        where = str(r["resolution"]), f"{r['triangles']:,}"
        rows.append((r["op"], *where, *times, *parts, f"{r['peak_bytes'] / 1e6:.0f}"))
    head = ("op", "pixels", "triangles", "forward ms", "backward ms", "of copy", "of copy", "MB")
    text = f"Copy bandwidth {bandwidth / 1e9:.0f} GB/s:\n\n" + table(head, rows)
    for r in data.get("peer", []):
        text += f"\n{r['peer']} / glrast at {r['resolution']}: {r['ratio']:.2f}\n"
    return text


def table(head: tuple, rows: list[tuple]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(str(c).replace("|", "/") for c in row) + " |\n" for row in lines)  # fmt: skip


def last_line(output: str) -> str:
    return next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "")[:100]


if __name__ == "__main__":
    raise SystemExit(main())
