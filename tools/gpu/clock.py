"""Times by CUDA events, over inputs that no cache holds; on a CPU by the clock, for a trial run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch

BEYOND_CACHE_BYTES = 256 << 20  # the second-level cache of an H100 or H200 has 50 MB, of a B200 126
MOST_SETS = 16
_WARM = 3


def per_call(
    functions: Sequence[Callable[[], object]], repeats: int, device: torch.device
) -> dict[str, float]:
    """Milliseconds of a call, of the device and of the host that queues it: `repeats` calls, each function in turn."""
    for n in range(max(_WARM, len(functions))):
        functions[n % len(functions)]()
    if device.type != "cuda":
        start = time.perf_counter()
        for n in range(repeats):
            functions[n % len(functions)]()
        ms = 1e3 * (time.perf_counter() - start) / repeats
        return {"ms": _short(ms), "queued ms": _short(ms)}
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize(device)
    start = time.perf_counter()
    begin.record()
    for n in range(repeats):
        functions[n % len(functions)]()
    end.record()
    queued = time.perf_counter() - start
    end.synchronize()
    return {
        "ms": _short(begin.elapsed_time(end) / repeats),
        "queued ms": _short(1e3 * queued / repeats),
    }


def sets(bytes_of_one: int, tiny: bool) -> int:
    """So many sets of inputs, used in turn, that the first has left the cache when it comes again."""
    return 2 if tiny else max(2, min(MOST_SETS, -(-BEYOND_CACHE_BYTES // max(1, bytes_of_one))))


def host_us(function: Callable[[], object], repeats: int) -> float:
    """The median of the host's microseconds in a call that waits for nothing."""
    times = []
    for _ in range(_WARM + repeats):
        start = time.perf_counter()
        function()
        times.append(1e6 * (time.perf_counter() - start))
    return round(sorted(times[_WARM:])[repeats // 2], 1)


def copy_bandwidth(device: torch.device, size: int) -> float:
    """Bytes a second, read and written, of the best of a few copies of `size` bytes."""
    source = torch.zeros(size // 4, device=device)
    target = torch.ones_like(source)
    times = [per_call([lambda: target.copy_(source)], 2, device)["ms"] for _ in range(5)]
    return 2 * size / (1e-3 * max(min(times), 1e-9))


def _short(value: float) -> float:
    return float(f"{value:.4g}")
