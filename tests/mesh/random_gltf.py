"""Random glTF files, and what they must look like: computed from the numbers that were drawn, not by reading."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tests.mesh.gltf_file import GltfFile
from tests.mesh.soup import Soup, sample

IDENTITY = (1.0, 1.0, 1.0, 1.0)
WRAPS = {"repeat": 10497, "mirror": 33648, "clamp": 33071}


@dataclass
class Paint:
    """A material as drawn: `texels` 0..1 [H,W,C] with row 0 on top, or None."""

    index: int | None = None
    factor: tuple = IDENTITY
    texels: np.ndarray | None = None
    wrap: tuple = ("repeat", "repeat")
    filter: str = "linear"
    alpha: str = "opaque"
    cutoff: float = 0.5
    unlit: bool = False
    texcoord: int = 0
    matrix: np.ndarray | None = None

    def look(self):
        textured = None if self.texels is None else (self.wrap, self.filter)
        return self.alpha, self.cutoff if self.alpha == "mask" else None, self.unlit, textured


@dataclass
class Drawn:
    """A primitive: corners [T,3] into pos and its morph deltas; uv as the texture wants them, v downwards."""

    tri: np.ndarray
    pos: np.ndarray
    deltas: list
    rgba: np.ndarray
    uv: np.ndarray | None
    paint: Paint
    joints: tuple | None = None

    def soup(self, weights, matrix, skin):
        pos = self.pos + sum(w * d for w, d in zip(weights, self.deltas))
        tri = self.tri
        if skin is not None:
            mixed = np.einsum("vk,vkij->vij", self.joints[1], np.array(skin)[self.joints[0]])
            pos = np.einsum("vij,vj->vi", mixed[:, :3, :3], pos) + mixed[:, :3, 3]
        else:
            pos = pos @ matrix[:3, :3].T + matrix[:3, 3]
            tri = tri if np.linalg.det(matrix[:3, :3]) > 0 else tri[:, ::-1]
        rgba = self.rgba * self.paint.factor
        if self.uv is not None:
            rgba = rgba * sample(self.paint.texels, self.uv, self.paint.wrap)
        return Soup(pos[tri], rgba[tri], [self.paint.look()] * len(tri))


class Maker:
    """One file of randomly chosen features."""

    def __init__(self, seed, folder):
        self.rng = np.random.default_rng(seed)
        self.path = folder / f"{seed}.{self.of('glb', 'gltf')}"
        self.container = "glb" if self.path.suffix == ".glb" else self.of("beside", "inside")
        self.file = GltfFile()
        if self.container == "beside" and self.chance(0.3):
            self.file.buffers.append(bytearray())

    def of(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def chance(self, p):
        return bool(self.rng.random() < p)

    def make(self):
        from tests.mesh.random_gltf_scene import scene  # nodes, in a file of their own

        self.paints = [Paint()] + [self.paint() for _ in range(self.rng.integers(0, 4))]
        soups = scene(self)
        self.refusal = self.spoil() if self.chance(0.1) else ""
        self.file.write(self.path, self.container)
        pos = np.concatenate([s.pos for s in soups]) if soups else np.zeros((0, 3, 3))
        rgba = np.concatenate([s.rgba for s in soups]) if soups else np.zeros((0, 3, 4))
        return self.path, Soup(pos, rgba, [look for s in soups for look in s.look])

    def spoil(self):
        """Makes it a file that must not load; the words that say why."""
        tree, kind = self.file.json, self.of("extension", "circle", "parents", "version", "scene")
        if kind == "extension":
            self.file.uses("OWN_shape", required=True)
            return "requires OWN_shape"
        if kind == "circle":
            first = len(tree["nodes"])
            tree["nodes"] += [{"children": [first + 1]}, {"children": [first]}]
            return "in a circle"
        if kind == "parents":
            tree["nodes"] += [{"children": [0]}, {"children": [0]}]
            return "is the child of"
        if kind == "version":
            tree["asset"]["version"] = "1.0"
            return "asset.version must be 2.0"
        tree["scene"] = 99
        return "scene is 99, but it has"

    # -- accessors -------------------------------------------------------------------------------

    def stored(self, values, normalized=False, may_be_sparse=True, **more):
        options = {"pad": self.of(0, 0, 4, 8), "offset": self.of(0, 4, 12)}
        options["buffer"] = int(self.rng.integers(len(self.file.buffers)))
        if may_be_sparse and self.chance(0.2):
            some = np.sort(
                self.rng.permutation(len(values))[: self.rng.integers(1, len(values) + 1)]
            )
            options["sparse"] = some
            if len(some) == len(values) and self.chance(0.5):
                options["base"] = False
        width = np.asarray(values).reshape(len(values), -1).shape[1] * values.dtype.itemsize
        if options["pad"] or width % 4:
            options["pad"] = -width % 4 + options["pad"]  # rows of vertices begin at fours
        return self.file.accessor(values, normalized, **options, **more)

    def numbers(self, count, width, kinds):
        """(accessor, float64 [count,width]) in one of the encodings, e.g. 'f4', 'i2n' (normalized), 'i2'."""
        kind = self.of(*kinds)
        dtype, normalized = np.dtype("<" + kind[:2]), kind.endswith("n")
        if dtype.kind == "f":
            values = self.rng.uniform(-1, 1, (count, width)).astype(dtype)
            return self.stored(values), values.astype(np.float64)
        low, top = np.iinfo(dtype).min, np.iinfo(dtype).max
        values = self.rng.integers(low, top + 1, (count, width)).astype(dtype)
        wide = values.astype(np.float64)
        return self.stored(values, normalized), np.maximum(wide / top, -1) if normalized else wide

    # -- materials -------------------------------------------------------------------------------

    def paint(self):
        paint, row, rng = Paint(), {}, self.rng
        base = {}
        if self.chance(0.6):
            paint.factor = tuple(rng.uniform(0, 1, 4).round(4).tolist())
        if self.chance(0.7):
            info = {"index": self.texture(paint)}
            self.uv_of(info, paint)
            base["Texture"] = info
        if paint.factor != IDENTITY:
            base["Factor"] = list(paint.factor)
        if self.chance(0.15):
            self.file.uses("KHR_materials_pbrSpecularGlossiness")
            shine = {f"diffuse{key}": value for key, value in base.items()}
            row["extensions"] = {"KHR_materials_pbrSpecularGlossiness": shine}
        else:
            row["pbrMetallicRoughness"] = {f"baseColor{key}": x for key, x in base.items()}
        paint.alpha = self.of("opaque", "mask", "blend")
        if paint.alpha != "opaque" or self.chance(0.3):
            row["alphaMode"] = paint.alpha.upper()
        if paint.alpha == "mask" and self.chance(0.7):
            paint.cutoff = row["alphaCutoff"] = round(float(rng.random()), 3)
        if self.chance(0.2):
            paint.unlit = True
            self.file.uses("KHR_materials_unlit")
            row.setdefault("extensions", {})["KHR_materials_unlit"] = {}
        if self.chance(0.2):  # changes no base colour
            self.file.uses("KHR_materials_clearcoat")
            row.setdefault("extensions", {})["KHR_materials_clearcoat"] = {"clearcoatFactor": 1}
        paint.index = self.file.add("materials", row)
        return paint

    def texture(self, paint):
        H, W, C = (int(n) for n in (*self.rng.integers(1, 6, 2), self.of(1, 2, 3, 4)))
        pixels = self.rng.integers(0, 256, (H, W, C), dtype=np.uint8)
        paint.texels = pixels / 255.0
        webp = C > 2 and self.chance(0.2)
        image = self.picture(pixels, "WEBP" if webp else "PNG")
        row = {"source": image}
        if webp:
            self.file.uses("EXT_texture_webp", required=True)
            row = {"extensions": {"EXT_texture_webp": {"source": image}}}
        if self.chance(0.7):
            paint.wrap = (self.of(*WRAPS), self.of(*WRAPS))
            paint.filter = self.of("linear", "nearest")
            sampler = {"magFilter": {"linear": 9729, "nearest": 9728}[paint.filter]}
            for key, wrap in zip(("wrapS", "wrapT"), paint.wrap):
                if wrap != "repeat" or self.chance(0.5):
                    sampler[key] = WRAPS[wrap]
            row["sampler"] = self.file.add("samplers", sampler)
        return self.file.add("textures", row)

    def picture(self, pixels, kind):
        stream = io.BytesIO()
        squeezed = pixels[..., 0] if pixels.shape[2] == 1 else pixels
        Image.fromarray(squeezed).save(
            stream, kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {})
        )
        content = stream.getvalue()
        if self.container == "beside" and self.chance(0.5):
            name = f"pictures/ä picture {len(self.file.beside)}.{kind.lower()}"
            self.file.beside[name] = content
            uri = name.replace("/", "\\") if self.chance(0.3) else name.replace(" ", "%20")
            return self.file.add("images", {"uri": uri})
        row = {"bufferView": self.file.view(content), "mimeType": f"image/{kind.lower()}"}
        return self.file.add("images", row)

    def uv_of(self, info, paint):
        """The uv set and the transform of a texture."""
        paint.texcoord = int(self.of(0, 0, 1, 2))
        if paint.texcoord or self.chance(0.3):
            info["texCoord"] = paint.texcoord
        if not self.chance(0.4):
            return
        self.file.uses("KHR_texture_transform")
        scale, offset = self.rng.uniform(0.3, 2, 2) * self.of(-1, 1), self.rng.uniform(-1, 1, 2)
        angle = float(self.rng.uniform(-3, 3)) if self.chance(0.6) else 0.0
        change = {"scale": scale.tolist(), "offset": offset.tolist()}
        if angle:
            change["rotation"] = angle
        if self.chance(0.3):  # it has the last word
            info["texCoord"], change["texCoord"] = 7, paint.texcoord
        info["extensions"] = {"KHR_texture_transform": change}
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        paint.matrix = np.column_stack([turn * scale, offset])  # scaled first: by columns
