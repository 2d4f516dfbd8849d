"""What the tests of the operations share: scenes drawn on a device, weights, comparisons, a number of threads."""

from contextlib import contextmanager

import torch

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


@contextmanager
def torch_threads(count):
    """The CPU kernels use `count` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
