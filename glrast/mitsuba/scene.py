"""Surfaces and surroundings as a Mitsuba scene, its parameters taken from tensors.

A scene is built for each picture and again for its gradient: milliseconds beside the tracing, and nothing is left that
could be out of date. What a tensor is to Mitsuba it says by the parameter's name.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from .environment import gathered, padded
from .surface import Part

ENVIRONMENT = "environment"
_PLACES = ("vertex_positions", "vertex_normals", "vertex_texcoords")
_PARAMETER = {"color": "bsdf.brdf_0.reflectance", "emission": "emitter.radiance"}
_OF_KIND = {"constant": "value", "texture": "data"}
_TEXTURE = {"color": "reflectance", "emission": "radiance"}


class Scene:
    """A scene of Mitsuba's and the arrays that stand for the tensors in it.

    Args:
        mitsuba: the module, its variant set.
        parts: the surfaces.
        more: other objects by name, as Mitsuba describes them: lamps.
        values: the tensors, {(number of a part or ENVIRONMENT, name): tensor}.
        wanted: which of them gradients are asked for.
    """

    def __init__(
        self,
        mitsuba: Any,
        parts: list[Part],
        more: Mapping[str, Any],
        values: Mapping[tuple[Any, str], Tensor],
        wanted: Iterable[tuple[Any, str]] = (),
    ):
        self._mi, self._values, self._wanted = mitsuba, values, set(wanted)
        self._arrays: dict[tuple[Any, str], Any] = {}
        objects: dict[str, Any] = {"type": "scene", **more}
        for number, part in enumerate(parts):
            objects[f"surface_{number}"] = self._mesh(number, part)
        if (ENVIRONMENT, "data") in values:
            objects["environment"] = self._environment()
        self.scene = mitsuba.load_dict(objects)

    def gradients(self) -> dict[tuple[Any, str], Tensor]:
        """d loss / d tensor for those that were wanted, after Mitsuba's backward pass."""
        drjit, found = importlib.import_module("drjit"), {}
        for key in self._wanted:
            array, like = drjit.grad(self._arrays[key]), self._values[key]
            if key[1] in _TEXTURE and like.ndim == 1:  # a Color3f: three arrays of one number
                numbers = torch.cat([channel.torch().reshape(1) for channel in array])
            else:
                numbers = array.torch()
            if key[0] == ENVIRONMENT:
                numbers = gathered(numbers, like.shape[1])
            found[key] = numbers.reshape(like.shape).clone()
        return found

    def _mesh(self, number: int, part: Part) -> Any:
        mi = self._mi
        props = mi.Properties()
        props["bsdf"] = mi.load_dict(_bsdf(mi, part))
        if "emission" in part.sources:
            radiance = _source(mi, part, "emission")
            props["emitter"] = mi.load_dict({"type": "area", "radiance": radiance})
        values = {name: self._values[number, name] for name in part.values}
        mesh = mi.Mesh(
            f"surface_{number}",
            len(values["vertex_positions"]),
            len(part.tri),
            has_vertex_normals="vertex_normals" in values,
            has_vertex_texcoords="vertex_texcoords" in values,
            props=props,
        )
        for name, kind in part.sources.items():
            if kind == "vertex":
                mesh.add_attribute(f"vertex_{name}", 3, [0.0] * values[name].numel())
        parameters = mi.traverse(mesh)
        parameters["faces"] = mi.UInt(part.tri.reshape(-1).to(torch.int32))
        for name in _PLACES:
            if name in values:
                parameters[name] = self._array((number, name), mi.Float)
        for name, kind in part.sources.items():
            if kind == "vertex":
                parameters[f"vertex_{name}"] = self._array((number, name), mi.Float)
            else:
                make = mi.Color3f if kind == "constant" else mi.TensorXf
                key = f"{_PARAMETER[name]}.{_OF_KIND[kind]}"
                parameters[key] = self._array((number, name), make)
        parameters.update()
        return mesh

    def _environment(self) -> Any:
        mi, data = self._mi, self._values[ENVIRONMENT, "data"]
        bitmap = mi.Bitmap(data.detach().cpu().numpy())
        emitter = mi.load_dict({"type": "envmap", "bitmap": bitmap})
        parameters = mi.traverse(emitter)
        data = padded(data.detach(), parameters["data"].shape[1])
        parameters["data"] = self._array((ENVIRONMENT, "data"), mi.TensorXf, data)
        parameters.update()
        return emitter

    def _array(self, key: tuple[Any, str], make: Any, shown: Tensor | None = None) -> Any:
        """The array of a tensor, or of what is `shown` of it; gradients are gathered in it where they are wanted."""
        value = (self._values[key] if shown is None else shown).detach().contiguous()
        if make is self._mi.Float:
            array = make(value.reshape(-1))
        elif make is self._mi.Color3f:
            array = make(*value.tolist())
        else:
            array = make(value)
        if key in self._wanted:
            importlib.import_module("drjit").enable_grad(array)
        self._arrays[key] = array
        return array


def _bsdf(mi: Any, part: Part) -> dict[str, Any]:
    if part.bsdf is not None:
        return dict(part.bsdf)
    diffuse = {"type": "diffuse", "reflectance": _source(mi, part, "color")}
    return {"type": "twosided", "bsdf": diffuse}  # both sides of every triangle are shown


def _source(mi: Any, part: Part, name: str) -> dict[str, Any]:
    """Mitsuba's description of a colour, of the right kind and size; its numbers are set later."""
    kind = part.sources[name]
    if kind == "constant":
        return {"type": "rgb", "value": [0.1, 0.2, 0.3]}  # three different ones: else one is kept
    if kind == "vertex":
        return {"type": "mesh_attribute", "name": f"vertex_{name}"}
    return {
        "type": "bitmap", "raw": True, "filter_type": part.filter, "wrap_mode": part.wrap,
        "data": mi.TensorXf(torch.zeros(part.values[name].shape)),
    }  # fmt: skip
