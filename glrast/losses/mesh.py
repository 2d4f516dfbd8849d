"""How rough a mesh is: its Laplacian, the angles between neighbouring triangles, the lengths of its edges.

All take pos [V,3], or [N,V,3] for N shapes of one mesh, and `tri`, whose edges are found once while it stays as
it is. Without triangles they are 0, with gradient 0.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ..core import check
from ..mesh.normals import face_normals
from .adjacency import Adjacency, adjacency, laplacian_of
from .pixels import mean

# A cotangent of an angle of 0.006 degrees. float32 positions say nothing certain of thinner triangles, and one of them
# would weigh more than the rest of the mesh.
_STEEPEST = 1e4


def mesh_laplacian_smoothing(
    pos: Tensor, tri: Tensor, method: Literal["uniform", "cot"] = "uniform", squared: bool = False
) -> Tensor:
    """How far vertices are from the weighted mean of their neighbours, the mean over the vertices.

    Args:
        pos: float32 [V,3] or [N,V,3], world units.
        tri: integer [T,3].
        method: "uniform": neighbours weigh the same, which evens out both shape and triangles; "cot": half the sum of
            the cotangents of the two angles opposite an edge, which leaves flat parts alone, whatever their triangles.
        squared: squares of the distances, which leave small noise alone and pull hard at spikes.
    Returns: a scalar, in world units (squared: their square). A vertex of no triangle counts as 0.
    Gradients: to pos, 0 from a vertex that is where it should be. The cotangents count as constants.
    Source: Desbrun, Meyer, Schroeder, Barr 1999, "Implicit Fairing of Irregular Meshes". With "cot" the weights are
        divided by the sum of their sizes, so that obtuse triangles, whose weights are below 0, cannot divide by 0.
    Example:
        >>> pos = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
        >>> round(mesh_laplacian_smoothing(pos, torch.tensor([[0, 1, 2]])).item(), 4)
        0.9811
    """
    name = "losses.mesh_laplacian_smoothing"
    pos, near = _mesh(name, pos, tri)
    method_ = check.choice(name, "method", method, ("uniform", "cot"))
    squared = check.flag(name, "squared", squared)
    start, end = near.edges.unbind(1)
    along = pos.index_select(-2, end) - pos.index_select(-2, start)
    if method_ == "cot":
        weight = _cotangents(pos.detach(), near)
    else:
        weight = along.new_ones(along.shape[:-1])
    total = weight.new_zeros(pos.shape[:-1])
    total = total.index_add(-1, start, weight.abs()).index_add(-1, end, weight.abs())
    along = along * weight[..., None]
    apart = torch.zeros_like(pos).index_add(-2, start, along).index_add(-2, end, -along)
    apart = apart / torch.where(total > 0, total, 1.0)[..., None]
    if squared:
        return mean(apart.square().sum(dim=-1))
    return mean(torch.linalg.vector_norm(apart, dim=-1))


def mesh_normal_consistency(pos: Tensor, tri: Tensor, squared: bool = False) -> Tensor:
    """1 - the cosine of the angle between the normals of two triangles on an edge, the mean over such edges: 0 where
    the surface is flat, 2 where it is folded onto itself.

    Args:
        pos: float32 [V,3] or [N,V,3].
        tri: integer [T,3]; their sense of rotation does not matter.
        squared: its square, (cos theta + 1)^2 with theta the angle between the two triangles themselves, 180 degrees
            where the surface is flat: it leaves shallow bends alone and pulls hard at sharp ones.
    Returns: a scalar, 0..2 (squared: 0..4). Edges with one triangle (a border) or with more than two do not count, nor
        do those with a triangle without an area.
    Gradients: to pos.
    Source: squared, Kato, Ushiku, Harada 2018, "Neural 3D Mesh Renderer", equation 9, and Liu et al. 2019, "Soft
        Rasterizer", its flattening loss; both sum it over the edges, here it is their mean.
    Example:
        >>> pos = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
        >>> mesh_normal_consistency(pos, torch.tensor([[0, 1, 2], [1, 0, 3]])).item()
        1.0
    """
    name = "losses.mesh_normal_consistency"
    pos, near = _mesh(name, pos, tri)
    squared = check.flag(name, "squared", squared)
    v0, v1, a, b = near.pairs.unbind(1)
    # Both as seen along the edge, so that a flat surface has one normal, however the triangles are turned.
    one = face_normals(pos, torch.stack([v0, v1, a], dim=1))
    other = face_normals(pos, torch.stack([v1, v0, b], dim=1))
    known = (one.detach() != 0).any(dim=-1) & (other.detach() != 0).any(dim=-1)
    apart = torch.where(known, 1.0 - (one * other).sum(dim=-1), 0.0)
    if squared:
        apart = apart.square()
    return apart.sum() / known.sum().clamp_min(1)


def mesh_edge_loss(
    pos: Tensor, tri: Tensor, target_length: float | Literal["mean"] = 0.0
) -> Tensor:
    """The squared difference between the length of an edge and the one wanted, the mean over the edges.

    Args:
        pos: float32 [V,3] or [N,V,3], world units.
        tri: integer [T,3]; each edge counts once.
        target_length: >= 0 in world units; 0 draws the mesh together. "mean": the mean length of the mesh as it is, so
            that edges become alike and the mesh keeps its size; the loss is then the variance of the lengths.
    Returns: a scalar, in squared world units.
    Gradients: to pos; 0 from an edge of length 0.
    Example:
        >>> pos, tri = torch.tensor([[0.0, 0, 0], [3, 0, 0], [0, 4, 0]]), torch.tensor([[0, 1, 2]])
        >>> f"{mesh_edge_loss(pos, tri).item():.3f} {mesh_edge_loss(pos, tri, target_length='mean').item():.3f}"
        '16.667 0.667'
    """
    name = "losses.mesh_edge_loss"
    pos, near = _mesh(name, pos, tri)
    is_mean = isinstance(target_length, str) and target_length == "mean"
    if not is_mean:
        target_length = check.number(name, "target_length", target_length)
        hint = "or 'mean' for edges that are alike"
        check.value(name, "target_length", "0 or more", target_length >= 0, target_length, hint)
    start, end = near.edges.unbind(1)
    along = pos.index_select(-2, end) - pos.index_select(-2, start)
    length = torch.linalg.vector_norm(along, dim=-1)
    if is_mean:
        target = length.sum(dim=-1, keepdim=True) / max(length.shape[-1], 1)
    else:
        target = target_length
    return mean((length - target).square())


def dirichlet_energy(attr: Tensor, tri: Tensor) -> Tensor:
    """The squared steps of a vertex attribute along the edges, summed, per vertex: trace(a^T L a) / V.

    For colours, or whatever else vertices carry, it fills in what no view saw and calms noise; positions it draws
    together, as mesh_edge_loss does.

    Args:
        attr: float32 [V,A] or [N,V,A].
        tri: integer [T,3].
    Returns: a scalar, the mean over N.
    Gradients: to attr. On the CPU bit-identical from run to run.
    Example:
        >>> color = torch.tensor([[0.0], [1.0], [3.0]])
        >>> round(dirichlet_energy(color, torch.tensor([[0, 1, 2]])).item(), 4)
        4.6667
    """
    name = "losses.dirichlet_energy"
    attr = check.floats(name, "attr", attr)
    check.shape(name, "attr", attr, "[V,A] or [N,V,A]", attr.ndim in (2, 3))
    near = adjacency(name, tri, attr)
    columns = attr if attr.ndim == 2 else attr.movedim(0, 1).flatten(1)
    # The sum over the edges itself has a backward that adds in the order of the threads.
    energy = (columns * (laplacian_of(near, len(columns)) @ columns)).sum()
    return energy / max(attr[..., 0].numel(), 1)


def _mesh(function: str, pos: Tensor, tri: Tensor) -> tuple[Tensor, Adjacency]:
    check.not_swapped(function, pos, tri)
    pos = check.floats(function, "pos", pos)
    fits = pos.ndim in (2, 3) and pos.shape[-1] == 3
    remedy = "pass world positions, without the fourth coordinate" if pos.shape[-1:] == (4,) else ""
    check.shape(function, "pos", pos, "[V,3] or [N,V,3]", fits, remedy=remedy)
    return pos, adjacency(function, tri, pos)


def _cotangents(pos: Tensor, near: Adjacency) -> Tensor:
    """[E] or [N,E]: half the sum of the cotangents of the angles opposite each edge, which may be below 0."""
    corners = [pos.index_select(-2, column) for column in near.tri.unbind(1)]
    halves = []
    for k in range(3):
        u, v = corners[(k + 1) % 3] - corners[k], corners[(k + 2) % 3] - corners[k]
        # Of unit length, nearly: squares of small edges would vanish in float32.
        size = torch.maximum(u.abs(), v.abs()).amax(dim=-1, keepdim=True)
        u, v = (side / torch.where(size > 0, size, 1.0) for side in (u, v))
        sine = torch.linalg.vector_norm(torch.linalg.cross(u, v), dim=-1)
        cotangent = (u * v).sum(dim=-1) / torch.where(sine > 0, sine, 1.0)
        halves.append(torch.where(sine > 0, 0.5 * cotangent.clamp(-_STEEPEST, _STEEPEST), 0.0))
    weight = pos.new_zeros((*pos.shape[:-2], len(near.edges) + 1))
    for k in range(3):
        weight = weight.index_add(-1, near.edge_of[:, k], halves[k])
    return weight[..., :-1]
