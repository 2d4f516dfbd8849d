"""What docs/exact.md says of many meshes: `python -m tests.visibility.exact_check`, an hour; with `--quick` a minute.

1,000 random closed meshes against polygon clipping, 10,000 hostile ones, spheres of 80 to 81,920 triangles at 32 to 512
pixels, and one mesh on one to eight threads. Prints what was measured; the exit status is 1 where a limit is exceeded.
"""

import argparse
import sys
import time

import torch

import glrast
from tests import scenes
from tests.ops.compare import torch_threads
from tests.visibility.exact import check_hostile, closed_mesh, find, growth_of_a_sphere, shade

IMAGE, SUM, GROWTH = 1e-4, 1e-5, 0.01


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a hundredth of the meshes")
    part = 100 if parser.parse_args().quick else 1
    context = glrast.Context("cpu")
    questions = (
        lambda: _spheres(context, range(1, 7 if part == 1 else 4)),
        lambda: _threads(context),
        lambda: _hostile(context, 10_000 // part),
        lambda: _closed(context, 1_000 // part),
    )
    held = []
    for question in questions:
        began = time.process_time()
        good, said = question()
        print(
            f"{said} ({time.process_time() - began:.0f} s){'' if good else ': TOO FAR'}", flush=True
        )
        held.append(good)
    return int(not all(held))


def _closed(context, count: int) -> tuple[bool, str]:
    apart = [closed_mesh(context, seed) for seed in range(count)]
    image, sums = (max(values) for values in zip(*apart))
    said = f"{count} closed meshes: image within {image:.1e} of clipping, weights sum to 1 within {sums:.1e}"
    return image < IMAGE and sums < SUM, said


def _hostile(context, count: int) -> tuple[bool, str]:
    failed = 0
    for seed in range(count):
        try:
            check_hostile(context, seed)
        except AssertionError:
            failed += 1
    return not failed, f"{count} hostile meshes: {failed} with something not finite"


def _spheres(context, subdivisions) -> tuple[bool, str]:
    sizes = (32, 64, 128, 256, 512)
    errors = [growth_of_a_sphere(context, s, r) for s in subdivisions for r in sizes]
    area, growth = (max(values) for values in zip(*errors))
    counts = f"{20 * 4 ** subdivisions[0]:,} to {20 * 4 ** subdivisions[-1]:,} triangles"
    return growth < GROWTH, f"spheres, {counts}: area within {area:.1e}, its growth {growth:.1e}"


def _threads(context) -> tuple[bool, str]:
    pos, tri, attr = scenes.closed_mesh(3)
    results = []
    for threads in range(1, 9):
        with torch_threads(threads):
            leaf = pos.clone().requires_grad_()
            rast, frag = find(context, leaf, tri, (201, 330))
            image = shade(rast, frag, attr, tri)
            blended = glrast.antialias(image.detach(), rast, leaf, tri, discontinuities="exact")
            loss = image.square().sum() + blended.square().sum()
            results.append((*frag, image, blended, *torch.autograd.grad(loss, leaf)))
    same = all(torch.equal(a, b) for other in results[1:] for a, b in zip(results[0], other))
    return same, f"one to eight threads: {'the same bits' if same else 'other bits'}"


if __name__ == "__main__":
    sys.exit(main())
