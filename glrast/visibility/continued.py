"""What fragments show where nobody shades them: the colours of pixels, continued.

A fragment of triangle t takes the nearest pixel a whose centre shows t, and goes on from there by the slope that the
colours c_j of the pixels j around it that show t have:

    c_f = c_a + g . (x_f - x_a)        g = argmin  sum over j of w_j (c_j - c_a - g . (x_j - x_a))^2

Places x are (u, v) carried into pixels by the fragment's own derivatives J of them, x_j - x_f = J^-1 (uv_j - uv_f): so
what is linear on the triangle is continued exactly, in perspective too, and places move with the vertices as u and v
do. Where the pixels that show t lie on a line, g goes along it; one alone has no slope.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..core.rast import triangle_id
from ..ops.function import untraced
from .exact.edges import welded
from .fragments import Fragments

REACH = 2  # pixels to each side that are looked at
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
    offset: Tensor  # float64 [P,2]: from the anchor, in whole pixels


def _pairs(around: _Around) -> _Pairs:
    with torch.no_grad():
        fragment, place = around.others.nonzero().unbind(1)
        at = around.offsets[place]
        return _Pairs(
            fragment,
            around.pixels[fragment, place],
            1 / (1 + at.square().sum(1).double()).square(),
            (at - around.offsets[around.place[fragment]]).double(),
        )


def _shares(rast: Tensor, frag: Fragments, anchor: Tensor, pairs: _Pairs) -> Tensor:
    """float32 [P]: by how much of c_j - c_a each pair moves its fragment's colour, w_j (x_j - x_a) . G^-1 (x_f - x_a),
    where G is the sum of w (x - x_a)(x - x_a)^T, and 1 across the line where pixels lie on one."""
    F, of = len(frag.pixel), pairs.fragment
    with torch.no_grad():
        whole = _moments(pairs.offset, torch.ones_like(pairs.weight), of, F)
        in_line = _area(whole) == 0  # whole numbers: exactly
        spread = _SPREAD * _area(_filled(_moments(pairs.offset, pairs.weight, of, F), in_line))
        sound = _are_sound(frag.rast_db.reshape(-1, 4))
    uv, own = rast.reshape(-1, 4), frag.rast.reshape(-1, 4)[:, :2].double()
    unit = own.new_tensor([1.0, 0.0, 0.0, 1.0])
    slopes = torch.where(sound[:, None], frag.rast_db.reshape(-1, 4).double(), unit)

    def place(pixel: Tensor, slopes: Tensor, own: Tensor) -> Tensor:
        """x - x_f of pixels."""
        return _solved(slopes, uv.index_select(0, pixel)[:, :2].double() - own)

    begin = place(anchor, slopes, own)
    apart = place(pairs.pixel, slopes.index_select(0, of), own.index_select(0, of))
    apart = apart - begin.index_select(0, of)
    moments = _filled(_moments(apart, pairs.weight, of, F), in_line)
    sound = sound & (_area(moments.detach()) > spread)
    moments = torch.where(sound[:, None], moments, unit)
    reach = torch.where(sound[:, None], _solved(moments, -begin), 0)
    return (pairs.weight * (apart * reach.index_select(0, of)).sum(1)).to(rast.dtype)


# Matrices [F,4] are (a, b, c, d), by rows.


def _moments(x: Tensor, weight: Tensor, of: Tensor, F: int) -> Tensor:
    products = x[:, [0, 0, 1, 1]] * x[:, [0, 1, 0, 1]] * weight[:, None]
    return products.new_zeros((F, 4)).index_add(0, of, products)


def _filled(moments: Tensor, in_line: Tensor) -> Tensor:
    """With 1 across the line of those that have moments along one only, and in both directions where there are none."""
    trace = moments[:, :1] + moments[:, 3:]
    along = moments / torch.where(trace > 0, trace, 1)
    across = moments.new_tensor([1.0, 0.0, 0.0, 1.0]) - along
    return moments + torch.where(in_line[:, None], across, 0)


def _area(m: Tensor) -> Tensor:
    return m[:, 0] * m[:, 3] - m[:, 1] * m[:, 2]


def _solved(m: Tensor, x: Tensor) -> Tensor:
    a, b, c, d = m.unbind(1)
    return (
        torch.stack([d * x[:, 0] - b * x[:, 1], a * x[:, 1] - c * x[:, 0]], 1) / _area(m)[:, None]
    )


def _are_sound(slopes: Tensor) -> Tensor:
    """Whether derivatives of u and v in float32 can be inverted: not those of the background or seen edge-on."""
    slopes = slopes.double()
    return torch.isfinite(slopes).all(1) & (
        _area(slopes).abs() > _THINNEST * slopes.square().sum(1)
    )
