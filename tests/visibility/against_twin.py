"""What the tests of antialias share: image and gradients of a call against those of the float64 twin."""

import torch
from torch import Tensor

import glrast
from tests.ops.compare import Band, Difference, Limits, check_gradient, close, random
from tests.reference.visibility import antialias as twin
from tests.reference.visibility.inner import fragile_inner_pixels


def check_against_twin(
    color: Tensor,
    rast: Tensor,
    pos: Tensor,
    tri: Tensor,
    rounding: float,
    limits: Limits,
    crowded: bool = False,
    **how,
) -> list[Difference]:
    """Asserts that glrast.antialias(color, rast, pos, tri, **how), and what it gives color and pos, are the twin's.

    Pixels where float32 may rightly decide otherwise than float64 are the band: how many there are of those that
    antialias changes, and what they give, has limits of its own. Everything else must be equal to rounding. `crowded`:
    their neighbours are of the band too, since a pixel that gives away more than it has ties all takers to each other.
    """
    color, moving = color.detach().requires_grad_(), pos.detach().to(rast.device).requires_grad_()
    out = glrast.antialias(color, rast, moving, tri.to(rast.device), **how)
    rast, pos, tri = rast.cpu(), pos.detach().cpu(), tri.cpu()
    flat, still = (t.detach().cpu().double().requires_grad_() for t in (color, pos))
    wanted = twin.antialias(flat, rast, still, tri, **how)

    fragile = fragile_pixels(flat, rast, pos, tri, **how)
    if crowded:
        fragile = torch.nn.functional.max_pool2d(fragile[:, None].float(), 3, 1, 1)[:, 0] > 0
    sure = ~fragile[..., None]
    close(out.cpu() * sure, wanted * sure, rounding)
    touched = (wanted != flat).any(-1)
    share = (fragile & touched).sum().item() / max(touched.sum().item(), 1)

    y, seen = random(*out.shape), []
    parts = [
        (grads_of(out, (color, moving), y * part), grads_of(wanted, (flat, still), y * part))
        for part in (sure, ~sure)
    ]
    (found, truth), (found_at_edge, truth_at_edge) = parts
    for k in range(2):
        aside = Band(found_at_edge[k], truth_at_edge[k], share)
        seen.append(check_gradient(found[k], truth[k], limits, aside))
    return seen


def grads_of(image: Tensor, at: tuple[Tensor, ...], y: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(image, at, y.to(image), retain_graph=True, materialize_grads=True)


def fragile_pixels(color, rast, pos, tri, cull="none", discontinuities="silhouettes") -> Tensor:
    """bool [N,H,W]: pixels with a decision that the rounding of float32 may turn over."""
    if discontinuities == "all":
        return fragile_inner_pixels(color, rast, pos, tri, cull=cull)
    return twin.fragile_pixels(rast, pos, tri, cull=cull)
