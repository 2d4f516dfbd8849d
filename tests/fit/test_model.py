"""The mesh as an image, and the guard on its gradient."""

import math

import pytest
import torch

import glrast
from glrast.bake.unwrap import unwrap
from glrast.clip import icosphere, look_at, perspective
from glrast.fit.bake import bake
from glrast.fit.model import ColoredMesh, Model, render, supersampled, without_outliers


@pytest.fixture
def sphere() -> ColoredMesh:
    # Coarse: triangles of several pixels, whose silhouette antialias finds.
    pos, tri = icosphere(0)
    return ColoredMesh(pos, tri, torch.tensor([0.2, 0.5, 0.8]).expand(len(pos), 3).contiguous())


def camera() -> torch.Tensor:
    projection = perspective(math.radians(40.0), 33 / 17, 0.1, 10.0)
    return (projection @ look_at((0.0, 0.0, 5.0), (0.0, 0.0, 0.0)))[None]


def test_render_is_premultiplied_colour_and_coverage(sphere: ColoredMesh):
    image = render(glrast.Context("cpu"), sphere, camera(), (17, 33))[0]
    assert image.shape == (17, 33, 4)
    assert image[8, 16].tolist() == pytest.approx([0.2, 0.5, 0.8, 1.0], abs=1e-5)
    assert not image[:, 0].any()
    # Also at the silhouette the colour is the object's times the coverage.
    expected = image[..., 3:] * torch.tensor([0.2, 0.5, 0.8])
    torch.testing.assert_close(image[..., :3], expected, rtol=0, atol=1e-5)
    assert bool(((image[..., 3] > 0.01) & (image[..., 3] < 0.99)).any())


@pytest.mark.parametrize("textured", [False, True])
def test_exact_edges_are_what_many_samples_tend_to(sphere: ColoredMesh, textured: bool):
    ctx = glrast.Context("cpu")
    if textured:
        skin = unwrap(sphere.pos, sphere.tri, texels=20_000.0)
        color = bake(ctx, skin, sphere.tri, sphere.color)
        sphere = ColoredMesh(sphere.pos, sphere.tri, color, skin)
    wanted = supersampled(ctx, sphere, camera(), (17, 33), 16)
    exact, blended = (
        render(ctx, sphere, camera(), (17, 33), edges=edges) for edges in ("exact", "antialias")
    )
    assert float(exact[..., 3].min()) >= 0
    apart = (exact - wanted).abs().max()
    assert apart < 2e-3 and apart < 0.1 * (blended - wanted).abs().max()


def test_supersampled_is_the_mean_of_the_larger_image(sphere: ColoredMesh):
    ctx = glrast.Context("cpu")
    large = render(ctx, sphere, camera(), (34, 66))[0]
    small = supersampled(ctx, sphere, camera(), (17, 33), 2)[0]
    mean = (large[0::2, 0::2] + large[1::2, 0::2] + large[0::2, 1::2] + large[1::2, 1::2]) / 4
    torch.testing.assert_close(small, mean, rtol=0, atol=1e-6)


def test_a_texture_baked_from_the_vertices_looks_like_them():
    ctx, pos = glrast.Context("cpu"), icosphere(2)[0]
    mesh = ColoredMesh(pos, icosphere(2)[1], 0.5 + 0.5 * pos)
    skin = unwrap(mesh.pos, mesh.tri, texels=20_000.0)
    textured = ColoredMesh(mesh.pos, mesh.tri, bake(ctx, skin, mesh.tri, mesh.color), skin)
    plain, seen = (render(ctx, m, camera(), (65, 65)) for m in (mesh, textured))
    assert not seen[0, 0, 0].any()
    torch.testing.assert_close(seen, plain, rtol=0, atol=0.03)


def test_a_texture_has_gradients_where_it_is_seen_and_moves_the_surface():
    ctx, (pos, tri) = glrast.Context("cpu"), icosphere(1)
    skin = unwrap(pos, tri, texels=2_000.0)
    model = Model(ColoredMesh(pos, tri, bake(ctx, skin, tri, 0.5 + 0.5 * pos), skin), 5.0)
    mesh = ColoredMesh(model.positions(), model.tri, model.color, model.atlas)
    # Inside the silhouette, where only the texture's own slope can move anything.
    render(ctx, mesh, camera(), (65, 65))[:, 25:40, 25:40, 0].sum().backward()
    grad = model.color.grad
    assert bool(grad[..., 0].any()) and not grad[..., 1:].any()
    # Trilinear weights add up to one for each pixel.
    assert float(grad.sum()) == pytest.approx(15 * 15, rel=1e-4)
    assert float(model.u.grad.abs().max()) > 0


@pytest.mark.parametrize("edges, apart", [("antialias", 0.2), ("exact", 0.05)])
def test_the_gradient_of_the_coverage_is_that_of_the_area(sphere: ColoredMesh, edges, apart):
    model = Model(sphere, smoothness=5.0)
    mesh = ColoredMesh(model.positions(), model.tri, model.color)
    area = render(glrast.Context("cpu"), mesh, camera(), (65, 129), edges=edges)[..., 3].sum()
    area.backward()
    # u times 1 + s is the shape times 1 + s, and near it the area times 1 + 2 s, in perspective a
    # little more. The guard against outliers takes its share, and without exact edges corners do.
    growth = float((model.u.grad * model.u.detach()).sum()) / float(area.detach())
    assert growth == pytest.approx(2.0, rel=apart)


def test_one_wild_row_of_a_gradient_is_cut_and_the_others_are_left():
    grad = torch.randn(500, 3, generator=torch.Generator().manual_seed(0)) * 1e-4
    wild = grad.clone()
    wild[7] = torch.tensor([20.0, 0.0, -20.0])
    limited = without_outliers(wild)
    untouched = torch.arange(500) != 7
    assert torch.equal(limited[untouched], grad[untouched])
    assert float(limited[7].norm()) < 20 * float(grad.norm(dim=1).mean())
    assert limited[7, 0] > 0 and limited[7, 2] < 0


def test_a_gradient_on_few_vertices_is_left_as_it_is():
    grad = torch.zeros(500, 3)
    grad[7] = 1e-3
    assert torch.equal(without_outliers(grad), grad)
    assert not without_outliers(torch.zeros(4, 3)).any()


def test_remeshed_and_refined_carry_the_colours_over():
    pos, tri = icosphere(2)
    mesh = ColoredMesh(pos, tri, (pos[:, :1] > 0).float().expand(-1, 3).contiguous())
    finer = mesh.remeshed(0.2)
    side = finer.pos[:, 0]
    assert len(finer.pos) > len(pos)
    assert bool((finer.color[side > 0.4] > 0.99).all() and (finer.color[side < -0.4] < 0.01).all())
    assert len(finer.refined(0.01).pos) > len(finer.pos) == len(finer.refined(10.0).pos)
