"""What fragments show where nobody shades them: the colours of pixels, continued.

A fragment of triangle t takes the nearest pixel a whose centre shows t, and goes on from there by the slope that the
colours c_j of the pixels j around it that show t have:

    c_f = c_a + g . (x_f - x_a)        g = argmin  sum over j of w_j (c_j - c_a - g . (x_j - x_a))^2

Places x are (u, v) carried into pixels by the fragment's own derivatives J of them, x_j - x_f = J^-1 (uv_j - uv_f): so
what is linear on the triangle is continued exactly, in perspective too, and places move with the vertices as u and v
do. Where the pixels that show t lie on a line, g goes along it; one alone has no slope.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..core.rast import triangle_id
from ..ops.function import untraced
from .exact.edges import welded
from .fragments import Fragments

REACH = 2  # pixels to each side that are looked at
OTHERS = 4  # pixels at most, beside the anchor, that a slope is read off: the nearest
_SIDE = 2 * REACH + 1
_NOWHERE = -2  # what a pixel beyond the border shows: no triangle, and no background
# Slopes are left out where J, of float32, is no guide: triangles of so little width by length, and pixels whose places
# spread over so little of the area that they have in the image.
_THINNEST = 1e-5
_SPREAD = 1e-3


@untraced
def continued(color: Tensor, rast: Tensor, frag: Fragments, pos: Tensor, tri: Tensor) -> Tensor:
    """[N*F,C]: the colours of fragments from those of pixels, color [N,H,W,C], which was shaded from `rast`.

    What no pixel within REACH shows takes its mean colour in the image; a triangle that no pixel shows at all takes the
    nearest within REACH that shows one with which it shares a corner, else any triangle; and what is then left, a
    background between triangles that fill the image, say, has the colour of its pixel. Colours stay between the least
    and the greatest of the image, channel by channel.

    Gradients: color; u and v of frag.rast and of rast, and frag.rast_db. The least and the greatest count as fixed.
    """
    C = color.shape[3]
    if not len(frag.pixel) or not C:
        return color.new_zeros((len(frag.pixel), C))
    flat, around = color.reshape(-1, C), _around(rast, frag, pos, tri)
    shown = flat.index_select(0, around.anchor)
    if len(around.lost):
        shown = shown.index_copy(0, *_means(flat, rast, frag, around.lost))
    pairs = _pairs(around)
    if len(pairs.fragment):
        share = _shares(rast, frag, around.anchor, pairs)
        apart = flat.index_select(0, pairs.pixel) - shown.index_select(0, pairs.fragment)
        shown = shown.index_add(0, pairs.fragment, share[:, None] * apart)
    image = frag.pixel // (color.shape[1] * color.shape[2])
    return shown.clamp(*(x.reshape(-1, C).index_select(0, image) for x in extremes(color)))


def extremes(color: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the greatest [N,1,1,C] of each channel of each image, without gradient."""
    known = color.detach().nan_to_num(0.0)
    return known.amin((1, 2), keepdim=True), known.amax((1, 2), keepdim=True)


# ---- which pixels ----------------------------------------------------------------------------------------


class _Around(NamedTuple):
    """The pixels around each fragment's, by distance."""

    offsets: Tensor  # int64 [K,2]
    pixels: Tensor  # int64 [F,K]
    others: Tensor  # bool [F,K]: beside the anchor, those that show the fragment's triangle
    place: Tensor  # int64 [F]: the anchor's place in K
    anchor: Tensor  # int64 [F]: the pixel to begin at
    lost: Tensor  # int64: the fragments that no pixel around shows


def _around(rast: Tensor, frag: Fragments, pos: Tensor, tri: Tensor) -> _Around:
    with torch.no_grad():
        own, ids = triangle_id(frag.rast).reshape(-1), triangle_id(rast)
        offsets, pixels, inside = _window(frag.pixel, *ids.shape[1:])
        shows = ids.reshape(-1)[pixels].masked_fill(~inside, _NOWHERE)
        same = shows == own[:, None]
        place = same.to(torch.int8).argmax(1)  # the first: 0, its own pixel, where there is none
        image, lost = frag.pixel // ids[0].numel(), (~same.any(1)).nonzero()[:, 0]
        strange = lost[own[lost] >= 0]
        if len(strange):
            names = welded(pos.detach(), tri)
            place[strange] = _kin(names, image[strange], own[strange], shows[strange])
        anchor = pixels.gather(1, place[:, None])[:, 0]
        others = same & (own >= 0)[:, None]
        others.scatter_(1, place[:, None], False)
        others &= others.cumsum(1, dtype=torch.int8) <= OTHERS
        return _Around(offsets, pixels, others, place, anchor, lost)


def _window(pixel: Tensor, H: int, W: int) -> tuple[Tensor, Tensor, Tensor]:
    """Offsets [K,2], nearest first; the pixels [F,K] there (beyond the border: itself), and which are inside."""
    number = torch.arange(_SIDE * _SIDE, device=pixel.device)
    offsets = torch.stack([number % _SIDE, number // _SIDE], 1) - REACH
    offsets = offsets[torch.sort(offsets.square().sum(1), stable=True).indices]
    x, y = (at[:, None] + offsets[:, k] for k, at in enumerate((pixel % W, pixel // W % H)))
    inside = (x >= 0) & (x < W) & (y >= 0) & (y < H)
    step = torch.where(inside, offsets[:, 1] * W + offsets[:, 0], 0)
    return offsets, pixel[:, None] + step, inside


def _kin(tri: Tensor, image: Tensor, own: Tensor, shows: Tensor) -> Tensor:
    """The place in shows [F,K] of the nearest triangle that shares a corner with own [F], else of any; 0 if none.
    tri [T,3] or [N,T,3]: vertices in one place are named alike."""
    faces = tri.reshape(-1, 3)
    first = image * tri.shape[1] if tri.ndim == 3 else torch.zeros_like(image)
    mine, theirs = faces[own + first], faces[shows.clamp(min=0) + first[:, None]]
    shares = (theirs[..., None] == mine[:, None, None]).flatten(2).any(2)
    drawn = shows >= 0
    return (drawn.to(torch.int8) + (drawn & shares)).argmax(1)


def _means(flat: Tensor, rast: Tensor, frag: Fragments, lost: Tensor) -> tuple[Tensor, Tensor]:
    """Those fragments of the lost whose triangle, or background, the image shows somewhere, and its mean colour."""
    with torch.no_grad():
        ids = triangle_id(rast).flatten(1)
        N, most = len(ids), int(ids.max()) + 2  # names of what is seen: id + 1, and no triangle
        name = triangle_id(frag.rast).reshape(-1)[lost] + 1
        lost, name = lost[name < most], name[name < most]
        name = name + frag.pixel[lost] // ids.shape[1] * most
        names = (ids + 1 + torch.arange(N, device=ids.device)[:, None] * most).reshape(-1)
        wanted = torch.zeros(N * most, dtype=torch.bool, device=ids.device)
        wanted[name] = True
        number = wanted.cumsum(0) - 1
        pixel = wanted[names].nonzero()[:, 0]
        group, M = number[names[pixel]], int(wanted.sum())
        count = torch.bincount(group, minlength=M)
        number = number[name]
        seen = count[number] > 0
    total = flat.new_zeros((M, flat.shape[1])).index_add(0, group, flat.index_select(0, pixel))
    mean = total / count.clamp(min=1)[:, None]
    return lost[seen], mean.index_select(0, number[seen])


# ---- by which slope --------------------------------------------------------------------------------------


class _Pairs(NamedTuple):
    """A fragment and a pixel, other than its anchor, that its slope is read off."""

    fragment: Tensor  # int64 [P]
    pixel: Tensor  # int64 [P]
    weight: Tensor  # float64 [P]
    x: Tensor  # float64 [P]: from the anchor, in whole pixels
    y: Tensor


def _pairs(around: _Around) -> _Pairs:
    with torch.no_grad():
        fragment, place = around.others.nonzero().unbind(1)
        x, y = around.offsets.double().unbind(1)
        anchor = around.place.index_select(0, fragment)
        return _Pairs(
            fragment,
            around.pixels[fragment, place],
            (1 / (1 + x * x + y * y).square()).index_select(0, place),
            x.index_select(0, place) - x.index_select(0, anchor),
            y.index_select(0, place) - y.index_select(0, anchor),
        )


def _shares(rast: Tensor, frag: Fragments, anchor: Tensor, pairs: _Pairs) -> Tensor:
    """float32 [P]: by how much of c_j - c_a each pair moves its fragment's colour, w_j (x_j - x_a) . G^-1 (x_f - x_a),
    where G is the sum of w (x - x_a)(x - x_a)^T, and 1 across the line where pixels lie on one."""
    F, of = len(frag.pixel), pairs.fragment
    with torch.no_grad():
        whole = _moments(pairs.x, pairs.y, torch.ones_like(pairs.weight), of, F)
        in_line = _area(whole) == 0  # whole numbers: exactly
        lattice = _moments(pairs.x, pairs.y, pairs.weight, of, F)
        spread = _SPREAD * _area(_filled(lattice, in_line))
        sound = _are_sound(frag.rast_db.reshape(-1, 4))
    u, v = (rast.reshape(-1, 4)[:, k].double() for k in (0, 1))
    own = [frag.rast.reshape(-1, 4)[:, k].double() for k in (0, 1)]
    slopes = _or_unit(sound, frag.rast_db.reshape(-1, 4).double().unbind(1))
    inverse = _inverse(slopes)

    def place(pixel: Tensor, inverse: _Matrix, own: list[Tensor]) -> tuple[Tensor, Tensor]:
        """x - x_f of pixels."""
        return _times(inverse, u.index_select(0, pixel) - own[0], v.index_select(0, pixel) - own[1])

    def each(columns: Sequence[Tensor]) -> list[Tensor]:
        return [column.index_select(0, of) for column in columns]

    begin = place(anchor, inverse, own)
    a, b, c, d = each(inverse)
    places = place(pairs.pixel, (a, b, c, d), each(own))
    x, y = (at - start for at, start in zip(places, each(begin)))
    moments = _filled(_moments(x, y, pairs.weight, of, F), in_line)
    with torch.no_grad():
        sound = sound & (_area(moments) > spread)
    reach = _times(_inverse(_or_unit(sound, moments)), *(-start for start in begin))
    to_x, to_y = each([torch.where(sound, r, 0) for r in reach])
    return (pairs.weight * (x * to_x + y * to_y)).to(rast.dtype)


_Matrix = tuple[Tensor, Tensor, Tensor, Tensor]  # [F] each, by rows


def _moments(x: Tensor, y: Tensor, weight: Tensor, of: Tensor, F: int) -> _Matrix:
    wx, wy = weight * x, weight * y
    xx, xy, yy = (x.new_zeros(F).index_add(0, of, m) for m in (wx * x, wx * y, wy * y))
    return xx, xy, xy, yy


def _filled(m: _Matrix, in_line: Tensor) -> _Matrix:
    """With 1 across the line of those that have moments along one only, and in both directions where there are none."""
    xx, xy, _, yy = m
    fill = in_line / torch.where(xx + yy > 0, xx + yy, 1)
    one, off = torch.where(in_line, 1.0, 0.0), xy - fill * xy
    return xx + one - fill * xx, off, off, yy + one - fill * yy


def _or_unit(sound: Tensor, m: Sequence[Tensor]) -> _Matrix:
    a, b, c, d = m
    where = torch.where
    return where(sound, a, 1), where(sound, b, 0), where(sound, c, 0), where(sound, d, 1)


def _area(m: _Matrix) -> Tensor:
    return m[0] * m[3] - m[1] * m[2]


def _inverse(m: _Matrix) -> _Matrix:
    factor = 1 / _area(m)
    return m[3] * factor, -m[1] * factor, -m[2] * factor, m[0] * factor


def _times(m: _Matrix, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return m[0] * x + m[1] * y, m[2] * x + m[3] * y


def _are_sound(slopes: Tensor) -> Tensor:
    """Whether derivatives of u and v in float32 can be inverted: not those of the background or seen edge-on."""
    a, b, c, d = slopes.double().unbind(1)
    area, size = a * d - b * c, a * a + b * b + c * c + d * d
    return torch.isfinite(size) & (area.abs() > _THINNEST * size)
