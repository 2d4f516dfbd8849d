"""render: a path-traced picture of surfaces, and its gradient, as PyTorch takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..core import check
from ..core.check import wrong
from . import backend, camera
from .environment import panorama
from .scene import ENVIRONMENT, Scene
from .surface import Part, Surface

_NAME = "mitsuba.render"
INTEGRATORS = ("prb_projective", "prb", "direct_projective")
_MOST = 2**32 - 1  # seeds, and samples of a picture, are 32 bits wide
# Of the golden ratio: cameras of one call, and the gradient, have seeds far from those of calls with seed + 1.
_NEXT_CAMERA, _GRADIENT = 0x9E3779B9, 0x85EBCA6B


def render(
    surfaces: Surface | Sequence[Surface],
    projection: Tensor,
    modelview: Tensor,
    resolution: Any,
    *,
    environment: Tensor | None = None,
    lamps: Mapping[str, Any] | None = None,
    spp: int = 16,
    spp_grad: int | None = None,
    seed: int = 0,
    integrator: str = "prb_projective",
    guiding: str = "none",
    max_depth: int = 6,
) -> Tensor:
    """The light that reaches each camera, by every way that has at most `max_depth` segments: [N,H,W,3].

    Axes and rows are glrast's: y up, -z forward, row 0 at the bottom. Colours are linear RGB, the mean over each
    pixel's area. Nothing in a pixel is 0, or what `environment` shows there.

    Args:
        surfaces: one or several, all on one device.
        projection: [4,4] or [N,4,4], as from `clip.perspective`; a pinhole with square pixels.
        modelview: [4,4] or [N,4,4], world to camera space, as from `clip.look_at`.
        resolution: (height, width).
        environment: light from all around: a cube map [6,S,S,3] as `texture` takes it, or a panorama [H,W,3], row 0
            straight down and the last row straight up, columns from -z through +x, +z and -x.
        lamps: more of the scene as Mitsuba describes it, by name: {"lamp": {"type": "point", "position": [0, 2, 0]}}.
            They get no gradients.
        spp: samples a pixel; a power of two divides best.
        spp_grad: the same for the gradient, which is noisier; None: spp.
        seed: of the samples: the same picture for the same seed, but for the order of sums.
        integrator: 'prb_projective' knows how silhouettes and shadows move (Zhang et al. 2023); 'prb' (Vicini et al.
            2021) is quicker and does not: right for colours and light, wrong for positions, as rasterization without
            antialias is; 'direct_projective' is the first for one bounce, whatever max_depth is.
        guiding: 'octree' or 'grid' look first for edges whose shadows and reflections matter, a minute for each camera
            on two cores whatever the resolution, then 'prb_projective' and 'direct_projective' sample those; 'none'
            samples all edges alike.
        max_depth: 1 shows what emits, 2 adds light that was thrown back once, 3 and more what surfaces give to
            each other; -1: no limit but chance.

    Returns: float32 [N,H,W,3] on the surfaces' device. Noise: see spp.

    Gradients: to pos, normal, uv, color and emission of every surface and to environment; not to cameras, lamps and
        bsdf. An unbiased estimate with samples of its own, so that a loss that is not linear stays nearly unbiased.
        uv: through the texture at the points that are seen; with 'nearest' none.

    Raises:
        RuntimeError: Mitsuba is not here, has no LLVM that it can use, or is set to another variant; what to do.
        TypeError, ValueError: wrong types and shapes; a camera that Mitsuba has not.

    Note: the first call for a kind of scene compiles for seconds; Dr.Jit keeps that in ~/.drjit. A front that emits
        shows black from behind. Mitsuba's variant is set for the whole process.

    Source: Vicini et al., "Path Replay Backpropagation", 2021; Zhang et al., "Projective Sampling for Differentiable
        Rendering of Geometry", 2023; Jakob et al., Mitsuba 3.
    """
    surfaces = _surfaces(surfaces)
    device = surfaces[0].pos.device
    size = check.resolution(_NAME, resolution)
    cameras = camera.pinholes(_NAME, projection, modelview, size)
    check.choice(_NAME, "integrator", integrator, INTEGRATORS)
    check.choice(_NAME, "guiding", guiding, ("none", "octree", "grid"))
    depth = check.whole(_NAME, "max_depth", max_depth, -1)
    samples = check.whole(_NAME, "spp", spp, 1, _MOST // (size[0] * size[1]))
    samples_grad = check.whole(
        _NAME, "spp_grad", samples if spp_grad is None else spp_grad, 1, _MOST // (size[0] * size[1])
    )  # fmt: skip
    seed = check.whole(_NAME, "seed", seed, 0, _MOST)
    parts = [surface.part() for surface in surfaces]
    values: dict[tuple[Any, str], Tensor] = {
        (k, name): x for k, part in enumerate(parts) for name, x in part.values.items()
    }
    if environment is not None:
        values[ENVIRONMENT, "data"] = panorama(_NAME, environment, device)
    mitsuba = backend.load(_NAME, device)
    how: dict[str, Any] = {"type": integrator}
    if integrator != "prb":
        how["guiding"] = guiding
    if integrator != "direct_projective":
        how["max_depth"] = depth
    lamps = dict(lamps or {})
    call = _Call(
        mitsuba, parts, lamps, cameras, size, how, samples, samples_grad, seed, tuple(values)
    )
    return _Render.apply(call, *values.values())


@dataclass(frozen=True)
class _Call:
    """Everything but the tensors, whose names are `keys`."""

    mitsuba: Any
    parts: list[Part]
    lamps: dict[str, Any]
    cameras: list[camera.Pinhole]
    resolution: tuple[int, int]
    integrator: dict[str, Any]
    spp: int
    spp_grad: int
    seed: int
    keys: tuple[tuple[Any, str], ...]

    def image(self, tensors: Sequence[Tensor]) -> Tensor:
        """[N,H,W,3]."""
        scene = Scene(self.mitsuba, self.parts, self.lamps, dict(zip(self.keys, tensors)))
        images = []
        for sensor, seed in self._views():
            image = self.mitsuba.load_dict(self.integrator).render(
                scene.scene, sensor=sensor, seed=seed, spp=self.spp
            )
            images.append(image.torch().flip(0))  # Mitsuba's first row is the top
        return torch.stack(images)

    def gradients(self, tensors: Sequence[Tensor], wanted: Sequence[bool], grad_image: Tensor):
        """d loss / d each tensor, None where nobody wants it."""
        values = dict(zip(self.keys, tensors))
        asked = [key for key, is_wanted in zip(self.keys, wanted) if is_wanted]
        total: dict[Any, Tensor] = {}
        for (sensor, seed), grad in zip(self._views(), grad_image):
            scene = Scene(self.mitsuba, self.parts, self.lamps, values, asked)
            grad_in = self.mitsuba.TensorXf(grad.flip(0).contiguous())
            self.mitsuba.load_dict(self.integrator).render_backward(
                scene.scene, None, grad_in, sensor=sensor, seed=seed ^ _GRADIENT, spp=self.spp_grad
            )
            for key, found in scene.gradients().items():
                total[key] = total[key] + found if key in total else found
        return [total.get(key) for key in self.keys]

    def _views(self):
        """(sensor, seed) of each camera."""
        for number, view in enumerate(self.cameras):
            seed = self.seed ^ (number * _NEXT_CAMERA & _MOST)
            yield view.sensor(self.mitsuba, self.resolution), seed


class _Render(torch.autograd.Function):
    glrast = _NAME

    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: Tensor) -> Tensor:
        ctx.call = call
        ctx.save_for_backward(*tensors)
        return call.image(tensors)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_image: Tensor):
        wanted = ctx.needs_input_grad[1:]
        if not any(wanted):
            return (None,) * (1 + len(wanted))
        return (None, *ctx.call.gradients(ctx.saved_tensors, wanted, grad_image))


def _surfaces(given: Surface | Sequence[Surface]) -> list[Surface]:
    surfaces = [given] if isinstance(given, Surface) else list(given)
    found = [type(surface).__name__ for surface in surfaces]
    if not surfaces or set(found) != {"Surface"}:
        expected = "surfaces must be one glrast.mitsuba.Surface or several"
        raise TypeError(wrong(_NAME, expected, ", ".join(found) or "none"))
    devices = {str(surface.pos.device) for surface in surfaces}
    if len(devices) > 1:
        raise ValueError(wrong(_NAME, "surfaces must be on one device", sorted(devices)))
    return surfaces
