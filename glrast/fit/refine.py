"""More vertices where the colour changes, so that a colour per vertex can draw a sharp border.

Edges are split in the middle; a triangle with one, two or three split edges becomes two, three or
four. The surface stays the same, and closed where it was closed.
"""

import torch
from torch import Tensor

from ..mesh.topology import edge_table

# An edge is worth a vertex if the colours of its ends are farther apart than this (0..1, Euclid).
COLOR_STEP = 0.12


def refine(pos: Tensor, tri: Tensor, color: Tensor, shortest: float) -> tuple[Tensor, ...]:
    """Splits the edges along which the colour changes, but for those shorter than `shortest`.

    Args:
        pos: [V,3].
        tri: int32 [T,3].
        color: [V,3].
        shortest: world units.

    Returns:
        pos [V',3], tri int32 [T',3], color [V',3]; the first V vertices are the given ones.
    """
    table = edge_table(tri.cpu().numpy().astype("int64"))
    ends, edge_of = (torch.from_numpy(part).to(tri.device) for part in table[:2])
    step = (color[ends[:, 0]] - color[ends[:, 1]]).norm(dim=1)
    length = (pos[ends[:, 0]] - pos[ends[:, 1]]).norm(dim=1)
    split = (step > COLOR_STEP) & (length > shortest)
    new_pos, new_color = (torch.cat([x, x[ends[split]].mean(dim=1)]) for x in (pos, color))
    # The number of the new vertex on each edge, as the edge of each corner.
    middle = (torch.cumsum(split, dim=0) - 1 + len(pos))[edge_of]
    return new_pos, _cut(tri.long(), middle, split[edge_of], new_pos).int(), new_color


def _cut(tri: Tensor, middle: Tensor, split: Tensor, pos: Tensor) -> Tensor:
    """The triangles after the cut; middle and split [T,3] belong to the edge opposite a corner."""
    count = split.sum(dim=1)
    one, two, three = (count == k for k in (1, 2, 3))
    return torch.cat(
        [
            tri[count == 0],
            _in_two(*_turned(tri[one], middle[one], split[one])),
            _in_three(*_turned(tri[two], middle[two], ~split[two]), pos),
            _in_four(tri[three], middle[three]),
        ]
    )


def _turned(tri: Tensor, middle: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """The corners in the same sense of rotation, the chosen one first."""
    order = (chosen.int().argmax(dim=1, keepdim=True) + torch.arange(3, device=tri.device)) % 3
    return tri.gather(1, order), middle.gather(1, order)


def _in_two(tri: Tensor, middle: Tensor) -> Tensor:
    # The split edge is b c.
    (a, b, c), m = tri.unbind(1), middle[:, 0]
    return _stack((a, b, m), (a, m, c))


def _in_three(tri: Tensor, middle: Tensor, pos: Tensor) -> Tensor:
    # The whole edge is b c; with the middles of a b and c a it bounds a quadrilateral, which is
    # cut along the shorter diagonal.
    a, b, c = tri.unbind(1)
    _, m_ca, m_ab = middle.unbind(1)
    shorter = (pos[m_ab] - pos[c]).norm(dim=1) < (pos[b] - pos[m_ca]).norm(dim=1)
    last, first = torch.where(shorter, c, m_ca), torch.where(shorter, m_ab, b)
    return _stack((a, m_ab, m_ca), (m_ab, b, last), (first, c, m_ca))


def _in_four(tri: Tensor, middle: Tensor) -> Tensor:
    (a, b, c), (m_bc, m_ca, m_ab) = tri.unbind(1), middle.unbind(1)
    return _stack((a, m_ab, m_ca), (b, m_bc, m_ab), (c, m_ca, m_bc), (m_bc, m_ca, m_ab))


def _stack(*triangles: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    return torch.cat([torch.stack(corners, dim=1) for corners in triangles])
