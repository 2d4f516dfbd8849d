"""Binary glTF through trimesh. Its vertices are split at uv seams; reading joins them again.

glTF holds vertex colours linear and textures in sRGB; a `Mesh` has both as in an image file. So
colours pass through the sRGB curve, and stay floats: 8 bits of linear light would show bands.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..material import Material
from ..srgb import linear_to_srgb, srgb_to_linear
from ..weld import unique_rows
from . import upright
from .pictures import to_picture, to_texture

if TYPE_CHECKING:
    from ..mesh import Mesh

_HEADER = struct.Struct("<4sIII4s")  # magic, version, length; length and kind of the first chunk


def read(path: Path, texture: bool) -> dict[str, Any]:
    """The fields of a `Mesh`, all nodes of the scene in one."""
    trimesh = need_trimesh("load_mesh")
    try:
        with path.open("rb") as stream:
            raw = trimesh.exchange.gltf.load_glb(stream)
        graph = trimesh.scene.transforms.SceneGraph()
        for edge in raw["graph"]:
            graph.update(**edge)
        parts = []
        back = _taken_off(path.read_bytes())
        for node in graph.nodes_geometry:
            matrix, name = graph[node]
            matrix = back @ np.asarray(matrix)
            if "faces" in raw["geometry"][name]:
                parts.append(_part(raw["geometry"][name], matrix, texture))
    except Exception as error:  # whatever trips over a broken file
        wrong = _what_is_wrong(path.read_bytes()) or f"{type(error).__name__}: {error}"
        raise ValueError(
            f"glrast.clip.load_mesh: {path} must be a glb file; {wrong}; export it again."
        ) from error
    if not parts:
        raise ValueError(
            f"glrast.clip.load_mesh: {path} must have triangles; found none; "
            "make a surface of it first."
        )
    return _as_marked(join(path, parts), _tree(path.read_bytes()))


def _what_is_wrong(content: bytes) -> str:
    """What the file's header and its first chunk, which must be JSON, show to be broken; "" if nothing."""
    size = len(content)
    if size == 0:
        return "it is empty"
    if content[:4] != b"glTF"[:size]:
        return f"it begins with {content[:4]!r}, not with b'glTF'"
    if size < _HEADER.size:
        return f"it ends after {size} bytes, within its header"
    _, version, length, json_length, json_kind = _HEADER.unpack_from(content)
    if version != 2:
        return f"it is glTF of version {version}, not 2"
    if size < length:
        return f"it ends after {size} of {length} bytes"
    if json_kind != b"JSON" or json_length > size - _HEADER.size:
        return "its first chunk is not JSON"
    try:
        json.loads(content[_HEADER.size :][:json_length])
    except ValueError as error:
        return f"its JSON cannot be read ({error})"
    return ""


def _tree(content: bytes) -> dict[str, Any]:
    return json.loads(content[_HEADER.size :][: _HEADER.unpack_from(content)[3]])


def _as_marked(mesh: dict[str, Any], tree: dict[str, Any]) -> dict[str, Any]:
    """What `_finish` wrote of the material is its again."""
    unlit = "KHR_materials_unlit" in tree.get("extensionsUsed", [])
    samplers = tree.get("samplers", [])
    clamped = all(s.get("wrapS") == s.get("wrapT") == 33071 for s in samplers) and len(samplers) > 0
    if unlit or clamped:
        wrap = ("clamp", "clamp") if clamped else ("repeat", "repeat")
        material = Material(texture=mesh.pop("texture", None), wrap=wrap, unlit=unlit)
        mesh["materials"] = (material,)
    return mesh


def _taken_off(content: bytes) -> np.ndarray:
    """[4,4], the way back from the turn that `encode` gave the whole scene."""
    tree = _tree(content)
    nodes = tree.get("nodes", [])
    roots = tree.get("scenes", [{}])[tree.get("scene", 0)].get("nodes", [])
    matrix = np.eye(4)
    if len(roots) == 1 and upright.is_turn(nodes[roots[0]]):
        matrix[:3, :3] = upright.turn(nodes[roots[0]]["extras"]["glrast"]["up"]).T
    return matrix


def encode(mesh: Mesh, stem: str, up: str | None = None) -> dict[str, bytes]:
    """The file's name and content."""
    trimesh = need_trimesh("save_mesh")
    vertex, faces, uv, picture = np.arange(len(mesh.pos)), mesh.tri.numpy(), None, None
    if mesh.uv is not None and mesh.uv_tri is not None:
        # one vertex for each pair (position, uv) in use
        U = len(mesh.uv)
        pair, inverse = np.unique(
            faces.astype(np.int64) * U + mesh.uv_tri.numpy(), return_inverse=True
        )
        vertex, faces, uv = pair // U, inverse.reshape(-1, 3), mesh.uv.numpy()[pair % U]
        texture = mesh.appearance()[0][0].texture
        picture = None if texture is None else to_picture(texture.numpy())
    # not metallic: glTF's default is, and shows black where nothing is reflected
    material = trimesh.visual.material.PBRMaterial(
        baseColorTexture=picture, metallicFactor=0.0, roughnessFactor=1.0
    )
    attributes = {}
    if mesh.color is not None:
        attributes["_color"] = srgb_to_linear(mesh.color.numpy())[vertex]
    solid = trimesh.Trimesh(
        vertices=mesh.pos.numpy()[vertex],
        faces=faces,
        vertex_normals=None if mesh.normal is None else mesh.normal.numpy()[vertex],
        visual=trimesh.visual.TextureVisuals(uv=uv, material=material),
        vertex_attributes=attributes,
        process=False,
    )
    content = trimesh.exchange.gltf.export_glb(
        solid,
        include_normals=mesh.normal is not None,
        tree_postprocessor=lambda tree: _finish(tree, mesh, up),
    )
    return {f"{stem}.glb": content}


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


def _part(raw: dict[str, Any], matrix: np.ndarray, texture: bool) -> dict[str, Any]:
    linear = matrix[:3, :3]
    part: dict[str, Any] = {
        "pos": np.asarray(raw["vertices"]) @ linear.T + matrix[:3, 3],
        "tri": np.asarray(raw["faces"]),
    }
    if np.linalg.det(linear) < 0:  # a mirroring node turns triangles over
        part["tri"] = part["tri"][:, ::-1]
    if raw.get("vertex_normals") is not None:
        normal = np.asarray(raw["vertex_normals"]) @ np.linalg.inv(linear)
        length = np.linalg.norm(normal, axis=1, keepdims=True)
        part["normal"] = normal / np.where(length > 0, length, 1)
    visual = raw.get("visual")
    color, factor = raw.get("vertex_colors"), None
    if visual is not None:
        color = visual.vertex_attributes.get("color", color)
        factor = getattr(visual.material, "baseColorFactor", None)
        if texture and visual.uv is not None:
            part["uv"] = visual.uv
            part["picture"] = getattr(visual.material, "baseColorTexture", None)
    if color is not None:
        part["color"] = linear_to_srgb(unit_range(color))
    elif factor is not None and part.get("picture") is None:
        rgba = linear_to_srgb(unit_range(np.asarray(factor))[None])
        part["color"] = np.repeat(rgba, len(part["pos"]), axis=0)
    return part


def _rgb(part: dict[str, Any]) -> np.ndarray:
    """[V,4], white where the part has no colour."""
    rgba = np.ones((len(part["pos"]), 4), dtype=np.float32)
    if part.get("color") is not None:
        rgba[:, : part["color"].shape[1]] = part["color"]
    return rgba


def _finish(tree: dict[str, Any], mesh: Mesh, up: str | None) -> None:
    """What trimesh does not write."""
    _name_the_colours(tree)
    material = mesh.appearance()[0][0]
    if material.unlit:
        tree["extensionsUsed"] = ["KHR_materials_unlit"]
        for written in tree["materials"]:
            written["extensions"] = {"KHR_materials_unlit": {}}
    if material.wrap == ("clamp", "clamp") and "textures" in tree:
        tree["samplers"] = [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}]
        for written in tree["textures"]:
            written["sampler"] = 0
    if up is not None:
        scene = tree["scenes"][tree.get("scene", 0)]
        tree["nodes"].append(upright.node_of(up, scene["nodes"]))
        scene["nodes"] = [len(tree["nodes"]) - 1]


def _name_the_colours(tree: dict[str, Any]) -> None:
    # trimesh writes vertex colours in 8 bits; as an attribute of our own they stay floats
    for mesh in tree["meshes"]:
        attributes = mesh["primitives"][0]["attributes"]
        if "_color" in attributes:
            attributes["COLOR_0"] = attributes.pop("_color")


def unit_range(x: Any) -> np.ndarray:
    """float32 0..1 from integers of any width, or floats as they are."""
    x = np.asarray(x)
    top = np.iinfo(x.dtype).max if x.dtype.kind in "ui" else 1
    return (x / top).astype(np.float32)


def need_trimesh(function: str) -> Any:
    """The module trimesh with the parts used here."""
    try:
        import trimesh
        import trimesh.exchange.gltf
        import trimesh.exchange.ply
        import trimesh.scene.transforms
    except ImportError:
        raise ImportError(
            f"glrast.clip.{function}: ply and glb files need trimesh; it is not installed; "
            "pip install glrast[fit]."
        ) from None
    return trimesh
