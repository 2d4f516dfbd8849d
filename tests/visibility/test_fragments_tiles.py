"""Settled tiles of fragments: what is not looked at there would have changed nothing."""

import pytest
import torch

import glrast
from glrast.bench import scene as bench
from glrast.visibility.exact import boundaries, tiles
from tests import scenes
from tests.ops.compare import Limits, check_gradient, close, random
from tests.visibility import crowded
from tests.visibility import discontinuities as kinds
from tests.visibility.exact import check_weights, find

GRADIENT = Limits(l2=1e-6, cosine=1e-12, bias=1e-6)  # the same numbers added in another order


@pytest.fixture
def context(device):
    return glrast.Context(device)


def sphere(triangles):
    """An icosphere in perspective, [1,V,4], that fills 64 % of a square image."""
    made = bench.sphere(triangles, 64, torch.device("cpu"))
    return made.pos_clip, made.tri


def settled_share(monkeypatch):
    """Every call's share of settled tiles."""
    shares, settled = [], boundaries.settled

    def watched(mesh, rast):
        found = settled(mesh, rast)
        shares.append((found.bound < tiles.FAR_OFF).float().mean().item())
        return found

    monkeypatch.setattr(boundaries, "settled", watched)
    return shares


def unsettle(monkeypatch):
    """From now on every tile is looked at."""

    def nothing(mesh, rast):
        extent = tiles._extent(mesh)
        return tiles.Tiles(torch.full(extent, tiles.FAR_OFF, device=mesh.device))

    monkeypatch.setattr(boundaries, "settled", nothing)


def check_unchanged(context, pos, tri, resolution, monkeypatch, **given):
    """Fragments and gradients with settled tiles are those without; returns the share of settled ones."""
    results, share = [], settled_share(monkeypatch)
    for looks in (False, True):
        if looks:
            unsettle(monkeypatch)
        moving = pos.to(context.device).requires_grad_()
        _, frag = find(context, moving, tri, resolution, **given)
        check_weights(frag)
        y, uv = random(len(frag.weight)).to(frag.weight), random(2).to(frag.weight)
        loss = (frag.weight * y).sum() + (frag.rast[..., :2] * uv).sum() * 1e-2
        results.append((frag, *torch.autograd.grad(loss, moving)))
    (one, grad), (other, wanted) = results
    assert torch.equal(one.pixel, other.pixel)
    assert torch.equal(one.rast[..., 3], other.rast[..., 3])
    close(one.weight, other.weight, 1e-6)
    check_gradient(grad, wanted, GRADIENT)
    return share[0]


@pytest.mark.parametrize(
    "triangles, resolution",
    [(320, (96, 101)), (1280, (64, 64)), (5120, (130, 127)), (5120, (33, 40))],
)
def test_settled_tiles_of_a_sphere_show_what_looking_shows(
    context, triangles, resolution, monkeypatch
):
    share = check_unchanged(context, *sphere(triangles), resolution, monkeypatch)
    assert share > 0.1  # else nothing is tested here


@pytest.mark.parametrize("name", sorted(scenes.SCENES))
def test_settled_tiles_change_no_scene(context, name, monkeypatch):
    pos, tri, _ = scenes.SCENES[name]()
    check_unchanged(context, pos, tri, (33, 41), monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in crowded.ALL if "bunny" not in n])
def test_settled_tiles_change_no_row_of_the_table(context, name, monkeypatch):
    kind = crowded.ALL[name]()
    check_unchanged(context, kind.pos, kind.tri, kinds.SIZE, monkeypatch)


def test_images_of_a_batch_are_settled_apart(context, monkeypatch):
    pos, tri = sphere(1280)
    pos = pos.repeat(3, 1, 1) * torch.tensor([1.0, 0.6, 1.3])[:, None, None] ** torch.tensor(
        [1.0, 1, 0, 0]
    )
    assert check_unchanged(context, pos, tri, (64, 64), monkeypatch) > 0.1


def layers(*depths):
    """Flat grids before each other that fill the image, each of 2 x 16 x 16 triangles."""
    n = 16
    at = torch.linspace(-1.2, 1.2, n + 1)
    y, x = torch.meshgrid(at, at, indexing="ij")
    corner = (torch.arange(n)[:, None] * (n + 1) + torch.arange(n)).reshape(-1, 1)
    quads = torch.cat(
        [corner + torch.tensor([0, 1, n + 2]), corner + torch.tensor([0, n + 2, n + 1])]
    )
    pos = [torch.stack([x, y, z + 0 * x, 1 + 0 * x], 2).reshape(-1, 4) for z in depths]
    tri = [quads + k * (n + 1) ** 2 for k in range(len(depths))]
    return torch.cat(pos)[None], torch.cat(tri).int()


def test_a_layer_behind_is_not_looked_at(context, monkeypatch):
    pos, tri = layers(0.0, 0.5)
    assert check_unchanged(context, pos, tri, (64, 64), monkeypatch) > 0.9


def test_a_layer_that_comes_through_between_pixel_centres_is_looked_at(context, monkeypatch):
    pos, tri = layers(0.0, 0.3)
    inner = (pos[0, :, 2] > 0.1).nonzero()[:, 0]
    tip = inner[(pos[0, inner, :2] - torch.tensor([0.15, 0.15])).norm(dim=1).argmin()]
    pos[0, tip, 2] = -0.002  # through the front one by a third of a pixel
    share = settled_share(monkeypatch)
    _, frag = find(context, pos, tri, (64, 64))
    ids = glrast.triangle_id(frag.rast)[0, 0]
    assert (ids >= len(tri) // 2).any() and 0.5 < share[0] < 1
    check_weights(frag)
