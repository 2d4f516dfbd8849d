"""What texture reads: texels, boundaries, mip levels, cube maps."""

import math

import torch
from matplotlib.patches import Ellipse, Polygon, Rectangle
from style import (
    ARROW,
    BLUE,
    DOT,
    GREEN,
    INK,
    ORANGE,
    RED,
    SKY,
    SOFT,
    bare,
    ctx,
    letter_f,
    panels,
    to_pixels,
)

import glrast
from glrast.clip import cube_directions, icosphere, look_at, perspective, transform_points


def texels():
    tex = torch.rand(1, 4, 4, 3, generator=torch.Generator().manual_seed(8)) * 0.55 + 0.4
    line = (torch.arange(160) + 0.5) / 160
    uv = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1)[None]
    figure, axes = panels(3, 3.3)
    for axis, mode in zip(axes, ("nearest", "linear")):
        axis.imshow(glrast.texture(tex, uv, filter_mode=mode)[0], extent=(0, 1, 0, 1))
        axis.set(
            title=f"filter_mode='{mode}'",
            xticks=[0, 0.5, 1],
            yticks=[0, 0.5, 1],
            xlabel="u",
            ylabel="v",
        )
    centre = (torch.arange(4) + 0.5) / 4
    for axis in axes[:2]:
        axis.scatter(centre.repeat(4), centre.repeat_interleave(4), **DOT)
    for row in range(4):
        for column in range(4):
            axes[0].text(
                column / 4 + 0.125, row / 4 + 0.04, f"{row},{column}", ha="center", fontsize=8
            )
    profile = {
        mode: glrast.texture(tex, uv[:, 20:21], filter_mode=mode)[0, 0, :, 0]
        for mode in ("nearest", "linear")
    }
    axes[2].plot(line, profile["nearest"], color=SOFT, label="nearest")
    axes[2].plot(line, profile["linear"], color=BLUE, label="linear")
    axes[2].scatter(centre, tex[0, 0, :, 0], **DOT, label="texel centres")
    axes[2].set(
        title="red along the lowest row, v = 1/8",
        xlabel="u",
        xticks=[0.125, 0.375, 0.625, 0.875],
        ylim=(0.3, 1.15),
    )
    axes[2].set_xticks([0.125, 0.375, 0.625, 0.875], ["1/8", "3/8", "5/8", "7/8"])
    axes[2].legend(
        fontsize=8.5,
        frameon=False,
        loc="upper center",
        ncols=3,
        columnspacing=0.9,
        handlelength=1.2,
    )
    return figure


def boundaries():
    line = torch.linspace(-1, 2, 240)
    uv = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1)[None]
    figure, axes = panels(4, 2.75)
    for axis, mode in zip(axes, ("wrap", "clamp", "zero", "mirror")):
        axis.imshow(
            glrast.texture(letter_f(), uv, filter_mode="nearest", boundary_mode=mode)[0],
            extent=(-1, 2, -1, 2),
        )
        axis.add_patch(Rectangle((0, 0), 1, 1, fill=False, ec=RED, lw=2))
        axis.set(
            title=f"boundary_mode='{mode}'", xticks=[-1, 0, 1, 2], yticks=[-1, 0, 1, 2], xlabel="u"
        )
    axes[0].set_ylabel("v", labelpad=-2)
    return figure


def mip_level():
    figure, (foot, plain, mipped, level) = panels(4, 2.75)
    da = torch.tensor([[2.6, 1.1], [0.5, 1.5]])  # (ds/dX, ds/dY), (dt/dX, dt/dY) in texels
    axes2, lengths, _ = torch.linalg.svd(da)
    centre = torch.tensor([3.0, 3.0])
    foot.hlines(range(7), 0, 6, color=SOFT, lw=0.6)
    foot.vlines(range(7), 0, 6, color=SOFT, lw=0.6)
    corners = centre + (torch.tensor([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]) @ da.T)
    foot.add_patch(Polygon(corners, fc="#bcd3ec", ec=BLUE, lw=1.5))
    tilt = math.degrees(math.atan2(axes2[1, 0], axes2[0, 0]))
    foot.add_patch(
        Ellipse(tuple(centre), *lengths.tolist(), angle=tilt, fill=False, ec=INK, lw=1.2, ls="--")
    )
    for column, color, name in ((0, RED, "d/dX"), (1, GREEN, "d/dY")):
        tip = centre + da[:, column] / 2
        foot.annotate("", tuple(tip), tuple(centre), arrowprops={**ARROW, "color": color, "lw": 2})
        foot.annotate(name, tuple(tip), (4, 5), textcoords="offset points", color=color)
    title = f"a pixel's footprint on texels\nM = {lengths[0]:.2f}, log2 M = {lengths[0].log2():.2f}"
    bare(foot, title, aspect="equal")
    pos = transform_points(
        perspective(0.9, 1.0, 0.1, 60.0) @ look_at((0, 1.0, 0), (0, 0.35, -2)),
        torch.tensor([[-30.0, 0, 1], [30, 0, 1], [30, 0, -50], [-30, 0, -50]]),
    )[None]
    tri, uv = (
        torch.tensor([[0, 1, 2], [0, 2, 3]]),
        torch.tensor([[0.0, 0], [30, 0], [30, 25.5], [0, 25.5]]),
    )
    rast, db = glrast.rasterize(ctx, pos, tri, (128, 128))
    at, at_da = glrast.interpolate(uv, rast, tri, db, "all")
    square = torch.arange(32) // 16
    check = torch.where((square[:, None] + square)[..., None] == 1, 0.95, 0.15).expand(-1, -1, 3)[
        None
    ]
    shown = rast[..., 3:] > 0
    for axis, image, name in (
        (plain, glrast.texture(check, at, filter_mode="linear"), "filter_mode='linear'\naliases"),
        (mipped, glrast.texture(check, at, at_da), "with uv_da:\n'linear-mipmap-linear'"),
    ):
        axis.imshow(torch.where(shown, image, SKY)[0])
        bare(axis, name)
    ramp = [torch.full((1, max(32 >> i, 1), max(32 >> i, 1), 1), float(i)) for i in range(6)]
    lod = glrast.texture(ramp[0], at, at_da, mip=ramp[1:])  # each level holds its number
    drawn = level.imshow(
        torch.where(shown, lod, torch.nan)[0, ..., 0], cmap="viridis", vmin=0, vmax=5
    )
    bare(level, "the level it reads\n0 is the texture itself")
    figure.colorbar(drawn, ax=level, shrink=0.7, ticks=range(6))
    return figure


def cube_map():
    names = "+x", "-x", "+y", "-y", "+z", "-z"
    tints = torch.tensor(
        [
            [0.91, 0.55, 0.55],
            [0.98, 0.8, 0.8],
            [0.6, 0.82, 0.6],
            [0.83, 0.93, 0.83],
            [0.55, 0.68, 0.9],
            [0.8, 0.86, 0.97],
        ]
    )
    tex = tints[:, None, None].expand(6, 64, 64, 3).clone()
    tex[:, ::8], tex[:, :, ::8] = tex[:, ::8] * 0.93, tex[:, :, ::8] * 0.93
    tex[:, :9, :9] = torch.tensor([0.14, 0.16, 0.18])  # the texels of rows and columns 0 to 8
    figure, (net, ball) = panels(2, 4.0, (1.75, 1))
    place = {4: (1, 1), 0: (2, 1), 1: (0, 1), 5: (3, 1), 2: (1, 2), 3: (1, 0)}
    for face, (x, y) in place.items():
        seen = glrast.texture(
            tex[None], cube_directions(64)[face][None], filter_mode="nearest", boundary_mode="cube"
        )[0]
        net.imshow(seen, extent=(x, x + 1, y, y + 1), origin="upper")
        net.add_patch(Rectangle((x, y), 1, 1, fill=False, ec="white", lw=1.5))
        net.text(x + 0.56, y + 0.45, names[face], ha="center", va="center", fontsize=15)
        for tip, text, offset in (
            ((x + 0.62, y + 0.93), "s", (3, -3)),
            ((x + 0.07, y + 0.38), "t", (-3, -11)),
        ):
            net.annotate(
                "", tip, (x + 0.07, y + 0.93), arrowprops={**ARROW, "color": ORANGE, "lw": 1.8}
            )
            net.annotate(text, tip, offset, textcoords="offset points", color=ORANGE, weight="bold")
    bare(
        net,
        "the six faces with row 0 on top, as a net seen from outside\ndark: row 0, column 0; s: column, t: row",
        xlim=(0, 4),
        ylim=(0, 3),
        aspect="equal",
    )
    vertices, tri = icosphere(4)
    pos = transform_points(
        perspective(0.7, 1.0, 1.0, 9.0) @ look_at((1.9, 1.6, 2.3), (0, 0, 0)), vertices
    )[None]
    rast, _ = glrast.rasterize(ctx, pos, tri, (512, 512))
    direction, _ = glrast.interpolate(vertices, rast, tri)
    image = glrast.texture(tex[None], direction, boundary_mode="cube")
    ball.imshow(
        glrast.antialias(torch.where(rast[..., 3:] > 0, image, 1.0), rast, pos, tri)[0],
        interpolation="antialiased",
    )
    ends = transform_points(
        perspective(0.7, 1.0, 1.0, 9.0) @ look_at((1.9, 1.6, 2.3), (0, 0, 0)), 1.25 * torch.eye(3)
    )
    starts = transform_points(
        perspective(0.7, 1.0, 1.0, 9.0) @ look_at((1.9, 1.6, 2.3), (0, 0, 0)), torch.eye(3)
    )
    for tip, foot, name, color in zip(
        to_pixels(ends, 512, 512), to_pixels(starts, 512, 512), "xyz", (RED, GREEN, BLUE)
    ):
        ball.annotate("", tuple(tip), tuple(foot), arrowprops={**ARROW, "color": color, "lw": 2})
        beside = (-14, -4) if name == "z" else (4, -2)
        ball.annotate(
            name, tuple(tip), beside, textcoords="offset points", color=color, weight="bold"
        )
    bare(ball, "looked up by direction on a sphere", xlim=(-60, 560), ylim=(-10, 590))
    return figure
