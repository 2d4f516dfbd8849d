"""Tutorials 1 and 2: a step and a ramp, and derivatives as images."""

import torch
from matplotlib.patches import Rectangle
from style import DOT, GREEN, INK, PALE, RED, SOFT, bare, panels, plt

SLOPE = {"cmap": "RdBu_r", "vmin": -1, "vmax": 1}  # red: brighter, blue: darker


def step_and_ramp(n):
    figure, (pixel, value, slope) = panels(3, 2.9, ratios=(0.8, 1, 1))
    _pixel(pixel, 0.4)
    at = torch.linspace(-0.25, 1.25, 121)
    found = {name: _sweep(render, at) for name, render in (("hard", n.hard), ("exact", n.exact))}
    style = {
        "hard": dict(color=RED, label="centre covered?"),
        "exact": dict(color=GREEN, label="area covered"),
    }
    for name, (brightness, slopes) in found.items():
        for axis, y in ((value, brightness), (slope, slopes)):
            axis.plot(at, y, lw=2.2, **style[name])
    value.set(title="brightness of the pixel", xlabel="edge", ylim=(-0.1, 1.25), yticks=(0, 0.5, 1))
    slope.set(title="its slope, by autograd", xlabel="edge", ylim=(-0.1, 1.25), yticks=(0, 0.5, 1))
    value.legend(frameon=False, loc="upper left", fontsize=9)
    slope.annotate("0 everywhere", (0.5, 0.04), color=RED, fontsize=9, ha="center")
    for axis in (value, slope):
        axis.set_xticks((0, 0.5, 1))
        axis.axvspan(0, 1, color=PALE, zorder=0, lw=0)
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def _pixel(axis, edge) -> None:
    axis.add_patch(Rectangle((-0.35, -0.35), 0.35 + edge, 1.7, fc="#fbd9a8", ec="none"))
    axis.plot((edge, edge), (-0.35, 1.35), color=INK, lw=2)
    axis.add_patch(Rectangle((0, 0), 1, 1, fc="none", ec=INK, lw=1.6))
    axis.scatter([0.5], [0.5], **DOT | {"s": 30})
    axis.annotate(
        "", (edge + 0.42, 1.16), (edge, 1.16), arrowprops={"arrowstyle": "-|>", "color": INK}
    )
    axis.annotate("the wall", (-0.3, 1.1), fontsize=9)
    axis.annotate("centre", (0.56, 0.46), fontsize=9, color=SOFT)
    axis.annotate("edge", (edge - 0.03, -0.3), fontsize=9, ha="right")
    bare(axis, "one edge in one pixel", aspect="equal", xlim=(-0.36, 1.36), ylim=(-0.36, 1.36))


def _sweep(render, at):
    values, slopes = [], []
    for x in at:
        edge = x.clone().requires_grad_()
        value = render(edge)[0, 0]
        slopes.append(torch.autograd.grad(value, edge)[0])
        values.append(value.detach())
    return torch.stack(values), torch.stack(slopes)


def shift(n):
    figure, axes = panels(4, 2.75)
    image = n.exact(n.shifted(torch.zeros(1)))[0]
    axes[0].imshow(image, cmap="gray", vmin=0, vmax=1)
    axes[0].annotate(
        "", (n.R - 1, 2), (n.R - 6, 2), arrowprops={"arrowstyle": "-|>", "color": "orange", "lw": 2}
    )
    titles = (
        "the image; θ moves it right",
        "autograd, hard image",
        "autograd, exact image",
        "differences of samples",
    )
    for axis, jacobian in zip(axes[1:], (n.J_hard, n.J, n.measured(n.STEP))):
        drawn = axis.imshow(jacobian, **SLOPE)
    axes[1].text(n.R / 2 - 0.5, n.R / 2 - 0.5, "zero everywhere", ha="center", fontsize=9)
    for axis, title in zip(axes, titles):
        bare(axis, title)
        axis.add_patch(_frame(n.R))
    _scale(figure, drawn, axes, "d pixel / d θ")
    return figure


def parameters(n):
    figure, axes = panels(3, 3.0)
    titles = ("shift to the right", "growth", "turn, counterclockwise")
    for axis, title, jacobian in zip(axes, titles, (n.J, n.J_scale, n.J_turn)):
        most = float(jacobian.abs().max())
        drawn = axis.imshow(jacobian / most, **SLOPE)
        bare(axis, f"{title}: sum {abs(float(jacobian.sum().round(decimals=2))):.2f}")
        axis.add_patch(_frame(n.R))
    _scale(figure, drawn, axes, "d pixel / d θ, of the largest")
    return figure


def _frame(size):
    return plt.Rectangle((-0.5, -0.5), size, size, fc="none", ec=SOFT, lw=0.8)


def _scale(figure, drawn, axes, label) -> None:
    bar = figure.colorbar(drawn, ax=axes, shrink=0.75, ticks=(-1, 0, 1), aspect=14)
    bar.set_label(f"{label}\nred: brighter, blue: darker", fontsize=8.5)
    bar.outline.set_edgecolor(SOFT)
