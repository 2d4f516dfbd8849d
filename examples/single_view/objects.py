"""Airplanes, chairs, mugs and tables: random objects of four families, put together from closed solids.

An object is (pos [V,3], tri [T,3], color [T,3]) with y up, within half a unit of the origin. A solid is (pos, tri), and
solids may overlap. Light is baked into the colours: a face is brighter the more it looks up and to the front.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from glrast.clip import cube, face_normals, icosphere, torus

Solid = tuple[Tensor, Tensor]
LIGHT, AMBIENT = (
    (0.36, 0.8, 0.48),
    0.55,
)  # towards the lamp; the part of the light that comes from everywhere


def make(family: str, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """The object of that family and number, always the same: (pos [V,3], tri [T,3], color [T,3] in 0..1)."""
    generator = torch.Generator().manual_seed(1000 * seed + list(FAMILIES).index(family))

    def between(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator))

    solids = FAMILIES[family](between)
    paint = {part: 0.1 + 0.85 * torch.rand(3, generator=generator) for part, _ in solids}
    pos, tri, color, start = [], [], [], 0
    for part, (x, t) in solids:
        up = (face_normals(x, t) @ torch.tensor(LIGHT)).clamp(min=0)[:, None]
        color.append(paint[part] * (AMBIENT + (1 - AMBIENT) * up))
        pos.append(x)
        tri.append(t.long() + start)
        start += len(x)
    return torch.cat(pos), torch.cat(tri), torch.cat(color)


# ---- solids ----------------------------------------------------------------------------------------------


def box(center: tuple, size: tuple) -> Solid:
    pos, tri = cube()
    return pos * torch.tensor(size) / 2 + torch.tensor(center), tri


def drum(center: tuple, height: float, bottom: float, top: float, sides: int = 20) -> Solid:
    """A cylinder, or what is left of a cone: radii at the bottom and at the top."""
    turn = torch.arange(sides) * (2 * math.pi / sides)
    ring = torch.stack([turn.cos(), 0 * turn, -turn.sin()], 1)
    y = torch.tensor([0, height / 2, 0])
    pos = torch.cat([ring * bottom - y, ring * top + y, -y[None], y[None]]) + torch.tensor(center)
    a = torch.arange(sides)
    b, ends = a.roll(-1), torch.full((sides,), 2 * sides)
    faces = [(a, b, b + sides), (a, b + sides, a + sides), (ends, b, a)]
    faces.append((ends + 1, a + sides, b + sides))
    return pos, torch.cat([torch.stack(corners, 1) for corners in faces])


def ball(center: tuple, radii: tuple) -> Solid:
    pos, tri = icosphere(2)
    return pos * torch.tensor(radii) + torch.tensor(center), tri


def swept(solid: Solid, back: float, up: float) -> Solid:
    """Sheared: what is far to a side goes back (-z) and up."""
    pos, tri = solid
    aside = pos[:, :1].abs()
    return torch.cat([pos[:, :1], pos[:, 1:2] + up * aside, pos[:, 2:] - back * aside], 1), tri


# ---- families: lists of (name of the paint, solid) -------------------------------------------------------


def airplane(between: Callable) -> list:
    long, thick = between(0.38, 0.48), between(0.06, 0.1)
    span, chord, height = between(0.28, 0.48), between(0.13, 0.2), between(-0.03, 0.03)
    back, tail = between(0.1, 0.6), between(0.1, 0.18)
    # left and right are solids of their own, so that both are swept
    wings = [box((s * span / 2, height, 0.04), (span, 0.05, chord)) for s in (-1, 1)]
    fins = [box((s * tail / 2, 0.03, -long * 0.85), (tail, 0.04, 0.1)) for s in (-1, 1)]
    solids = [("body", ball((0, 0, 0), (thick, thick, long)))]
    solids += [("wing", swept(w, back, 0.1)) for w in wings]
    solids += [("wing", swept(f, back, 0.1)) for f in fins]
    solids.append(("tail", box((0, tail / 2 + 0.02, -long * 0.87), (0.04, tail, 0.12))))
    if between(0, 1) < 0.5:
        x = span * between(0.35, 0.5)
        z = 0.09 - back * x
        solids += [("wing", ball((s * x, height - 0.03, z), (0.03, 0.03, 0.08))) for s in (-1, 1)]
    return solids


def chair(between: Callable) -> list:
    wide, deep, thick = between(0.34, 0.56), between(0.34, 0.5), between(0.04, 0.1)
    seat, back = between(-0.15, 0.0), between(0.3, 0.45)
    leg, slab = between(0.045, 0.08), between(0.04, 0.09)
    foot = -0.45
    solids = [("seat", box((0, seat - thick / 2, 0), (wide, thick, deep)))]
    solids.append(("back", box((0, seat + back / 2, (slab - deep) / 2), (wide, back, slab))))
    solids += legs(wide, deep, leg, foot, seat - thick)
    if between(0, 1) < 0.4:
        high, x = between(0.1, 0.2), (wide - leg) / 2
        solids += [("back", box((s * x, seat + high, 0), (leg, 0.05, deep))) for s in (-1, 1)]
        front = (deep - leg) / 2
        solids += [("leg", box((s * x, seat + high / 2, front), (leg, high, leg))) for s in (-1, 1)]
    return solids


def mug(between: Callable) -> list:
    bottom, height = between(0.16, 0.25), between(0.35, 0.65)
    top = bottom * between(0.9, 1.25)
    ring, tube = height * between(0.2, 0.28), between(0.035, 0.055)
    pos, tri = torus(10, 20, ring, tube)  # around z: the handle stands upright, on the right
    handle = pos + torch.tensor([(bottom + top) / 2 + 0.3 * ring, 0, 0])
    inside = drum((0, height / 2, 0), 0.02, 0.85 * top, 0.85 * top)
    solids = [("body", drum((0, 0, 0), height, bottom, top)), ("handle", (handle, tri))]
    solids.append(("tea", inside))
    return [(part, (pos - torch.tensor([0.06, 0, 0]), tri)) for part, (pos, tri) in solids]


def table(between: Callable) -> list:
    wide, deep, thick = between(0.6, 0.95), between(0.4, 0.7), between(0.04, 0.09)
    top, foot = between(0.0, 0.25), between(-0.45, -0.25)
    middle = top - thick / 2
    if between(0, 1) < 0.35:  # a round one on one leg
        radius, leg = wide / 2, between(0.04, 0.08)
        low = drum((0, foot + 0.02, 0), 0.04, radius * 0.6, radius * 0.5)
        column = drum((0, (foot + middle) / 2, 0), middle - foot, leg, leg)
        return [("top", drum((0, middle, 0), thick, radius, radius)), ("leg", column), ("leg", low)]
    solids = [("top", box((0, middle, 0), (wide, thick, deep)))]
    return solids + legs(wide, deep, between(0.05, 0.09), foot, top - thick)


def legs(wide: float, deep: float, thick: float, foot: float, top: float) -> list:
    x, z = (wide - thick) / 2, (deep - thick) / 2
    corners = [(sx * x, sz * z) for sx in (-1, 1) for sz in (-1, 1)]
    size = (thick, top - foot, thick)
    return [("leg", box((cx, (top + foot) / 2, cz), size)) for cx, cz in corners]


FAMILIES: dict[str, Callable[[Callable], list]] = {
    "airplane": airplane,
    "chair": chair,
    "mug": mug,
    "table": table,
}
