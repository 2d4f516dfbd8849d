"""All kernels in all the ways in which a GPU may run them: `make executor-check`; minutes.

    orders      three orders of lanes, warps and blocks x three schedules of __activemask, deterministic mode likewise
    arithmetic  fused multiplication, denormals flushed, both; for sm_75 and for sm_90
    watch       races, bounds of each argument, shared memory that nobody wrote; in three orders
    address     AddressSanitizer and UndefinedBehaviorSanitizer, in three orders, in a process that they are loaded
                into; first, that they find the mistakes that are theirs (mistakes.cu)
    portable    fibres by ucontext

Prints a line for each way; exits with 1 if a kernel differs from the host library by more than it may.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import pytest  # noqa: E402
import torch  # noqa: E402

from glrast.launch import cuda  # noqa: E402
from tests.executor import compile_kernels, launches  # noqa: E402
from tests.executor.compile_kernels import ORDERS, SCHEDULES, Settings  # noqa: E402


def ways() -> Iterator[tuple[str, Settings]]:
    """Each is run as it is and, by the kernels that add to a gradient, in deterministic mode."""
    for order in ORDERS:
        for schedule in SCHEDULES:
            yield "orders", Settings(order, schedule, seed=1)
    for order, schedule in zip(ORDERS, SCHEDULES):
        if compile_kernels.has_fused():
            yield "arithmetic", Settings(order, schedule, seed=2, fused=True, flush=True)
    if compile_kernels.has_fused():
        yield "arithmetic", Settings(fused=True)
    yield "arithmetic", Settings(flush=True)
    yield "arithmetic", Settings(architecture=750)
    for order, schedule in zip(ORDERS, SCHEDULES):
        yield "watch", Settings(order, schedule, seed=3, sanitizer="watch")
    yield "portable", Settings(portable=True)


def address_ways() -> Iterator[tuple[str, Settings]]:
    for order, schedule in zip(ORDERS, SCHEDULES):
        yield "address", Settings(order, schedule, seed=4, sanitizer="address")


def main() -> int:
    recorded = [launch for buffers in ("id", "full") for launch in launches.record(buffers=buffers)]
    kernels = {launch.kernel for launch in recorded}
    print(f"{len(recorded)} launches of {len(kernels)} kernels", flush=True)
    said = [f"{name} is not launched" for name in sorted(left_out(kernels))]
    for name, settings in ways():
        said += run(name, settings, recorded)
    said += [f"address: {kernel}: not found" for kernel in MISTAKES if not finds(kernel)]
    said += run_under_sanitizers(recorded)
    print("\n".join(said) or "executor-check: every kernel does what the host library does")
    return bool(said)


def left_out(kernels: set[str]) -> set[str]:
    return launches.all_kernels() - kernels - {"glrast_reduce"}


def run(name: str, settings: Settings, recorded: list[launches.Launch]) -> list[str]:
    """What is wrong in this way, in both modes."""
    said, began, executed = [], time.monotonic(), 0
    for deterministic in (False, True):
        some = [launch for launch in recorded if not deterministic or launch.kernel in cuda.ADDS]
        with launches.executing(pytest.MonkeyPatch, settings, deterministic) as cupy:
            for launch in some:
                try:
                    found = launches.replay(launch)
                except Exception as error:
                    said.append(f"{launch.kernel} ({launch.case}): {type(error).__name__}: {error}")
                    continue
                said += launches.disagreements(launch, found, settings)
        executed += len(cupy.launched)
    print(
        f"{time.monotonic() - began:6.1f} s  {name:10} {words(settings):52} {executed} launches, {len(said)} wrong",
        flush=True,
    )
    return [f"{words(settings)}: {line}" for line in said]


def words(settings: Settings) -> str:
    """Order and schedule, and what is not as usual."""
    usual = Settings(settings.order, settings.schedule, settings.seed)
    others = [
        f"{name} {value}" if not isinstance(value, bool) else name
        for name, value in vars(settings).items()
        if value != getattr(usual, name)
    ]
    return ", ".join([settings.order, settings.schedule, *others])


# ---- sanitizers ------------------------------------------------------------------------------------------

# A kernel of mistakes.cu, its `n`, and what is said of it.
MISTAKES = {
    "one_element_too_far": (1, "heap-buffer-overflow"),
    "before_the_beginning": (-1, "heap-buffer-overflow"),
    "beyond_the_shared_memory": (1, "insufficient space for an object"),
    "misaligned_vector": (0, "misaligned address"),
    "shift_beyond_the_width": (1, "shift exponent 32 is too large"),
}


def finds(kernel: str) -> bool:
    n, words = MISTAKES[kernel]
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from tests.executor.small_kernels import Settings, run\n"
        f"run('mistakes', {kernel!r}, Settings(sanitizer='address'), {n})"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, env={**os.environ, **sanitizer_environment()}, capture_output=True, text=True
    )
    found = done.returncode != 0 and words in done.stderr
    print(f"          address    {kernel}: {'found' if found else done.stderr[-2000:]}", flush=True)
    return found


def run_under_sanitizers(recorded: list[launches.Launch]) -> list[str]:
    """In another Python, into which the compiler's runtime libraries are loaded first."""
    with tempfile.TemporaryDirectory() as folder:
        kept, output = Path(folder) / "launches.pt", Path(folder) / "said"
        torch.save(recorded, kept)
        command = [sys.executable, __file__, str(kept), str(output)]
        done = subprocess.run(command, env={**os.environ, **sanitizer_environment()})
        said = output.read_text().splitlines() if output.exists() else []
        stopped = [f"address: stopped with {done.returncode}"] if done.returncode else []
        return said + stopped


def sanitizer_environment() -> dict[str, str]:
    """LD_PRELOAD of the compiler's libasan and libubsan. Python itself never frees everything."""
    libraries = [
        subprocess.run(
            [compile_kernels.COMPILER, f"-print-file-name={name}"], capture_output=True, text=True
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    return {
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }


def under_sanitizers(kept: str, output: str) -> None:
    """The other Python. A sanitizer that finds something ends it, with a report."""
    recorded = torch.load(kept, weights_only=False)
    said = []
    for name, settings in address_ways():
        said += run(name, settings, recorded)
    Path(output).write_text("\n".join(said))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        under_sanitizers(*sys.argv[1:])
    else:
        sys.exit(main())
