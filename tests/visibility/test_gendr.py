"""gendr: the float64 twin for every distribution and t-conorm, its library's constants, the limits at 0 and 1."""

import math

import pytest
import torch

from glrast.visibility import NearestFaces, gendr, softras
from glrast.visibility.distributions import ALIASES, DISTRIBUTIONS, T_CONORMS, distribution
from tests.ops.compare import Limits, check_gradient, close
from tests.reference.visibility import gendr as twin
from tests.visibility.test_softras import made_up

GRADIENT = Limits(l2=1e-4, cosine=1e-8, bias=1e-4)  # float32 functions; measured 1e-5
# p other than the usual one, within what the function takes
OTHER_P = dict(
    hamacher=1.5, frank=0.3, yager=1.5, aczel_alsina=1.7, dombi=0.8, schweizer_sklar=-0.5
)


def compared(device, which, t_conorm, p=None, **options):
    """Asserts that gendr and its gradients are the twin's, on faces that are neither opaque nor gone."""
    near, colors, behind = made_up()
    near = near._replace(
        dist2=near.dist2 + torch.sign(near.dist2) * 0.05
    )  # not where the root is steep
    tau = 1.9
    inputs = [t.to(device).requires_grad_() for t in (near.z, near.dist2, colors, behind)]
    z, dist2, c, b = inputs
    given = NearestFaces(near.id.to(device), z, near.bary.to(device), dist2)
    found = gendr(given, c, b, tau, which, t_conorm, p, gamma=5e-3, eps=0.48, **options)
    exact = [t.detach().cpu().double().requires_grad_() for t in inputs]
    wanted = twin.gendr(
        near.id, exact[0], near.bary.double(), exact[1], exact[2], exact[3], tau, which, t_conorm,
        T_CONORMS[t_conorm].usual if p is None else p, gamma=5e-3, eps=0.48, **options,
    )  # fmt: skip
    close(found, wanted, 2e-5)
    weight = torch.randn(found.shape, generator=torch.Generator().manual_seed(1))
    ours = torch.autograd.grad((found * weight.to(found)).sum(), inputs, allow_unused=True)
    theirs = torch.autograd.grad((wanted * weight.double()).sum(), exact, allow_unused=True)
    for mine, truth in zip(ours, theirs):
        mine, truth = (torch.zeros(()) if g is None else g.cpu() for g in (mine, truth))
        if mine.any() or truth.any():
            check_gradient(mine, truth, GRADIENT)


@pytest.mark.parametrize("which", DISTRIBUTIONS)
def test_every_distribution_is_that_of_the_twin(device, which):
    one_sided = any(which.startswith(name) for name in ("exponential", "gamma", "levy"))
    compared(device, which, "probabilistic", **(dict(shift=1.5) if one_sided else {}))


@pytest.mark.parametrize("t_conorm", T_CONORMS)
def test_every_t_conorm_is_that_of_the_twin(device, t_conorm):
    compared(device, "gaussian", t_conorm)
    if t_conorm in OTHER_P:
        compared(device, "gaussian", t_conorm, OTHER_P[t_conorm])


def test_squared_distances_shapes_and_shifts_are_those_of_the_twin(device):
    compared(device, "logistic", "einstein", squared=True)
    compared(device, "gamma", "probabilistic", shape=3.0, shift=2.0)
    compared(device, "gamma_reversed", "probabilistic", shape=3.0, shift=0.5)


def test_what_is_not_given_is_as_the_library_has_it(device):
    """uniform, probabilistic, a scale of 0.01 where the image spans 2, gamma and eps of 0.001."""
    near, colors, behind = made_up(size=(1, 64, 48))
    near = NearestFaces(*(t.to(device) for t in near))
    found = gendr(near, colors.to(device), behind.to(device))
    unit = 48 / 2
    wanted = gendr(
        near, colors.to(device), behind.to(device), 0.01 * unit, "uniform", "probabilistic", gamma=1e-3, eps=1e-3
    )  # fmt: skip
    assert torch.equal(found, wanted)
    squared = gendr(near, None, tau_ndc=0.02, squared=True)
    assert torch.equal(squared, gendr(near, None, tau_pix=0.02 * unit**2, squared=True))


def test_the_two_forms_of_published_constants(device):
    # at x = 1: of its library's scale
    x = torch.ones((), dtype=torch.float64)
    assert distribution("reciprocal")(x).item() == pytest.approx(0.75)
    assert distribution("hyperbolic_secant")(x).item() == pytest.approx(
        0.5 + 2 / math.pi * math.atan(math.tanh(0.5))
    )
    assert distribution("levy")(x).item() == pytest.approx(math.erfc(math.sqrt(0.5)))
    assert distribution("gamma", 1.0)(x).item() == pytest.approx(1 - math.exp(-1))
    for other, name in ALIASES.items():
        assert distribution(other)(x) == distribution(name)(x)


def test_logistic_squared_probabilistic_is_softras(device):
    near, colors, behind = made_up()
    near = NearestFaces(*(t.to(device) for t in near))
    given = near, colors.to(device), behind.to(device)
    found = gendr(*given, tau_pix=0.4, distribution="logistic", squared=True, gamma=1e-4)
    close(found, softras(*given, sigma_pix2=0.4), 1e-5)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_distributions_rise_from_0_to_1_and_have_their_slopes(name):
    x = torch.linspace(-30, 30, 6001, dtype=torch.float64).requires_grad_()
    F = distribution(name)(x)
    # Levy's tail falls with the root of x
    assert F[0] < (0.15 if "levy" in name else 0.02) and F[-1] > (0.85 if "levy" in name else 0.98)
    assert (F.diff() >= -1e-12).all()
    (slope,) = (
        torch.autograd.grad(F.sum(), x, allow_unused=True)
        if F.requires_grad
        else (torch.zeros(6001),)
    )
    between = (F[2:] - F[:-2]).detach() / (x[2:] - x[:-2]).detach()
    smooth_there = (between - between.roll(1)).abs() < 1e-2
    off = (slope[1:-1] - between).abs()[smooth_there & (x[1:-1].abs() > 0.02)]
    assert name == "heaviside" or off.max() < 1e-2


@pytest.mark.parametrize("name", T_CONORMS)
def test_t_conorms_keep_0_and_1_and_do_not_mind_the_order(name):
    v = T_CONORMS[name]
    a, b = torch.rand(2, 200, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    close(v.join(a, b, v.usual), v.join(b, a, v.usual), 1e-9)
    close(v.join(a, torch.zeros_like(a), v.usual), a, 1e-6)
    close(v.join(a, torch.ones_like(a), v.usual), torch.ones_like(a), 1e-5)
    assert (v.join(a, b, v.usual) >= torch.maximum(a, b) - 1e-9).all()


@pytest.mark.parametrize("which", DISTRIBUTIONS)
@pytest.mark.parametrize("t_conorm", T_CONORMS)
def test_the_family_has_finite_values_and_gradients(device, which, t_conorm):
    near, colors, behind = made_up(size=(1, 2, 3))
    dist2 = near.dist2.clone()
    dist2[..., 0] = torch.tensor([0.0, -1e6, 1e6]).expand(1, 2, 3)
    dist2 = dist2.to(device).requires_grad_()
    near = NearestFaces(near.id.to(device), near.z.to(device), near.bary.to(device), dist2)
    image = gendr(near, colors.to(device), behind.to(device), 0.7, which, t_conorm)
    assert torch.isfinite(image).all()
    assert (image[..., 3] >= -1e-6).all() and (image[..., 3] <= 1 + 1e-6).all()
    (grad,) = (
        torch.autograd.grad(image.sum(), dist2, allow_unused=True)
        if image.requires_grad
        else (dist2,)
    )
    assert grad is None or torch.isfinite(grad).all()


def test_wrong_arguments_are_named(device):
    near, colors, behind = made_up()
    near = NearestFaces(*(t.to(device) for t in near))
    with pytest.raises(ValueError, match="visibility.gendr: t_conorm must be 'max'"):
        gendr(near, None, t_conorm="min")
    with pytest.raises(ValueError, match="gendr: p must be less than 0 with t_conorm='schweizer_"):
        gendr(near, None, t_conorm="schweizer_sklar", p=1.0)
    with pytest.raises(ValueError, match="tau must be given once; got tau_pix and tau_ndc"):
        gendr(near, None, tau_pix=1.0, tau_ndc=1.0)
    with pytest.raises(ValueError, match="shape must be more than 0; got 0.0"):
        gendr(near, None, distribution="gamma", shape=0.0)
