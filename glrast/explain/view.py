"""What the mesh looks like to the camera: behind it, beside the picture, too small, or in pieces."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..mesh.weld import weld
from ..visibility.topology import opposite_vertices
from .answer import Explanation

_SIDES = ("left of", "right of", "below", "above")
_REMEDIES = {
    "behind-camera": "Move the camera or turn it round: visible points have w > 0 (OpenGL cameras look along -z).",
    "off-screen": "Point the camera at the mesh, widen its field of view, or start nearer to the solution.",
    "beyond-near-far": "Move the near and far planes of the projection so that the mesh lies between.",
    "smaller-than-a-pixel": "Render more pixels, move closer, or check the units of the mesh: the gradient sees "
    "nothing narrower than a pixel.",
    "not-finite": "Find where positions become NaN or infinite: glrast.debug(True) names the first.",
    "empty-mesh": "Give rasterize triangles whose indices are in range.",
}
# Equal vertices can differ by the rounding of their way to clip space.
_ROUNDING = 4 * 2**-24


def look(
    answer: Explanation,
    pos: torch.Tensor,
    tri: torch.Tensor,
    covered: Sequence[bool | None],
    size: tuple[int, int],
) -> None:
    """Causes that need positions alone; covered: does each image show any triangle? None: not known. size is (H, W)."""
    pos = pos.detach()
    if pos.ndim == 2:  # which triangles an image of range mode was given is not in the graph
        pos, covered = pos[None], [any(covered) or (None if None in covered else False)]
    found: dict[str, list[tuple[int, str]]] = {}
    for n, shown in enumerate(covered):
        vertices = pos[min(n, len(pos) - 1)]
        said = None if shown else _unseen(vertices, tri)
        said = said or _small(vertices, tri, size, bool(shown))
        if said is None and shown is False:
            answer.unknown.append(
                f"Why image {n} shows nothing: some triangles are on the screen and larger than a pixel "
                "(culled, of zero area, or rast was made of another mesh?)."
            )
        elif said is not None:
            found.setdefault(said[0], []).append((n, said[1]))
    for cause, images in found.items():
        which = _which([n for n, _ in images], len(covered))
        answer.add(cause, f"{images[0][1]}{which}.", _REMEDIES[cause])


def duplicates(answer: Explanation, pos: torch.Tensor, tri: torch.Tensor) -> None:
    """Edges that are open only because vertices at one place have different indices."""
    place = pos.detach()
    place = (place if place.ndim == 2 else place[0]).double().cpu()
    usable = ((tri >= 0) & (tri < len(place))).all(-1).cpu()
    tri = tri.cpu()[usable]
    if len(tri) == 0 or not place.isfinite().all():
        return
    if (
        place.shape[1] == 4
    ):  # injective for perspective, where z follows from w, and orthographic, where w is 1
        place = torch.stack([place[:, 0], place[:, 1], place[:, 2] + place[:, 3]], 1)
    extent = (place.amax(0) - place.amin(0)).max().item()
    tolerance = _ROUNDING * place.abs().max().item()
    try:
        _, welded, index = weld(place, tri, tolerance if tolerance < 1e-4 * extent else 0.0)
    except ValueError:  # too many vertices in one place
        return
    before, after = (int((opposite_vertices(t) < 0).sum()) for t in (tri.int(), welded))
    if before > after:
        answer.add(
            "duplicated-vertices",
            f"{before} of {3 * len(tri)} triangle sides have no neighbour, {before - after} of them only because "
            f"vertices at one place have different indices: antialias takes each for a silhouette ({len(place)} "
            f"vertices at {len(index)} places).",
            "pos, tri, index = glrast.clip.weld(pos, tri); attributes that differ at a seam keep their own indices: "
            "interpolate(attr, rast, attr_tri).",
        )


def _small(
    pos: torch.Tensor, tri: torch.Tensor, size: tuple, shown: bool
) -> tuple[str, str] | None:
    corners = _usable(pos, tri)
    if len(corners) == 0 or not (corners[..., 3] > 0).all():
        return None
    half = torch.tensor([size[1] / 2, size[0] / 2], device=pos.device)
    pix = corners[..., :2] / corners[..., 3:] * half
    sides = pix.amax((0, 1)) - pix.amin((0, 1))
    if sides.min() < 1:
        return "smaller-than-a-pixel", f"The mesh is {sides[0]:.2g} x {sides[1]:.2g} pixels large"
    largest = (pix.amax(1) - pix.amin(1)).amax()
    if not shown and largest < 1:
        said = f"No triangle covers a pixel centre, the largest being {largest:.2g} pixels wide"
        return "smaller-than-a-pixel", said
    return None


def _unseen(pos: torch.Tensor, tri: torch.Tensor) -> tuple[str, str] | None:
    """Why none of the triangles can be in the image; None: some could."""
    corners = _usable(pos, tri)
    if len(corners) == 0:
        if len(tri) and not pos.isfinite().all():
            return "not-finite", "Every triangle has a vertex that is NaN or infinite"
        return "empty-mesh", f"There is nothing to draw: {len(tri)} triangles, {len(pos)} vertices"
    x, y, z, w = corners.unbind(-1)
    if (w <= 0).all():
        return "behind-camera", "The whole mesh is behind the camera (every w <= 0)"
    beside = torch.stack([s.all(-1) for s in (x < -w, x > w, y < -w, y > w)])  # [4,T]
    beyond = torch.stack([s.all(-1) for s in (z < -w, z > w)])
    for side, word in zip(beside.all(-1).tolist(), _SIDES):
        if side:
            return "off-screen", f"The whole mesh is {word} the image"
    for side, word in zip(beyond.all(-1).tolist(), ("nearer than the near", "beyond the far")):
        if side:
            return "beyond-near-far", f"The whole mesh is {word} plane"
    if (beside.any(0) | beyond.any(0)).all():
        return (
            "off-screen",
            "Every triangle of the mesh is outside of the image or of the near and far planes",
        )
    return None


def _usable(pos: torch.Tensor, tri: torch.Tensor) -> torch.Tensor:
    """Corners [T',3,4] of the triangles with indices in range and finite vertices."""
    tri = tri[((tri >= 0) & (tri < len(pos))).all(-1)].long()
    corners = pos[tri]
    return corners[corners.isfinite().all(-1).all(-1)]


def _which(images: list[int], count: int) -> str:
    if count == 1:
        return ""
    if len(images) == count:
        return f", in all {count} images"
    return f", in {len(images)} of {count} images (the first: image {images[0]})"
