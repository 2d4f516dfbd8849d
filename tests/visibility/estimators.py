"""What the tests of the image estimators share: shaded scenes, and an estimator's gradient against its twin's."""

import torch
from torch import Tensor

import glrast
from tests.ops.compare import Limits, check_gradient, draw, on, random
from tests.scenes import ODD

# Rounding of float32 positions in pixels (33 x 6e-8) and of sums.
GRADIENT = Limits(l2=1e-4, cosine=1e-8, bias=1e-4)
NOTHING = 1e-6  # a gradient of rounding alone: flat colours that interpolation leaves a bit uneven


def shade(context, scene, resolution=ODD, channels: int | None = None):
    """(color, rast, pos, tri) of a scene: attributes over a grey background, nothing of it moving."""
    pos, tri, attr = on(context, scene)
    if channels is not None:
        attr = random(len(attr), channels, seed=3).to(attr)
    rast, _ = draw(context, (pos, tri), resolution)
    color, _ = glrast.interpolate(attr, rast, tri)
    color = torch.where(rast[..., 3:] > 0, color, 0.3)
    return color, rast, pos, tri


def gradients(estimator, color: Tensor, rast: Tensor, pos: Tensor, tri: Tensor, y: Tensor, **how):
    """(image, gradient of color, gradient of pos) under the loss sum(y * image)."""
    color, pos = color.detach().requires_grad_(), pos.detach().requires_grad_()
    image = estimator(color, rast, pos, tri, **how)
    grads = torch.autograd.grad((image * y.to(image)).sum(), (color, pos), allow_unused=True)
    return image.detach(), *(
        torch.zeros_like(t) if g is None else g for g, t in zip(grads, (color, pos))
    )


def check_against_twin(
    estimator, twin, shaded, sure: Tensor | None = None, limits: Limits = GRADIENT, seed=0, **how
):
    """Asserts that the image is color, and that color and pos are given what the twin gives them.

    `sure`: bool [N,H,W]; the loss does not look at other pixels, where float32 may rightly decide otherwise.
    """
    color, rast, pos, tri = shaded
    y = random(*color.shape, seed=seed)
    if sure is not None:
        y = y * sure.cpu()[..., None]
    image, grad_color, grad_pos = gradients(estimator, color, rast, pos, tri, y, **how)
    assert torch.equal(image, color) and torch.equal(grad_color.cpu(), y)
    still = (t.detach().cpu() for t in (color.double(), rast, pos.double(), tri))
    _, _, wanted = gradients(twin, *still, y.double(), **how)
    if wanted.abs().max() < NOTHING if wanted.numel() else True:
        assert not grad_pos.numel() or grad_pos.abs().max() < 10 * NOTHING
        return None
    return check_gradient(grad_pos, wanted, limits)


def widened(fragile: Tensor, by: int = 1) -> Tensor:
    """bool [N,H,W]: those pixels and their neighbours."""
    if not fragile.numel():
        return fragile
    pooled = torch.nn.functional.max_pool2d(fragile[:, None].float(), 2 * by + 1, 1, by)
    return pooled[:, 0] > 0


def moved(grad: Tensor, pos: Tensor, resolution, axis: int) -> float:
    """d loss/d shift of everything by a pixel along an axis (0: x, 1: y)."""
    size = resolution[1] if axis == 0 else resolution[0]
    return (grad[..., axis] * pos[..., 3]).sum().item() * 2 / size
