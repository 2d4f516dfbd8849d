"""GLSL programs from shaders/: compiled once per context, with errors that name the file and the line."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

import moderngl

from ..launch import source
from .context import DeviceContext


def program(context: DeviceContext, stem: str, *defines: str) -> moderngl.Program:
    """The program shaders/STEM.vert + shaders/STEM.frag with `#define`s; the context must be current."""
    key = ("program", stem, defines)
    with context.lock:
        if key not in context.objects:
            context.objects[key] = compile_program(
                context, stem, *(_read(f"{stem}.{stage}", defines) for stage in ("vert", "frag"))
            )
        return context.objects[key]


def compile_program(
    context: DeviceContext, stem: str, vertex: str, fragment: str
) -> moderngl.Program:
    """Compile two texts; RuntimeError shows shaders/FILE:LINE, that line, and the driver's message."""
    try:
        with _interrupt_after():
            return context.moderngl.program(vertex_shader=vertex, fragment_shader=fragment)
    except moderngl.Error as error:
        raise RuntimeError(_explain(stem, vertex, fragment, str(error))) from None


@contextmanager
def _interrupt_after() -> Generator[None, None, None]:
    """Ctrl-C waits for the end: moderngl 5.13 crashes on an exception within its own Python calls."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    came: list[tuple[int, FrameType | None]] = []

    def remember(number: int, frame: FrameType | None) -> None:
        came.append((number, frame))

    signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if came:
            handler(*came[0])


def _read(file_name: str, defines: tuple[str, ...]) -> str:
    """The file with the defines after its #version line, and its own line numbers kept."""
    first, rest = (source.folder("shaders") / file_name).read_text().split("\n", 1)
    return "\n".join([first, *(f"#define {name} 1" for name in defines), "#line 2", rest])


def _explain(stem: str, vertex: str, fragment: str, message: str) -> str:
    file_name, text = (
        (f"{stem}.frag", fragment) if "fragment_shader" in message else (f"{stem}.vert", vertex)
    )
    # Drivers say 0:12(3) (Mesa) or 0(12) (NVIDIA); the number is the file's line thanks to #line.
    place = re.search(r"\b\d+:(\d+)\(\d+\)|\b\d+\((\d+)\)", message)
    number = int(place[1] or place[2]) if place else 0
    lines = text.split("#line 2\n", 1)[-1].split("\n")
    shown = lines[number - 2].strip() if 2 <= number < len(lines) + 2 else ""
    details = "\n".join(line for line in message.splitlines() if ":" in line or "(" in line)
    return f"glrast: shaders/{file_name}:{number} does not compile: {shown}\n{details}"
