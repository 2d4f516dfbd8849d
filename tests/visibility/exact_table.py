"""The table of docs/exact.md: `python -m tests.visibility.exact_table` prints it.

Relative errors of the gradient by all entries of the clip positions, smooth loss / white noise. The yardstick is
fragments with "all", which tests/visibility/test_fragments.py holds to the image that polygon clipping gives. Where
../shared is absent it says on stderr which rows it leaves out.
"""

import sys
from collections.abc import Iterator

import torch

import glrast
from tests.visibility import discontinuities as kinds
from tests.visibility.crowded import ALL, BUNNY
from tests.visibility.exact import render


def rows() -> Iterator[str]:
    """A row for each scene."""
    context = glrast.Context("cpu")
    weights = (kinds.smooth_weight(), kinds.noise_weight())
    for name, make in available().items():
        kind = make()
        entries = kinds.entries_of(kind)
        exact = [_by_fragments(context, kind, "all", weight) for weight in weights]
        found = [
            [kinds.gradient(context, kind, d, weight) for weight in weights]
            for d in ("silhouettes", "all")
        ]
        found.append([_by_fragments(context, kind, "near", weight) for weight in weights])
        cells = [
            " / ".join(f"{_error(f, e, entries):.3f}" for f, e in zip(column, exact))
            for column in found
        ]
        cells[2] = "exact" if cells[2] == "0.000 / 0.000" else cells[2]
        yield f"| {name} | {len(kind.tri)} | {' | '.join(cells)} | exact |"


def available() -> dict:
    """The scenes that can be made here: without the Stanford bunny those that are not of it, and a word on the rest."""
    if BUNNY.exists():
        return ALL
    left_out = [name for name in ALL if name.startswith("bunny")]
    print(f"left out, since {BUNNY} is not here: {', '.join(left_out)}", file=sys.stderr)
    return {name: make for name, make in ALL.items() if name not in left_out}


def _by_fragments(context, kind, discontinuities, weight):
    pos = kind.pos.to(context.device).clone().requires_grad_()
    image = render(context, kind, pos, discontinuities)
    (gradient,) = torch.autograd.grad((image * weight.to(image)).sum(), pos)
    return gradient.cpu().double()


def _error(found, exact, entries) -> float:
    return kinds.error(found, exact[tuple(torch.tensor(entries).T)], entries).l2


if __name__ == "__main__":
    for row in rows():
        print(row, flush=True)
