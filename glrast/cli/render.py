"""`glrast render MESH --cameras FILE --out DIR`: a mesh seen from the cameras of a transforms.json."""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import torch

import glrast

from ..clip import Camera, Mesh, load_cameras, load_mesh, planes_around, transform_points
from ..core.files import replacing
from ..shading import Paint
from .device import chosen
from .layers import LAYERS, View, shade
from .pictures import DEPTH_STEPS, SUFFIXES, check_writer, write

# More than this between the asked and the camera's width / height, and the object would look stretched.
ASPECT_TOLERANCE = 0.01


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `glrast render`."""
    parser.description = (
        "Render a mesh with its materials from given cameras. Writes DIR/LAYER/NAME.FORMAT, top row first; colour "
        "and mask are antialiased, depth (camera z in the scene's unit) and normals are those at each pixel's "
        "centre, of the first surface that is not cut out there."
    )
    parser.add_argument("mesh", metavar="MESH", help="an obj, ply or glb file")
    parser.add_argument(
        "--cameras", required=True, metavar="FILE",
        help="transforms.json of NeRF-synthetic or nerfstudio; the images that it names need not exist",
    )  # fmt: skip
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the images")
    parser.add_argument(
        "--resolution", type=_resolution, metavar="HxW|N",
        help="height x width, or the longer side; default: that of the cameras",
    )  # fmt: skip
    parser.add_argument(
        "--layers", type=_layers, default=("color", "mask"), metavar="LIST",
        help=f"some of {','.join(LAYERS)} (default: color,mask)",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=SUFFIXES, default="png",
        help="png (depth 16-bit with its unit in depth.json, normals as 0..1 colours), exr, npy (float32)",
    )  # fmt: skip
    parser.add_argument(
        "--normal-space", choices=("camera", "world"), default="camera",
        help="camera: x right, y up, z to the viewer (default); world: the mesh's own axes",
    )  # fmt: skip
    parser.add_argument(
        "--no-texture", dest="texture", action="store_false",
        help="the mesh without its pictures, e.g. where one is missing",
    )  # fmt: skip
    for plane, what in (("near", "nearer"), ("far", "farther")):
        parser.add_argument(
            f"--{plane}", type=_distance, metavar="D",
            help=f"nothing {what} than this distance along the camera's axis is drawn (default: the whole mesh is)",
        )  # fmt: skip
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:N")


def run(args: argparse.Namespace) -> int:
    """Render all frames, one after the other; every file appears whole or not at all."""
    check_writer(args.format)
    mesh = _loaded(args.mesh, args.texture)
    if not len(mesh.tri):
        raise ValueError(
            f"glrast render: MESH must have a triangle; {args.mesh} has none; export it again with its faces."
        )
    cameras = load_views(args.cameras, args.resolution, mesh, args.near, args.far)
    ctx = glrast.Context(chosen("render", args.device))
    out = _folder(Path(args.out), args.layers)
    mesh = mesh.to(ctx.device)
    paint, topology = Paint(mesh), glrast.antialias_construct_topology_hash(mesh.tri)
    unit = _depth_unit(mesh, cameras)
    empty = []
    for camera in cameras:
        view = View(ctx, paint, camera.to(ctx.device), topology, args.normal_space, args.layers)
        for layer, image in shade(view).items():
            with replacing(out / layer / f"{camera.name}.{args.format}") as temporary:
                write(temporary, layer, image, args.format, unit)
        if not view.covered:
            empty.append(camera.name)
    if "depth" in args.layers and args.format == "png":
        with replacing(out / "depth.json") as temporary:
            temporary.write_text(json.dumps(_depth_note(unit), indent=1) + "\n")
    _report(args, mesh, cameras, empty, out)
    return 0


def _loaded(path: str, texture: bool) -> Mesh:
    """The mesh; where only its pictures are the trouble, the error names the switch that does without."""
    try:
        with warnings.catch_warnings():
            # the cameras are given the mesh's origin: see load_views
            warnings.filterwarnings("ignore", message=".*relative to origin=")
            return load_mesh(path, texture)
    except (OSError, ValueError) as error:
        if "texture=False" not in str(error) or "--no-texture" in str(error):
            raise
        raise type(error)(f"{error} For `glrast render` that is --no-texture.") from error


def load_views(
    file: str,
    resolution: tuple[int, int] | int | None,
    mesh: Mesh,
    near: float | None = None,
    far: float | None = None,
) -> list[Camera]:
    """The cameras of a transforms.json, at `resolution` (height, width) or with so many pixels on the longer side,
    each with a name of its own, in the coordinates of mesh.pos, with planes that hold the mesh unless given."""
    if near is not None and far is not None and near >= far:
        raise ValueError(
            f"glrast render: --near must be less than --far; got {near:g} and {far:g}; swap them."
        )
    size = (resolution, resolution) if isinstance(resolution, int) else resolution
    # any planes will do: the mesh gives the right ones, camera by camera
    how = {"need_images": False, "origin": mesh.origin, "near": 1.0, "far": 2.0}
    try:
        frames = load_cameras(file, **how)
    except ValueError as first:
        # a NeRF-synthetic file without its images does not tell their size: they are square
        if size is None:
            raise
        try:
            frames = load_cameras(file, resolution=size, **how)
        except ValueError:
            raise first from None
    cameras = [_with_planes(_at(frame.camera, resolution), mesh, near, far) for frame in frames]
    names = [camera.name for camera in cameras]
    if len(set(names)) < len(names):  # the same file name in several folders
        cameras = [replace(c, name=f"{i:04d}_{c.name}") for i, c in enumerate(cameras)]
    return cameras


def _with_planes(camera: Camera, mesh: Mesh, near: float | None, far: float | None) -> Camera:
    """The camera with planes around the mesh, where --near and --far do not say otherwise."""
    if near is not None and far is not None:
        return camera.with_planes(near, far)
    # where nothing of the mesh is before the camera any planes will do
    around = planes_around(camera, mesh.pos, mesh.tri) or (1.0, 2.0)
    if near is not None:
        return camera.with_planes(near, max(around[1], 2 * near))
    return camera.with_planes(
        around[0] if far is None else min(around[0], far / 2), far or around[1]
    )


def _at(camera: Camera, resolution: tuple[int, int] | int | None) -> Camera:
    if resolution is None:
        return camera
    height, width = camera.resolution
    if isinstance(resolution, int):
        scale = resolution / max(height, width)
        return camera.at_resolution(max(1, round(height * scale)), max(1, round(width * scale)))
    if abs(math.log((resolution[1] / resolution[0]) / (width / height))) > ASPECT_TOLERANCE:
        raise ValueError(
            f"glrast render: --resolution must have the aspect of the camera '{camera.name}', {height}x{width} "
            f"(height x width); got {resolution[0]}x{resolution[1]}; give one number, the longer side"
        )
    return camera.at_resolution(*resolution)


def _folder(out: Path, layers: tuple[str, ...]) -> Path:
    """DIR with a folder for each layer; refused before anything is rendered if nothing can be written there."""
    try:
        for layer in layers:
            (out / layer).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=out / layer):
                pass
    except OSError as error:
        raise PermissionError(
            f"glrast render: --out must be a folder that can be written; {out}: {error.strerror}; name another"
        ) from error
    return out


def _depth_unit(mesh: Mesh, cameras: list[Camera]) -> float:
    """Scene units for one step of a 16-bit PNG: the farthest vertex before any camera gets the last step."""
    matrices = torch.stack([c.world_to_camera for c in cameras])
    farthest = max(float((-transform_points(m, mesh.pos.cpu())[:, 2]).amax()) for m in matrices)
    return max(farthest, 1e-30) / DEPTH_STEPS


def _depth_note(unit: float) -> dict:
    return {
        "scene_units_per_step": unit,
        "meaning": "value * scene_units_per_step is the distance along the camera's axis; 0 is background",
    }


def _report(args, mesh: Mesh, cameras: list[Camera], empty: list[str], out: Path) -> None:
    sizes = sorted({f"{h}x{w}" for h, w in (c.resolution for c in cameras)})
    if empty:
        some = ", ".join(empty[:3]) + (", ..." if len(empty) > 3 else "")
        print(f"nothing of the mesh is in view of {len(empty)} of {len(cameras)} cameras: {some}")
    print(
        f"wrote {out}: {', '.join(args.layers)} as {args.format} of {len(mesh.tri)} triangles from {len(cameras)} "
        f"cameras at {', '.join(sizes)}"
    )


def _resolution(text: str) -> tuple[int, int] | int:
    """argparse type: HxW or N."""
    try:
        numbers = [int(word) for word in text.lower().split("x")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or min(numbers) < 1:
        raise argparse.ArgumentTypeError(
            f"expected HxW or the longer side, e.g. 480x640 or 512; got {text!r}"
        )
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


def _distance(text: str) -> float:
    """argparse type: a distance in world units."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(
            f"expected a distance above 0 in world units; got {text!r}"
        )
    return value


def _layers(text: str) -> tuple[str, ...]:
    """argparse type: a list of layer names."""
    names = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if not names or any(name not in LAYERS for name in names):
        raise argparse.ArgumentTypeError(f"expected some of {','.join(LAYERS)}; got {text!r}")
    return names
