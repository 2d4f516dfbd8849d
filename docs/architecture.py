"""The picture of docs/architecture.md, drawn from the floors that tests/test_floors.py holds the imports to.

Usage: python docs/architecture.py [--out FILE]. You will see: architecture.png. Takes about 2 seconds.
Needs matplotlib (`pip install '.[fit]'`).
"""

import argparse
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.patches import FancyBboxPatch  # noqa: E402

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from tests.test_floors import FLOORS, graph  # noqa: E402

# What each room does, in the words of its package; a floor without words is left out of the picture.
DOES = {
    "core": "messages · the debug switch · how rast is laid out · files",
    "launch": "a kernel file becomes a call: the C++ compiler, or NVRTC",
    "camera": "poses, lenses, camera files",
    "mesh": "obj, ply, glb · topology · remeshing",
    "gl": "EGL, contexts, programs, targets, interop with CUDA",
    "raster": "triangles to ids: what is drawn, in which submissions",
    "context": "Context: which device renders",
    "ops": "rasterize · peel · interpolate · texture · transform",
    "visibility": "antialias · fragments: what boundaries give pos",
    "explain": "why is the gradient 0",
    "mitsuba": "a path tracer",
    "pytorch3d": "its names",
    "clip": "the front of camera and mesh",
    "losses": "image, mask, mesh",
    "optim": "LargeSteps, Adam",
    "shading": "materials, light",
    "torch": "nvdiffrast's names",
    "fit": "posed images to a mesh",
    "doctor": "what this machine lacks",
    "bench": "speed, parity",
    "shim": "import nvdiffrast",
    "cli": "glrast fit, render, bench, doctor",
}
BLUE, ORANGE, GREY = "#dbe9f6", "#fbe3cf", "#eeeeee"
COLOUR = {
    "gl": ORANGE,
    "raster": ORANGE,
    "launch": ORANGE,
}  # the only rooms that touch OpenGL or CUDA
WIDTH, HEIGHT, GAP = 10.0, 0.62, 0.14


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER / "architecture.png")
    args = parser.parse_args()
    floors = [[room for room in rooms if room in DOES] for rooms in FLOORS]
    floors = [rooms for rooms in floors if rooms]
    files = {room: 0 for room in DOES}
    for name in graph(FOLDER.parent / "glrast"):
        room = name.split(".")[0]
        files[room] = files.get(room, 0) + 1
    figure, axes = plt.subplots(figsize=(11, 0.62 * len(floors) + 0.9), dpi=110)
    for level, rooms in enumerate(floors):
        draw_floor(axes, level * (HEIGHT + GAP), rooms, files)
    top = len(floors) * (HEIGHT + GAP)
    arrow = dict(arrowstyle="-|>", color="#555555", lw=1.4)
    axes.annotate("", (-0.45, 0.1), (-0.45, top - 0.25), arrowprops=arrow)
    axes.text(
        -0.72,
        top / 2,
        "imports go down, never up or in a circle",
        rotation=90,
        va="center",
        color="#555555",
    )
    axes.text(
        0,
        -0.42,
        "orange: touches OpenGL or CUDA · small numbers: files of Python",
        fontsize=9,
        color="#555555",
    )
    axes.set_xlim(-0.95, WIDTH + 0.05)
    axes.set_ylim(-0.6, top)
    axes.axis("off")
    figure.savefig(args.out, bbox_inches="tight", metadata={"Software": None})
    print(f"wrote {args.out}")


def draw_floor(axes, bottom: float, rooms: list[str], files: dict[str, int]) -> None:
    width = (WIDTH - GAP * (len(rooms) - 1)) / len(rooms)
    for number, room in enumerate(rooms):
        left = number * (width + GAP)
        colour = COLOUR.get(
            room, BLUE if room not in ("cli", "doctor", "bench", "shim", "torch") else GREY
        )
        box = FancyBboxPatch((left, bottom), width, HEIGHT, boxstyle="round,pad=0,rounding_size=0.08",
                             facecolor=colour, edgecolor="#777777", linewidth=0.8)  # fmt: skip
        axes.add_patch(box)
        axes.text(
            left + 0.14, bottom + HEIGHT * 0.64, room, weight="bold", va="center", fontsize=10.5
        )
        axes.text(left + width - 0.1, bottom + HEIGHT * 0.66, str(files[room]), ha="right", va="center",
                  fontsize=8, color="#666666")  # fmt: skip
        axes.text(left + 0.14, bottom + HEIGHT * 0.26, DOES[room], va="center", fontsize=8.6)


if __name__ == "__main__":
    main()
