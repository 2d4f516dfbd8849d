"""The pictures of docs/exact.md and of the README: `python docs/exact.py [--out DIR]`.

You will see: exact.png, edges by samples and exactly, and exact_idea.png, a pixel with its runs and fragments. Takes
about 20 seconds. Needs matplotlib (`pip install '.[fit]'`).
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parent), str(FOLDER)]

from pictures.style import ARROW, BLUE, INK, ORANGE, PALE, RED, SKY, bare, ctx, panels, plt, show  # noqa: E402

from tests.reference.visibility import clipped  # noqa: E402
from tests.visibility import crowded  # noqa: E402
from tests.visibility import discontinuities as kinds  # noqa: E402
from tests.visibility.exact import render  # noqa: E402

GAIN = 4  # of the errors that are shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER)
    args = parser.parse_args()
    for name, draw in {"exact": samples, "exact_idea": idea}.items():
        draw().savefig(args.out / f"{name}.png", pil_kwargs={"optimize": True})
        print(f"wrote {args.out / name}.png")


# ---- beside samples --------------------------------------------------------------------------------------


def star() -> kinds.Kind:
    """Blades that meet in a point, strips down to a fifth of a pixel, and triangles smaller than pixels."""
    parts, center = [], np.array([24.3, 39.8])
    for i in range(28):
        a = 2 * np.pi * (i + 0.1) / 28
        ends = [center + 22 * np.array([np.cos(b), np.sin(b)]) for b in (a, a + 0.11)]
        parts.append((np.array([center, *ends]), -0.2, 1.0, (0.85, 0.22 + 0.5 * i / 28, 0.15)))
    for i in range(7):
        x, wide = 45.2 + 2.6 * i, 1.4 * 0.72**i
        strip = [(x, 3.3), (x + wide, 3.3), (x + wide - 6, 61.2), (x - 6, 61.2)]
        parts.append((strip, 0.0, 1.0, (0.1, 0.3, 0.62)))
    for i in range(13):
        for j in range(3):
            x, y, side = 2.2 + 3.13 * i, 3.4 + 3.57 * j, 0.35 + 0.12 * i
            tip = [(x, y), (x + side, y + 0.1 * side), (x + 0.3 * side, y + side)]
            parts.append((tip, 0.1, 1.0, (0.1, 0.5, 0.35)))
    screen = [(-9, -9), (80, -9), (80, 80), (-9, 80)]
    return crowded.fans([*parts, (screen, 0.8, 1.0, SKY.tolist())])


def samples():
    """One scene by samples, by pairs of pixels and exactly, and below each how far it is from the truth."""
    kind = star()
    truth = clipped.image(*clipped.as_arrays(*kind[:3]), kinds.SIZE)
    found = {"1 sample": sampled(kind, 1)}
    found["antialias"] = kinds.shaded(ctx, kind, kind.pos, "silhouettes")
    found |= {f"{s * s} samples": sampled(kind, s) for s in (2, 4, 8)}
    found["exact"] = render(ctx, kind)
    figure, axes = plt.subplots(2, len(found), figsize=(11.4, 4.2))
    for (name, image), (above, below) in zip(found.items(), axes.T):
        apart = image[0].double().numpy() - truth
        show(above, image[0].clamp(0, 1), kinds.SIZE)
        bare(above, name)
        show(below, np.clip(1 - GAIN * abs(apart), 0, 1), kinds.SIZE)
        bare(below, f"rms {np.sqrt((apart**2).mean()):.1g}, at most {abs(apart).max():.1g}")
        below.title.set_fontsize(8.5)
    return figure


def sampled(kind: kinds.Kind, s: int) -> torch.Tensor:
    """The mean of s x s centres a pixel."""
    large, _ = kinds.interpolated(ctx, kind, kind.pos, [s * side for side in kinds.SIZE])
    return torch.nn.functional.avg_pool2d(large.movedim(3, 1), s).movedim(1, 3)


# ---- the idea --------------------------------------------------------------------------------------------

PIXEL = (3, 4)  # the one that is looked at
# In pixels; the first lies before the other.
NEAR = 1.7 * np.array([(0.2, -0.1), (2.75, 1.9), (0.1, 3.6)]) + 0.25
FAR = 1.7 * np.array([(1.1, 0.2), (4.4, 0.9), (2.2, 3.9)]) + 0.25
SIZE = (7, 8)


def idea():
    figure, (mesh, runs, parts) = panels(3, 3.3, ratios=(1.25, 1, 1))
    _mesh(mesh)
    _runs(runs)
    _parts(parts)
    return figure


def _mesh(axis) -> None:
    axis.fill(*FAR.T, color=ORANGE, alpha=0.55, lw=0)
    axis.fill(*NEAR.T, color=BLUE, alpha=0.9, lw=0)
    for x in range(SIZE[1]):
        for y in range(SIZE[0]):
            crossed = _is_crossed(x, y)
            edge = {"ec": INK, "lw": 1.0, "zorder": 4} if crossed else {"ec": PALE, "lw": 0.6}
            axis.add_patch(plt.Rectangle((x, y), 1, 1, fc="none", **edge))
    axis.add_patch(plt.Rectangle(PIXEL, 1, 1, fc="none", ec=RED, lw=2.4, zorder=5))
    bare(axis, "pixels that a visible boundary crosses", aspect="equal")
    axis.set(xlim=(-0.1, SIZE[1] + 0.1), ylim=(-0.1, SIZE[0] + 0.1))


def _pieces() -> dict[str, list[np.ndarray]]:
    """Convex polygons of what is seen, over the whole image."""
    return {"near": [NEAR], "far": clipped.without(FAR, [NEAR])}


def _in(piece: np.ndarray, x: int, y: int) -> np.ndarray:
    """The part of a convex polygon in a pixel."""
    for axis, low in enumerate((x, y)):
        piece = clipped.clip(piece, piece[:, axis] - low) if len(piece) else piece
        piece = clipped.clip(piece, low + 1 - piece[:, axis]) if len(piece) else piece
    return piece


def _seen(x: int, y: int) -> dict[str, list[np.ndarray]]:
    found = {name: [_in(p, x, y) for p in pieces] for name, pieces in _pieces().items()}
    return {name: [p for p in pieces if len(p) >= 3] for name, pieces in found.items()}


def _is_crossed(x: int, y: int) -> bool:
    areas = [sum(map(clipped.area_of, pieces)) for pieces in _seen(x, y).values()]
    areas.append(1 - sum(areas))
    return sum(a > 1e-9 for a in areas) > 1


def _runs(axis) -> None:
    """The visible parts of edges in the pixel, what they part, and the shadow of one seen from o."""
    o = np.array(PIXEL) + (0.72, 0.62)
    for outline, others, color in ((NEAR, [], BLUE), (FAR, [NEAR], ORANGE)):
        for a, b in zip(outline, np.roll(outline, -1, 0)):
            whole = _cut(a, b)
            if whole is None:
                continue
            axis.plot(*np.stack(whole).T, color=color, lw=1.2, ls=":")
            for p, q in _outside(*whole, others):
                axis.annotate("", q, p, arrowprops=ARROW | {"color": color, "lw": 2.6})
    shadow = _shadow(o)
    axis.fill(*shadow.T, fc="none", ec=BLUE, hatch="////", lw=0, alpha=0.7)
    axis.plot(*o, "o", color=RED, ms=6)
    axis.annotate("o", o, xytext=(5, 4), textcoords="offset points", color=RED)
    _frame(axis, "its runs; the shadow of one")


def _cut(a, b):
    """The part of a segment in the pixel."""
    low, high = 0.0, 1.0
    for axis in (0, 1):
        ends = sorted((np.array([0, 1]) + PIXEL[axis] - a[axis]) / (b[axis] - a[axis]))
        low, high = max(low, ends[0]), min(high, ends[1])
    return (a + low * (b - a), a + high * (b - a)) if low < high else None


def _outside(a, b, others):
    """The parts of a segment outside a convex polygon, found by halving steps small enough to see none."""
    s = np.linspace(0, 1, 2001)
    points = a + s[:, None] * (b - a)
    kept = np.ones(len(s), bool)
    for other in others:
        kept &= ~np.all([side(points) >= 0 for side in clipped.sides_of(other)], 0)
    border = np.flatnonzero(np.diff(np.concatenate([[0], kept, [0]])))
    return [(points[i], points[j - 1]) for i, j in zip(border[::2], border[1::2]) if j - i > 20]


def _shadow(o):
    """What of the pixel lies behind the near triangle's edge, seen from o."""
    a, b = _cut(NEAR[1], NEAR[2])
    far = 9.0
    behind = np.array([a, b, o + far * (b - o), o + far * (a - o)])
    return _in(behind, *PIXEL)


def _parts(axis) -> None:
    """The fragments: areas, and the points where they are shaded."""
    x, y = PIXEL
    axis.add_patch(plt.Rectangle((x, y), 1, 1, fc=SKY.numpy(), ec="none"))
    rest, moment = 1.0, np.array([x + 0.5, y + 0.5])
    shown = []
    for (name, pieces), color in zip(_seen(x, y).items(), (BLUE, ORANGE)):
        for piece in pieces:
            axis.fill(*piece.T, color=color, alpha=0.9 if name == "near" else 0.55, lw=0)
        area = sum(map(clipped.area_of, pieces))
        center = sum(clipped.area_of(p) * clipped.center_of(p) for p in pieces)
        rest, moment = rest - area, moment - center
        if area:
            shown.append((area, center / area))
    for area, center in [*shown, (rest, moment / rest)]:
        axis.plot(*center, "o", color=INK, ms=5)
        axis.annotate(f"{area:.3f}", center, xytext=(6, 5), textcoords="offset points", fontsize=11)
    _frame(axis, "its fragments")


def _frame(axis, title) -> None:
    x, y = PIXEL
    axis.add_patch(plt.Rectangle(PIXEL, 1, 1, fc="none", ec=RED, lw=2.4))
    bare(axis, title, aspect="equal", xlim=(x - 0.06, x + 1.06), ylim=(y - 0.06, y + 1.06))


if __name__ == "__main__":
    main()
