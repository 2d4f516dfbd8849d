"""A mesh as the loose triangles that one sees: where corners are, and their base colour in linear light."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Soup:
    """pos float64 [T,3,3] in the world; rgba float64 [T,3,4] linear, texture sampled to the nearest texel;
    look: for each triangle (alpha, cutoff of mask, unlit, wrap and filter of a texture or None)."""

    pos: np.ndarray
    rgba: np.ndarray
    look: list[tuple]


def soup_of(mesh):
    pos = mesh.pos.numpy().astype(np.float64) + np.array(mesh.origin)
    tri = mesh.tri.numpy()
    materials, number = mesh.appearance()
    rgba = np.ones((len(tri), 3, 4))
    if mesh.color is not None:
        color = mesh.color.numpy().astype(np.float64)
        rgba[..., :3] = to_linear(color[:, :3])[tri]
        if color.shape[1] == 4:
            rgba[..., 3] = color[tri, 3]
    looks = []
    for triangle, index in enumerate(number.tolist()):
        material = materials[index]
        rgba[triangle] *= np.array(material.factor)
        if material.texture is not None:
            uv = mesh.uv.numpy()[mesh.uv_tri.numpy()[triangle]]
            texels = material.texture.numpy()[::-1]  # row 0 on top, and v downwards
            rgba[triangle] *= sample(texels, uv * (1, -1) + (0, 1), material.wrap)
        looks.append(look_of(material))
    return Soup(pos[tri], rgba, looks)


def look_of(material):
    textured = (material.wrap, material.filter) if material.texture is not None else None
    cutoff = material.cutoff if material.alpha == "mask" else None
    return material.alpha, cutoff, material.unlit, textured


def sample(texels, uv, wrap):
    """Linear [N,4] of an sRGB picture 0..1 [H,W,C], row 0 on top, at uv [N,2] with v downwards: the nearest."""
    places = []
    for axis, mode in ((0, wrap[0]), (1, wrap[1])):
        size = texels.shape[1 - axis]
        cell = np.floor(uv[:, axis].astype(np.float64) * size).astype(int)
        if mode == "repeat":
            cell = cell % size
        elif mode == "mirror":
            cell = cell % (2 * size)
            cell = np.where(cell < size, cell, 2 * size - 1 - cell)
        places.append(np.clip(cell, 0, size - 1))
    found = texels[places[1], places[0]].astype(np.float64)
    C = found.shape[1]
    rgba = np.ones((len(found), 4))
    rgba[:, :3] = to_linear(found[:, :3] if C > 2 else found[:, :1])
    if C in (2, 4):
        rgba[:, 3] = found[:, -1]
    return rgba


def to_linear(c):
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def distance(found, expected):
    """The largest difference of positions, and of colours: corners may begin anywhere, none may turn over."""
    if found.pos.shape != expected.pos.shape:
        return np.inf, np.inf
    away, shade = [], []
    for turn in range(3):
        turned = np.roll(found.pos, turn, 1), np.roll(found.rgba, turn, 1)
        away.append(np.abs(turned[0] - expected.pos).max((1, 2)))
        shade.append(np.abs(turned[1] - expected.rgba).max((1, 2)))
    both = np.argmin(np.array(away) + np.array(shade), 0)
    pick = both, np.arange(len(both))
    return np.array(away)[pick].max(initial=0), np.array(shade)[pick].max(initial=0)
