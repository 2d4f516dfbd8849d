"""The table of docs/single_view.md: every method, every seed, what they reach and what they cost."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch

import glrast

from .measure import draw, measure
from .network import Reconstruction
from .objects import FAMILIES
from .pictures import Pictures

# (method, seed) -> the network and how many seconds of a processor it took
Train = Callable[[str, int], tuple[Reconstruction, float]]
UNTRAINED, MEAN = "untrained", "mean shape"  # no methods, but what they have to beat
TABLE = [UNTRAINED, MEAN, "softras", "nmr", "antialias", "exact near"]


def compare(
    ctx: glrast.Context, train: Train, methods: list[str], seeds: int, held_out: Pictures, out: Path, words: str
) -> Path:  # fmt: skip
    """Prints a table, writes it to out/10_single_view.md, and the reconstructions to the .png whose path it returns.

    methods: beside the untrained network, `seeds` of each; none: those of TABLE. Their networks are kept in
    out/10_single_view/ and not trained again where `words`, the settings, are the same: an interrupted run goes on.
    Delete that folder after a change of the code.
    """
    kept = None if methods else out / "10_single_view"
    (kept or out).mkdir(parents=True, exist_ok=True)
    date, machine = time.strftime("%Y-%m-%d"), f"{platform.machine()}, PyTorch {torch.__version__}"
    heads = ["method", *FAMILIES, "masks", "voxels", "colour", "minutes"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    print(*lines, sep="\n", flush=True)
    nets = {}
    for method in [UNTRAINED, *methods] if methods else TABLE:
        runs = [trained(ctx, train, method, n, held_out, kept, words) for n in range(seeds)]
        nets[method] = runs[0]["net"]
        lines.append(row(method, runs))
        print(lines[-1], flush=True)
    del nets[UNTRAINED]
    lines += ["", f"{date}, {machine}; {words}"]
    (out / "10_single_view.md").write_text("\n".join(lines) + "\n")
    draw(ctx, nets, held_out, out / "10_single_view.png")
    return out / "10_single_view.png"


def trained(
    ctx: glrast.Context, train: Train, method: str, seed: int, held_out: Pictures, kept: Path | None, words: str
) -> dict:  # fmt: skip
    file = kept / f"{method.replace(' ', '_')}_{seed}.pt" if kept else None
    if file and file.exists():
        run = torch.load(file, weights_only=False)
        if run["words"] == words:
            return run
    net, seconds = train(method, seed)
    run = {"net": net, "seconds": seconds, "words": words, "scores": measure(ctx, net, held_out)}
    if file:
        torch.save(run, file)
    return run


def row(method: str, runs: list[dict]) -> str:
    """Means over the seeds, and half the range between them where more than one was run."""
    scores = {
        name: torch.stack([run["scores"][name] for run in runs]) for name in runs[0]["scores"]
    }
    cells = [spread(scores["mask"][:, f]) for f in range(len(FAMILIES))]
    cells += [spread(scores["mask"].mean(1)), spread(scores["voxel"].mean(1))]
    cells.append(spread(scores["color"].mean(1), 4))
    minutes = sum(run["seconds"] for run in runs) / len(runs) / 60
    return "| " + " | ".join([method, *cells, f"{minutes:.1f}"]) + " |"


def spread(values: torch.Tensor, digits: int = 3) -> str:
    half = (values.max() - values.min()) / 2
    text = f"{values.mean():.{digits}f}"
    return f"{text} ± {half:.{digits}f}" if len(values) > 1 else text
