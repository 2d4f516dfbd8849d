"""Model files to look at, written by hand: glTF's JSON and buffers here, as text for obj. Nothing of glrast is used.

Each scene is a file, and the place of its camera; what is in it is said beside it.
"""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import numpy as np
from PIL import Image

REPEAT, CLAMP, MIRROR = 10497, 33071, 33648
NEAREST, LINEAR, TRILINEAR = 9728, 9729, 9987
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}

SQUARE = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
CORNERS = np.array(
    [[0, 0], [1, 0], [1, 1], [0, 1]], np.float32
)  # up, as an obj has it; glTF's v runs down
TWO = np.array([0, 1, 2, 0, 2, 3], np.uint32)
FACES = {  # of a cube [-1,1]^3: where a square goes, by the axis of its normal
    "x": [[0, 0, 1], [1, 0, 0], [0, 1, 0]],
    "y": [[0, 1, 0], [0, 0, 1], [1, 0, 0]],
    "z": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
}


def write_all(folder: Path) -> dict[str, tuple[str, np.ndarray]]:
    """Writes the files; {scene: (file name, camera to world)}."""
    front, side = camera([0, 0, 4.2]), camera([3.4, 2.9, 5.2])
    scenes = {
        "cube_obj": (cube_obj(folder), side),
        "cube_glb": (cube_glb(folder), side),
        "two_materials_obj": (two_materials_obj(folder), front),
        "leaf": (leaf(folder), camera([0.6, 0.3, 3.6])),
        "wraps": (wraps(folder), front),
        "floor": (floor(folder), camera([0, 1.2, 3.0])),
        "product": (product(folder), front),
        "panes": (panes(folder), camera([0.5, 0.4, 4])),
    }
    return scenes


def camera(eye: list[float]) -> np.ndarray:
    """[4,4], camera to world, looking at the origin, y up; its own axes are x right, y up, z back."""
    back = np.array(eye, float) / np.linalg.norm(eye)
    right = np.cross([0, 1, 0], back)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3] = np.stack([right, np.cross(back, right), back, eye], 1)
    return pose


def cube_obj(folder: Path) -> str:
    """Faces across x red, y green, z blue, by materials with a colour alone."""
    colors = {"x": "0.8 0.1 0.1", "y": "0.1 0.8 0.1", "z": "0.1 0.1 0.8"}
    lines, vertex = ["mtllib cube.mtl"], 1
    for name, turn in FACES.items():
        lines.append(f"usemtl {name}")
        for sign in (1, -1):
            corners = (SQUARE + [0, 0, sign]) @ np.array(turn, float)
            lines += [f"v {x:g} {y:g} {z:g}" for x, y, z in corners]
            order = range(4) if sign == 1 else (3, 2, 1, 0)
            lines.append("f " + " ".join(str(vertex + k) for k in order))
            vertex += 4
    (folder / "cube.obj").write_text("\n".join(lines) + "\n")
    (folder / "cube.mtl").write_text("".join(f"newmtl {n}\nKd {c}\n" for n, c in colors.items()))
    return "cube.obj"


def cube_glb(folder: Path) -> str:
    """The same cube by factors, which are linear light."""
    parts, materials = [], []
    for k, turn in enumerate(FACES.values()):
        materials.append(
            {"pbrMetallicRoughness": {"baseColorFactor": [*np.eye(3)[k] * 0.6 + 0.02, 1.0]}}
        )
        for sign in (1, -1):
            pos = (SQUARE + [0, 0, sign]) @ np.array(turn, float)
            parts.append(
                {"POSITION": pos, "indices": TWO if sign == 1 else TWO[::-1], "material": k}
            )
    return write_glb(folder / "cube.glb", parts, materials)


def two_materials_obj(folder: Path) -> str:
    """A face with a picture beside one with a colour."""
    board(8).save(folder / "board.png")
    (folder / "two.mtl").write_text(
        "newmtl a\nKd 1 1 1\nmap_Kd board.png\nnewmtl b\nKd 0.9 0.5 0.1\n"
    )
    lines = ["mtllib two.mtl"] + [
        f"v {x:g} {y:g} 0" for x, y in [(-1.5, -1), (0, -1), (0, 1), (-1.5, 1), (1.5, -1), (1.5, 1)]
    ]
    lines += [f"vt {u * 2:g} {v * 2:g}" for u, v in CORNERS]
    lines += ["usemtl a", "f 1/1 2/2 3/3 4/4", "usemtl b", "f 2 5 6 3"]
    (folder / "two.obj").write_text("\n".join(lines) + "\n")
    return "two.obj"


def leaf(folder: Path) -> str:
    """A leaf cut out of a square, before a plain wall; its back can be seen too."""
    materials = [
        {
            "pbrMetallicRoughness": {"baseColorTexture": {"index": 0}},
            "alphaMode": "MASK",
            "alphaCutoff": 0.4,
            "doubleSided": True,
        },
        {"pbrMetallicRoughness": {"baseColorFactor": [0.5, 0.35, 0.2, 1]}},
    ]
    tilted = SQUARE @ np.array([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]])
    parts = [
        {"POSITION": tilted, "TEXCOORD_0": down(CORNERS), "indices": TWO, "material": 0},
        {"POSITION": SQUARE * [0.9, 0.5, 1] - [0.4, 0.3, 1.2], "indices": TWO, "material": 1},
    ]
    return write_glb(
        folder / "leaf.glb",
        parts,
        materials,
        [leaf_picture()],
        [{"wrapS": CLAMP, "wrapT": CLAMP, "magFilter": LINEAR, "minFilter": TRILINEAR}],
    )


def wraps(folder: Path) -> str:
    """Six squares with uv from -1 to 2: each way at least once along each axis; the last with the nearest texel."""
    ways = [
        (REPEAT, REPEAT),
        (MIRROR, MIRROR),
        (CLAMP, CLAMP),
        (REPEAT, CLAMP),
        (CLAMP, MIRROR),
        (MIRROR, REPEAT),
    ]
    samplers = [
        {"wrapS": s, "wrapT": t, "magFilter": LINEAR, "minFilter": TRILINEAR} for s, t in ways
    ]
    samplers[5]["magFilter"] = NEAREST
    parts, materials = [], []
    for k in range(6):
        place = SQUARE * [0.48, 0.64, 1] + [k % 3 - 1, (k // 3) * 1.3 - 0.65, 0]
        parts.append(
            {"POSITION": place, "TEXCOORD_0": down(CORNERS * 3 - 1), "indices": TWO, "material": k}
        )
        materials.append({"pbrMetallicRoughness": {"baseColorTexture": {"index": k}}})
    return write_glb(folder / "wraps.glb", parts, materials, [board(8)], samplers)


def floor(folder: Path) -> str:
    """A board that runs away from the eye: its far fields are much smaller than pixels."""
    pos = SQUARE[:, [0, 2, 1]] * [6, 1, -8] - [0, 0.5, 6]
    parts = [{"POSITION": pos, "TEXCOORD_0": CORNERS * 12, "indices": TWO, "material": 0}]
    materials = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]
    return write_glb(
        folder / "floor.glb",
        parts,
        materials,
        [board(32)],
        [{"wrapS": REPEAT, "wrapT": REPEAT, "magFilter": LINEAR, "minFilter": TRILINEAR}],
    )


def product(folder: Path) -> str:
    """Picture x colours of the vertices x factor, with the vertices far apart."""
    color = np.array([[1, 0.1, 0.1], [0.1, 1, 0.2], [0.2, 0.1, 1], [1, 1, 1]], np.float32)
    parts = [
        {
            "POSITION": SQUARE * 1.3,
            "TEXCOORD_0": down(CORNERS),
            "COLOR_0": color,
            "indices": TWO,
            "material": 0,
        }
    ]
    materials = [
        {
            "pbrMetallicRoughness": {
                "baseColorTexture": {"index": 0},
                "baseColorFactor": [0.9, 0.7, 0.5, 1],
            }
        }
    ]
    return write_glb(
        folder / "product.glb",
        parts,
        materials,
        [board(8)],
        [{"magFilter": LINEAR, "minFilter": TRILINEAR}],
    )


def panes(folder: Path) -> str:
    """Two panes that let light through before something opaque, the nearer one first in the file."""
    materials = [
        {"pbrMetallicRoughness": {"baseColorFactor": [0.9, 0.1, 0.1, 0.5]}, "alphaMode": "BLEND"},
        {"pbrMetallicRoughness": {"baseColorFactor": [0.1, 0.1, 0.9, 0.6]}, "alphaMode": "BLEND"},
        {"pbrMetallicRoughness": {"baseColorFactor": [0.7, 0.8, 0.2, 1]}},
    ]
    places = [[-0.3, 0.1, 1], [0.3, -0.2, 0.3], [0, 0, -0.6]]
    parts = [
        {"POSITION": SQUARE * 0.7 + places[k], "indices": TWO, "material": k} for k in range(3)
    ]
    return write_glb(folder / "panes.glb", parts, materials)


def board(fields: int) -> Image.Image:
    """A chequered picture whose colours also say where one is on it."""
    y, x = np.indices((fields, fields))
    dark = (x + y) % 2
    rgb = np.stack([60 + 190 * x / fields, 60 + 190 * y / fields, 250 - 200 * dark], -1)
    return Image.fromarray(rgb.astype(np.uint8))


def leaf_picture() -> Image.Image:
    """128 x 128: green with a lighter rib, alpha 0 outside two arcs."""
    y, x = (np.indices((128, 128)) + 0.5) / 64 - 1
    width = 0.62 * (1 - y**2) * (1 + 0.35 * np.sin(9 * y) ** 2) - np.abs(x)
    rib = np.exp(-((x / 0.04) ** 2))
    rgb = np.stack([40 + 150 * rib, 150 + 60 * rib - 40 * np.abs(x), 50 + 80 * rib], -1)
    alpha = np.clip(width * 12 + 0.5, 0, 1) * 255
    return Image.fromarray(np.concatenate([rgb, alpha[..., None]], -1).astype(np.uint8), "RGBA")


def down(uv: np.ndarray) -> np.ndarray:
    """As glTF has it, whose first row is v = 0."""
    return uv * [1, -1] + [0, 1]


def write_glb(path: Path, parts, materials, pictures=(), samplers=()) -> str:
    """A glb of one mesh. A texture for each sampler; they take the pictures in turn, the last one for the rest."""
    data, views, accessors, primitives = bytearray(), [], [], []

    def view(content: bytes) -> int:
        views.append({"buffer": 0, "byteOffset": len(data), "byteLength": len(content)})
        data.extend(content + b"\0" * (-len(content) % 4))
        return len(views) - 1

    def accessor(x: np.ndarray, kind: int) -> int:
        made = {"bufferView": view(x.tobytes()), "componentType": kind, "count": len(x)}
        made["type"] = _TYPES[x.shape[1] if x.ndim > 1 else 1]
        accessors.append(
            made | {"min": x.min(0).reshape(-1).tolist(), "max": x.max(0).reshape(-1).tolist()}
        )
        return len(accessors) - 1

    for part in parts:
        names = [name for name in part if name.isupper() or "_0" in name]
        attributes = {name: accessor(np.asarray(part[name], np.float32), 5126) for name in names}
        index = accessor(np.asarray(part["indices"], np.uint32), 5125)
        primitives.append(
            {"attributes": attributes, "indices": index, "material": part["material"]}
        )
    images = []
    for picture in pictures:
        stream = io.BytesIO()
        picture.save(stream, format="png")
        images.append({"bufferView": view(stream.getvalue()), "mimeType": "image/png"})
    tree = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": primitives}],
        "materials": materials,
        "accessors": accessors,
        "bufferViews": views,
    }
    if images:
        last = len(images) - 1
        tree["textures"] = [{"source": min(k, last), "sampler": k} for k in range(len(samplers))]
        tree |= {"images": images, "samplers": list(samplers)}
    tree["buffers"] = [{"byteLength": len(data)}]
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    total = 12 + 8 + len(text) + 8 + len(data)
    head = struct.pack("<4sIIII", b"glTF", 2, total, len(text), 0x4E4F534A)
    path.write_bytes(head + text + struct.pack("<II", len(data), 0x004E4942) + bytes(data))
    return path.name
