"""texture: a texture or cube map looked up at every pixel, with or without mipmaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from ..core import check
from ..launch import Argument, launch, on_host
from . import mipmap
from .function import Operation, call, forward, once_differentiable
from .mipmap import Mipmap
from .operator import operator
from .saved import save, saved

# In the order of the enums of kernels/texture/arguments.cuh.
FILTERS = ("nearest", "linear", "linear-mipmap-nearest", "linear-mipmap-linear")
BOUNDARIES = ("wrap", "clamp", "zero", "mirror", "cube")
_LINEAR, _MIPMAP_NEAREST, _TRILINEAR = 1, 2, 3
_CUBE = 4


def texture(
    tex: torch.Tensor,
    uv: torch.Tensor,
    uv_da: torch.Tensor | None = None,
    mip_level_bias: torch.Tensor | None = None,
    mip: Mipmap | Sequence[torch.Tensor] | None = None,
    filter_mode: str = "auto",
    boundary_mode: str = "wrap",
    max_mip_level: int | str | None = None,
) -> torch.Tensor:
    """The texture's colour at each pixel.

    Args:
        tex: float32 [B,Ht,Wt,C], B = 1 (one for all images) or N, any C; boundary_mode 'cube': [B,6,S,S,C], the faces
            +x, -x, +y, -y, +z, -z in OpenGL's orientation. Row 0 is v = 0, the bottom.
        uv: [N,H,W,2], 0 to 1 across the texture; cube: directions [N,H,W,3] of any length.
        uv_da: [N,H,W,4] = (ds/dX, ds/dY, dt/dX, dt/dY) per pixel, cube [N,H,W,6]: out_da of `interpolate`.
        mip_level_bias: [N,H,W], added to the level of detail; without uv_da it is the level.
        mip: levels above tex: a handle of `texture_construct_mip(tex)`; or a list of tensors for levels 1, 2, ...,
            each [B,max(Ht>>i,1),max(Wt>>i,1),C] (cube [B,6,S>>i,S>>i,C]), which may stop early; None: built here.
        filter_mode: 'nearest', 'linear', 'linear-mipmap-nearest' (the level rounded down), 'linear-mipmap-linear', or
            'auto': the last where uv_da or mip_level_bias is given, else 'linear'. A mode ignores what it does not use.
        boundary_mode: 'wrap', 'clamp', 'zero' (0 outside), 'mirror' or 'cube' (seamless across the edges).
        max_mip_level: the last level built here: None: down to one texel, 'auto': as many as exist; 0: no mipmaps.

    Returns: [N,H,W,C]; 0 where uv is not finite or a direction is zero.

    Gradients: nearest: tex. linear: tex and uv. linear-mipmap-nearest: tex, uv and the tensors of a mip list.
        linear-mipmap-linear: tex, uv, uv_da, mip_level_bias and the list's tensors. Built levels return theirs to tex.
        Where a clamp holds uv gets exactly 0. At the first and the last level uv_da and mip_level_bias get 0;
        from a round footprint, where the axes change places, uv_da does.

    Raises:
        TypeError, ValueError: wrong types, shapes, devices, modes; a mipmap mode without uv_da and mip_level_bias; an
            extent that cannot be halved (a table shows the levels).

    Note: a handle does not follow its texture: after an optimizer's step make it again. On the CPU the gradient of
        tex needs, beside itself, a few bytes for each pixel and level (up to 12 for each block of texels that a
        group of 4 pixels touches), at most 400 MiB, and 256 KiB a thread; its bits do not depend on the threads.

    Source: Laine et al. 2020, section 3.4; the level of detail is the exact longer axis of the footprint.
    """
    boundary_mode = check.choice("texture", "boundary_mode", boundary_mode, BOUNDARIES)
    boundary, cube = BOUNDARIES.index(boundary_mode), boundary_mode == "cube"
    tex = check.floats("texture", "tex", tex)
    uv = check.floats("texture", "uv", uv, device=tex.device)
    mipmap.check_texture("texture", tex, cube)
    extent = 3 if cube else 2
    check.shape("texture", "uv", uv, f"[N,H,W,{extent}]", uv.ndim == 4 and uv.shape[3] == extent)
    N = uv.shape[0]
    fits = tex.shape[0] in (1, N)
    check.shape("texture", "tex", tex, f"of 1 or N={N} images (from uv)", fits)
    filter, uv_da, bias = chosen_filter("texture", filter_mode, uv, uv_da, mip_level_bias)
    if filter < _MIPMAP_NEAREST:
        return call(_Texture, Texture(tex, None, uv, None, None, 0, filter, boundary), False)
    last, packed, built = _levels(tex, mip, max_mip_level)
    if last == 0:
        return call(_Texture, Texture(tex, None, uv, None, None, 0, _LINEAR, boundary), False)
    given = Texture(tex, packed, uv, uv_da, bias, last, filter, boundary)
    return call(_Texture, given, built)


def chosen_filter(
    function: str, filter_mode: str, uv: Tensor, uv_da: Tensor | None, bias: Tensor | None
) -> tuple[int, Tensor | None, Tensor | None]:
    """The filter's number; uv_da and bias checked, None where the filter does not use them."""
    check.choice(function, "filter_mode", filter_mode, ("auto", *FILTERS))
    if filter_mode == "auto":
        plain = uv_da is None and bias is None
        filter_mode = "linear" if plain else "linear-mipmap-linear"
    filter = FILTERS.index(filter_mode)
    if filter < _MIPMAP_NEAREST:
        return filter, None, None
    check.value(
        function, "uv_da", f"given (or mip_level_bias) for filter_mode {filter_mode!r}",
        uv_da is not None or bias is not None, "None", "pass out_da of interpolate(..., rast_db, diff_attrs='all')",
    )  # fmt: skip
    pixels = tuple(uv.shape[:3])
    if uv_da is not None:
        uv_da = check.floats(function, "uv_da", uv_da, device=uv.device)
        expected = (*pixels, 2 * uv.shape[3])
        check.shape(function, "uv_da", uv_da, _sizes(expected), tuple(uv_da.shape) == expected)
    if bias is not None:
        bias = check.floats(function, "mip_level_bias", bias, device=uv.device)
        fits = tuple(bias.shape) == pixels
        check.shape(function, "mip_level_bias", bias, _sizes(pixels), fits, "(from uv)")
    return filter, uv_da, bias


def _levels(
    tex: Tensor, mip: object, max_mip_level: int | str | None
) -> tuple[int, Tensor | None, bool]:
    """The last level, levels 1 to it in one tensor, and whether they were built from tex."""
    shape = tuple(tex.shape)
    if mip is None:
        last = mipmap.last_level("texture", shape, max_mip_level)
        return last, mipmap.build(tex.detach(), last) if last else None, True
    if isinstance(mip, Mipmap):
        belongs = mip.shape == shape and mip.packed.device == tex.device
        check.value(
            "texture", "mip", f"made from this tex, {_sizes(shape)} on {tex.device}", belongs,
            f"one made from {_sizes(mip.shape)} on {mip.packed.device}", "texture_construct_mip(tex) makes it",
        )  # fmt: skip
        return mip.last, mip.packed, True
    if not isinstance(mip, (list, tuple)):
        raise TypeError(
            "glrast.texture: mip must be None, a handle from texture_construct_mip or a list of tensors; "
            f"got {type(mip).__name__}"
        )
    levels = cast(Sequence[object], mip)
    most = max(shape[-3:-1]).bit_length() - 1
    check.value(
        "texture", "mip", f"a list of at most {most} levels", len(levels) <= most, f"{len(levels)}"
    )
    flat: list[Tensor] = []
    for i, given in enumerate(levels, 1):
        level = check.floats("texture", f"mip[{i - 1}]", given, device=tex.device)
        expected = mipmap.level_shape(shape, i)
        fits = tuple(level.shape) == expected
        check.shape("texture", f"mip[{i - 1}]", level, _sizes(expected), fits, f"(level {i})")
        flat.append(level.reshape(-1))
    return len(flat), torch.cat(flat) if flat else None, False


def _sizes(shape: Sequence[int]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"


@dataclass
class Lookup:
    """What a call and its gradient have in common."""

    tex: Tensor
    mip: Tensor | None  # levels 1 to `last`, packed
    uv: Tensor
    uv_da: Tensor | None
    bias: Tensor | None
    last: int
    filter: int
    boundary: int

    def members(self) -> dict[str, Argument]:
        """Those of both kernels' argument struct; what a kernel does not use is null."""
        N, H, W = self.uv.shape[:3]
        shape = tuple(self.tex.shape)
        Ht, Wt, C = shape[-3:]
        return dict(
            width=W, H=H, rows=N * H, grad=None, texels=0, tex=self.tex, mip=self.mip,
            levels=mipmap.level_offsets(shape, self.last), last=self.last, many=int(shape[0] > 1),
            Ht=Ht, Wt=Wt, C=C, filter=self.filter, boundary=self.boundary, uv=self.uv, uv_da=self.uv_da,
            bias=self.bias, out=None, grad_out=None, grad_uv=None, grad_uv_da=None, grad_bias=None,
        )  # fmt: skip


@dataclass
class Texture(Lookup):
    def fake(self) -> Tensor:
        return self.tex.new_empty((*self.uv.shape[:3], self.tex.shape[-1]))

    def run(self) -> Tensor:
        members = self.members()
        members["out"] = out = self.fake()
        launch("texture", "texture_forward", out.device, **members)
        return out


@dataclass
class TextureBackward(Lookup):
    grad_out: Tensor
    built: bool  # the levels were made of tex, which gets their gradient
    wanted: list[bool]  # the gradients of tex and mip together, uv, uv_da and bias

    def fake(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        want_tex, *want = self.wanted
        texels = self.tex.numel() + (0 if self.mip is None else self.mip.numel())
        uv, uv_da, bias = (
            self.uv.new_empty(0) if t is None or not w else torch.empty_like(t)
            for t, w in zip((self.uv, self.uv_da, self.bias), want)
        )
        return self.tex.new_empty(texels if want_tex else 0), uv, uv_da, bias

    def run(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        grads, tex, members = self.fake(), self.tex, self.members()
        names = ("grad", "grad_uv", "grad_uv_da", "grad_bias")
        members.update(
            (name, g if want else None) for name, g, want in zip(names, grads, self.wanted)
        )
        members["grad_out"] = self.grad_out.contiguous()
        members["texels"] = grads[0].numel() // max(tex.shape[-1], 1)
        if (
            not on_host(tex.device) or self.uv[..., 0].numel() == 0
        ):  # the host library zeroes it itself
            grads[0].zero_()
        launch("texture", "texture_backward", tex.device, **members)
        if self.wanted[0] and self.built and self.last:
            mipmap.pull_back(grads[0], tuple(tex.shape), self.last)
        return grads


_forward = operator("texture", Texture)
_backward = operator("texture_backward", TextureBackward)


class _Texture(Operation):
    glrast = function = "texture"
    call = Texture

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        return forward(_Texture, Texture, 1, ctx, inputs)

    @staticmethod
    def compute(given: Texture, built: bool) -> tuple[Tensor]:
        return (_forward(given),)

    @staticmethod
    def keep(
        ctx: Any, given: Texture, outputs: tuple[Tensor, ...], built: bool
    ) -> tuple[Tensor, ...]:
        save(
            ctx, tex=given.tex, mip=given.mip, uv=given.uv, uv_da=given.uv_da, mip_level_bias=given.bias
        )  # fmt: skip
        ctx.modes, ctx.built = (given.last, given.filter, given.boundary), built
        ctx.set_materialize_grads(False)
        return ()

    @staticmethod
    @once_differentiable("texture")
    def backward(ctx: Any, grad_out: Tensor | None) -> tuple[Tensor | None, ...]:
        if grad_out is None:
            return ()
        tex, mip, uv, uv_da, bias = saved(ctx, "texture")
        last, filter, boundary = ctx.modes
        needed: tuple[bool, ...] = ctx.needs_input_grad
        wanted = [
            needed[0] or needed[1],
            needed[2] and filter >= _LINEAR,
            needed[3] and filter == _TRILINEAR,
            needed[4] and filter == _TRILINEAR,
        ]
        given = TextureBackward(
            tex, mip, uv, uv_da, bias, last, filter, boundary, grad_out, ctx.built, wanted
        )
        texels, *pixels = _backward(given)
        grad_uv, grad_uv_da, grad_bias = (g if w else None for g, w in zip(pixels, wanted[1:]))
        grad_tex = texels[: tex.numel()].view(tex.shape) if needed[0] else None
        grad_mip = texels[tex.numel() :] if needed[1] else None
        return grad_tex, grad_mip, grad_uv, grad_uv_da, grad_bias
