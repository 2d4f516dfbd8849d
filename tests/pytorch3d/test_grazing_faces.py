"""Small faces, many at a grazing angle, more than K of them in reach of a pixel: which are found, and what they say.

The answer is PyTorch3D's arithmetic (`rasterize_meshes`, its kernels) written out in float64 with NumPy.
"""

from functools import cache

import numpy as np
import pytest
import torch

from glrast.pytorch3d import rasterize_meshes
from tests.pytorch3d.standins import Meshes

SIZE, K, BLUR = 24, 2, 8e-3
BOTH = [False, True]


@cache
def rim() -> np.ndarray:
    """[160,3,3]: triangles on an ellipsoid, four times as deep as wide, most of them near its outline."""
    random = np.random.default_rng(5)
    around, high = random.uniform(0, 2 * np.pi, 160), random.normal(0, 0.15, 160)
    flat = np.sqrt(1 - np.minimum(high**2, 1))
    centre = np.stack([flat * np.cos(around), flat * np.sin(around), high], 1)
    at = centre[:, None] + random.normal(0, 0.12, (160, 3, 3))
    at *= 0.6 / np.linalg.norm(at, axis=-1, keepdims=True)
    depth = 3 - at[..., 2:] * 4
    return np.concatenate([at[..., :2] * 1.2, depth], -1).astype(np.float32)


def edge(p, a, b):
    return (p[..., 0] - a[..., 0]) * (b[..., 1] - a[..., 1]) - (p[..., 1] - a[..., 1]) * (
        b[..., 0] - a[..., 0]
    )


def to_segment(p, a, b):
    along = b - a
    t = ((p - a) * along).sum(-1) / (along * along).sum(-1)
    off = p - a - np.clip(t, 0, 1)[..., None] * along
    return (off * off).sum(-1)


@cache
def theirs(perspective: bool, clip: bool):
    """counts, z, dist [P,F] and bary [P,F,3] of the F faces at the P pixels of the image."""
    step = (np.arange(SIZE) * 2 + 1) / SIZE
    pixel = np.stack(np.meshgrid(1 - step, 1 - step), -1).reshape(-1, 1, 2)
    corners = rim().astype(np.float64)
    v, z = [corners[:, k, :2] for k in range(3)], corners[..., 2]
    area = edge(v[2], v[0], v[1])
    bary = np.stack([edge(pixel, v[(k + 1) % 3], v[(k + 2) % 3]) / area for k in range(3)], -1)
    inside = (bary > 0).all(-1)
    if perspective:
        bary = bary * np.stack([z[:, 1] * z[:, 2], z[:, 0] * z[:, 2], z[:, 0] * z[:, 1]], -1)
        below = bary.sum(-1, keepdims=True)
        bary = bary / (np.maximum(below, 1e-8) if clip else below)
    if clip:
        positive = np.maximum(bary, 0)
        bary = positive / np.maximum(positive.sum(-1, keepdims=True), 1e-5)
    depth = (bary * z).sum(-1)
    dist = np.min([to_segment(pixel, v[k], v[(k + 1) % 3]) for k in range(3)], axis=0)
    counts = (np.abs(area) > 1e-8) & (depth >= 0) & (inside | (dist < BLUR))
    return counts, depth, np.where(inside, -dist, dist), bary


def nearest(perspective: bool, clip: bool):
    """pix_to_face [P,K], its z, dist, bary; where not rounding decides [P]; how many faces are in reach [P]."""
    counts, depth, dist, bary = theirs(perspective, clip)
    order = np.argsort(np.where(counts, depth, np.inf), axis=1, kind="stable")[:, : K + 1]
    z = np.take_along_axis(np.where(counts, depth, np.inf), order, 1)
    there = np.isfinite(z)
    with np.errstate(invalid="ignore"):
        clear = ~(np.diff(z, axis=1) < 1e-5 * (1 + z[:, :-1])).any(1)
    ids = np.where(there, order, -1)[:, :K]
    at = np.maximum(ids, 0)
    found = [np.take_along_axis(t, at, 1) for t in (depth, dist)]
    return ids, found[0], found[1], np.take_along_axis(bary, at[..., None], 1), clear, counts.sum(1)


@pytest.mark.parametrize("perspective", BOTH)
@pytest.mark.parametrize("clip", BOTH)
def test_more_faces_than_k_are_chosen_as_its_arithmetic_does(device, perspective, clip):
    corners = rim()
    ids, z, dist, bary, clear, reach = nearest(perspective, clip)
    assert clear.mean() > 0.98 and (reach > K).sum() > 100  # else this tests nothing
    verts = torch.from_numpy(corners.reshape(-1, 3)).to(device)
    meshes = Meshes([verts], [torch.arange(len(verts), device=device).reshape(-1, 3)])
    found = rasterize_meshes(
        meshes, SIZE, BLUR, K, perspective_correct=perspective, clip_barycentric_coords=clip
    )
    got = [t[0].flatten(0, 1).cpu().numpy() for t in found]
    assert (got[0] == ids)[clear].all()
    there = (ids >= 0) & clear[:, None]
    for mine, wanted in ((got[1], z), (got[3], dist), (got[2], bary)):
        # unclipped ones of slivers are large, to 160: so much more rounding shows, squared with perspective
        size = 1 + np.abs(bary).max(-1) ** (1 if clip or not perspective else 2)
        error = np.abs(mine - wanted).reshape(*ids.shape, -1).max(-1)
        assert (error / size)[there].max() < 1e-5  # measured 4e-6; clipped 4e-7


def test_clipping_decides_which_faces_are_the_nearest():
    assert (nearest(True, True)[0] != nearest(True, False)[0]).any(1).sum() > 100


def test_beyond_the_horizon_clipped_weights_keep_their_signs_and_others_are_left_out(device):
    corners = rim()
    straight = theirs(False, False)[3]
    inverse = 1 / corners[..., 2].astype(np.float64)
    beyond = (straight * inverse).sum(-1) < 0
    clipped, unclipped = theirs(True, True), theirs(True, False)
    assert (beyond & clipped[0]).sum() > 20 and not (beyond & unclipped[0]).any()
    one = int((beyond & clipped[0]).sum(0).argmax())
    pixels = np.nonzero((beyond & clipped[0])[:, one])[0]
    verts = torch.from_numpy(corners[one]).to(device)
    meshes = Meshes([verts], [torch.tensor([[0, 1, 2]], device=device)])
    for clip, seen in ((True, 0), (False, -1)):
        found = rasterize_meshes(
            meshes, SIZE, BLUR, 1, perspective_correct=True, clip_barycentric_coords=clip
        )
        assert (found[0].flatten()[pixels] == seen).all()
        if clip:
            bary = found[2].reshape(-1, 3)[pixels].cpu().numpy()
            assert np.abs(bary - clipped[3][pixels, one]).max() < 1e-5
