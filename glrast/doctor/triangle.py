"""A triangle of known answers: coverage, barycentrics, depth, and the gradient of an edge."""

from __future__ import annotations

import numpy as np
import torch

import glrast

from .finding import Finding
from .symptoms import explained

HEIGHT, WIDTH = 17, 33  # divide nothing
# float32 barycentrics of a triangle 20 pixels wide are good to about 1e-6; a wrong formula is off by 1e-2
TOLERANCE = 1e-4
_CORNERS_PIX = ((3.21, 2.13), (27.37, 4.31), (9.73, 14.89))
_W = (1.0, 2.5, 1.6)
_DEPTH = (-0.5, 0.25, 0.75)  # z/w
_EDGE_PIX = 20.3


def draw(device: torch.device, program: str) -> list[Finding]:
    """The triangle drawn and differentiated by one of the two programs, against the answers."""
    name = f"program `{program}` on {device}"
    try:
        ctx = glrast.Context(device, buffers=program)
        problems = _coverage(ctx) + _edge(ctx)
    except Exception as error:  # whatever the driver does is the finding
        return [explained(Finding("Self-test", f"{name} fails: {error}", "fault"))]
    if problems:
        remedy = "update the OpenGL driver; report it with the output of glrast doctor --json"
        return [Finding("Self-test", f"{name}: {'; '.join(problems)}", "fault", remedy)]
    text = (
        f"{name} draws the right pixels, barycentrics and depths; the edge's gradient is its length"
    )
    return [Finding("Self-test", text)]


def _coverage(ctx: glrast.Context) -> list[str]:
    """What differs from the same triangle computed in float64, at the pixels and nowhere else."""
    corners = np.array(_CORNERS_PIX)
    pos = _clip(corners, np.array(_W), np.array(_DEPTH)).to(ctx.device)
    tri = torch.tensor([[0, 1, 2]], dtype=torch.int32, device=ctx.device)
    rast = glrast.rasterize(ctx, pos[None], tri, (HEIGHT, WIDTH))[0][0].cpu().double().numpy()
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    (x0, y0), (x1, y1), (x2, y2) = corners
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    first = ((x1 - x) * (y2 - y) - (x2 - x) * (y1 - y)) / area
    second = ((x2 - x) * (y0 - y) - (x0 - x) * (y2 - y)) / area
    flat = np.stack([first, second, 1 - first - second], -1)  # without perspective
    inside = (flat > 0).all(-1)
    expected = flat / np.array(_W)
    expected = (expected / expected.sum(-1, keepdims=True))[..., :2]  # with perspective
    covered = rast[..., 3] == 1
    if (covered != inside).any():
        return [
            f"covers {covered.sum()} pixels, {(covered != inside).sum()} wrong of {inside.sum()}"
        ]
    problems = []
    error = np.abs(rast[..., :2] - expected)[inside].max()
    if error > TOLERANCE:
        problems.append(f"barycentrics are off by {error:.2g}")
    error = np.abs(rast[..., 2] - flat @ np.array(_DEPTH))[inside].max()
    if error > TOLERANCE:
        problems.append(f"z/w is off by {error:.2g}")
    return problems


def _edge(ctx: glrast.Context) -> list[str]:
    """Everything left of an upright edge is white: moving it by one pixel adds one white pixel per row."""
    far = 100.0
    corners = np.array([(_EDGE_PIX, -far), (_EDGE_PIX, HEIGHT + far), (-30 * far, HEIGHT / 2)])
    pos = _clip(corners, np.ones(3), np.zeros(3)).to(ctx.device)[None].requires_grad_()
    tri = torch.tensor([[0, 1, 2]], dtype=torch.int32, device=ctx.device)
    white = torch.ones(3, 1, device=ctx.device)
    rast, _ = glrast.rasterize(ctx, pos, tri, (HEIGHT, WIDTH))
    color, _ = glrast.interpolate(white, rast, tri)
    image = glrast.antialias(color, rast, pos, tri)
    (gradient,) = torch.autograd.grad(image.sum(), pos)
    slope = gradient[0, :2, 0].sum().item() * 2 / WIDTH  # per pixel that the edge moves
    problems = []
    if abs(image.sum().item() - _EDGE_PIX * HEIGHT) > TOLERANCE * WIDTH * HEIGHT:
        problems.append(f"the edge lies at {image.sum().item() / HEIGHT:.4f}, not at {_EDGE_PIX}")
    if abs(slope - HEIGHT) > TOLERANCE * HEIGHT:
        problems.append(f"the gradient of an edge of {HEIGHT} pixels is {slope:.4f}")
    return problems


def _clip(corners_pix: np.ndarray, w: np.ndarray, depth: np.ndarray) -> torch.Tensor:
    """Clip positions [V,4] of corners given in pixels."""
    ndc = 2 * corners_pix / np.array([WIDTH, HEIGHT]) - 1
    pos = np.concatenate([ndc * w[:, None], (depth * w)[:, None], w[:, None]], 1)
    return torch.from_numpy(pos.astype(np.float32))
