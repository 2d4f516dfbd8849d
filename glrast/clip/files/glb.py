"""What ply.py shares with its library: parts joined to one mesh, numbers of any width, trimesh itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..weld import unique_rows
from .pictures import to_texture


def join(path: Path, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """One mesh of parts with pos, tri and perhaps normal, color, uv, picture (one for all)."""
    starts = np.cumsum([0] + [len(p["pos"]) for p in parts[:-1]])
    mesh: dict[str, Any] = {
        "pos": np.concatenate([p["pos"] for p in parts]).astype(np.float32),
        "tri": np.concatenate([p["tri"] + start for p, start in zip(parts, starts, strict=True)]),
    }
    tri, V = mesh["tri"], len(mesh["pos"])
    if tri.size and not (tri.min() >= 0 and tri.max() < V):
        raise ValueError(
            f"glrast.clip.load_mesh: {path} must have faces of its {V} vertices; "
            f"got indices from {tri.min()} to {tri.max()}; export it again."
        )
    if all(p.get("normal") is not None for p in parts):
        mesh["normal"] = np.concatenate([p["normal"] for p in parts]).astype(np.float32)
    if any(p.get("color") is not None for p in parts):
        mesh["color"] = np.concatenate([_rgb(p) for p in parts])
        if (mesh["color"][:, 3] == 1).all():
            mesh["color"] = mesh["color"][:, :3]
    if any(p.get("uv") is not None for p in parts):
        pictures = {id(p.get("picture")): p.get("picture") for p in parts}
        if len(pictures) > 1:
            raise ValueError(
                f"glrast.clip.load_mesh: {path} must have one texture for all of its parts; "
                f"got {len(pictures)}; bake them into one, or pass texture=False for the geometry."
            )
        picture = next(iter(pictures.values()))
        try:
            mesh["texture"] = None if picture is None else to_texture(picture)
        except OSError as error:
            raise ValueError(
                f"glrast.clip.load_mesh: {path} must have a whole picture as its texture; {error}; "
                "export it again, or pass texture=False for the geometry."
            ) from error
        uv = [p["uv"] if p.get("uv") is not None else np.zeros((len(p["pos"]), 2)) for p in parts]
        mesh["uv"] = np.concatenate(uv).astype(np.float32)
        mesh = _without_seams(mesh)
    return mesh


def _without_seams(mesh: dict[str, Any]) -> dict[str, Any]:
    """Vertices equal in all but uv made one; uv gets its own indices."""
    tri = mesh["tri"]
    kept = [name for name in ("pos", "normal", "color") if name in mesh]
    rows = np.concatenate([mesh[name] for name in kept], 1)
    index, new = unique_rows(rows)
    uv_index, uv_new = unique_rows(mesh["uv"])
    joined = {name: mesh[name][index] for name in kept}
    return mesh | joined | {"tri": new[tri], "uv": mesh["uv"][uv_index], "uv_tri": uv_new[tri]}


def _rgb(part: dict[str, Any]) -> np.ndarray:
    """[V,4], white where the part has no colour."""
    rgba = np.ones((len(part["pos"]), 4), dtype=np.float32)
    if part.get("color") is not None:
        rgba[:, : part["color"].shape[1]] = part["color"]
    return rgba


def unit_range(x: Any) -> np.ndarray:
    """float32 0..1 from integers of any width, or floats as they are."""
    x = np.asarray(x)
    top = np.iinfo(x.dtype).max if x.dtype.kind in "ui" else 1
    return (x / top).astype(np.float32)


def need_trimesh(function: str) -> Any:
    """The module trimesh with the parts used here."""
    try:
        import trimesh
        import trimesh.exchange.ply
    except ImportError:
        raise ImportError(
            f"glrast.clip.{function}: ply files need trimesh; it is not installed; "
            "pip install glrast[fit]."
        ) from None
    return trimesh
