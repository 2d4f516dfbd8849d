"""The table of docs/exact.md: `python -m tests.visibility.exact_table`, ten minutes; with `--quick` two.

Prints the relative error of the gradient of every scene, smooth loss / white noise, and ends with the worst of
fragments; the exit status is 1 if that is above 1 % (smooth) or 2 % (noise). `fragments, all` is compared with central
differences of the image that polygon clipping gives, by up to 16 entries of the clip positions (6 of meshes; --quick:
4); the other methods with `fragments, all`, by all entries. Where ../shared is absent it says on stderr which rows it
leaves out.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

import glrast
from tests.reference.visibility import edges_by_points
from tests.visibility import discontinuities as kinds
from tests.visibility.crowded import ALL, BUNNY
from tests.visibility.discontinuities import Kind
from tests.visibility.exact import render, visible_entries

MOST_SMOOTH, MOST_NOISE = 0.01, 0.02
WEIGHTS = {"smooth": kinds.smooth_weight, "noise": kinds.noise_weight}


class Row(NamedTuple):
    scene: str
    triangles: int
    errors: dict[str, list[float]]  # by method: under the smooth loss, under noise
    own: list[float]  # of fragments with "all", against clipping

    def __str__(self) -> str:
        cells = [" / ".join(f"{e:.3f}" for e in pair) for pair in (*self.errors.values(), self.own)]
        cells = ["exact" if cell == "0.000 / 0.000" else cell for cell in cells]
        return f"| {self.scene} | {self.triangles} | {' | '.join(cells)} |"


def rows(scenes: dict[str, Callable[[], Kind]], quick: bool = False) -> Iterator[Row]:
    """A row for each scene."""
    context = glrast.Context("cpu")
    weights = [make() for make in WEIGHTS.values()]
    for name, make in scenes.items():
        kind = make()
        every = kinds.entries_of(kind)
        exact = gradients(kind, partial(render, context, kind), weights)
        errors = {
            method: [error(g, e, every) for g, e in zip(find(context, kind, weights), exact)]
            for method, find in METHODS.items()
        }
        few = visible_entries(context, kind, 4 if quick else 6 if len(kind.tri) > 200 else 16)
        clipped = kinds.exact_gradient(kind, few, weights)
        own = [kinds.error(g, c, few).l2 for g, c in zip(exact, clipped)]
        yield Row(name, len(kind.tri), errors, own)


def gradients(kind: Kind, image: Callable[[Tensor], Tensor], weights) -> list[Tensor]:
    """Of sum(weight * image(pos)) for each weight."""
    pos = kind.pos.clone().requires_grad_()
    out = image(pos)
    grads = [
        torch.autograd.grad((out * w.to(out)).sum(), pos, retain_graph=True)[0] for w in weights
    ]
    return [g.double() for g in grads]


def error(found: Tensor, exact: Tensor, entries) -> float:
    return kinds.error(found, exact[tuple(torch.tensor(entries).T)], entries).l2


# ---- methods ---------------------------------------------------------------------------------------------


def blended(how: str, context, kind: Kind, weights) -> list[Tensor]:
    """antialias."""

    def image(pos):
        return kinds.shaded(context, kind, pos, how)

    return gradients(kind, image, weights)


def supersampled(factor: int, context, kind: Kind, weights) -> list[Tensor]:
    """antialias of an image so many times larger, averaged."""

    def image(pos):
        size = [factor * side for side in kinds.SIZE]
        large = kinds.shaded(context, kind, pos, "silhouettes", size)
        return torch.nn.functional.avg_pool2d(large.movedim(3, 1), factor).movedim(1, 3)

    return gradients(kind, image, weights)


def near(context, kind: Kind, weights) -> list[Tensor]:
    return gradients(kind, lambda pos: render(context, kind, pos, "near"), weights)


def sampled_edges(samples: int, context, kind: Kind, weights) -> list[Tensor]:
    """Li et al. 2018: so many samples of edges a pixel; inside triangles the derivative of pixels' centres."""
    inside = gradients(kind, lambda pos: kinds.interpolated(context, kind, pos)[0], weights)
    count = samples * kinds.SIZE[0] * kinds.SIZE[1]
    arrays = (kind.pos.double(), kind.tri, kind.corners.double())
    found = edges_by_points.gradients(*arrays, [w[0] for w in weights], count)
    return [a + b for a, b in zip(inside, found)]


METHODS = {
    "antialias": partial(blended, "silhouettes"),
    "antialias, all": partial(blended, "all"),
    "antialias, 4 x 4": partial(supersampled, 4),
    "edge sampling, 16": partial(sampled_edges, 16),
    "antialias, exact near": partial(blended, "exact near"),
    "antialias, exact": partial(blended, "exact"),
    "fragments, near": near,
}


def available() -> dict:
    """The scenes that can be made here: without the Stanford bunny those that are not of it, and a word on the rest."""
    if BUNNY.exists():
        return ALL
    left_out = [name for name in ALL if name.startswith("bunny")]
    print(f"left out, since {BUNNY} is not here: {', '.join(left_out)}", file=sys.stderr)
    return {name: make for name, make in ALL.items() if name not in left_out}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="4 entries a scene against clipping")
    quick = parser.parse_args().quick
    print(f"| scene | triangles | {' | '.join(METHODS)} | fragments, all |")
    print(f"|---|---:|{'---|' * (len(METHODS) + 1)}")
    worst = [("", 0.0), ("", 0.0)]
    for row in rows(available(), quick):
        print(row, flush=True)
        worst = [max(w, (row.scene, e), key=lambda x: x[1]) for w, e in zip(worst, row.own)]
    said = [f"{e:.1e} under {loss} ({scene})" for loss, (scene, e) in zip(WEIGHTS, worst)]
    print(f"\nfragments, all, at worst: {', '.join(said)}")
    return int(worst[0][1] > MOST_SMOOTH or worst[1][1] > MOST_NOISE)


if __name__ == "__main__":
    sys.exit(main())
