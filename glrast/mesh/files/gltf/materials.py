"""glTF's materials: the part that is a base colour, and how its texture lies on the surface."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...material import Material
from ..pictures import decodes, picture_in, picture_of, to_texture
from .container import Document
from .extensions import PICTURES
from .tree import Broken, Refused, Tree

_WRAPS = {10497: "repeat", 33648: "mirror", 33071: "clamp"}
_FILTERS = {9728: "nearest", 9729: "linear"}
_ALPHAS = {"OPAQUE": "opaque", "MASK": "mask", "BLEND": "blend"}
# extensions that name another picture, with Pillow's name of its kind; "" is the texture's own
_SOURCES = {
    "EXT_texture_avif": "AVIF",
    "EXT_texture_webp": "WEBP",
    "": "PNG",
    "MSFT_texture_dds": "DDS",
}


@dataclass(frozen=True)
class Look:
    """A material, the uv set that its texture wants, and the 2 x 3 matrix that glTF's uv pass through first."""

    material: Material
    texcoord: int = 0
    matrix: np.ndarray | None = None


class Looks:
    """A document's materials, each read when a triangle has it."""

    def __init__(self, document: Document, texture: bool) -> None:
        self.document = document
        self.texture = texture
        self._looks: dict[int, Look] = {}
        self._pictures: dict[int, Tensor] = {}

    def of(self, material: Tree | None) -> Look:
        """None is glTF's default, white."""
        if material is None:
            return Look(Material())
        if material.index not in self._looks:
            self._looks[material.index] = self._look(material)
        return self._looks[material.index]

    def _look(self, material: Tree) -> Look:
        shine = material.extension("KHR_materials_pbrSpecularGlossiness")
        if shine is not None:
            base, prefix = shine, "diffuse"
        else:
            base, prefix = material.child("pbrMetallicRoughness"), "baseColor"
        alpha = material.text("alphaMode", "OPAQUE")
        if alpha not in _ALPHAS:
            raise Broken(
                f"{material.place('alphaMode')} must be OPAQUE, MASK or BLEND; it is {alpha!r}"
            )
        given: dict[str, Any] = {
            "name": material.text("name", ""),
            "alpha": _ALPHAS[alpha],
            "cutoff": material.number("alphaCutoff", 0.5),
            "unlit": material.extension("KHR_materials_unlit") is not None,
        }
        if base is None:
            return Look(Material(**given))
        factor = base.numbers(f"{prefix}Factor", 4, (1.0, 1.0, 1.0, 1.0))
        given["factor"] = tuple(min(max(x, 0.0), 1.0) for x in factor)
        if given["factor"] != factor:
            self.document.note(f"has a factor outside 0..1, which was clipped: {base.where}")
        info = base.child(f"{prefix}Texture") if self.texture else None
        if info is None:
            return Look(Material(**given))
        texture = self.document.refer(info, "index", "textures")
        if texture is None:
            raise Broken(f"{info.place('index')} is missing")
        given |= self._sampler(texture)
        texcoord, matrix = _uv(info)
        return Look(Material(texture=self._picture(texture), **given), texcoord, matrix)

    def _sampler(self, texture: Tree) -> dict[str, Any]:
        sampler = self.document.refer(texture, "sampler", "samplers")
        if sampler is None:
            return {}
        wrap = []
        for key in ("wrapS", "wrapT"):
            code = sampler.whole(key, 10497)
            if code not in _WRAPS:
                raise Broken(f"{sampler.place(key)} must be 10497, 33648 or 33071; it is {code}")
            wrap.append(_WRAPS[code])
        code = sampler.whole("magFilter", 9729)
        if code not in _FILTERS:
            raise Broken(f"{sampler.place('magFilter')} must be 9728 or 9729; it is {code}")
        return {"wrap": tuple(wrap), "filter": _FILTERS[code]}

    def _picture(self, texture: Tree) -> Tensor:
        image = self._source(texture)
        if image.index not in self._pictures:
            where = f"{image.where} of {self.document.path}"
            view = self.document.refer(image, "bufferView", "bufferViews")
            if view is not None:
                picture = picture_in(self.document.slice(view), where)
            elif not image.has("uri"):
                raise Broken(f"{image.where} has neither a uri nor a bufferView")
            elif image.text("uri", "").startswith("data:"):
                picture = picture_in(self.document.fetch(image), where)
            else:
                picture = picture_of(self._file(image), where)
            self._pictures[image.index] = torch.from_numpy(to_texture(picture))
        return self._pictures[image.index]

    def _file(self, image: Tree) -> Any:
        try:
            return self.document.file_of(image)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"glrast.clip.load_mesh: {self.document.path} must have its pictures; {error}; add the "
                "file, or pass texture=False for the geometry (glrast render: --no-texture)."
            ) from None

    def _source(self, texture: Tree) -> Tree:
        """The image of a texture: of several sources the first that can be decoded here."""
        for name, kind in _SOURCES.items():
            owner = texture.extension(name) if name else texture
            image = None if owner is None else self.document.refer(owner, "source", "images")
            if image is not None and (not name or decodes(kind)):
                return image
        for name, words in (PICTURES | _SOURCES).items():
            if name and texture.extension(name) is not None:
                raise Refused(
                    f"must have pictures of a kind that is read here; {texture.where} is "
                    f"{words} ({name}) and has no other source; convert it to PNG, JPEG or WebP, "
                    "or pass texture=False for the geometry (glrast render: --no-texture)."
                )
        known = ", ".join(texture.value.get("extensions", {}) or ["none"])
        raise Broken(f"{texture.where} has no source (its extensions: {known})")


def _uv(info: Tree) -> tuple[int, np.ndarray | None]:
    """(uv set, 2 x 3 matrix or None) of a textureInfo.

    KHR_texture_transform scales, then turns, then moves. It turns counter-clockwise as one sees the picture,
    whose v points down: (u, v) to (u cos + v sin, v cos - u sin). (The extension's text and its first example
    mean this; its GLSL, read by columns, would turn the other way.)
    """
    texcoord = info.whole("texCoord", 0)
    change = info.extension("KHR_texture_transform")
    if change is None:
        return texcoord, None
    scale = change.numbers("scale", 2, (1.0, 1.0))
    angle = change.number("rotation", 0.0)
    offset = change.numbers("offset", 2, (0.0, 0.0))
    cos, sin = math.cos(angle), math.sin(angle)
    turned = np.array([[cos, sin], [-sin, cos]]) @ np.diag(scale)
    return change.whole("texCoord", texcoord), np.column_stack([turned, offset])
