"""The float64 twin of glrast.visibility.nmr: every face, edge, axis and scan line in turn, as the paper tells it.

The rule is not linear in the incoming gradient (what would raise the loss is left out), so it is a backward pass and no
image.
"""

import numpy as np
import torch
from torch import Tensor

from ..rasterize import triangle_id
from .surface import per_image


def nmr(
    color: Tensor, rast: Tensor, pos: Tensor, tri: Tensor, eps: float = 1e-3, fill_back: bool = False,
    supersample: int = 1,
) -> Tensor:  # fmt: skip
    image = _NMR.apply(color.double(), rast, pos.double(), tri, eps, fill_back)
    if supersample == 1:
        return image
    return sum(image[:, i::2, j::2] for i in range(2) for j in range(2)) / 4


class _NMR(torch.autograd.Function):
    @staticmethod
    def forward(ctx, color, rast, pos, tri, eps, fill_back):
        ctx.save_for_backward(color, rast, pos, tri)
        ctx.eps, ctx.fill_back = eps, fill_back
        return color.clone()

    @staticmethod
    def backward(ctx, grad_out):
        color, rast, pos, tri = ctx.saved_tensors
        N, H, W = color.shape[:3]
        with torch.enable_grad():
            clip = per_image(pos.detach(), N).clone().requires_grad_()
            ndc = clip[..., :2] / clip[..., 3:]
            # pixels, centres at whole numbers
            scale = torch.tensor([W, H], dtype=torch.float64)
            places = 0.5 * (ndc * scale + scale - 1)
        found = torch.zeros_like(places)
        for n in range(N):
            found[n] = torch.from_numpy(
                image_gradient(
                    color[n].numpy(), triangle_id(rast)[n].numpy(), places[n].detach().numpy(),
                    clip[n].detach().numpy(), tri.numpy(), grad_out[n].numpy(), ctx.eps, ctx.fill_back,
                )
            )  # fmt: skip
        # `found` is by units of which the short side has 2
        with torch.enable_grad():
            moved = torch.where(found != 0, places, 0.0) * found * 2 / min(H, W)
            (grad,) = torch.autograd.grad(moved.sum(), clip)
        grad = torch.where(grad.isfinite(), grad, 0.0)
        if pos.ndim == 2 or len(pos) < N:
            grad = grad.sum(0, keepdim=True)
        return grad_out, None, grad.view(pos.shape), None, None, None


def image_gradient(color, ids, places, clip, tri, grad_out, eps, fill_back) -> np.ndarray:
    """[V,2]: of one image, by x and y of every vertex."""
    found = np.zeros_like(places)
    for t, corners in enumerate(tri):
        if (corners < 0).any() or (corners >= len(places)).any() or not (ids == t).any():
            continue
        if not np.isfinite(clip[corners]).all() or (clip[corners, 3] <= 0).any():
            continue
        face = list(corners)
        (x0, y0), (x1, y1), (x2, y2) = places[face]
        if (y2 - y0) * (x1 - x0) < (y1 - y0) * (x2 - x0):
            if not fill_back:
                continue
            face = [face[0], face[2], face[1]]
        for k in range(3):
            ends = [face[k], face[(k + 1) % 3]]
            third = places[face[(k + 2) % 3]]
            for axis in (0, 1):
                shares = edge_gradient(color, ids == t, places[ends], third, grad_out, axis, eps)
                found[ends, 1 - axis] += shares
    return found


def edge_gradient(color, shows, ends, third, grad_out, axis, eps) -> np.ndarray:
    """[2]: of both ends of an edge along d1, summed over its scan lines. axis 0: d0 is x, and d1 is y."""
    S = min(color.shape[:2])
    lines, grads, shown = ((a.swapaxes(0, 1) if axis == 0 else a) for a in (color, grad_out, shows))
    (e0, f0), (e1, f1) = ends[:, ::1] if axis == 0 else ends[:, ::-1]
    g0, g1 = third if axis == 0 else third[::-1]
    size, found = lines.shape[1], np.zeros(2)
    rises = e0 < e1
    out = (-1 if rises else 1) if axis == 0 else (1 if rises else -1)
    if e0 == e1:
        return found
    for d0 in range(
        max(int(np.ceil(min(e0, e1))), 0), min(int(np.floor(max(e0, e1))), len(lines) - 1) + 1
    ):
        cross = (f1 - f0) / (e1 - e0) * (d0 - e0) + f0
        inner = int(np.floor(cross) if out > 0 else np.ceil(cross))
        outer = inner + out
        if not (0 <= inner < size and 0 <= outer < size):
            continue
        pulls = []  # (d1, delta)
        if shown[d0, inner]:
            beyond = range(outer, size) if out > 0 else range(outer, -1, -1)
            pulls += [(d1, (lines[d0, d1] - lines[d0, inner]) @ grads[d0, d1]) for d1 in beyond]
        # the other side of the face on this scan line
        if (d0 - e0) * (d0 - g0) < 0:
            end = (g1 - f0) / (g0 - e0) * (d0 - e0) + f0
        else:
            end = (f1 - g1) / (e1 - g0) * (d0 - g0) + g1
        end = (
            np.clip(np.ceil(end) if out > 0 else np.floor(end), -1, size)
            if np.isfinite(end)
            else inner
        )
        span = range(max(int(min(inner, end)), 0), min(int(max(inner, end)), size - 1) + 1)
        pulls += [
            (d1, (lines[d0, d1] - lines[d0, outer]) @ grads[d0, d1]) for d1 in span if shown[d0, d1]
        ]
        for d1, delta in pulls:
            if delta <= 0:
                continue
            for i, (one, other) in enumerate(((e1, d0), (d0, e0))):
                if one == other:
                    continue
                dist = (e1 - e0) / (one - other) * (d1 - cross) * 2 / S
                found[i] -= delta / (dist + eps if dist > 0 else dist - eps)
    return found


def margin(rast: Tensor, pos: Tensor, tri: Tensor) -> float:
    """How far, in pixels, the nearest crossing of a face that is shown is from a whole number, where float32 may round
    to another pixel."""
    H, W = rast.shape[1:3]
    least = 1.0
    clip = per_image(pos.double(), len(rast))
    for n, ids in enumerate(triangle_id(rast)):
        scale = np.array([W, H])
        places = 0.5 * ((clip[n, :, :2] / clip[n, :, 3:]).numpy() * scale + scale - 1)
        for t in ids.unique().tolist():
            if t < 0 or t >= len(tri):
                continue
            for k in range(3):
                ends = places[tri[t].roll(-k)[:2].numpy()]
                for (e0, f0), (e1, f1) in (ends, ends[:, ::-1]):
                    d0 = np.arange(np.ceil(min(e0, e1)), max(e0, e1) + 1)
                    d0 = d0[(d0 >= 0) & (d0 < max(H, W))]
                    cross = (f1 - f0) / (e1 - e0) * (d0 - e0) + f0
                    if len(d0):
                        least = min(least, float(np.abs(cross - np.round(cross)).min()))
    return least
