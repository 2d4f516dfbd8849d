"""`glrast bake MESH --out FILE.glb`: one texture for a mesh, from posed pictures, from a finer mesh, or from its own
materials."""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

import glrast

from .. import bake
from ..clip import Camera, Material, Mesh, load_mesh, save_mesh, vertex_normals
from ..core.files import check_writable
from .bake_maps import MAPS, Baked, write_maps
from .device import chosen
from .fit import add_reading_arguments

if TYPE_CHECKING:
    from ..fit.dataset import Dataset

# Of pictures, pixels on the longer side; of a texture where nothing else says how fine it shall be.
RESOLUTION, SIZE = 2048, 1024
FORMATS = (".glb", ".obj", ".ply")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `glrast bake`."""
    parser.description = (
        "Bake one texture for a mesh: from posed pictures (--views), from a finer mesh (--high), or, with neither, "
        "from its own materials. Prints what the atlas is like, what no view saw, and the PSNR of held-out views."
    )
    parser.add_argument("mesh", metavar="MESH", help="an obj, ply or glb file")
    parser.add_argument("--out", required=True, metavar="FILE", help="a glb (or obj, ply) file")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--views", metavar="DATASET", help="posed pictures, as `glrast fit` reads them; or demo"
    )
    source.add_argument("--high", metavar="FILE", help="a finer mesh in the same place")
    parser.add_argument(
        "--size", type=_size, metavar="N",
        help=f"texels a side (default: about a texel for each pixel that shows the surface best; else {SIZE})",
    )  # fmt: skip
    parser.add_argument(
        "--uv", choices=("auto", "own", "new"), default="auto",
        help="own: the mesh's; new: xatlas cuts charts; auto: its own unless places overlap or lie outside (default)",
    )  # fmt: skip
    parser.add_argument(
        "--resolution", type=_size, default=RESOLUTION, metavar="N",
        help=f"larger pictures are averaged down to so many pixels on the longer side (default: {RESOLUTION})",
    )  # fmt: skip
    parser.add_argument(
        "--maps", type=_maps, default=(), metavar="LIST",
        help=f"also write FILE_NAME.png, or .npy for numbers: some of {','.join(MAPS)}",
    )  # fmt: skip
    add_reading_arguments(parser)
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:N")


def run(args: argparse.Namespace) -> int:
    """Bake, judge where views were held out, and write; every file appears whole or not at all."""
    out = Path(args.out)
    if out.suffix.lower() not in FORMATS:
        raise ValueError(
            f"glrast bake: --out must end in {', '.join(FORMATS)}; got {out.name!r}; write a glb"
        )
    _refuse(args)
    check_writable("bake", "--out", out)
    ctx = glrast.Context(chosen("bake", args.device))
    mesh = _loaded(args.mesh).to(ctx.device)
    data = _dataset(args, ctx.device)
    if data is not None:
        mesh = _moved(mesh, data.origin)
    high = None if args.high is None else _moved(_loaded(args.high).to(ctx.device), mesh.origin)
    started = time.perf_counter()
    atlas = bake.atlas(mesh, args.size or _texels(mesh, data), args.uv)
    texels = bake.texels(mesh, atlas=atlas, ctx=ctx, conservative=True)
    print(_said(mesh, atlas, ctx))
    baked = _baked(ctx, texels, data, high)
    texture = _filled(texels, baked)
    seconds = time.perf_counter() - started
    unlit = data is not None
    save_mesh(out, as_saved(mesh, atlas, texture, unlit, out.suffix.lower() == ".ply"))
    written = [out.name, *write_maps(out, args.maps, texels, baked, ctx)]
    if data is not None:
        print(_judged(ctx, mesh, atlas, texture, data))
    print(f"{seconds:.1f} s\nwrote {out.parent}: {' '.join(written)}")
    return 0


def _loaded(path: str) -> Mesh:
    with warnings.catch_warnings():  # cameras and the finer mesh are moved to the mesh's origin
        warnings.filterwarnings("ignore", message=".*relative to origin=")
        mesh = load_mesh(path)
    if not len(mesh.tri):
        raise ValueError(f"glrast bake: {path} must have a triangle; it has none; export its faces")
    return mesh


def _dataset(args: argparse.Namespace, device: torch.device) -> Dataset | None:
    if args.views is None:
        return None
    if args.views == "demo":
        from ..fit.demo_views import demo_dataset

        return demo_dataset(device, min(args.resolution, 512))
    from ..fit.dataset import load_dataset

    return load_dataset(
        args.views, args.resolution, args.skip_missing, args.invert_masks, need_masks=False
    )


def _moved(mesh: Mesh, origin: tuple[float, float, float]) -> Mesh:
    """The mesh with its positions relative to another origin."""
    shift = np.subtract(mesh.origin, origin)
    if not shift.any():
        return replace(mesh, origin=origin)
    pos = (mesh.pos.double() + mesh.pos.new_tensor(shift, dtype=torch.float64)).float()
    return replace(mesh, pos=pos, origin=origin)


def _refuse(args: argparse.Namespace) -> None:
    """Maps that need what is not given."""
    if "displacement" in args.maps and args.high is None:
        raise ValueError("glrast bake: --maps displacement needs --high; leave it out or name it")
    if "confidence" in args.maps and args.views is None:
        raise ValueError("glrast bake: --maps confidence needs --views; leave it out or name them")


def _texels(mesh: Mesh, data: Dataset | None) -> int:
    """Texels a side that the pictures are worth, or the default."""
    if data is None:
        return SIZE
    from ..bake.unwrap import PACKED, halving_size
    from ..fit.atlas import largest_side, texels_seen

    wanted = (texels_seen(mesh.pos, mesh.tri, data.train) / PACKED) ** 0.5
    return halving_size(round(min(wanted, largest_side(data.train))))


def _baked(
    ctx: glrast.Context, texels: bake.Texels, data: Dataset | None, high: Mesh | None
) -> Baked:
    if data is not None:
        views = data.train
        images, masks = straight(views.rgba, views.known)
        found = bake.project(texels, images, cameras_of(views), masks, ctx=ctx)
        lost = int((texels.mask & ~found.seen).sum())
        print(
            f"{len(views)} views; {lost} of {int(texels.mask.sum())} texels were seen by none"
            f"{', and are filled from around them' if lost else ''}"
        )
        _refuse_nothing(found.seen, "--views", "no view sees it")
        return Baked(found.color, found.seen, projection=found)
    if high is not None:
        found = bake.transfer(high, texels)
        print(f"{int((texels.mask & ~found.found).sum())} texels have no point of --high in reach")
        _refuse_nothing(found.found, "--high", "no point of it is in reach")
        return Baked(found.color, found.found, transfer=found)
    return Baked(texels.color, texels.mask)


def _refuse_nothing(known: Tensor, option: str, found: str) -> None:
    if not known.any():
        raise ValueError(
            f"glrast bake: {option} must show MESH; {found}, so nothing was written: bring both to the same "
            "place, axes and unit"
        )


def _filled(texels: bake.Texels, baked: Baked) -> Tensor:
    """The texture, every texel of it something."""
    color = bake.inpaint(texels, baked.color, baked.known)
    texture = bake.pad(color, texels.mask, None, texels.chart)[0].clamp(0, 1)
    opaque = texture.shape[-1] == 4 and bool((texture[..., 3] == 1).all())
    return texture[..., :3] if opaque else texture


def cameras_of(views) -> list[Camera]:
    """The cameras of a data set's views."""
    parts = zip(views.world_to_camera, views.projection, views.names)
    return [
        Camera(pose.float(), lens.float(), views.resolution, name) for pose, lens, name in parts
    ]


def straight(rgba: Tensor, known: Tensor | None) -> tuple[Tensor, Tensor]:
    """Of premultiplied rgba uint8: colours [N,H,W,3]; bool [N,H,W], pixels that show the object and nothing else."""
    whole = rgba[..., 3] == 255
    return rgba[..., :3], whole if known is None else whole & known


def as_saved(mesh: Mesh, atlas: bake.Atlas, texture: Tensor, unlit: bool, ply: bool) -> Mesh:
    """The mesh with the texture, and with normals. Colours from pictures hold the light already: `unlit`. A ply file
    knows of a picture no more than that it is there, and has holes only where that has."""
    normal = vertex_normals(mesh.pos, mesh.tri) if mesh.normal is None else mesh.normal
    alpha = "opaque" if texture.shape[-1] == 3 else "mask" if ply else "blend"
    # what lies beyond the texture's border is none of it
    wrap = ("repeat", "repeat") if ply else ("clamp", "clamp")
    material = Material("bake", texture=texture, wrap=wrap, alpha=alpha, unlit=unlit)
    bare = replace(bake.with_atlas(mesh, atlas), normal=normal)
    return replace(bare, texture=None, materials=(material,))


def _judged(
    ctx: glrast.Context, mesh: Mesh, atlas: bake.Atlas, texture: Tensor, data: Dataset
) -> str:
    from ..fit.model import ColoredMesh
    from ..fit.report import judge

    found = judge(ctx, ColoredMesh(mesh.pos, mesh.tri, texture, atlas), data.test, ctx.device)
    psnr, iou = (float(x.double().mean()) for x in (found.psnr, found.iou))
    return f"psnr {psnr:.2f} dB, mask IoU {iou:.4f} (held out: {data.held_out})"


def _said(mesh: Mesh, atlas: bake.Atlas, ctx: glrast.Context) -> str:
    """What the atlas is like, and where the mesh's own uv was not taken, what that is like."""
    taken = mesh.uv is not None and torch.equal(atlas.uv, mesh.uv)
    lines = []
    if mesh.uv is not None and not taken:
        lines += ["the mesh's own uv, not taken:", *_indented(bake.report(mesh, SIZE, ctx=ctx))]
    lines += ["the mesh's own uv:" if taken else "a new atlas:"]
    return "\n".join([*lines, *_indented(bake.report(mesh, atlas=atlas, ctx=ctx))])


def _indented(report: bake.Report) -> list[str]:
    return [f"  {line}" for line in str(report).splitlines()]


def _size(text: str) -> int:
    """argparse type: texels or pixels on a side."""
    value = int(text) if text.isdigit() else 0
    if not 4 <= value <= 16384:
        raise argparse.ArgumentTypeError(f"expected a whole number from 4 to 16384; got {text!r}")
    return value


def _maps(text: str) -> tuple[str, ...]:
    """argparse type: a list of maps."""
    names = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if not names or any(name not in MAPS for name in names):
        raise argparse.ArgumentTypeError(f"expected some of {','.join(MAPS)}; got {text!r}")
    return names
