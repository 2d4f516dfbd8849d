"""antialias: blend pixels across silhouette edges, which is what gives positions a gradient from visibility."""

from __future__ import annotations

import weakref

import torch

from .. import _check
from ..launch import stream_number
from ._blend import blended, inner_boundaries
from .rasterize import CULLED

DISCONTINUITIES = ("silhouettes", "all")


def antialias(
    color: torch.Tensor,
    rast: torch.Tensor,
    pos: torch.Tensor,
    tri: torch.Tensor,
    topology_hash: Topology | None = None,
    pos_gradient_boost: float = 1.0,
    cull: str = "none",
    discontinuities: str = "silhouettes",
) -> torch.Tensor:
    """The image with its silhouette edges antialiased by how far they reach between two pixel centres.

    Args:
        color: float32 [N,H,W,C], any C: what was shaded from `rast`, background filled in.
        rast: [N,H,W,4] from `rasterize` with the same pos and tri.
        pos: float32 clip positions [N,V,4], [1,V,4] (one set for all images) or [V,4], as `rasterize` got them.
        tri: int32 or int64 [T,3]; neighbours are found by vertex index, so duplicated vertices are open edges.
        topology_hash: from `antialias_construct_topology_hash(tri)`; without it the neighbours are found here and
            remembered for as long as this tri lives unchanged.
        pos_gradient_boost: scales the gradient of pos, nothing else.
        cull: as given to `rasterize`. Matters where neighbours are wound differently: the one of the two that is
            culled no longer continues the surface, so their edge is a silhouette.
        discontinuities: "silhouettes", or "all": also creases (a step of colour across the edge that two visible
            triangles share) and intersections (triangles that pass through each other) are blended. The step is what
            is left of the difference of colours after each side's own slope, read off the next pixel: colours should
            vary about linearly over two pixels, or their curvature is taken for a step. docs/accuracy.md.

    Returns: [N,H,W,C] like color.

    Gradients: color; pos x, y, w from visibility (z gets 0, with "all" what moves intersections); none to rast.

    Raises:
        TypeError, ValueError: wrong types, shapes, devices; a topology_hash of another tri.

    Note: coverage stays in [0,1]: a pixel gives away no more than itself. Of triangles that reach behind the camera the
        part before it counts.
        The gradient sees silhouettes only (or also intersections and creases, see discontinuities), nothing
        narrower than a pixel (of fine closed meshes that is most of it, docs/accuracy.md), and no motion across the
        image's border. Edges flatter than 45 degrees move
        pixels vertically, steeper ones horizontally. Apply masks after, not before: a blended pixel needs both sides.

    Source: Laine et al. 2020, section 3.5.
    """
    color = _check.floats("antialias", "color", color)
    device = color.device
    rast = _check.floats("antialias", "rast", rast, device=device)
    _check.not_swapped("antialias", pos, tri)
    pos = _check.positions("antialias", pos, device=device)
    given = _check.tensor("antialias", "tri", tri, device=device)
    tri = _check.triangles("antialias", tri, device=device)
    if color.ndim != 4 or tuple(rast.shape) != (*color.shape[:3], 4):
        _refuse_images(color, rast)
    N, H, W = color.shape[:3]
    hint = f"with N={N}, H={H}, W={W} (from color)"
    shaped = pos.ndim == 2 or (pos.ndim == 3 and pos.shape[0] in (1, N))
    fits = shaped and pos.shape[-1] == 4
    _check.shape("antialias", "pos", pos, "[N,V,4], [1,V,4] or [V,4]", fits, hint)
    _check.choice("antialias", "cull", cull, CULLED)
    _check.choice("antialias", "discontinuities", discontinuities, DISCONTINUITIES)
    boost = _check.number("antialias", "pos_gradient_boost", pos_gradient_boost)
    opposite = _topology(given, tri, topology_hash).across(cull)
    arguments = color, rast, pos, tri, opposite, boost
    out = blended(*arguments)
    return out if discontinuities == "silhouettes" else out + inner_boundaries(*arguments)


def _refuse_images(color: torch.Tensor, rast: torch.Tensor) -> None:
    """color or rast is to blame: color where it would do with its channels last."""
    remedy, found = "", tuple(color.shape)
    images = tuple(rast.shape[:3])
    if rast.ndim == 4 and found[:3] != images and found[-2:] == images[1:]:
        if len(found) == 3:
            remedy = "its channels come first; pass color.permute(1, 2, 0)[None]"
        elif len(found) == 4 and found[0] == images[0]:
            remedy = "its channels come first; pass color.permute(0, 2, 3, 1)"
    holds = color.ndim == 4 and not remedy
    _check.shape("antialias", "color", color, "[N,H,W,C]", holds, remedy=remedy)
    N, H, W = found[:3]
    hint = f"with N={N}, H={H}, W={W} (from color [N,H,W,C], which is {_check.show(color)})"
    _check.shape("antialias", "rast", rast, "[N,H,W,4]", False, hint)


def antialias_construct_topology_hash(tri: torch.Tensor) -> Topology:
    """The neighbours of every triangle, to be made once per mesh and passed to `antialias`.

    Args:
        tri: int32 or int64 [T,3].

    Returns: an opaque handle that belongs to this tri. 12 bytes per triangle.
    """
    tri = _check.triangles("antialias_construct_topology_hash", tri)
    return Topology(tri)


class Topology:
    """Handle of a mesh's connectivity: for each triangle and edge, the apex of the triangle across it."""

    def __init__(self, tri: torch.Tensor):
        self.tri = tri.clone()
        self.opposite = opposite_vertices(tri)
        self._opposite_culled: torch.Tensor | None = None
        # a weak reference to the tri last found equal, or None, and what it was like then
        self._known: tuple = (None, None)

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_known": (None, None)}  # a weak reference is this process's

    def across(self, cull: str) -> torch.Tensor:
        """`opposite`, made for culled meshes when one is first drawn."""
        if cull == "none":
            return self.opposite
        if _check.in_transform():
            return opposite_vertices(self.tri, culled=True)
        if self._opposite_culled is None:
            self._opposite_culled = opposite_vertices(self.tri, culled=True)
        return self._opposite_culled

    def belongs_to(self, tri: torch.Tensor) -> bool:
        """Compared on the CPU; on a GPU only the shape is, since a comparison would wait for it."""
        if tri.shape != self.tri.shape or tri.device != self.tri.device:
            return False
        if torch.compiler.is_compiling() or tri.device.type != "cpu" or _check.is_mapped(tri):
            return True
        state = None if tri.is_inference() else _check.unchanged(tri)
        known, then = self._known
        if known is not None and known() is tri and then == state is not None:
            return True
        equal = torch.equal(tri, self.tri)
        self._known = (weakref.ref(tri), state) if equal else (None, None)
        return equal


def opposite_vertices(tri: torch.Tensor, culled: bool = False) -> torch.Tensor:
    """int32 [T,3]: the vertex across the edge opposite vertex k of triangle t, -1 where the edge is open.

    Edges are pairs of vertex indices. Where more than two triangles share one, the two with the lowest indices
    count: they see each other, the others see the lowest. Triangles that name a vertex twice, or a
    negative one, have no edges.

    With `culled` the mesh is drawn without one kind of face. Wound alike, a visible triangle's neighbour is culled
    exactly where it folds back, a silhouette anyway. Wound differently it is culled exactly where it does *not*
    fold back, so every edge of such a pair is a silhouette wherever either is visible: it is open.
    """
    T = tri.shape[0]
    corners = tri.long()
    start, end = (
        corners[:, [1, 2, 0]].reshape(-1),
        corners[:, [2, 0, 1]].reshape(-1),
    )  # edge k is opposite vertex k
    undrawn = (corners == corners[:, [1, 2, 0]]).any(1) | (corners < 0).any(1)
    undrawn = undrawn.repeat_interleave(3)
    edge = torch.arange(3 * T, device=tri.device)
    key = torch.where(
        undrawn, -1 - edge, (torch.minimum(start, end) << 32) + torch.maximum(start, end)
    )
    key, order = torch.sort(key, stable=True)  # stable: within an edge, triangles stay in order
    place = edge  # positions in the sorted list
    new = torch.ones_like(key, dtype=torch.bool)
    new[1:] = key[1:] != key[:-1]
    first = torch.cummax(torch.where(new, place, 0), 0).values if T else place
    following = torch.clamp(first + 1, max=max(3 * T - 1, 0))
    has_second = (first + 1 < 3 * T) & ~new[following] if T else new
    partner = torch.where(place != first, first, torch.where(has_second, following, -1))
    apex = corners.reshape(-1)[order]
    if culled and T:  # neighbours that run along their edge the same way are wound differently
        way = (start < end)[order]
        partner = torch.where(way == way[partner.clamp(min=0)], -1, partner)
    other = torch.where(partner >= 0, apex[partner.clamp(min=0)], -1) if T else apex
    out = torch.empty_like(other)
    out[order] = other
    return out.to(torch.int32).reshape(T, 3)


_topologies: dict[
    int, tuple[weakref.ref, Topology, tuple | None]
] = {}  # by the identity of a live tri


def _topology(given: torch.Tensor, tri: torch.Tensor, handle: Topology | None) -> Topology:
    if handle is None:
        return _remembered_topology(given, tri)
    if not isinstance(handle, Topology):
        raise TypeError(
            "glrast.antialias: topology_hash must come from antialias_construct_topology_hash(tri); "
            f"got {type(handle).__name__}"
        )
    _check.value(
        "antialias", "topology_hash", "made from this tri", handle.belongs_to(tri),
        f"one made from a tri {_check.show(handle.tri)}", "construct it again when the triangles change",
    )  # fmt: skip
    return handle


def _remembered_topology(given: torch.Tensor, tri: torch.Tensor) -> Topology:
    """Made once for a tri that stays as it is. The CPU compares; on a GPU that would wait, so there PyTorch's count of
    changes in place decides (which writing through `tri.data` escapes)."""
    if torch.compiler.is_compiling() or torch._C._is_tracing() or _check.in_transform():
        # In the graph: what is remembered would be a constant of it, right or wrong; and what a transform of torch.func
        # makes is of no use after it.
        return Topology(tri)
    version = None
    if not given.is_inference():
        version = (*_check.unchanged(given), stream_number(tri.device))
    found = _topologies.get(id(given))
    if found is not None and found[0]() is given and found[1].belongs_to(tri):
        if tri.device.type == "cpu" or (version is not None and found[2] == version):
            return found[1]
    topology, key = Topology(tri), id(given)
    _topologies[key] = (
        weakref.ref(given, lambda _: _topologies.pop(key, None)),
        topology,
        version,
    )
    return topology
