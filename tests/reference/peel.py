"""peel in float64: at each pixel every triangle that covers its centre, nearest first, coincident ones by index."""

import torch
from torch import Tensor

from tests.reference.rasterize import (
    MARGIN_DEPTH,
    MARGIN_PIX,
    _batches,
    _distances,
    _images,
    determinant,
    edge_functions,
    pixel_centres,
)


def peel(pos: Tensor, tri: Tensor, resolution, ranges=None) -> Tensor:
    """int64 [K,N,H,W]: the triangle of each layer, -1 where there is none; K layers hold one somewhere."""
    height, width = (int(x) for x in resolution)
    fx, fy = pixel_centres(height, width)
    images = []
    for p, first, count in _images(pos, tri, ranges):
        depths, ids = [torch.empty(0, len(fx))], [torch.empty(0, dtype=torch.int64)]
        for batch, corners in _batches(p, tri, first, count, len(fx)):
            a = edge_functions(corners, fx, fy)
            covered = (a * determinant(corners).sign()[..., None] >= 0).all(-1)
            depth = (corners[..., 2] * a).sum(-1) / (corners[..., 3] * a).sum(-1)
            depths.append(torch.where(covered & (depth.abs() <= 1), depth, torch.inf))
            ids.append(batch)
        depth, id = torch.cat(depths), torch.cat(ids)
        nearest, order = depth.sort(dim=0, stable=True)
        images.append(torch.where(nearest < torch.inf, id[order], -1))
    most = max((len(image) for image in images), default=0)
    layers = torch.full((most, len(images), height * width), -1)
    for n, image in enumerate(images):
        layers[: len(image), n] = image
    K = int((layers >= 0).flatten(1).any(1).sum())
    return layers[:K].reshape(K, len(images), height, width)


def ambiguous_pixels(pos: Tensor, tri: Tensor, resolution, ranges=None) -> Tensor:
    """bool [N,H,W]: where some triangle's edge or two different depths are too near for OpenGL and the twin to agree.

    Triangles of the same three vertices are at the same depth in both and are in no doubt.
    """
    height, width = (int(x) for x in resolution)
    fx, fy = pixel_centres(height, width)
    doubt = torch.zeros(0, height * width, dtype=torch.bool)
    for p, first, count in _images(pos, tri, ranges):
        unclear = torch.zeros(len(fx), dtype=torch.bool)
        depths, slacks = [torch.empty(0, len(fx))], [torch.empty(0, len(fx))]
        for _, corners in _batches(p, tri, first, count, len(fx)):
            inside, depth, slack = _distances(
                corners, fx, fy, height, width, MARGIN_PIX, MARGIN_DEPTH
            )
            unclear |= (inside.abs() < MARGIN_PIX).any(0)
            depths.append(torch.where(inside > 0, depth, torch.inf))
            slacks.append(slack.expand_as(depth))
        depth, order = torch.cat(depths).sort(0)
        slack = torch.cat(slacks).gather(0, order)
        step = depth.diff(dim=0)
        near = (step < slack[1:] + slack[:-1]) & (step > 1e-12)
        doubt = torch.cat([doubt, (unclear | near.any(0))[None]])
    return doubt.reshape(-1, height, width)
