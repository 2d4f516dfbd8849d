"""A contact sheet of a data set: the cameras from above and from the side, and the pictures with the box in them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ..core.files import replacing
from .box import Box
from .dataset import Dataset
from .turntable import up_axis
from .views import Views

THUMB, GAP, COLUMNS = 200, 6, 7  # pixels, pixels, pictures in a row
MOST = 49  # pictures shown; of more, evenly chosen ones
PLAN = 420  # pixels a side of the plans
PAPER, INK, GREY = (250, 250, 250), (40, 40, 40), (150, 150, 150)
TRAIN, TEST, EDGE = (31, 78, 140), (200, 90, 20), (230, 60, 140)
EDGES = [(k, k | 1 << a) for k in range(8) for a in range(3) if not k >> a & 1]
INSIDE = 0.97  # of the cameras must fit into the plan: one astray would make it tiny


def write_sheet(path: Path, data: Dataset, box: Box | None) -> None:
    """The sheet as a PNG; colours: blue learns, orange judges, pink is the box."""
    shown = list(_shown(data))
    columns = min(COLUMNS, max(4, len(shown)))
    rows = -(-len(shown) // columns)
    cell = THUMB + GAP
    sheet = Image.new("RGB", (columns * cell + GAP, PLAN + 2 * GAP + rows * (cell + 14)), PAPER)
    for k, plan in enumerate(_plans(data, box)):
        sheet.paste(plan, (GAP + k * (PLAN + GAP), GAP))
    for k, (views, index, colour) in enumerate(shown):
        at = GAP + k % columns * cell, PLAN + 2 * GAP + k // columns * (cell + 14)
        sheet.paste(_thumb(views, index, box), at)
        draw = ImageDraw.Draw(sheet)
        draw.rectangle((at[0] - 1, at[1] - 1, at[0] + THUMB, at[1] + THUMB), outline=colour)
        draw.text((at[0], at[1] + THUMB + 2), views.names[index][:30], fill=colour)
    with replacing(path) as temporary:
        sheet.save(temporary)


def _shown(data: Dataset) -> Iterator[tuple[Views, int, tuple[int, int, int]]]:
    every = [(data.train, k, TRAIN) for k in range(len(data.train))]
    if data.test is not data.train:
        every += [(data.test, k, TEST) for k in range(len(data.test))]
    step = max(1.0, len(every) / MOST)
    yield from (every[int(k * step)] for k in range(min(MOST, len(every))))


def _thumb(views: Views, index: int, box: Box | None) -> Image.Image:
    """One picture, its background pale, what is not known of it grey."""
    rgba = views.rgba[index].numpy().astype(np.float32)
    known = np.ones(rgba.shape[:2], bool) if views.known is None else views.known[index].numpy()
    colour = rgba[..., :3] + (255 - rgba[..., 3:]) * 0.93
    colour[~known] = GREY
    rows, columns = np.flatnonzero(known.any(1)), np.flatnonzero(known.any(0))
    height, width = int(rows[-1]) + 1, int(columns[-1]) + 1
    picture = Image.fromarray(colour[:height, :width][::-1].astype(np.uint8))
    scale = THUMB / max(height, width)
    picture = picture.resize(
        (max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BOX
    )
    thumb = Image.new("RGB", (THUMB, THUMB), PAPER)
    if box is not None:
        size = torch.tensor(views.rgba.shape[1:3][::-1], dtype=torch.float64)
        clip = (
            torch.cat([box.corners, torch.ones(8, 1, dtype=torch.float64)], 1)
            @ views.world_to_clip[index].T
        )
        at = (clip[:, :2] / clip[:, 3:].clamp_min(1e-9) + 1) / 2 * size * scale
        at[:, 1] = picture.height - at[:, 1]
        draw = ImageDraw.Draw(picture)
        for a, b in EDGES:
            if bool(clip[a, 3] > 0) and bool(clip[b, 3] > 0):
                draw.line([tuple(at[a].tolist()), tuple(at[b].tolist())], fill=EDGE, width=1)
    thumb.paste(picture, (0, 0))
    return thumb


def _plans(data: Dataset, box: Box | None) -> Iterator[Image.Image]:
    """The cameras from above and from the side, by what stands upright in the pictures."""
    up = up_axis(data.train).double()
    right = torch.linalg.cross(up, torch.eye(3, dtype=torch.float64)[int(up.abs().argmin())])
    right = torch.nn.functional.normalize(right, dim=0)
    back = torch.linalg.cross(right, up)
    for title, axes in (("from above", (right, -back)), ("from the side", (right, up))):
        yield _plan(title, data, box, torch.stack(axes))


def _plan(title: str, data: Dataset, box: Box | None, axes: Tensor) -> Image.Image:
    groups = [(data.train, TRAIN)] + ([(data.test, TEST)] if data.test is not data.train else [])
    eyes = (
        torch.cat([torch.linalg.inv(views.world_to_camera)[:, :3, 3] for views, _ in groups])
        @ axes.T
    )
    solid = box.corners @ axes.T if box is not None else eyes.mean(0, keepdim=True)
    middle = solid.mean(0)
    reach = float(
        torch.cat(
            [
                (eyes - middle).abs().amax(1).quantile(INSIDE)[None],
                (solid - middle).abs().amax()[None],
            ]
        ).max()
    )
    scale = 0.42 * PLAN / max(reach, 1e-9)
    plan = Image.new("RGB", (PLAN, PLAN), (255, 255, 255))
    draw = ImageDraw.Draw(plan)

    def at(points: Tensor) -> list[tuple[float, float]]:
        x, y = ((points @ axes.T - middle) * scale).unbind(-1)
        return list(zip((PLAN / 2 + x).tolist(), (PLAN / 2 - y).tolist(), strict=True))

    for views, colour in groups:
        for frustum in _frusta(views, 0.12 * reach):
            eye, *corners = at(frustum)
            for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
                draw.line([a, b], fill=colour)
                draw.line([eye, a], fill=colour)
    if box is not None:
        corners = at(box.corners)
        for a, b in EDGES:
            draw.line([corners[a], corners[b]], fill=EDGE, width=2)
    draw.text((6, 4), f"{title}, {2 * PLAN / 2 / scale:.3g} across", fill=INK)
    return plan


def _frusta(views: Views, length: float) -> Tensor:
    """float64 [N,5,3]: the eye, and the corners of the picture at this distance."""
    scale = torch.diagonal(views.projection, dim1=1, dim2=2)[:, :2]
    offset = -views.projection[:, :2, 2]
    corner = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1]], dtype=torch.float64)
    xy = (corner - offset[:, None]) / scale[:, None] * length
    ray = torch.cat([xy, torch.full_like(xy[..., :1], -length)], -1)
    pose = torch.linalg.inv(views.world_to_camera)
    eye = pose[:, None, :3, 3]
    return torch.cat([eye, ray @ pose[:, :3, :3].transpose(1, 2) + eye], 1)
