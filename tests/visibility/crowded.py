"""Scenes where boundaries crowd: a pixel may hold several edges, corners and whole triangles. 64 x 64, like those of
tests/visibility/discontinuities.py, with which they make up the table of docs/exact.md."""

from functools import partial
from pathlib import Path

import numpy as np
import torch

from tests import scenes
from tests.visibility import discontinuities as kinds
from tests.visibility.discontinuities import Kind

H, W = kinds.SIZE
BUNNY = Path(__file__).resolve().parents[3] / "shared" / "data" / "meshes" / "stanford_bunny.obj"


def polygons20(seed: int) -> Kind:
    """Six convex polygons about 20 pixels wide that hide parts of one another."""
    return kinds.of(scenes.overlapping_polygons(seed=seed))


def polygons(count: int, radius: float, seed: int, shaded: bool = False) -> Kind:
    """Many convex polygons; `shaded`: with random colours at their corners, before a shaded screen."""
    random, parts = np.random.default_rng(seed), []
    for i in range(count):
        n = 3 + i % 4
        angle = (np.arange(n) + 0.6 * random.random(n)) * 2 * np.pi / n
        center = random.uniform(radius * 0.5, W - radius * 0.5, 2)
        size = radius * (0.7 + 0.5 * random.random())
        outline = center + size * np.stack([np.cos(angle), np.sin(angle)], 1)
        color = random.random((n, 3)) if shaded else random.random(3)
        parts.append((outline, -0.8 + 1.5 * i / count, 1 + random.random(), color))
    if shaded:
        screen = [(-9, -9), (80, -7), (75, 78), (-12, 74)]
        parts.append((screen, 0.8, [1, 1.3, 1.1, 1.5], random.random((4, 3))))
    return fans(parts)


def fan(blades: int = 24) -> Kind:
    """Thin triangles that meet in one point."""
    random, center, parts = np.random.default_rng(5), np.array([31.3, 32.8]), []
    for i in range(blades):
        a = 2 * np.pi * (i + 0.1) / blades
        ends = [center + 28 * np.array([np.cos(b), np.sin(b)]) for b in (a, a + 0.13)]
        parts.append((np.array([center, *ends]), 0.0, 1.0, random.random(3)))
    return fans(parts)


def sliver_grid() -> Kind:
    """Strips 0.3 to 0.4 pixels wide before and behind each other, and a screen."""
    random, parts = np.random.default_rng(6), []
    for x in range(4, 60, 4):
        strip = [(x, 3.2), (x + 0.3, 3.2), (x + 6.3, 60.4), (x + 6, 60.4)]
        parts.append((strip, -0.2, 1.0, random.random(3)))
    for i in range(6):
        y = 6.3 + 9.1 * i
        strip = [(1.5, y), (62.3, y + 3), (62.3, y + 3.4), (1.5, y + 0.4)]
        parts.append((strip, 0.1 if i % 2 else -0.5, 1.0, random.random(3)))
    parts.append(([(-9, -9), (80, -9), (80, 80), (-9, 80)], 0.8, 1.0, (0.3, 0.4, 0.5)))
    return fans(parts)


def on_centres() -> Kind:
    """Two rectangles all of whose edges pass through pixel centres."""
    first = [(10.5, 12.5), (40.5, 12.5), (40.5, 50.5), (10.5, 50.5)]
    second = [(30.5, 30.5), (55.5, 30.5), (55.5, 60.5), (30.5, 60.5)]
    return fans([(first, -0.5, 1.0, (0.9, 0.2, 0.1)), (second, 0.0, 1.0, (0.2, 0.8, 0.3))])


def soup(count: int = 24) -> Kind:
    """Triangles through each other."""
    random, parts = np.random.default_rng(2), []
    for _ in range(count):
        outline = random.uniform(8, 56, 2) + random.uniform(-16, 16, (3, 2))
        depth, w = random.uniform(-0.6, 0.6, 3), random.uniform(0.8, 1.6, 3)
        parts.append((outline, depth, w, random.random(3)))
    return fans(parts)._replace(axes=(0, 1, 2))


def near_plane() -> Kind:
    """A floor cut by the near and the far plane, each of its two triangles of one colour."""
    pos, tri, _ = scenes.near_plane()
    pos = (pos.double() + torch.tensor([0.0, -0.9, 0.0, 0.0])).float()
    colors = torch.tensor([[0.9, 0.3, 0.2]] * 3 + [[0.2, 0.6, 0.8]] * 3)
    return Kind(pos, tri, colors, (0, 1, 2, 3))


def lumps(subdivisions: int, flat: bool) -> Kind:
    """A closed star-shaped mesh with ears: 1280 triangles of about a pixel, or 5120."""
    at, tri = (x.numpy() for x in scenes._icosphere(subdivisions))
    random = np.random.default_rng(0)
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    at = (at * _radius(at)[:, None]) @ turn.T * 0.9 - [0, 0, 3]
    x, y, z = at.T
    pos = np.stack([2 * x, 2 * y, (11 * z + 20) / -9, -z], 1)
    if flat:
        return _kind(pos, tri, np.repeat(random.random((len(tri), 3)), 3, 0))
    wave = 5 * at[:, :, None].sum(1) + 2.0 * np.arange(3) + 3 * at
    return _kind(pos, tri, (0.5 + 0.5 * np.sin(wave))[tri.ravel()])


def _radius(v):
    def bump(place, narrow):
        return np.exp(-((v - place) ** 2).sum(1) * narrow)

    ears = 0.3 * bump([0.4, 0.8, 0.45], 18) * 2.2 + 0.3 * bump([-0.4, 0.8, 0.45], 18) * 2.2
    waves = 0.12 * np.sin(7 * v[:, 0]) * np.sin(6 * v[:, 1] + 1)
    return 0.75 + ears + waves + 0.25 * bump([0, -0.6, 0.8], 6)


def bunny(flat: bool, cells: int = 13) -> Kind:
    """The Stanford bunny clustered to 1026 triangles: more than two triangles on an edge, folds, intersections."""
    at, faces = _obj(BUNNY)
    middle = (at.max(0) + at.min(0)) / 2
    at = (at - middle) / np.abs(at - middle).max()
    cell = np.floor((at + 1.0) * cells / 2).astype(int)
    _, cluster = np.unique(cell, axis=0, return_inverse=True)
    cluster = cluster.ravel()
    at = np.stack([np.bincount(cluster, at[:, k]) for k in range(3)], 1)
    at /= np.bincount(cluster)[:, None]
    tri = cluster[faces]
    tri = tri[(tri != np.roll(tri, 1, 1)).all(1)]
    _, first = np.unique(np.sort(tri, 1), axis=0, return_index=True)
    tri = tri[np.sort(first)]
    c, s = np.cos(0.5), np.sin(0.5)
    at = at @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T - [0, 0, 2.4]
    x, y, z = at.T
    pos = np.stack([2.2 * x, 2.2 * y, (11 * z + 20) / -9, -z], 1)
    if flat:
        return _kind(pos, tri, np.repeat(np.random.default_rng(0).random((len(tri), 3)), 3, 0))
    return _kind(pos, tri, (0.5 + 0.4 * np.sin(4 * at + [0, 1, 2]))[tri.ravel()])


def _obj(path: Path):
    rows = [line.split() for line in path.read_text().splitlines()]
    at = [[float(x) for x in r[1:4]] for r in rows if r and r[0] == "v"]
    faces = [[int(x.split("/")[0]) - 1 for x in r[1:4]] for r in rows if r and r[0] == "f"]
    return np.array(at), np.array(faces)


def fans(parts) -> Kind:
    """Convex polygons (outline [n,2] in pixels, z/w, w, colours), each of one value or [n], as fans."""
    pos, tri, colors = [], [], []
    for outline, depth, w, color in parts:
        outline = np.asarray(outline, float)
        n, first = len(outline), len(pos)
        depth, w = np.broadcast_to(depth, n), np.broadcast_to(w, n)
        color = np.broadcast_to(color, (n, 3))
        x, y = 2 * outline[:, 0] / W - 1, 2 * outline[:, 1] / H - 1
        pos += np.stack([x * w, y * w, depth * w, w], 1).tolist()
        for i in range(1, n - 1):
            tri.append([first, first + i, first + i + 1])
            colors += [color[0], color[i], color[i + 1]]
    return _kind(np.array(pos), np.array(tri), np.array(colors))


def _kind(pos, tri, colors) -> Kind:
    return Kind(
        torch.tensor(pos, dtype=torch.float32),
        torch.tensor(tri, dtype=torch.int32),
        torch.tensor(colors, dtype=torch.float32),
    )


CROWDED = {f"polygons20_{n}": partial(polygons20, n) for n in range(3)} | {
    "polygons10": partial(polygons, 30, 5, 1),
    "polygons5": partial(polygons, 70, 2.5, 2),
    "shaded_polygons": partial(polygons, 12, 9, 3, True),
    "fan": fan,
    "sliver_grid": sliver_grid,
    "on_centres": on_centres,
    "soup": soup,
    "near_plane": near_plane,
    "lumps1280_flat": partial(lumps, 3, True),
    "lumps1280_smooth": partial(lumps, 3, False),
    "lumps5120_flat": partial(lumps, 4, True),
    "bunny_flat": partial(bunny, True),
    "bunny_smooth": partial(bunny, False),
}
ALL = kinds.KINDS | CROWDED
