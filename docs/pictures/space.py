"""Clip space, pixels, the half pixel of computer vision, and layers."""

import math

import torch
import torch.nn.functional as F
from matplotlib.colors import ListedColormap
from matplotlib.patches import Polygon, Rectangle
from style import (
    ARROW,
    BLUE,
    GREEN,
    INK,
    ONE,
    ORANGE,
    PALE,
    RED,
    SOFT,
    bare,
    ctx,
    grid,
    letter_f,
    panels,
    quad,
    show,
    to_pixels,
)

import glrast
from glrast.clip import from_intrinsics, icosphere, look_at, perspective, torus, transform_points


def clip_space():
    figure, (world, clip, image) = panels(3, 3.2, (1.35, 1, 1))
    near, far, half = 1.0, 5.0, math.tan(0.45)
    projection = perspective(0.9, 1.0, near, far)
    world.fill(
        [near, far, far, near], [-near * half, -far * half, far * half, near * half], color=PALE
    )
    for depth, color in zip((-1, 0, 0.6, 1), (RED, ORANGE, GREEN, INK)):
        d = 2 * near * far / (far + near - depth * (far - near))
        back = transform_points(projection, torch.tensor([[0.0, 0, -d]]))[0]
        assert abs(back[2] / back[3] - depth) < 1e-4 and abs(back[3] - d) < 1e-4
        world.plot([d, d], [-d * half, d * half], color=color, lw=2)
        clip.plot([depth, depth], [-1, 1], color=color, lw=2)
        clip.text(depth, 1.06, f"{depth:g}", ha="center", color=color)
    world.scatter([0], [0], s=40, color=INK)
    world.text(0, -0.5, "camera", ha="center")
    world.annotate("", (5.6, 0), (0, 0), arrowprops=ARROW)
    world.annotate("", (0, 1.2), (0, 0), arrowprops=ARROW)
    world.text(5.65, 0, "-z", va="center")
    world.text(0, 1.28, "y", ha="center")
    world.text(near, -1.05, "near", ha="center", color=RED)
    world.text(far, -2.85, "far", ha="center")
    bare(
        world,
        "camera space, from the side\nw = distance along -z",
        aspect="equal",
        xlim=(-0.7, 6.4),
        ylim=(-3, 2.7),
    )
    clip.add_patch(Rectangle((-1, -1), 2, 2, fill=False, ec=SOFT))
    clip.annotate("", (1.25, -1.2), (-1.1, -1.2), arrowprops=ARROW)
    clip.text(0, -1.47, "z/w, away from the viewer", ha="center")
    clip.text(-1.12, 0, "y/w", ha="right", va="center")
    bare(clip, "the same planes in clip space\nnot evenly spaced", aspect="equal")
    clip.set(xlim=(-1.5, 1.4), ylim=(-1.6, 1.3))
    pos = torch.tensor([[-0.7, -0.5, 0, 1], [0.8, -0.2, 0, 1], [-0.1, 0.75, 0, 1.0]])[None]
    rast, _ = glrast.rasterize(ctx, pos, ONE, (160, 160))
    image.imshow(rast[0, ..., 3] > 0, extent=(-1, 1, -1, 1), cmap=ListedColormap([PALE, BLUE]))
    image.axhline(0, color=SOFT, lw=0.8)
    image.axvline(0, color=SOFT, lw=0.8)
    image.set(
        title="the image\nall of it is -1 to 1",
        xticks=[-1, 0, 1],
        yticks=[-1, 0, 1],
        xlabel="x/w, to the right",
    )
    image.set_ylabel("y/w, up", labelpad=-4)
    return figure


def pixels():
    figure, (covered, wrong, right) = panels(3, 3.0, (1.65, 1, 1))
    size = (6, 9)
    pos = torch.tensor([[-0.85, -0.75, 0, 1], [0.9, -0.35, 0, 1], [-0.3, 0.85, 0, 1.0]])
    rast, _ = glrast.rasterize(ctx, pos[None], ONE, size)
    show(covered, rast[0, ..., 3] > 0, size, cmap=ListedColormap(["white", "#bcd3ec"]))
    grid(covered, *size, "a pixel sees what lies under its centre")
    covered.add_patch(Polygon(to_pixels(pos, *size), fill=False, ec=RED, lw=1.6))
    covered.set(xlabel="column: centre at x = column + 1/2", ylabel="row: centre at y = row + 1/2")
    pos, tri, uv = quad()
    rast, _ = glrast.rasterize(ctx, pos, tri, (64, 64))
    image = glrast.texture(letter_f(), glrast.interpolate(uv, rast, tri)[0], filter_mode="nearest")[
        0
    ]
    wrong.imshow(image, origin="upper")
    bare(wrong, "a file of image[0]")
    right.imshow(image.flip(0), origin="upper")
    bare(right, "a file of image[0].flip(0)")
    for axis, row in ((wrong, "row 0"), (right, "last row")):
        axis.set_ylabel(f"{row} on top", labelpad=2)
    return figure


def half_pixel():
    figure, axes = panels(3, 3.2, (1, 1, 1.25))
    names = "COLMAP, nerfstudio, Blender\npixel_centre=0.5", "OpenCV, Kalibr, ROS\npixel_centre=0.0"
    for axis, title, shift in zip(axes, names, (0.5, 0.0)):
        grid(axis, 3, 4, title)
        axis.set_xticks([i + 0.5 for i in range(4)], [f"{i + shift:g}" for i in range(4)])
        axis.set_yticks([i + 0.5 for i in range(3)], [f"{i + shift:g}" for i in range(2, -1, -1)])
        axis.xaxis.tick_top()
        origin = (0.5 - shift, 2.5 + shift)
        axis.scatter(*origin, s=70, color=RED, zorder=5, clip_on=False)
        axis.annotate("(0, 0)", origin, (8, -15), textcoords="offset points", color=RED)
    angle = torch.arange(64) * (math.pi / 32)
    pos = torch.cat([torch.zeros(1, 3), torch.stack([angle.cos(), angle.sin(), 0 * angle], 1)])
    tri = torch.stack([0 * angle, torch.arange(64) + 1, (torch.arange(64) + 1) % 64 + 1], 1).int()
    size, images = (48, 64), []
    for shift in (0.5, 0.0):
        projection = from_intrinsics(70, 70, 32, 24, size, 1.0, 9.0, pixel_centre=shift)
        clip = transform_points(projection @ look_at((0, 0, 3.4), (0, 0, 0)), pos)[None]
        rast, _ = glrast.rasterize(ctx, clip, tri, size)
        images.append(glrast.antialias((rast[..., 3:] > 0).float(), rast, clip, tri)[0, ..., 0])
    drawn = show(axes[2], images[1] - images[0], size, cmap="RdBu", vmin=-1, vmax=1)
    bare(axes[2], "a disc, as OpenCV less as COLMAP:\nhalf a pixel to the right and down")
    figure.colorbar(drawn, ax=axes[2], shrink=0.75, ticks=[-1, 0, 1])
    return figure


def sphere_and_ring():
    """Clip positions [1,V,4] and triangles of a small sphere within a ring, and where the ring's triangles begin."""
    (ball, ball_tri), (ring, ring_tri) = icosphere(2), torus()
    vertices = torch.cat([ball * 0.55, ring])
    view = perspective(0.75, 1.0, 1.0, 8.0) @ look_at((1.2, 2.4, 2.9), (0, 0, 0))
    return (
        transform_points(view, vertices)[None],
        torch.cat([ball_tri, ring_tri + len(ball)]),
        len(ball_tri),
    )


def layers():
    pos, tri, ring = sphere_and_ring()
    peeled = glrast.peel(ctx, pos, tri, (200, 200))
    light = torch.tensor([0.3, 0.8, 0.5])
    points = torch.cat([icosphere(2)[0] * 0.55, torus()[0]])
    corner = points[tri.long()]
    normal = torch.linalg.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    shade = 0.74 + 0.26 * (F.normalize(normal, dim=1) @ light)
    tint = torch.tensor([[0.90, 0.36, 0.40]] * ring + [[0.33, 0.58, 0.88]] * (len(tri) - ring))
    figure, axes = panels(5, 2.35, (1, 1, 1, 1, 1.25))
    for k, (axis, (rast, _)) in enumerate(zip(axes, peeled[:4])):
        ids = glrast.triangle_id(rast)
        image = torch.where(
            ids[..., None] >= 0, (tint * shade[:, None])[ids.long()].clamp(0, 1), 1.0
        )
        axis.imshow(image[0])
        axis.axhline(100, color=INK, lw=0.7, ls=":")
        bare(axis, f"layer {k}")
    for k, (rast, _) in enumerate(peeled[:4]):
        depth = torch.where(rast[0, 100, :, 3] > 0, rast[0, 100, :, 2], torch.nan)
        axes[-1].plot(
            depth, color=(INK, RED, ORANGE, GREEN)[k], label=f"{k}", ls="none", marker=".", ms=3.5
        )
    axes[-1].set(title="z/w along the dotted row", xticks=[], yticks=[], ylabel="nearer is up")
    axes[-1].margins(y=0.16)
    axes[-1].invert_yaxis()
    legend = {"ncols": 4, "loc": "lower center", "handlelength": 0.8, "columnspacing": 0.7}
    axes[-1].legend(fontsize=8, frameon=False, **legend)
    return figure
