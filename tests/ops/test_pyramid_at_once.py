"""The pyramid of a texture in few launches, as a GPU makes it and collects its gradients: the same bits as level by
level."""

import pytest
import torch

from glrast.ops import mipmap
from tests.ops.compare import random

# Square, wide, tall, one texel wide, a stop before the end, several images, cubes, any number of channels.
SHAPES = [
    (1, 32, 32, 3), (2, 8, 64, 1), (1, 64, 4, 4), (3, 16, 1, 2), (1, 24, 40, 5), (2, 6, 16, 16, 3),
    (1, 2, 2, 3), (1, 128, 1, 1), (1, 6, 2, 7),
]  # fmt: skip


@pytest.fixture
def at_once(monkeypatch):
    """Call f both ways: (level by level, at once)."""

    def both(f):
        monkeypatch.setattr(mipmap, "levels_at_once", lambda device: 1)
        wanted = f()
        monkeypatch.setattr(mipmap, "levels_at_once", lambda device: 3)
        return wanted, f()

    return both


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_three_levels_at_once_are_those_made_one_by_one(device, at_once, shape):
    tex = random(*shape).to(device)
    last = mipmap.last_level("texture", shape, "auto")
    assert last
    for most in {1, last - 1, last} - {0}:
        wanted, found = at_once(lambda most=most: mipmap.build(tex, most))
        assert torch.equal(wanted, found) and found.any()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_gradients_of_all_levels_are_collected_by_one_launch(device, at_once, shape):
    last, C = mipmap.last_level("texture", shape, "auto"), shape[-1]
    base = mipmap._texels(shape)
    given = random(base + mipmap.packed_texels(shape, last), C).to(device)

    def pulled():
        grad = given.clone()
        mipmap.pull_back(grad, shape, last)
        return grad[:base]  # what becomes of the levels' own is nobody's

    wanted, found = at_once(pulled)
    assert torch.equal(wanted, found) and not torch.equal(found, given[:base])
