"""The table of docs/visibility.md: `python -m tests.visibility.claims_table` prints it.

Relative errors of the gradient by the entries of the clip positions that the exact image moves, smooth loss / white
noise, in each kind of scene of tests/visibility/discontinuities.py. Exact is the gradient of `fragments` with "all",
which tests/visibility/test_fragments.py holds to the image that polygon clipping gives. What the shading inside
triangles moves counts: opendr and dirt see it in the image, the others get it through interpolate.
"""

from functools import cache

import torch
from torch import Tensor

import glrast
from glrast import visibility
from tests.ops.compare import Difference
from tests.visibility import discontinuities as kinds
from tests.visibility.exact import render

WHOLE = ("opendr", "dirt")  # of the image's slope, inside triangles too
# Members, and their options in the table: so many samples that it shows the method, not its noise.
MEMBERS: dict[str, dict[str, object]] = {
    "opendr": {},
    "dirt": {},
    "nmr": dict(fill_back=True),
    "edge_grad": {},
    "edge_sampling": dict(samples_per_edge=256),
    "rasterize_then_splat": {},
}


def image(context, kind: kinds.Kind, pos: Tensor, name: str, **options) -> Tensor:
    """[1,64,64,3] by a member of the family; its forward image is whatever the method shows."""
    tri, faces, corners = (t.to(pos.device) for t in (kind.tri, kinds.faces(kind), kind.corners))
    ranges = [[0, len(tri)]]
    if name == "rasterize_then_splat":
        layers = glrast.peel(context, pos, tri, kinds.SIZE, ranges=ranges, max_layers=2)
        colors = [glrast.interpolate(corners, rast, faces)[0] for rast, _ in layers]
        black = torch.zeros(3, device=pos.device)
        return visibility.rasterize_then_splat(layers, colors, pos, tri, background=black)
    rast, _ = glrast.rasterize(context, pos, tri, kinds.SIZE, ranges=ranges)
    shown = rast.detach() if name in WHOLE else rast
    color, _ = glrast.interpolate(corners, shown, faces)
    return getattr(visibility, name)(color, rast, pos, tri, **options)


def errors(context, name: str, kind: str) -> tuple[Difference, Difference]:
    """Under a smooth loss and under white noise."""
    entries = kinds.entries_of(kinds.KINDS[kind]())
    made = kinds.KINDS[kind]()

    def draw(pos: Tensor) -> Tensor:
        options = dict(MEMBERS[name])
        if name == "edge_sampling":
            options["generator"] = torch.Generator().manual_seed(0)
        return image(context, made, pos, name, **options)

    found = gradients(draw, kind)
    at = tuple(torch.tensor(entries).T)
    return tuple(kinds.error(f, e[at], entries) for f, e in zip(found, exact(kind)))


@cache
def exact(kind: str) -> list[Tensor]:
    context = glrast.Context("cpu")
    return gradients(lambda pos: render(context, kinds.KINDS[kind](), pos, "all"), kind)


def gradients(draw, kind: str) -> list[Tensor]:
    found = []
    for weight in (kinds.smooth_weight(), kinds.noise_weight()):
        pos = kinds.KINDS[kind]().pos.clone().requires_grad_()
        shown = draw(pos)
        (gradient,) = torch.autograd.grad((shown * weight.to(shown)).sum(), pos)
        found.append(gradient.double())
    return found


def rows():
    context = glrast.Context("cpu")
    for kind in kinds.KINDS:
        cells = []
        for name in MEMBERS:
            smooth, noise = errors(context, name, kind)
            cells.append(f"{smooth.l2:.2f} / {noise.l2:.2f}")
        yield f"| {kind} | {' | '.join(cells)} |"


if __name__ == "__main__":
    print(f"| kind | {' | '.join(MEMBERS)} |")
    print("|---" * (len(MEMBERS) + 1) + "|")
    for row in rows():
        print(row, flush=True)
