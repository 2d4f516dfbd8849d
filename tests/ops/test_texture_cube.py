"""texture with boundary_mode 'cube': OpenGL's orientation, seams over 12 edges and 8 corners, gradients."""

from itertools import product

import pytest
import torch

import glrast
from tests.ops.compare import Limits, check_gradient, close, random
from tests.reference import texture as twin

ODD = (33, 17)
ROUNDING = 4e-6  # as in test_texture.py, with a division by the longest coordinate
GRADIENT = Limits(l2=5e-6, cosine=1e-12, bias=2e-6)
FILTERS = ("nearest", "linear", "linear-mipmap-nearest", "linear-mipmap-linear")

# Midpoints of the 12 edges, the 8 corners.
EDGES = [d for d in product((-1.0, 0.0, 1.0), repeat=3) if sum(map(abs, d)) == 2]
CORNERS = list(product((-1.0, 1.0), repeat=3))


def lookup(tex, direction, **modes):
    return glrast.texture(tex, direction[None, None], boundary_mode="cube", **modes)[0, 0]


def test_faces_have_opengls_order_and_orientation(device):
    # table 8.19 written out: direction = m + p s + q t; texel (i, j) of each face is at its own centre
    S = 3
    tex = torch.arange(6.0 * S * S, device=device).reshape(1, 6, S, S, 1)
    written = {
        0: lambda p, q: (1, -q, -p), 1: lambda p, q: (-1, -q, p), 2: lambda p, q: (p, 1, q),
        3: lambda p, q: (p, -1, -q), 4: lambda p, q: (p, -q, 1), 5: lambda p, q: (-p, -q, -1),
    }  # fmt: skip
    centres = [(2 * i + 1) / S - 1 for i in range(S)]
    directions = [written[f](p, q) for f in range(6) for q in centres for p in centres]
    direction = torch.tensor(directions, device=device)
    for filter in ("nearest", "linear"):
        found = lookup(tex, 5 * direction, filter_mode=filter)[:, 0]
        close(found, torch.arange(6.0 * S * S), 1e-5)  # numbers to 53


def test_the_length_of_a_direction_does_not_matter(device):
    tex, direction = random(1, 6, 4, 4, 3).to(device), random(561, 3).to(device)
    wanted = lookup(tex, direction)
    for length in (1e-30, 1e-3, 2.0, 1e30):
        close(lookup(tex, length * direction), wanted, ROUNDING)


@pytest.mark.parametrize("S", [1, 2, 5])
@pytest.mark.parametrize("places", [EDGES, CORNERS], ids=["edges", "corners"])
def test_the_image_is_continuous_across_every_edge_and_corner(device, places, S):
    tex = random(1, 6, S, S, 3).to(device)
    place = torch.tensor(places, device=device).repeat_interleave(200, 0)
    anywhere = 2 * torch.rand(place.shape, generator=torch.Generator().manual_seed(1)) - 1
    along = torch.where(place == 0, anywhere.to(device), place)
    step = 1e-4 * random(*place.shape, seed=2).to(device)
    a, b = lookup(tex, along + step), lookup(tex, along - step)
    # texels of order 1 change by their difference over 2/S: slope at most about 4 S a unit of direction
    assert (a - b).abs().max() < 4 * S * 4 * (2e-4 * 5)
    sides = torch.stack([twin._face((along + s * step).cpu()) for s in (1, -1)], 1)
    crossed = {frozenset(pair) for pair in sides.tolist() if pair[0] != pair[1]}
    assert len(crossed) == 12  # every pair of neighbours


def test_at_a_corner_the_missing_texel_is_the_mean_of_the_other_three(device):
    tex = random(1, 6, 4, 4, 1).to(device)
    corner = torch.tensor(CORNERS, device=device)
    found = lookup(tex, corner)
    stretched = 1 + 0.01 * torch.eye(3, device=device)  # to each of the three faces that meet there
    three = [lookup(tex, corner * s, filter_mode="nearest") for s in stretched]
    close(found, sum(three) / 3, ROUNDING)


def cube_inputs(device, S=8, B=2):
    """Random directions, and directions close to every edge and corner."""
    direction = random(2, *ODD, 3, seed=1)
    near = torch.tensor(EDGES + CORNERS).repeat(28, 1)[:558]
    direction[1].view(-1, 3)[:558] = near + 0.15 * random(558, 3, seed=2)
    tex, uv_da, bias = random(B, 6, S, S, 3), 0.2 * random(2, *ODD, 6, seed=3), random(2, *ODD)
    return [t.to(device).requires_grad_() for t in (tex, direction, uv_da, bias)]


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("S, B", [(4, 2), (2, 1), (1, 1)])
def test_image_and_gradients_equal_the_twin(device, filter, S, B):
    at = cube_inputs(device, S, B)
    other = [t.detach().cpu().double().requires_grad_() for t in at]
    weight = random(2, *ODD, 3, seed=9)
    out = glrast.texture(*at, filter_mode=filter, boundary_mode="cube")
    wanted_out = twin.texture(*other, filter_mode=filter, boundary_mode="cube")
    close(out, wanted_out, 2 * ROUNDING)
    found = torch.autograd.grad(out, at, weight.to(device), allow_unused=True)
    wanted = torch.autograd.grad(wanted_out, other, weight.double(), allow_unused=True)
    for f, w in zip(found, wanted):
        if w is None or not w.any():
            assert f is None or not f.any()
        else:
            check_gradient(f, w, GRADIENT)


def test_the_slopes_of_face_coordinates_equal_differences_of_directions(device):
    # the twin's quotient rule, and with it the level of detail, against finite differences in float64
    direction, step = random(561, 3).double(), 1e-6
    da = random(561, 6, seed=1).double()
    for k in (0, 1):
        (f0, a), (f1, b) = (twin.cube_point(direction + s * step * da[:, k::2]) for s in (-1, 1))
        same = f0 == f1
        close(twin.cube_slopes(direction, da)[same][:, k::2], ((b - a) / 2 / step)[same], 1e-5)


def test_a_zero_or_non_finite_direction_gives_zero_and_no_gradient(device):
    inf, nan = float("inf"), float("nan")
    wrong = [(0.0, 0.0, 0.0), (nan, 1, 1), (1, inf, 1), (1, 1, -inf), (nan, nan, nan), (1e-45, 0, 0)]  # fmt: skip
    for filter in FILTERS:
        direction = torch.tensor([wrong], device=device)[None].requires_grad_()
        tex = torch.ones(1, 6, 4, 4, 3, device=device, requires_grad=True)
        uv_da = torch.ones(1, 1, len(wrong), 6, device=device, requires_grad=True)
        out = glrast.texture(tex, direction, uv_da, filter_mode=filter, boundary_mode="cube")
        out.sum().backward()
        assert not out.any() and not tex.grad.any()
        for t in (direction, uv_da):
            assert t.grad is None or not t.grad.any()


def test_levels_of_a_cube_map_are_built_by_face_and_listed_with_their_own_gradients(device):
    tex = random(1, 6, 8, 8, 2).to(device).requires_grad_()
    direction = random(1, *ODD, 3).to(device)
    bias = 3 * torch.rand(1, *ODD, generator=torch.Generator().manual_seed(3)).to(device)
    weight = random(1, *ODD, 2, seed=4).to(device)
    mips = twin.pyramid(tex)[1:]
    listed = glrast.texture(tex, direction, None, bias, mips, boundary_mode="cube")
    handle = glrast.texture_construct_mip(tex, cube_mode=True)
    built = glrast.texture(tex, direction, None, bias, handle, boundary_mode="cube")
    close(built, listed, ROUNDING)
    wanted = torch.autograd.grad(listed, [tex, *mips], weight)
    assert all(g.any() for g in wanted)
    check_gradient(torch.autograd.grad(built, tex, weight)[0], wanted[0], GRADIENT)


@pytest.mark.parametrize(
    "tex, uv, message",
    [
        ((1, 4, 4, 3), (1, 2, 2, 3), r"tex must be \[B,6,S,S,C\] with S > 0 for a cube map"),
        ((1, 6, 4, 5, 3), (1, 2, 2, 3), r"tex must be \[B,6,S,S,C\] with S > 0 for a cube map"),
        ((1, 6, 4, 4, 3), (1, 2, 2, 2), r"uv must be \[N,H,W,3\]; got \[1,2,2,2\]"),
    ],
)
def test_a_wrong_shape_is_told(tex, uv, message):
    with pytest.raises(ValueError, match=message):
        glrast.texture(torch.zeros(tex), torch.zeros(uv), boundary_mode="cube")
