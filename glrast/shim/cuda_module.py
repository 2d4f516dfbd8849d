"""torch.cuda without a GPU: streams that are always done, events by the clock, memory of the process.

What only a GPU can do (graphs, peer copies, NCCL) is left as PyTorch has it, with its own error.
"""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch

_TYPES = ("Float", "Double", "Half", "BFloat16", "Byte", "Char", "Short", "Int", "Long", "Bool")


_NOTHING = (
    "init", "synchronize", "set_device", "set_stream", "empty_cache", "ipc_collect", "set_sync_debug_mode",
    "reset_peak_memory_stats", "reset_max_memory_allocated", "reset_max_memory_cached",
)  # fmt: skip
_ANSWERS: dict[str, Callable[..., Any]] = {
    "current_device": lambda: 0,
    "get_device_name": lambda device=None: "CPU",
    "get_device_capability": lambda device=None: (0, 0),
    "get_device_properties": lambda device=None: _properties(),
    "current_stream": lambda device=None: Stream(),
    "default_stream": lambda device=None: Stream(),
    "stream": lambda stream: contextlib.nullcontext(stream),
    "device": lambda device: contextlib.nullcontext(device),
    "device_of": lambda obj: contextlib.nullcontext(obj),
    "memory_allocated": lambda device=None: _resident(),
    "memory_reserved": lambda device=None: _resident(),
    "memory_cached": lambda device=None: _resident(),
    "max_memory_allocated": lambda device=None: _peak(),
    "max_memory_reserved": lambda device=None: _peak(),
    "max_memory_cached": lambda device=None: _peak(),
    "memory_stats": lambda device=None: {},
    "memory_summary": lambda device=None, abbreviated=False: "no GPU: glrast.shim --device cpu",
    "mem_get_info": lambda device=None: (_bytes("SC_AVPHYS_PAGES"), _bytes("SC_PHYS_PAGES")),
    "get_rng_state": lambda device="cuda": torch.get_rng_state(),
    "set_rng_state": lambda new_state, device="cuda": torch.set_rng_state(new_state),
    "get_rng_state_all": lambda: [torch.get_rng_state()],
    "set_rng_state_all": lambda new_states: torch.set_rng_state(new_states[0]),
}


def exchange() -> None:
    """Every function here takes the place of torch.cuda's."""
    cuda: Any = torch.cuda
    for name, answer in {**dict.fromkeys(_NOTHING, _nothing), **_ANSWERS}.items():
        if hasattr(cuda, name):  # some are gone in newer versions
            setattr(cuda, name, _another(answer))
    cuda.Event, cuda.Stream, cuda.ExternalStream = Event, Stream, ExternalStream
    for name in ("range_push", "range_pop", "mark", "range_start", "range_end"):
        setattr(cuda.nvtx, name, _another(_nothing))
    cuda.nvtx.range = lambda *args, **named: contextlib.nullcontext()
    for name in _TYPES:
        setattr(cuda, f"{name}Tensor", getattr(torch, f"{name}Tensor"))


def _another(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same as an object of its own: torch.compile has a rule for each function of torch.cuda, by identity."""
    return lambda *args, **named: function(*args, **named)


def host_type(given: Any) -> Any:
    """'torch.cuda.FloatTensor' is 'torch.FloatTensor'; all else is as it was."""
    return given.replace("torch.cuda.", "torch.") if isinstance(given, str) else given


class Stream:
    """One that has done everything as soon as it was asked."""

    device, cuda_stream, priority = torch.device("cpu"), 0, 0

    def __init__(self, device: Any = None, priority: int = 0, **named: Any):
        pass

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream)

    def __hash__(self) -> int:
        return 0

    def query(self) -> bool:
        return True

    def record_event(self, event: Event | None = None) -> Event:
        event = event or Event()
        event.record()
        return event

    def synchronize(self) -> None: ...
    def wait_event(self, event: Event) -> None: ...
    def wait_stream(self, stream: Stream) -> None: ...


class ExternalStream(Stream):
    """Another's is no different."""


class Event:
    """The clock at the time of `record`."""

    def __init__(
        self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False
    ):
        self._at: float | None = None

    def record(self, stream: Stream | None = None) -> None:
        self._at = time.perf_counter()

    def elapsed_time(self, end_event: Event) -> float:
        """Milliseconds from this one to `end_event`."""
        if self._at is None or end_event._at is None:
            raise RuntimeError(
                "torch.cuda.Event: both events must be recorded before their time is asked for"
            )
        return 1e3 * (end_event._at - self._at)

    def query(self) -> bool:
        return True

    def synchronize(self) -> None: ...
    def wait(self, stream: Stream | None = None) -> None: ...


def _nothing(*args: Any, **named: Any) -> None:
    """Everything is done already, and nothing is kept on a GPU."""


def _properties() -> SimpleNamespace:
    memory, processors = _bytes("SC_PHYS_PAGES"), os.cpu_count() or 1
    return SimpleNamespace(
        name="CPU", major=0, minor=0, total_memory=memory, multi_processor_count=processors
    )


def _bytes(name: str) -> int:
    return os.sysconf(name) * os.sysconf("SC_PAGE_SIZE")


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
