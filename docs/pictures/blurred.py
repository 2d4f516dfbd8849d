"""Tutorial 3: what the width of a soft outline does, and the seams of a soft mesh."""

import torch
from style import BLUE, GREEN, INK, ORANGE, RED, SOFT, bare, panels, plt

SIGMAS = {0.01: RED, 0.05: ORANGE, 1.0: BLUE, 10.0: "#7a5ab5"}


def width(n):
    figure, (pixel, row, error) = panels(3, 3.1)
    at = torch.linspace(13.5, 19.5, 121)
    pixel.plot(at, (at - 16).clamp(0, 1), color=INK, lw=3.5, alpha=0.25, label="exact")
    for sigma, color in SIGMAS.items():
        values = [_pixel(n, x, sigma) for x in at]
        pixel.plot(at, values, color=color, lw=1.6, label=f"σ = {sigma:g}")
    pixel.axvspan(16, 17, color="#eaeef2", zorder=0, lw=0)
    pixel.set(title="brightness of pixel 16", xlabel="edge, pixels", yticks=(0, 0.5, 1))
    pixel.legend(frameon=False, fontsize=8, loc="upper left", handlelength=1.2)
    near = torch.linspace(16.0, 17.0, 61)
    row.axhline(1, color=INK, lw=3.5, alpha=0.25)
    for sigma, color in SIGMAS.items():
        row.plot(near, [n.slope_of_a_row(float(x), sigma) for x in near], color=color, lw=1.6)
    row.set(title="slope of the row's sum", xlabel="edge, pixels", xticks=(16, 16.5, 17))
    row.annotate("exact: 1", (16.02, 1.12), fontsize=8.5)
    _errors(n, error)
    for axis in (pixel, row, error):
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def _pixel(n, at, sigma) -> float:
    pix = n.WALL + at * n.MOVES * torch.tensor([1.0, 0.0])
    return float(n.soft(pix, n.quad, sigma)[16, 16])


def _errors(n, axis) -> None:
    sigmas = [10 ** (k / 4) for k in range(-8, 5)]
    errors = [n.errors(lambda p, s=s: n.soft(p, n.one, s), n.triangle, n.one) for s in sigmas]
    true = n.exact(n.triangle, n.one)
    apart = [float((n.soft(n.triangle, n.one, s) - true).square().mean().sqrt()) for s in sigmas]
    smooth, noise = zip(*errors)
    for values, color, label in (
        (noise, RED, "gradient, noise"),
        (smooth, GREEN, "gradient, smooth loss"),
        (apart, BLUE, "image, rms"),
    ):
        axis.plot(sigmas, values, "o-", color=color, lw=1.6, ms=3, label=label)
    axis.set(title="error, one triangle", xlabel="σ, pixels²", xscale="log", ylim=(0, 1.45))
    axis.legend(frameon=False, fontsize=8, loc="upper right")


def seams(n):
    figure, axes = panels(5, 2.35)
    axes[0].imshow(n.exact(n.triangle, n.one), cmap="gray", vmin=0, vmax=1)
    area = float(n.exact(n.triangle, n.one).sum())
    bare(axes[0], f"exact: area {area:.1f}")
    pix, tri = n.triangle, n.one
    for axis in axes[1:]:
        mask = n.soft(pix, tri, 1.0)
        axis.imshow(mask, cmap="gray", vmin=0, vmax=1)
        noun = "triangle" if len(tri) == 1 else "triangles"
        bare(axis, f"{len(tri)} {noun}: {mask.sum():.1f}")
        pix, tri = n.cut(pix, tri)
    outline = torch.cat([n.triangle, n.triangle[:1]]) - 0.5
    for axis in axes:
        axis.plot(*outline.T, color=ORANGE, lw=0.9)
        axis.add_patch(plt.Rectangle((-0.5, -0.5), n.R, n.R, fc="none", ec=SOFT, lw=0.8))
    return figure
