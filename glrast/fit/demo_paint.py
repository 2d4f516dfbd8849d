"""The snail's colours as a function of the place on its surface, finer than any vertex.

Each picture's pixel asks for its own colour: chevrons wind with the shell, spots and a striped
hem cover the body, the eyes have an iris.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .demo_scene import EYES, SHELL_AXIS, SHELL_START, SHELL_TURNS, shell_curve

STRIPES_PER_TURN = 16
# The hue of each part: dark and light of a pair, and what lies between.
NIGHT, TEAL, CREAM = (0.11, 0.17, 0.40), (0.08, 0.60, 0.62), (0.97, 0.94, 0.84)
SKIN, SPOT, HEM = (0.98, 0.77, 0.44), (0.86, 0.32, 0.22), (0.55, 0.24, 0.20)
STALK, WHITE, IRIS, PUPIL = (0.96, 0.70, 0.38), (0.98, 0.98, 0.98), (0.2, 0.5, 0.3), (0.05,) * 3


@dataclass
class Place:
    """P places on the snail.

    Args:
        pos: [P,3].
        part: [P,4], the distances to body, shell, stalks and eyes.
        up: [P], z of the normal.
        turn: [P], the angle along the shell, right to half a turn.
    """

    pos: Tensor
    part: Tensor
    up: Tensor
    turn: Tensor


def paint(place: Place) -> Tensor:
    """[P,3], sRGB in 0..1: of the part that is nearest, lit from above (the same from everywhere)."""
    makers = (_body, _shell, lambda at: at.pos.new_tensor(STALK).expand_as(at.pos), _eyes)
    owner = place.part.argmin(dim=1)
    color = torch.zeros_like(place.pos)
    for index, maker in enumerate(makers):
        mine = owner == index
        fields = (getattr(place, name)[mine] for name in ("pos", "part", "up", "turn"))
        color[mine] = maker(Place(*fields))
    return color * (0.86 + 0.14 * place.up[:, None])


def _body(at: Place) -> Tensor:
    x, y, z = at.pos.unbind(1)
    # Waves in three directions, bent by one another: spots of several sizes, in no rows.
    spots = torch.sin(31 * x + 2.0 * torch.sin(13 * z)) * torch.sin(
        29 * y + 2.0 * torch.sin(11 * x)
    )
    color = _choose(spots * torch.cos(17 * z + 3 * y) > 0.33, SPOT, SKIN, at)
    hem = (z < 0.085) & (torch.sin(62 * x + 14 * z) > 0.1)
    color = torch.where((z < 0.1)[:, None], at.pos.new_tensor(CREAM), color)
    return torch.where(hem[:, None], at.pos.new_tensor(HEM), color)


def _shell(at: Place) -> Tensor:
    x0, z0 = SHELL_AXIS
    angle = torch.atan2(at.pos[:, 2] - z0, at.pos[:, 0] - x0)
    angle = angle + 2 * math.pi * torch.round((at.turn - angle) / (2 * math.pi))
    place = ((angle - SHELL_START) / (2 * math.pi * SHELL_TURNS)).clamp(0.0, 1.0)
    away = at.pos - shell_curve(place)
    flank = away[:, 1] / away.norm(dim=1).clamp_min(1e-6)  # -1 and 1 on the shell's two sides
    # Chevrons: stripes across the winding that run back and forth over its width.
    bend = 1.1 * (2.2 * flank - torch.round(2.2 * flank)).abs()
    wave = angle * STRIPES_PER_TURN / (2 * math.pi) + bend
    phase = wave - torch.floor(wave)
    color = _choose(phase < 0.5, NIGHT, TEAL, at)
    color = torch.where((phase > 0.86)[:, None], at.pos.new_tensor(CREAM), color)
    bands = ((flank - 0.62).abs() < 0.07) | ((flank + 0.62).abs() < 0.07)
    color = torch.where(bands[:, None], at.pos.new_tensor(CREAM), color)
    # The innermost turns are too small for either. On the side where they lie deep in a funnel no
    # silhouette shows their shape, and a pattern there would have no surface to be right on.
    plain = (place > 0.78) | ((place > 0.38) & (flank < -0.1))
    return torch.where(plain[:, None], at.pos.new_tensor(TEAL), color)


def _eyes(at: Place) -> Tensor:
    centre = at.pos.new_tensor(EYES)[(at.pos[:, 1] < 0).long()]
    forward = (at.pos - centre)[:, 0]
    color = _choose(forward > 0.040, IRIS, WHITE, at)
    return torch.where((forward > 0.064)[:, None], at.pos.new_tensor(PUPIL), color)


def _choose(condition: Tensor, yes: tuple, no: tuple, at: Place) -> Tensor:
    return torch.where(condition[:, None], at.pos.new_tensor(yes), at.pos.new_tensor(no))
