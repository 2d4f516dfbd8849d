"""What rasterize gives, and what antialias does with it."""

import torch
from matplotlib.colors import ListedColormap
from matplotlib.patches import Polygon
from style import (
    BLUE,
    GREEN,
    INK,
    ONE,
    ORANGE,
    PAPER,
    RED,
    SOFT,
    bare,
    ctx,
    grid,
    panels,
    show,
    to_pixels,
)

import glrast
from glrast.clip import icosphere, look_at, perspective, transform_points


def barycentrics():
    size = (160, 200)
    pos = torch.tensor([[-0.75, -0.7, 0, 1], [0.85, -0.45, 0, 1], [-0.15, 0.8, 0, 1.0]])
    rast, _ = glrast.rasterize(ctx, pos[None], ONE, size)
    colour, _ = glrast.interpolate(torch.eye(3), rast, ONE)
    shown = rast[0, ..., 3:] > 0
    figure, axes = panels(3, 2.9)
    show(axes[0], torch.where(shown, colour[0], 1.0), size)
    titles = "torch.eye(3) interpolated", "u, rast[..., 0]", "v, rast[..., 1]"
    for axis, channel, palette in zip(axes[1:], (0, 1), ("Reds", "Greens")):
        value = torch.where(shown[..., 0], rast[0, ..., channel], torch.nan)
        drawn = show(axis, value, size, cmap=palette, vmin=0, vmax=1)
        contour = {"levels": [0.25, 0.5, 0.75], "colors": INK, "linewidths": 0.7}
        lines = axis.contour(
            torch.arange(size[1]) + 0.5, torch.arange(size[0]) + 0.5, value, **contour
        )
        axis.clabel(lines, [0.25, 0.5], fontsize=8)
        figure.colorbar(drawn, ax=axis, shrink=0.8, ticks=[0, 1])
    for axis, title in zip(axes, titles):
        for i, (x, y) in enumerate(to_pixels(pos, *size).tolist()):
            color = (RED, GREEN, BLUE)[i]
            axis.scatter([x], [y], s=26, color=color, zorder=5)
            x, y = (x - 3, y - 17) if i == 0 else (x + 2, y - 19) if i == 1 else (x + 8, y)
            axis.text(x, y, f"vertex {i}", color=color, ha="left" if i == 2 else "center")
        bare(axis, title)
    return figure


def rast_channels():
    pos, tri = icosphere(1)
    clip = transform_points(
        perspective(0.75, 1.0, 1.5, 5.0) @ look_at((0.4, 0.8, 2.9), (0, 0, 0)), pos
    )[None]
    rast, _ = glrast.rasterize(ctx, clip, tri, (96, 96))
    empty = rast[0, ..., 3] == 0
    figure, axes = panels(4, 2.75)
    ids = torch.rand(len(tri) + 1, 3, generator=torch.Generator().manual_seed(4)) * 0.6 + 0.35
    palettes = "Reds", "Greens", "viridis_r", ListedColormap(ids.numpy())
    titles = "[..., 0] = u", "[..., 1] = v", "[..., 2] = z/w", "[..., 3] = triangle id + 1"
    for channel, (axis, palette, title) in enumerate(zip(axes, palettes, titles)):
        value = torch.where(empty, torch.nan, rast[0, ..., channel])
        limits = {"vmin": 0, "vmax": (1, 1, None, len(tri))[channel]} if channel != 2 else {}
        drawn = axis.imshow(value, cmap=palette, **limits)
        figure.colorbar(drawn, ax=axis, orientation="horizontal", shrink=0.85, pad=0.03)
        bare(axis, title)
        axis.text(2, 3, "0 here", color=SOFT, fontsize=9)
    return figure


def rast_db():
    size = (96, 128)
    ends = torch.tensor(
        [[-0.97, -0.9, 1.0], [0.95, -0.7, 1.0], [1.0, 3.0, 3.4]]
    )  # x, y, w: the last vertex is far away
    pos = torch.cat([ends[:, :2], 0 * ends[:, :1], ends[:, 2:]], 1)
    rast, db = glrast.rasterize(ctx, pos[None], ONE, size)
    figure, axes = panels(2, 3.5)
    step = slice(5, None, 9)
    for axis, channel, palette, name in zip(axes, (0, 2), ("Reds", "Greens"), "uv"):
        value = torch.where(rast[0, ..., 3] > 0, rast[0, ..., channel // 2], torch.nan)
        show(axis, value, size, cmap=palette, vmin=0, vmax=1)
        y, x = torch.meshgrid(
            torch.arange(size[0]) + 0.5, torch.arange(size[1]) + 0.5, indexing="ij"
        )
        axis.contour(
            x,
            y,
            value,
            levels=[i / 10 for i in range(1, 10)],
            colors="white",
            linewidths=0.8,
            zorder=1,
        )
        at = (rast[0, ..., 3] > 0)[step, step]
        arrows = [t[step, step][at] for t in (x, y, db[0, ..., channel], db[0, ..., channel + 1])]
        axis.quiver(
            *arrows, color=INK, angles="xy", scale_units="xy", scale=0.0022, width=0.0045, zorder=3
        )
        bare(axis, f"{name}, and the arrow (d{name}/dX, d{name}/dY)")
        corners = to_pixels(pos, *size).tolist()
        places = (
            ("vertex 0", 0, -7, "left"),
            ("vertex 1", 4, -7, "right"),
            ("vertex 2, far away", 3, 0, "left"),
        )
        for (x, y), (label, right, up, side) in zip(corners, places):
            axis.text(max(x, 0) + right, y + up, label, fontsize=9, ha=side)
        axis.set(xlim=(0, size[1]), ylim=(-9, size[0]))
    return figure


def antialiasing():
    size = (5, 7)
    pos = torch.tensor([[-12.0, 0, 0, 1], [2.4, -7.9, 0, 1], [-1.8, 8.1, 0, 1.0]])
    rast, _ = glrast.rasterize(ctx, pos[None], ONE, size)
    before = (rast[..., 3:] > 0).float()
    after = glrast.antialias(before, rast, pos[None], ONE)
    figure, (left, middle, right) = panels(3, 3.1, (1.15, 1.15, 1.3))
    palette = {"cmap": "Blues", "vmin": 0, "vmax": 1.4}
    for axis, image, title in (
        (left, before, "before: pairs with different ids"),
        (middle, after, "after: the share that the edge cuts off"),
    ):
        show(axis, image[0, ..., 0], size, **palette)
        grid(axis, *size, title)
        axis.add_patch(Polygon(to_pixels(pos, *size), fill=False, ec=RED, lw=1.6))
        axis.set(xticks=[], yticks=[])
    ids, changed = rast[0, ..., 3], (after - before)[0, ..., 0]
    for row in range(size[0]):
        for column in range(size[1]):
            x, y = column + 0.5, row + 0.5
            if column + 1 < size[1] and ids[row, column] != ids[row, column + 1]:
                left.plot([x, x + 1], [y, y], color=ORANGE, lw=3, zorder=3)
            if row + 1 < size[0] and ids[row, column] != ids[row + 1, column]:
                left.plot([x, x], [y, y + 1], color=SOFT, lw=3, zorder=3)  # the edge is too steep
        for column in range(size[1]):
            if changed[row, column].abs() > 1e-4:
                middle.text(
                    column + 0.5,
                    row + 0.14,
                    f"{after[0, row, column, 0]:.2f}",
                    ha="center",
                    fontsize=9,
                    bbox=PAPER,
                )
    place = torch.linspace(2.0, 4.0, 81)
    values = []
    for x in place.tolist():
        edge = x / 3 - 1  # of 6 pixels
        half = torch.tensor([[[-9.0, -9, 0, 1], [edge, -9, 0, 1], [edge, 9, 0, 1], [-9, 9, 0, 1]]])
        tri = torch.tensor([[0, 1, 2], [0, 2, 3]])
        cover, _ = glrast.rasterize(ctx, half, tri, (1, 6))
        values.append(glrast.antialias((cover[..., 3:] > 0).float(), cover, half, tri)[0, 0, :, 0])
    for column, color in ((2, BLUE), (3, GREEN)):
        right.plot(
            place,
            torch.stack(values)[:, column],
            color=color,
            label=f"pixel {column}, centre {column + 0.5}",
        )
        right.axvline(column + 0.5, color=color, lw=0.8, ls=":")
    right.set(
        title="a vertical edge moves right",
        xlabel="x of the edge, pixels",
        ylabel="value of the pixel",
        yticks=[0, 0.5, 1],
        ylim=(-0.05, 1.45),
    )
    right.legend(fontsize=8.5, frameon=False, loc="upper left")
    return figure
