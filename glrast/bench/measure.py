"""Times, bandwidth and memory, measured the same way everywhere."""

from __future__ import annotations

import resource
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

WARM_UP = 3
_COPY_BYTES = 256 << 20  # far beyond any cache
_COPY_REPEATS = 9


def seconds(function: Callable[[], object], device: torch.device) -> float:
    """How long one call takes, the GPU's work included."""
    wait(device)
    start = time.perf_counter()
    function()
    wait(device)
    return time.perf_counter() - start


def median_ms(function: Callable[[], object], repeats: int, device: torch.device) -> float:
    """The median of `repeats` calls in milliseconds, after a warm-up."""
    for _ in range(WARM_UP):
        function()
    return 1e3 * statistics.median(seconds(function, device) for _ in range(repeats))


def wait(device: torch.device) -> None:
    """Until the device has done what it was given: here synchronising is the point."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def copy_bandwidth(device: torch.device) -> float:
    """Bytes per second, read and written, of the best copy between two buffers that fit no cache."""
    source = torch.zeros(_COPY_BYTES // 4, device=device)
    target = torch.ones_like(source)
    times = [seconds(lambda: target.copy_(source), device) for _ in range(_COPY_REPEATS)]
    return 2 * _COPY_BYTES / min(times)


class PeakMemory:
    """The most memory in use since it was made: of the process (RSS), or of PyTorch on a GPU."""

    def __init__(self, device: torch.device):
        self.device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            return
        try:
            Path("/proc/self/clear_refs").write_text("5")  # Linux: forget the high-water mark
        except OSError as error:  # no Linux, or a container that forbids it
            warnings.warn(
                f"glrast: peak memory is that of the whole process so far: the system does not forget it ({error})",
                RuntimeWarning,
                stacklevel=2,
            )

    def bytes(self) -> int:
        """The peak so far."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        try:
            status = Path("/proc/self/status").read_text()
            return int(status.split("VmHWM:")[1].split()[0]) * 1024
        except (OSError, IndexError):  # no /proc, or one that does not tell it
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
