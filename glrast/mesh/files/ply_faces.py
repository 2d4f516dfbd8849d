"""The triangles of a ply file: its polygons and strips, with what they say of uv, colour and picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .ply_body import Column, Lists, Tables
from .ply_colours import colours_of
from .polygons import triangulate

FACES = ("face", "faces", "polygon", "polygons")
STRIPS = ("tristrips", "tristrip", "triangle_strips")
INDICES = (
    "vertex_indices",
    "vertex_index",
    "vertex_indexes",
    "vertexindices",
    "vertex_ids",
    "indices",
)
CORNER_UV = ("texcoord", "texcoords", "texture_uv", "uv")
NUMBERS = ("texnumber", "texture_number", "texture_index", "textureid", "texture_id")
MATERIALS = ("material_index", "material_indices", "materialindex")
RESTART = (-1, 2**32 - 1)


@dataclass
class Faces:
    """Triangles, those of polygons before those of strips."""

    tri: np.ndarray  # int64 [T,3]
    uv: np.ndarray | None = None  # float32 [U,2]
    uv_tri: np.ndarray | None = None  # int64 [T,3]
    has_uv: np.ndarray | None = None  # bool [T], where some polygons have no uv
    number: np.ndarray | None = None  # int64 [T], of the picture; -1: none
    colors: np.ndarray | None = None  # float32 [T,C]


def read_faces(tables: Tables, pos: np.ndarray) -> Faces:
    """The triangles of all elements."""
    found = [
        _polygons(name, _lower(columns), pos, _material_colors(tables))
        for name, columns in tables.items()
        if name.lower() in FACES
    ]
    strips = [
        _strips(name, _lower(columns), len(pos))
        for name, columns in tables.items()
        if name.lower() in STRIPS
    ]
    if len(found) > 1:
        raise ValueError(f"it has two elements of faces, {' and '.join(_names(tables))}")
    faces = found[0] if found else Faces(np.zeros((0, 3), dtype=np.int64))
    if not strips:
        return faces
    extra = np.concatenate(strips)
    n = len(extra)
    if faces.uv is not None and faces.uv_tri is not None:
        faces.uv = np.concatenate([faces.uv, np.zeros((1, 2), np.float32)])
        faces.uv_tri = np.concatenate([faces.uv_tri, np.full((n, 3), len(faces.uv) - 1)])
        has = np.ones(len(faces.tri), dtype=bool) if faces.has_uv is None else faces.has_uv
        faces.has_uv = np.concatenate([has, np.zeros(n, dtype=bool)])
    if faces.number is not None:
        faces.number = np.concatenate([faces.number, np.full(n, -1)])
    if faces.colors is not None:
        white = np.ones((n, faces.colors.shape[1]), np.float32)
        faces.colors = np.concatenate([faces.colors, white])
    faces.tri = np.concatenate([faces.tri, extra])
    return faces


def _names(tables: Tables) -> list[str]:
    return [name for name in tables if name.lower() in FACES]


def _lower(columns: dict[str, Column]) -> dict[str, Column]:
    return {name.lower(): column for name, column in columns.items()}


def _indices(element: str, columns: dict[str, Column], V: int) -> Lists:
    lists = next((columns[name] for name in INDICES if name in columns), None)
    if not isinstance(lists, Lists):
        raise ValueError(
            f"its element {element} has no list {' or '.join(INDICES[:2])}; "
            f"its properties are {', '.join(columns) or 'none'}"
        )
    if lists.values.dtype.kind == "f":
        if (lists.values != np.round(lists.values)).any():
            raise ValueError(f"the indices of its element {element} are no whole numbers")
    lists.values = lists.values.astype(np.int64)
    return lists


def _polygons(
    element: str, columns: dict[str, Column], pos: np.ndarray, materials: np.ndarray | None
) -> Faces:
    lists = _indices(element, columns, len(pos))
    if lists.lengths.min(initial=3) < 3:
        row = int((lists.lengths < 3).argmax())
        raise ValueError(f"row {row} of its element {element} has {lists.lengths[row]} corners")
    if lists.values.min(initial=0) < 0 or lists.values.max(initial=-1) >= len(pos):
        at = int(((lists.values < 0) | (lists.values >= len(pos))).argmax())
        row = int(np.searchsorted(lists.starts, at, side="right")) - 1
        raise ValueError(
            f"row {row} of its element {element} has a corner {lists.values[at]} "
            f"where there are {len(pos)} vertices"
        )
    local, face = triangulate(pos, lists.values, lists.lengths)
    flat = lists.values  # all triangles are as they stand
    found = Faces(flat.reshape(-1, 3) if (lists.lengths == 3).all() else flat[local])
    _corner_uv(found, element, columns, lists, local, face)
    number = next((columns[name] for name in NUMBERS if name in columns), None)
    if number is not None:
        if not isinstance(number, np.ndarray):
            raise ValueError(f"the picture's number of its element {element} is a list")
        found.number = number.astype(np.int64)[face]
    colors = colours_of(columns, element)
    index = next((columns[name] for name in MATERIALS if name in columns), None)
    if colors is None and materials is not None and isinstance(index, np.ndarray):
        bad = (index < 0) | (index >= len(materials))
        if bad.any():
            got = index[bad.argmax()]
            raise ValueError(
                f"row {bad.argmax()} of its element {element} has the material {got} "
                f"where there are {len(materials)}"
            )
        colors = materials[index.astype(np.int64)]
    found.colors = None if colors is None else colors[face]
    return found


def _material_colors(tables: Tables) -> np.ndarray | None:
    """[materials,C], the diffuse colours of an element material, which faces name by number."""
    columns = next((tables[name] for name in tables if name.lower() == "material"), None)
    return None if columns is None else colours_of(_lower(columns), "material")


def _corner_uv(
    found: Faces,
    element: str,
    columns: dict[str, Column],
    lists: Lists,
    local: np.ndarray,
    face: np.ndarray,
) -> None:
    """The uv of polygons' corners: u, v for each; none at all where a polygon has no picture."""
    name = next((name for name in CORNER_UV if name in columns), None)
    if name is None:
        return
    given = columns[name]
    if not isinstance(given, Lists):
        raise ValueError(f"the property {name} of its element {element} is no list")
    wrong = (given.lengths != 2 * lists.lengths) & (given.lengths != 0)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"row {row} of its element {element} has {given.lengths[row]} numbers of {name}; "
            f"its {lists.lengths[row]} corners want {2 * lists.lengths[row]}"
        )
    with np.errstate(over="ignore"):
        uv = given.values.astype(np.float32).reshape(-1, 2)
    if not np.isfinite(uv).all():
        at = int((~np.isfinite(uv)).any(1).argmax())
        row = int(np.searchsorted(given.starts, 2 * at, side="right")) - 1
        raise ValueError(f"row {row} of its element {element} has a {name} that is no number")
    if not len(uv):
        return
    # one row for each uv: the two floats as one number (-0 is 0)
    bits = np.ascontiguousarray(uv + np.float32(0)).view(np.uint64)[:, 0]
    _, index, new = np.unique(bits, return_index=True, return_inverse=True)
    new = new.reshape(-1)
    has = given.lengths > 0
    # a corner's place among the uv: its place among the corners, less the corners without
    skipped = np.cumsum(np.where(has, 0, lists.lengths)) - np.where(has, 0, lists.lengths)
    place = local - skipped[face][:, None]
    shown = has[face]
    found.uv, found.has_uv = uv[index], None if shown.all() else shown
    if not shown.all():
        found.uv = np.concatenate([found.uv, np.zeros((1, 2), np.float32)])
    found.uv_tri = np.where(
        shown[:, None], new[np.where(shown[:, None], place, 0)], len(found.uv) - 1
    )


def _strips(element: str, columns: dict[str, Column], V: int) -> np.ndarray:
    """int64 [T,3]: each corner with the two before it, every second triangle turned, -1 begins anew."""
    lists = _indices(element, columns, V)
    values = lists.values
    restart = np.isin(values, RESTART)
    bad = ~restart & ((values < 0) | (values >= V))
    if bad.any():
        got = values[bad.argmax()]
        raise ValueError(f"its element {element} has a corner {got} where there are {V} vertices")
    begins = np.zeros(len(values) + 1, dtype=bool)  # of a strip: a row's first, or after a restart
    begins[lists.starts] = True
    begins[1:] |= restart
    begins = begins[:-1]
    strip = np.cumsum(begins)
    at = np.arange(len(values))
    since = at - np.maximum.accumulate(np.where(begins, at, 0))
    last = np.flatnonzero((since >= 2) & ~restart)
    last = last[strip[last] == strip[last - 2]]
    odd = since[last] % 2 == 1
    a, b, c = values[last - 2], values[last - 1], values[last]
    tri = np.stack([np.where(odd, b, a), np.where(odd, a, b), c], 1)
    return tri[(a != b) & (b != c) & (c != a)]
