"""What the tests of the operations share: scenes drawn on a device, weights, comparisons, a number of threads."""

from collections.abc import Iterable
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

import glrast
from tests import scenes
from tests.scenes import ODD, Scene


def on(context, scene: Scene) -> Scene:
    return Scene(*(t.to(context.device) for t in scene))


def ranges_for(pos, tri):
    """Scenes with [V,4] positions are one image of all their triangles."""
    return [[0, len(tri)]] if pos.ndim == 2 else None


def draw(context, scene, resolution=ODD):
    """rasterize a scene, or (pos, tri), whichever mode its positions mean."""
    pos, tri = (t.to(context.device) for t in scene[:2])
    return glrast.rasterize(context, pos, tri, resolution, ranges=ranges_for(pos, tri))


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


SHAPES_OF_POS = ["[V,4]", "[1,V,4]", "[N,V,4]"]


def three_images(context, shape):
    """(rast of three images, pos in one of SHAPES_OF_POS, tri); all see the same mesh unless pos is [N,V,4]."""
    pos, tri, _ = scenes.closed_mesh(1, images=3)
    if shape != "[N,V,4]":
        pos = pos[:1].expand(3, -1, -1).contiguous()
    rast, _ = draw(context, (pos, tri))
    return rast, {"[V,4]": pos[0], "[1,V,4]": pos[:1], "[N,V,4]": pos}[shape], tri


def encode(ids, device="cpu"):
    """Channel 3 of rast for triangle id + 1 above 2^24."""
    return (torch.tensor(ids, dtype=torch.int32, device=device) + 0x4A800000).view(torch.float32)


def close(found, wanted, tolerance):
    assert found.shape == wanted.shape
    difference = (found.detach().cpu().double() - wanted.detach().cpu().double()).abs()
    assert difference.numel() == 0 or difference.max() <= tolerance


def relative_error(found, wanted) -> float:
    found, wanted = found.detach().cpu().double(), wanted.detach().cpu().double()
    return ((found - wanted).norm() / wanted.norm().clamp(min=1e-30)).item()


# ---- gradients as vectors --------------------------------------------------------------------------------


class Limits(NamedTuple):
    """How far a gradient may be from what it should be; each number of Difference has its own."""

    l2: float
    cosine: float
    bias: float
    share: float = 0.0  # by default nothing may be set aside
    band: float = 0.0


class Difference(NamedTuple):
    """How far a gradient is from what it should be, as a vector."""

    l2: float  # |found - wanted| / |wanted|
    cosine: (
        float  # 1 - the cosine of the angle between them: 0 where one is the other times any factor
    )
    bias: float  # (found - wanted) . wanted / |wanted|^2, signed: 0.01 for 1.01 wanted, -1 where nothing is found
    share: float  # what stands at discontinuities and is set aside for the three above, as a part of everything
    band: float  # |found - wanted| of what is set aside / |all of wanted|


class Band(NamedTuple):
    """The part of a gradient that comes from pixels at discontinuities, where either of two answers is right.

    Which pixels these are the twin says, from the scene: never how far the gradients are apart.
    """

    found: Tensor
    wanted: Tensor
    share: float


def band_of(found, wanted, at_edge) -> tuple[Tensor, Tensor, Band]:
    """(the rest of found, of wanted, Band): where the entries themselves are those of pixels; at_edge: bool of them."""
    found, wanted, at_edge = (t.detach().cpu() for t in (found, wanted, at_edge))
    share = at_edge.double().mean().item() if at_edge.numel() else 0.0
    aside = Band(found * at_edge, wanted * at_edge, share)
    return found * ~at_edge, wanted * ~at_edge, aside


def difference(found: Tensor, wanted: Tensor, band: Band | None = None) -> Difference:
    """Compares two gradients entry by entry; `band` is what they leave out."""
    found, wanted = (t.detach().cpu().double().flatten() for t in (found, wanted))
    aside = torch.zeros(())
    everything = wanted
    if band is not None:
        given, known = (t.detach().cpu().double().flatten() for t in band[:2])
        aside, everything = (given - known).norm(), wanted + known
    part, off = wanted.norm(), found - wanted
    return Difference(
        l2=_ratio(off.norm(), part),
        cosine=_turned(found, wanted),
        bias=_ratio(off @ wanted, part * part) if wanted.any() else 0.0,
        share=0.0 if band is None else band.share,
        band=_ratio(aside, everything.norm()),
    )


def _turned(found: Tensor, wanted: Tensor) -> float:
    """1 - cosine, without the cancellation of that difference; 1 where one of them is 0 and the other is not."""
    lengths = found.norm(), wanted.norm()
    if not all(lengths):
        return float(any(lengths))
    return ((found / lengths[0] - wanted / lengths[1]).square().sum() / 2).item()


def _ratio(part: Tensor, whole: Tensor) -> float:
    if whole == 0:
        return 0.0 if part == 0 else float("inf")
    return float(part / whole)


def check_gradient(
    found: Tensor, wanted: Tensor, limits: Limits, band: Band | None = None
) -> Difference:
    """Asserts that no number of the difference is beyond its limit, and gives it back."""
    assert found.shape == wanted.shape, (
        f"{tuple(found.shape)} is compared with {tuple(wanted.shape)}"
    )
    return check_difference(difference(found, wanted, band), limits)


def check_difference(seen: Difference, limits: Limits) -> Difference:
    beyond = [
        f"{name} {value:.2e} is beyond {limit:.2e}"
        for name, value, limit in zip(seen._fields, seen, limits, strict=True)
        if not abs(value) <= limit
    ]
    assert not beyond, "; ".join(beyond)
    return seen


def check_gradients(found: Iterable[Tensor], wanted: Iterable[Tensor], limits: Limits) -> None:
    for one, other in zip(found, wanted, strict=True):
        check_gradient(one, other, limits)


@contextmanager
def torch_threads(count):
    """The CPU kernels use `count` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
