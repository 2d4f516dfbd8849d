"""edge_sampling: visibility's gradient as an integral over the edges, by random points on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..core import check
from ..core.per_tensor import PerTensor
from ..launch import launch
from ..ops.function import call, forward, once_differentiable
from ..ops.operator import operator
from .estimator import Checked, Estimator, Shaded, checked, kept, scatter, seen, sets_of

SAMPLINGS = ("stratified", "uniform")
_ROW = 64  # samples come in rows, which threads share out


def edge_sampling(
    color: Tensor,
    rast: Tensor,
    pos: Tensor,
    tri: Tensor,
    samples_per_edge: int = 4,
    sampling: str = "stratified",
    silhouettes_only: bool = False,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The image as it is, whose gradient is a random estimate of the integral over all visible edges.

    Args:
        color: float32 [N,H,W,C], any C: what was shaded from `rast`, background filled in.
        rast: [N,H,W,4] from `rasterize` with the same pos and tri.
        pos: float32 clip positions [N,V,4], [1,V,4] (one set for all images) or [V,4].
        tri: int32 or int64 [T,3]; an edge is that of two vertex indices.
        samples_per_edge: how many points, for each edge of the mesh, are shared out over the length of all edges in the
            image: long edges get more. Rounded up to a multiple of 64 for each image.
        sampling: "stratified": one point in each of as many equal parts of that length; "uniform": anywhere.
        silhouettes_only: leave out edges whose triangles lie on both sides of them in the image, as for smooth normals.
            Otherwise all but those between triangles of one plane, so that creases count.
        generator: of the random numbers, on color's device; None: PyTorch's own. They are drawn in the forward pass.

    Returns: [N,H,W,C], a copy of color.

    Gradients: color, as it comes; pos x, y, w of the edges' ends, by the step of colours across the edge; z gets 0
        (an intersection is no edge); none to rast. Its expectation is the derivative of the box-filtered image, but
        for the colours on both sides, which are those of pixels up to 1.5 pixels away: exact where colours are flat,
        and nothing else is between.

    Raises:
        TypeError, ValueError: wrong types, shapes, devices.

    Note: the variance falls with 1/samples (stratified: faster, where colours and loss are smooth). Triangles
        narrower than a pixel are seen by the pixels that show them only. Points whose neighbour is beyond the image
        give nothing.

    Source: Li et al. 2018, Differentiable Monte Carlo Ray Tracing through Edge Sampling, section 3.
    """
    samples = check.whole("edge_sampling", "samples_per_edge", samples_per_edge, 1)
    check.choice("edge_sampling", "sampling", sampling, SAMPLINGS)
    only = check.flag("edge_sampling", "silhouettes_only", silhouettes_only)
    given = checked("edge_sampling", color, rast, pos, tri)
    with torch.no_grad():
        edges, owners = edges_of(tri, given.tri)
        rows = -(-samples * len(edges) // _ROW)
        chosen = _chosen(given.color, rows * _ROW, sampling == "stratified", generator)
    return call(_EdgeSampling, EdgeSampling(*given, edges, owners, chosen, only))


def _chosen(
    color: Tensor, samples: int, stratified: bool, generator: torch.Generator | None
) -> Tensor:
    """float64 [N,samples] in [0,1): where along the length of all edges. (In float32 the steps show on long lists.)"""
    shape, device = (len(color), samples), color.device
    if generator is not None:
        if not isinstance(generator, torch.Generator):  # pyright: ignore[reportUnnecessaryIsInstance] callers have none
            what = "generator must be a torch.Generator or None"
            found = type(generator).__name__
            remedy = "torch.Generator().manual_seed(0)"
            raise TypeError(check.wrong("edge_sampling", what, found, remedy))
        where = generator.device
        fits = where.type == device.type
        check.value(
            "edge_sampling", "generator", f"on {device} like color", fits, f"one on {where}"
        )
    random = torch.rand(shape, generator=generator, device=device, dtype=torch.float64)
    if not stratified:
        return random
    steps = torch.arange(samples, device=device, dtype=torch.float64)
    return (steps + random) / max(samples, 1)


_edges: PerTensor[tuple[Tensor, Tensor]] = PerTensor()


def edges_of(given: Tensor, tri: Tensor) -> tuple[Tensor, Tensor]:
    """int32 [E,4] twice: the two vertices of each edge, and the third vertex of the one and the other triangle; the two
    vertices, and these triangles. -1 where there is no other; of more than two triangles the two lowest count."""
    return _edges.of(given, lambda: _found_edges(tri))


def _found_edges(tri: Tensor) -> tuple[Tensor, Tensor]:
    corners = tri.long()
    after, before = corners.roll(-1, 1), corners.roll(-2, 1)
    whole = ((corners != after).all(1) & (corners >= 0).all(1)).repeat_interleave(3)
    ends = torch.stack([after.reshape(-1), before.reshape(-1)], 1)[whole].sort(1).values
    apex, owner = (
        corners.reshape(-1)[whole],
        (torch.arange(3 * len(tri), device=tri.device) // 3)[whole],
    )
    key, order = torch.sort((ends[:, 0] << 32) + ends[:, 1], stable=True)
    new = torch.ones_like(key, dtype=torch.bool)
    new[1:] = key[1:] != key[:-1]
    first = new.nonzero()[:, 0]
    second = torch.where(torch.roll(new, -1) if len(new) else new, -1, 1)[first]
    last = first + 1 >= len(key)
    has_second = (second > 0) & ~last
    other = torch.where(has_second, first + 1, first)

    def table(what: Tensor) -> Tensor:
        one, two = what[order][first], torch.where(has_second, what[order][other], -1)
        return torch.cat([ends[order][first], one[:, None], two[:, None]], 1).int().contiguous()

    return table(apex), table(owner)


@dataclass
class EdgeSampling(Shaded):
    edges: Tensor
    owners: Tensor
    chosen: Tensor
    silhouettes_only: bool


@dataclass
class EdgeSamplingBackward:
    color: Tensor
    rast: Tensor
    pos: Tensor
    tri: Tensor
    grad_out: Tensor
    edges: Tensor
    owners: Tensor
    chosen: Tensor
    silhouettes_only: bool

    def fake(self) -> Tensor:
        return torch.empty_like(self.pos)

    def run(self) -> Tensor:
        N, H, W, _ = self.color.shape
        E, samples = len(self.edges), self.chosen.shape[1]
        if not E or not N:
            return torch.zeros_like(self.pos)
        lengths = self._lengths(H, W)
        ends = lengths.double().cumsum(1)  # [sets,E]
        total = ends[:, -1:]
        at = (self.chosen * total).contiguous()
        places = ends.expand(N, -1).contiguous()
        edge = torch.searchsorted(places, at, right=True).clamp(max=E - 1)
        length = lengths.double().expand(N, -1).gather(1, edge)
        along = (at - places.gather(1, edge)) / length + 1
        along = torch.where(length > 0, along, 0.0).clamp(0, 1)
        members = seen(*Checked(self.color, self.rast, self.pos, self.tri))
        members.update(width=_ROW, H=samples // _ROW, rows=N * (samples // _ROW))
        return scatter(
            "edge_sampling", "edge_sampling_backward", **members, grad_out=self.grad_out.contiguous(), image_width=W,
            image_height=H, edges=self.owners, edge=edge.int().contiguous(), along=along.float().contiguous(),
            total=total.float().reshape(-1).contiguous(), total_stride=1 if len(total) > 1 else 0,
        )  # fmt: skip

    def _lengths(self, H: int, W: int) -> Tensor:
        """float32 [sets of vertices,E], in pixels."""
        sets, E, V = sets_of(self.pos), len(self.edges), self.pos.shape[-2]
        lengths = self.pos.new_empty((sets, E))
        launch(
            "edge_sampling", "edge_sampling_lengths", self.pos.device, width=E, H=1, rows=sets, pos=self.pos,
            edges=self.edges, V=V, image_width=W, image_height=H, silhouettes_only=self.silhouettes_only,
            lengths=lengths,
        )  # fmt: skip
        return lengths


_forward = operator("edge_sampling", EdgeSampling)
_backward = operator("edge_sampling_backward", EdgeSamplingBackward)


class _EdgeSampling(Estimator):
    glrast = function = "edge_sampling"
    call = EdgeSampling

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        return forward(_EdgeSampling, EdgeSampling, 1, ctx, inputs)

    @staticmethod
    def compute(given: EdgeSampling) -> tuple[Tensor, ...]:
        return (_forward(given),)

    @staticmethod
    @once_differentiable("edge_sampling")
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        if not ctx.needs_input_grad[2]:
            return (grad_out,)
        given = EdgeSamplingBackward(*kept(ctx, "edge_sampling"), grad_out, **ctx.options)
        return grad_out, None, _backward(given)
