"""Colours and textures in closed form: what made the pictures is found again, and nothing is nearer to them."""

import pytest
import torch

import glrast
from glrast.mesh.shapes import icosphere
from glrast.optim import interpolation_matrix, solve_colours, solve_texture, texture_matrix
from tests.optim.test_solve_matrices import seen_triangles


def sphere_views(resolution=48, level=2):
    """rast [6,H,W,4] of a sphere from six sides, its vertices and triangles."""
    pos, tri = icosphere(level)
    turns = [torch.eye(3)[[0, 1, 2]], torch.eye(3)[[1, 2, 0]], torch.eye(3)[[2, 0, 1]]]
    turns += [turn * torch.tensor([1.0, 1.0, -1.0]) for turn in turns]
    clip = torch.stack(
        [torch.cat([0.8 * pos @ turn.T, torch.ones(len(pos), 1)], 1) for turn in turns]
    )
    return glrast.rasterize(glrast.Context("cpu"), clip, tri, (resolution, resolution))[0], pos, tri


def square_views(size=32, resolution=64, count=3):
    """uv [count,H,W,2] and uv_da of the unit square seen straight, at once, twice and half the texture's scale."""
    pixels = (torch.arange(resolution) + 0.5) / resolution
    v, u = torch.meshgrid(pixels, pixels, indexing="ij")
    uv, uv_da = [], []
    for view in range(count):
        scale = (1.0, 0.5, 2.0)[view]
        uv.append(torch.stack([u, v], -1) * scale + 0.3 * view)
        step = scale / resolution
        uv_da.append(torch.tensor([step, 0.0, 0.0, step]).expand(resolution, resolution, 4))
    return torch.stack(uv), torch.stack(uv_da)


@pytest.mark.parametrize("solver", ("scipy", "cg"))
def test_colours_that_made_the_pictures_are_found_again(solver):
    rast, pos, tri = sphere_views()
    color = torch.rand(len(pos), 3)
    image, _ = glrast.interpolate(color, rast, tri)
    found = solve_colours(image, rast, tri, smoothness=0.0, solver=solver)
    torch.testing.assert_close(found, color, rtol=0, atol=1e-4)


def test_conjugate_gradients_come_as_near_as_a_factorisation_where_most_is_hidden():
    rast, pos, tri = sphere_views(level=4)
    image = torch.rand(1, *rast.shape[1:3], 3)
    found = [
        solve_colours(image, rast[:1], tri, vertices=len(pos), smoothness=1e-4, solver=solver)
        for solver in ("scipy", "cg")
    ]
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=1e-4)


def test_a_solver_that_is_not_installed_is_told_by_who_asked(monkeypatch):
    monkeypatch.setattr("glrast.optim.solvers._is_installed", lambda package: False)
    rast, _, tri = sphere_views()
    with pytest.raises(ImportError, match="glrast.optim.solve_colours: solver 'scipy'"):
        solve_colours(torch.rand(*rast.shape[:3], 3), rast, tri, solver="scipy")


def test_no_colours_are_nearer_to_the_pictures():
    rast, tri, vertices = seen_triangles()
    image, weight = torch.rand(2, 24, 24, 3), torch.rand(2, 24, 24)
    found = solve_colours(image, rast, tri, vertices=vertices, weight=weight, smoothness=0.0)
    tall = interpolation_matrix(rast, tri, vertices).to_dense().double()
    apart = (tall @ found.double() - image.reshape(-1, 3).double()) * weight.reshape(-1, 1)
    slope = tall.T @ (apart * (rast[..., 3] > 0).reshape(-1, 1))
    assert slope.abs().max() < 1e-4 * (tall.T @ image.reshape(-1, 3).double()).abs().max()


def test_a_part_that_nobody_saw_has_the_mean_colour_and_a_hidden_vertex_that_of_its_neighbours():
    rast, tri, vertices = seen_triangles()
    image = torch.rand(2, 24, 24, 3)
    mean = image[rast[..., 3] > 0].mean(dim=0)
    found = solve_colours(image, rast, tri, vertices=vertices)
    torch.testing.assert_close(found[55:], mean.expand(5, 3), rtol=0, atol=1e-5)
    rast, pos, tri = sphere_views()
    flat = torch.where(rast[:1, ..., 3:] > 0, torch.tensor([0.2, 0.4, 0.8]), torch.zeros(3))
    found = solve_colours(flat, rast[:1], tri, vertices=len(pos))
    torch.testing.assert_close(
        found, torch.tensor([0.2, 0.4, 0.8]).expand(len(pos), 3), rtol=0, atol=1e-4
    )


def test_a_texture_that_made_the_pictures_is_found_again():
    uv, uv_da = square_views()
    tex = torch.rand(1, 32, 32, 3)
    image = glrast.texture(tex, uv, uv_da)
    found = solve_texture(
        image,
        uv,
        uv_da,
        weight=torch.ones(3, 64, 64),
        size=(32, 32),
        smoothness=0.0,
        tolerance=1e-5,
    )
    torch.testing.assert_close(found, tex, rtol=0, atol=2e-3)


def test_no_texture_is_nearer_to_the_pictures():
    uv, uv_da = square_views()
    image, weight = torch.rand(3, 64, 64, 2), torch.rand(3, 64, 64)
    options = dict(size=(32, 32), smoothness=0.0, tolerance=1e-6, steps=500)
    found = solve_texture(image, uv, uv_da, weight=weight, **options)
    tall = texture_matrix((32, 32), uv, uv_da)
    apart = (tall @ found.reshape(-1, 2) - image.reshape(-1, 2)) * weight.reshape(-1, 1)
    assert (tall.T @ apart).abs().max() < 1e-3 * (tall.T @ image.reshape(-1, 2)).abs().max()


def test_pictures_of_several_sizes_count_as_one():
    uv, uv_da = square_views(count=2)
    image = torch.rand(2, 64, 64, 3)
    small = (uv[1:, :40, :50], uv_da[1:, :40, :50], image[1:, :40, :50])
    weight = torch.zeros(2, 64, 64)
    weight[0], weight[1, :40, :50] = 1.0, 1.0
    whole = solve_texture(image, uv, uv_da, weight=weight, size=(32, 32), tolerance=1e-5)
    parts = solve_texture(
        [image[:1], small[2]], [uv[:1], small[0]], [uv_da[:1], small[1]],
        weight=[weight[:1], weight[1:, :40, :50]], size=(32, 32), tolerance=1e-5,
    )  # fmt: skip
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-4)


def test_texels_that_nobody_saw_follow_their_surroundings():
    uv, uv_da = square_views(count=1)
    weight = torch.ones(1, 64, 64)
    weight[:, 16:32, 16:32] = 0.0  # texels 8 to 15
    image = torch.stack([uv[..., 0], uv[..., 1], 0 * uv[..., 0]], -1)
    found = solve_texture(
        image, uv, weight=weight, size=(32, 32), boundary_mode="clamp", tolerance=1e-6, steps=500
    )[0]
    texel = (torch.arange(32) + 0.5) / 32
    expected = texel.expand(32, 32)
    torch.testing.assert_close(found[..., 0][9:15, 9:15], expected[9:15, 9:15], rtol=0, atol=0.01)


def test_what_cannot_be_solved_is_refused_by_name():
    uv, uv_da = square_views(count=1)
    image, ones = torch.rand(1, 64, 64, 3), torch.ones(1, 64, 64)
    rast, tri, vertices = seen_triangles()
    wrong = {
        "weight must be above 0 somewhere": lambda: solve_texture(
            image, uv, weight=0 * ones, size=(8, 8)
        ),
        "one for each of 1 images": lambda: solve_texture(
            image, [uv, uv], weight=ones, size=(8, 8)
        ),
        "image must be": lambda: solve_texture(image[:, :5], uv, weight=ones, size=(8, 8)),
        "smoothness must be 0 or more": lambda: solve_texture(
            image, uv, weight=ones, size=(8, 8), smoothness=-1
        ),
        "rast must be of pixels that show": lambda: solve_colours(
            torch.rand(2, 24, 24, 3), 0 * rast, tri
        ),
        "solver must be": lambda: solve_colours(
            torch.rand(2, 24, 24, 3), rast, tri, solver="guess"
        ),
    }
    for expected, call in wrong.items():
        with pytest.raises(ValueError, match=f"glrast.optim.*{expected}"):
            call()
    with pytest.raises(TypeError, match="glrast.optim.solve_texture: image"):
        solve_texture("photo.png", uv, weight=ones, size=(8, 8))
