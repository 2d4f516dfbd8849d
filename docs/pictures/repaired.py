"""Tutorials 4 to 6: outlines by pairs of pixels, by splats, and by the integral over edges."""

import torch
from boundary import SLOPE
from style import BLUE, GREEN, INK, ORANGE, RED, SOFT, bare, panels, plt

WINDOW = (14, 30, 3, 19)  # left, right, bottom, top: a corner of the triangle, in pixels


def pairs(n):
    at, tri, shade = n.scene("silhouette")
    figure, (image, exact, found, curve) = panels(4, 2.7, ratios=(1, 1, 1, 1.15))
    _part(image, n.render(at, tri, shade, "silhouettes")[0, ..., 0], at)
    bare(image, "antialias")
    for axis, how, title in (
        (exact, "exact", "d image / d shift, exact"),
        (found, "silhouettes", "the same by antialias"),
    ):
        _slopes(axis, lambda p, how=how: n.render(p, tri, shade, how), at)
        bare(axis, title)
    curve.plot(list(n.found), list(n.found.values()), "o-", color=RED, lw=1.8, ms=4)
    curve.axhline(1, color=INK, lw=3.5, alpha=0.25)
    curve.annotate("exact", (100, 1.03), fontsize=8.5)
    curve.set(
        title="growth of a sphere: found", xlabel="triangles", xscale="log", ylim=(-0.03, 1.15)
    )
    curve.spines[["top", "right"]].set_visible(False)
    return figure


def splats(n):
    at, tri, shade = n.scene("silhouette")
    figure, (dot, row, exact, found) = panels(4, 2.7, ratios=(0.9, 1.2, 1, 1))
    patch = n.patch
    dot.imshow(patch, cmap="Oranges", vmin=0, vmax=0.9, extent=(0, 3, 0, 3))
    for y in range(3):
        for x in range(3):
            dot.annotate(f"{patch[y, x]:.2f}", (x + 0.5, y + 0.2), ha="center", fontsize=9)
    dot.hlines(range(4), 0, 3, color=SOFT, lw=0.8)
    dot.vlines(range(4), 0, 3, color=SOFT, lw=0.8)
    dot.plot(1.5, 1.5, "o", color=INK, ms=5)
    dot.annotate("", (2.15, 1.75), (1.55, 1.52), arrowprops={"arrowstyle": "-|>", "color": INK})
    bare(dot, "a dot and its paint")
    for name, render, color in (("exact", n.exact, GREEN), ("splats", n.splatted, RED)):
        values, _ = n.row_and_slopes(render, 9.4)
        row.stairs(values.detach()[:14], range(15), color=color, lw=1.8, label=name)
    row.axvline(9.4, color=SOFT, lw=1, ls=":")
    row.set(title="a row, edge at 9.4", xlabel="x, pixels", yticks=(0, 0.5, 1), ylim=(-0.05, 1.4))
    row.legend(frameon=False, fontsize=8.5, loc="upper right", ncols=2, handlelength=1.2)
    row.spines[["top", "right"]].set_visible(False)
    for axis, render, title in (
        (exact, n.exact, "d image / d shift, exact"),
        (found, n.splatted, "the same by splats"),
    ):
        _slopes(axis, lambda p, render=render: render(p, tri, shade), at)
        bare(axis, title)
    return figure


def _part(axis, image, at, **style) -> None:
    left, right, bottom, top = WINDOW
    style = style or {"cmap": "gray", "vmin": 0, "vmax": 1}
    axis.imshow(image[bottom:top, left:right].detach(), extent=(left, right, bottom, top), **style)
    outline = torch.cat([at, at[:1]])[:, :2]
    axis.plot(*outline.T, color=ORANGE, lw=1.2)
    axis.set(xlim=(left, right), ylim=(bottom, top))
    axis.add_patch(plt.Rectangle((left, bottom), right - left, top - bottom, fc="none", ec=SOFT))


def _slopes(axis, render, at) -> None:
    """d pixel / d shift in the window, one backward pass for each pixel."""
    shift = torch.tensor(0.0, requires_grad=True)
    image = render(at + shift * torch.tensor([1.0, 0, 0]))[0, ..., 0]
    slopes, (left, right, bottom, top) = torch.zeros_like(image), WINDOW
    for y in range(bottom, top):
        for x in range(left, right):
            slopes[y, x] = torch.autograd.grad(image[y, x], shift, retain_graph=True)[0]
    _part(axis, slopes, at, **SLOPE)


def integral(n):
    figure, (points, pieces, curve) = panels(3, 3.1, ratios=(1, 1, 1.15))
    outline = torch.cat([n.triangle, n.triangle[:1]])
    for axis in (points, pieces):
        _part(axis, n.noise, n.triangle, cmap="RdBu_r", vmin=-4, vmax=4, alpha=0.45)
    dice = torch.Generator().manual_seed(3)
    for a, b in zip(outline, outline[1:]):
        t, ends = torch.rand(16, 1, generator=dice), _cuts(a, b, n.R)[:, None]
        points.plot(*(a + t * (b - a)).T, "o", color=RED, ms=5)
        pieces.plot(*(a + ends * (b - a)).T, "|", color=INK, ms=9, mew=1.4)
        pieces.plot(*(a + (ends[1:] + ends[:-1]) / 2 * (b - a)).T, "o", color=GREEN, ms=3.5)
    bare(points, "random points; behind them r")
    bare(pieces, "pieces within pixels, their middles")
    samples = [4**k for k in range(2, 8)]
    dice = torch.Generator().manual_seed(1)
    tries = {
        s: [_error(n, n.by_points(n.triangle, n.noise, s, dice)) for _ in range(8)] for s in samples
    }
    random = [sum(tries[s]) / 8 for s in samples]
    middles = [_error(n, n.by_middles(n.triangle, n.noise, s)) for s in samples]
    curve.plot(samples, random, "o-", color=RED, lw=1.6, ms=4, label="random points")
    curve.plot(samples, middles, "o-", color=BLUE, lw=1.6, ms=4, label="middles of equal parts")
    pairs_error = n.table["antialias", "silhouette"][1]
    curve.axhline(pairs_error, color=SOFT, lw=1.4, ls="--", label="antialias")
    curve.axhline(_error(n, n.by_pieces(n.triangle, n.noise)), color=GREEN, lw=1.8, label="pieces")
    curve.set(title="error under white noise", xlabel="points an edge", xscale="log", yscale="log")
    curve.legend(frameon=False, fontsize=8.5, loc="lower left", bbox_to_anchor=(0, 0.06))
    curve.spines[["top", "right"]].set_visible(False)
    return figure


def _cuts(a, b, size):
    borders = torch.arange(size + 1.0)
    cuts = torch.cat(
        [(borders - a[i]) / (b[i] - a[i]) for i in (0, 1)] + [torch.tensor([0.0, 1.0])]
    )
    return cuts[(cuts >= 0) & (cuts <= 1)].sort().values


def _error(n, found) -> float:
    return n.relative_error(found, n.true)
