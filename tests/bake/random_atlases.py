"""Random atlases, and what must hold of each: `make bake-check` tries a thousand, `make test` two dozen.

    python -m tests.bake.random_atlases [COUNT [FIRST SEED]]

A chart is a Delaunay triangulation of random points in a turned, squeezed box, some of it slivers, some smaller than a
texel, some mirrored; boxes lie side by side. Which centres a chart holds is decided in float64, triangle by triangle.
"""

import sys

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from scipy.spatial import Delaunay

import glrast
from glrast import bake
from glrast.bake.rim_texels import NEAR
from glrast.clip import Mesh

# OpenGL snaps corners to a grid of 1/256 texel, diagonal steps included.
SNAP = 1.5 / 256


class RandomAtlas:
    """size: (height, width); uv float32 [U,2]; tri int32 [T,3], of both pos and uv; owner [T], the chart of each."""

    def __init__(self, seed: int, gutter: float):
        draw = np.random.default_rng(seed)
        side = int(draw.integers(1, 4))  # cells a side
        cell = draw.integers(6, 48)
        self.size = tuple(int(n) for n in side * (cell + gutter) + draw.integers(0, 9, 2))
        places, triangles, owner, start = [], [], [], 0
        for number in range(side * side):
            corner = np.array([number % side, number // side]) * (cell + gutter) + gutter / 2
            place = chart(draw, cell * draw.choice([0.02, 0.3, 1.0], p=[0.1, 0.2, 0.7]))
            place = corner + place + draw.random(2)
            tri = Delaunay(place).simplices.astype(np.int32)
            if draw.random() < 0.3:
                tri = tri[:, ::-1]
            places.append(place)
            triangles.append(tri + start)
            owner.append(np.full(len(tri), number))
            start += len(place)
        height, width = self.size
        uv = np.concatenate(places) / [width, height]
        self.uv = torch.from_numpy(uv.astype(np.float32))
        order = draw.permutation(sum(map(len, triangles)))
        self.tri = torch.from_numpy(np.concatenate(triangles)[order].copy())
        self.owner = torch.from_numpy(np.concatenate(owner)[order])

    def mesh(self) -> Mesh:
        flat = torch.cat([self.uv, torch.zeros_like(self.uv[:, :1])], 1)
        return Mesh(flat, self.tri, uv=self.uv, uv_tri=self.tri)

    def texel_corners(self) -> np.ndarray:
        """float64 [T,3,2], of the triangles, in texels: exactly what the float32 uv says."""
        return (self.uv.double().numpy() * self.size[::-1])[self.tri.numpy()]


def chart(draw: np.random.Generator, side: float) -> np.ndarray:
    """Places [P,2] in a box of that side."""
    place = draw.random((int(draw.integers(3, 40)), 2)) - 0.5
    place[:, 0] *= draw.choice([0.01, 0.2, 1.0], p=[0.15, 0.25, 0.6])
    turn = draw.random() * 2 * np.pi
    place = place @ [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    return (place / 1.5 + 0.5) * side


def holding(corners: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """bool [T,H,W], whether a triangle [T,3,2] holds a texel's centre, its border included; none without an area."""
    height, width = size
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    centre = np.stack([x, y], -1)
    sides = []
    for k in range(3):
        a, b = corners[:, k], corners[:, (k + 1) % 3]
        ab = (b - a)[:, None, None]
        ap = centre[None] - a[:, None, None]
        sides.append(ab[..., 0] * ap[..., 1] - ab[..., 1] * ap[..., 0])
    sides = np.stack(sides)
    (x1, y1), (x2, y2) = ((corners[:, k] - corners[:, 0]).T for k in (1, 2))
    area = x1 * y2 - y1 * x2
    return ((sides >= 0).all(0) | (sides <= 0).all(0)) & (area != 0)[:, None, None]


def distance(point: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """[P], how far points [P,2] are from their triangles [P,3,2]; 0 inside."""
    least = np.full(len(point), np.inf)
    inside_ = []
    for k in range(3):
        a, b = corners[:, k], corners[:, (k + 1) % 3]
        ab, ap = b - a, point - a
        t = np.clip((ab * ap).sum(1) / np.maximum((ab * ab).sum(1), 1e-300), 0, 1)
        least = np.minimum(least, np.linalg.norm(ap - t[:, None] * ab, axis=1))
        inside_.append(ab[:, 0] * ap[:, 1] - ab[:, 1] * ap[:, 0])
    inside_ = np.stack(inside_)
    return np.where((inside_ >= 0).all(0) | (inside_ <= 0).all(0), 0, least)


def check_coverage(atlas: RandomAtlas, ctx: glrast.Context) -> int:
    """No centre in a chart is left out, none outside is covered, and each shows a triangle that is there; how many."""
    found = bake.texels(atlas.mesh(), atlas.size, ctx=ctx)
    corners = atlas.texel_corners()
    inside = holding(corners, atlas.size).any(0)
    mask, face = found.mask.numpy(), found.face.numpy()
    assert not (inside & ~mask).any(), f"{(inside & ~mask).sum()} texels are not covered"
    row, column = mask.nonzero()
    centre = np.stack([column, row], 1) + 0.5
    off = distance(centre, corners[face[mask]])
    assert off.max(initial=0) <= NEAR + SNAP, f"a texel shows a triangle {off.max()} texels away"
    shown = found.position[found.mask].double().numpy()[:, :2] * atlas.size[::-1]
    moved = np.linalg.norm(shown - centre, axis=1)
    assert moved.max(initial=0) <= NEAR + 2 * SNAP, f"a texel's place is {moved.max()} texels off"
    owner = atlas.owner.numpy()[face[mask]]
    chart_of = found.chart.numpy()[mask]
    pairs = np.unique(np.stack([owner, chart_of]), axis=1)
    assert len(np.unique(pairs[1])) == pairs.shape[1]  # no chart joins two
    return int(mask.sum())


def check_padding(atlas: RandomAtlas, ctx: glrast.Context, seed: int) -> None:
    """Every texel takes from its own chart, of which some texels are unknown; those between charts from the nearest."""
    found = bake.texels(atlas.mesh(), atlas.size, ctx=ctx, conservative=True)
    draw = torch.Generator().manual_seed(seed)
    chart_ = found.chart
    known = found.mask & (torch.rand(atlas.size, generator=draw) < (0.01, 0.3)[seed % 4 > 1])
    for number in chart_[found.mask].unique():  # one of each at least
        known.view(-1)[(chart_ == number).view(-1).nonzero()[0]] = True
    image = torch.where(known, chart_, -5).float()[..., None]
    pixels = [None, 3][seed % 2]
    padded, filled = bake.pad(image, known, pixels, chart_)
    padded = padded[..., 0].int()
    own = found.mask & filled
    assert bool((padded[own] == chart_[own]).all()), "a texel of a chart took from another"
    gaps = {
        int(n): distance_transform_edt(chart_.numpy() != int(n))
        for n in chart_[found.mask].unique()
    }
    nearest = np.stack(list(gaps.values())).min(0)
    between = (filled & ~found.mask).numpy()
    for number, gap in gaps.items():
        took = between & (padded.numpy() == number)
        assert np.allclose(gap[took], nearest[took]), (
            "a texel took from a chart that is not nearest"
        )
    if pixels is None:
        assert bool(filled.all()) and bool((padded >= 0).all())
    else:
        assert nearest[filled.numpy()].max() <= pixels


def check_lookups(atlas: RandomAtlas, ctx: glrast.Context, level: int, seed: int) -> None:
    """A bilinear lookup anywhere in a chart, at that mip level, reads that chart and nothing else."""
    found = bake.texels(atlas.mesh(), atlas.size, ctx=ctx, conservative=True)
    # by its maker's number: rounding to float32 may fold a sliver over, which then is a chart of its own
    hot = torch.nn.functional.one_hot(atlas.owner[found.face.long()], int(atlas.owner.max()) + 1)
    padded, _ = bake.pad(hot.float(), found.mask, None, found.chart)
    draw = np.random.default_rng(seed)
    tri = draw.integers(0, len(atlas.tri), 500)
    weight = draw.dirichlet([0.5] * 3, 500)
    uv = (atlas.uv.double().numpy()[atlas.tri.numpy()[tri]] * weight[..., None]).sum(1)
    levels = [padded[None]]
    for _ in range(level):
        levels.append(glrast_half(levels[-1]))
    at = torch.from_numpy(uv.astype(np.float32))[None, None]
    read = glrast.texture(levels[level], at, boundary_mode="clamp")[0, 0]
    share = read[torch.arange(500), atlas.owner[torch.from_numpy(tri)]]
    assert float(share.min()) > 0.999, f"a lookup reads {1 - float(share.min()):.3f} of others"


def glrast_half(image: torch.Tensor) -> torch.Tensor:
    """The next mip level of an image [1,H,W,C] with even sides."""
    pooled = torch.nn.functional.avg_pool2d(image.permute(0, 3, 1, 2), 2)
    return pooled.permute(0, 2, 3, 1).contiguous()


def check(seed: int, ctx: glrast.Context) -> int:
    """All of it, of the atlas of that seed; how many texels its charts cover."""
    narrow = RandomAtlas(seed, gutter=1)
    covered = check_coverage(narrow, ctx)
    check_padding(narrow, ctx, seed)
    check_lookups(RandomAtlas(seed, gutter=6), ctx, 0, seed)
    wide = RandomAtlas(seed, gutter=16)
    wide.size = tuple(-(-n // 4) * 4 for n in wide.size)
    check_lookups(wide, ctx, 2, seed)
    return covered


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    torch.set_num_threads(1)
    ctx = glrast.Context("cpu", output_db=False)
    texels = 0
    for seed in range(first, first + count):
        try:
            texels += check(seed, ctx)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
    print(f"{count} atlases, {texels} texels in charts: none uncovered, every padded texel its own")


if __name__ == "__main__":
    main()
