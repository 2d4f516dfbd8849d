"""What the pictures have in common: colours, panels, pixel grids, and two things to draw."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch

import glrast

INK, SOFT, PALE = "#24292f", "#8c959f", "#eaeef2"
RED, GREEN, BLUE, ORANGE = "#d1495b", "#2a9d6f", "#2f6fb5", "#e08e2b"
PAPER = {"fc": "white", "ec": "none", "alpha": 0.75, "pad": 0.6}
DOT = {"s": 9, "color": INK, "zorder": 4}
ARROW = {"arrowstyle": "-|>", "color": INK, "lw": 1.4, "shrinkA": 0, "shrinkB": 0}
plt.rcParams.update({
    "font.size": 10, "axes.titlesize": 10.5, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": SOFT,
    "xtick.color": INK, "ytick.color": INK, "axes.linewidth": 0.8, "figure.facecolor": "white", "image.origin": "lower",
    "image.interpolation": "nearest", "savefig.dpi": 130, "figure.constrained_layout.use": True,
})  # fmt: skip
ctx = glrast.Context("cpu")
ONE = torch.tensor([[0, 1, 2]])
SKY = torch.tensor([0.86, 0.91, 0.96])


def panels(count, height=3.0, ratios=None):
    """A figure as wide as a page with a row of panels."""
    figure, axes = plt.subplots(1, count, figsize=(9.6, height), width_ratios=ratios, squeeze=False)
    return figure, list(axes[0])


def grid(axis, height, width, title):
    """Pixel borders and centres of an image whose row 0 is at the bottom."""
    axis.hlines(range(height + 1), 0, width, color=SOFT, lw=0.6)
    axis.vlines(range(width + 1), 0, height, color=SOFT, lw=0.6)
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    axis.scatter(x, y, **DOT)
    axis.set(title=title, aspect="equal", xlim=(-0.1, width + 0.1), ylim=(-0.1, height + 0.1))
    axis.set_xticks([i + 0.5 for i in range(width)], range(width))
    axis.set_yticks([i + 0.5 for i in range(height)], range(height))
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def bare(axis, title, **more):
    axis.set(title=title, xticks=[], yticks=[], **more)
    axis.spines[:].set_visible(False)


def show(axis, image, size, **more):
    """An image [H,W,...] with pixel borders at whole numbers."""
    return axis.imshow(image, extent=(0, size[1], 0, size[0]), **more)


def to_pixels(pos, height, width):
    """Clip [V,4] to pixels [V,2]: x to the right, y up."""
    return (pos[:, :2] / pos[:, 3:] + 1) / 2 * torch.tensor([width, height])


def quad(z=0.0, scale=1.0):
    """A square of clip space, its two triangles and its texture coordinates."""
    corner = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
    pos = torch.cat([corner * scale, torch.tensor([[z, 1.0]]).expand(4, 2)], 1)
    return pos[None], torch.tensor([[0, 1, 2], [0, 2, 3]]), (corner + 1) / 2


def letter_f():
    """An 8 x 8 texture [1,8,8,3] with an F on it, row 0 at the bottom."""
    rows = [
        "........",
        "..####..",
        "..#.....",
        "..###...",
        "..#.....",
        "..#.....",
        "..#.....",
        "........",
    ]
    mask = torch.tensor([[c == "#" for c in row] for row in rows]).flip(0)
    ramp = torch.linspace(0.75, 1.0, 8)[None, :, None] * torch.tensor([0.78, 0.88, 1.0])
    return torch.where(mask[..., None], torch.tensor([0.12, 0.3, 0.55]), ramp)[None]
