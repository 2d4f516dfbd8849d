"""`glrast fit DATASET --out DIR`: from posed pictures to a textured mesh.

What the job does is in glrast/fit; here are the words a person types, reads and is told.
"""

import argparse
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .device import chosen

if TYPE_CHECKING:
    from ..fit.dataset import Dataset
    from ..fit.loop import Fit

CHECKPOINT = "checkpoint.pt"
STEPS, RESOLUTION = 1000, 512
# The demonstration shall be over while one still watches.
DEMO_STEPS, DEMO_RESOLUTION = 600, 320
SMALLEST, LARGEST = 16, 8192  # pixels on the longer side: room for a shape, and for memory
INTERRUPTED = 130  # 128 + SIGINT, what shells expect


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `glrast fit`."""
    parser.description = "Fit a textured mesh to posed pictures of one object."
    parser.add_argument(
        "dataset",
        metavar="DATASET",
        help="the word demo, or a folder with RGBA pictures, or RGB pictures and masks, and "
        "transforms_train.json (NeRF-synthetic), transforms.json (nerfstudio), COLMAP, or text files of K, R, t",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the results")
    parser.add_argument(
        "--steps", type=_count, help=f"steps in all (default: {STEPS}; demo: {DEMO_STEPS})"
    )
    parser.add_argument(
        "--resolution",
        type=_pixels,
        help="pixels on the longer side; larger pictures are averaged down "
        f"(default: {RESOLUTION}; demo: {DEMO_RESOLUTION})",
    )
    parser.add_argument(
        "--colour",
        choices=("texture", "vertex"),
        default="texture",
        help="texture: an image over the mesh (default); vertex: a colour for each vertex, and "
        "more vertices where colours change",
    )
    parser.add_argument(
        "--texture-size",
        type=_texels,
        metavar="N",
        help="texels a side, a multiple of 4 from 32 to 8192 (default: about a texel for each pixel "
        "that shows the surface best)",
    )
    parser.add_argument(
        "--edges",
        choices=("antialias", "exact"),
        default="antialias",
        help="antialias: pixels blended across silhouettes (default); exact: exact areas and gradients of "
        "boundaries, slower: docs/fitting.md has both measured",
    )
    add_reading_arguments(parser)
    parser.add_argument("--batch", type=_count, default=4, help="views per step (default: 4)")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same result (default: 0)")
    parser.add_argument(
        "--up",
        choices=("x", "y", "z", "-x", "-y", "-z"),
        help="the data set's axis that points up, as in --up=-z; viewers show mesh.glb so (default: as the "
        "cameras stand)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1 ...")
    parser.add_argument(
        "--resume", action="store_true", help="continue from the checkpoint in --out, if any"
    )


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """How a data set is read: the same for `glrast data`."""
    parser.add_argument(
        "--skip-missing",
        action="store_true",
        help="go on without the frames whose picture is missing",
    )
    parser.add_argument(
        "--invert-masks",
        action="store_true",
        help="the masks (or alpha) are black where the object is",
    )


def run(args: argparse.Namespace) -> int:
    """Run the fit and write its results; 130 if it was interrupted, with the words to go on."""
    try:
        return _fit(args)
    except KeyboardInterrupt:
        print(f"\nInterrupted. Continue with:\n  {_resume_command(args)}", file=sys.stderr)
        return INTERRUPTED


def _fit(args: argparse.Namespace) -> int:
    from ..core.files import DiskFull, writable_folder
    from ..fit.loop import Fit, Stopped
    from ..fit.loop import run as run_fit
    from ..fit.report import write_report
    from ..fit.stages import plan

    out = writable_folder(args.out)
    demo = args.dataset == "demo"
    device = chosen("fit", args.device)
    resolution = args.resolution or (DEMO_RESOLUTION if demo else RESOLUTION)
    data = _dataset(args, device, resolution)
    stages = plan(args.steps or (DEMO_STEPS if demo else STEPS), args.colour)
    fit = Fit(data.train, stages, args.batch, args.seed, device, args.texture_size, args.edges)
    progress = _Progress(fit)
    with stop_signals() as should_stop:
        _begin(fit, out / CHECKPOINT, args.resume, progress.say)
        try:
            with progress:
                run_fit(fit, out / CHECKPOINT, progress.show, should_stop, progress.say)
        except Stopped:
            saved = f"Saved {out / CHECKPOINT} ({_size(out / CHECKPOINT)})."
            progress.say(f"{saved} Continue with:\n  {_resume_command(args)}")
            return INTERRUPTED
        except DiskFull:
            if fit.done:  # nothing is lost if there is room for the results, which are smaller
                write_report(out, fit, data, args.up)
                progress.say(f"The results in {out} are whole; only the checkpoint is not written:")
            raise
    results = write_report(out, fit, data, args.up)
    print(
        f"psnr {results['psnr']:.2f} dB, mask IoU {results['mask_iou']:.4f} "
        f"(held out: {data.held_out}), {results['seconds']:.0f} s\nwrote {out}: mesh.glb "
        "metrics.json turntable.gif compare.png loss.png\n"
        f"{CHECKPOINT} ({_size(out / CHECKPOINT)}) serves --resume only; delete it when all is well"
    )
    return 0


def _dataset(args: argparse.Namespace, device: Any, resolution: int) -> "Dataset":
    if args.dataset == "demo":
        from ..fit.demo_views import demo_dataset

        return demo_dataset(device, resolution)
    from ..fit.dataset import load_dataset

    return load_dataset(args.dataset, resolution, args.skip_missing, args.invert_masks)


def _begin(fit: "Fit", checkpoint: Path, resume: bool, say: Callable[[str], None]) -> None:
    from ..fit.checkpoint import load_checkpoint

    if resume and checkpoint.exists():
        fit.restore(load_checkpoint(checkpoint), checkpoint)
        say(f"Continuing from step {len(fit.losses)} of {checkpoint}.")
        return
    if resume:
        say(f"There is no {checkpoint} yet: starting from the beginning.")
    elif checkpoint.exists():
        say(f"Starting over; {checkpoint} will be replaced (--resume would continue it).")
    fit.begin()
    doubts = fit.consensus.said(fit.views.names)
    if doubts:
        say(doubts)


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """A function that says whether Ctrl-C or SIGTERM came; a second Ctrl-C interrupts at once."""
    came: list[int] = []

    def remember(number: int, frame: Any) -> None:
        came.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, remember)
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Progress:
    """A bar with the stage, the loss (mean of the last steps) and the speed. It appears with the first step: a run
    that fails before, or has none left, shows no bar."""

    def __init__(self, fit: "Fit"):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = ("{task.description:8}", BarColumn(), "{task.completed:.0f}/{task.total:.0f}")
        values = ("loss {task.fields[loss]:.4f}", "{task.fields[speed]:.1f} steps/s")
        self._bar = Progress(
            *(TextColumn(c) if isinstance(c, str) else c for c in columns + values),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        total = sum(stage.steps for stage in fit.stages)
        self._task = self._bar.add_task("", total=total, loss=float("nan"), speed=0.0)
        self._stage = -1

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: Any) -> None:
        if self._bar.live.is_started:
            self._bar.stop()

    def say(self, text: str) -> None:
        """A line, above the bar while it is shown."""
        self._bar.console.print(text, highlight=False, soft_wrap=True)

    def show(self, fit: "Fit") -> None:
        """Called after each step."""
        self._bar.start()  # the first time; later it does nothing
        if self._stage != fit.stage_index:
            self._stage = fit.stage_index
            height, width = fit.pictures.resolution
            self.say(f"{fit.stage.name}: {width}x{height} pixels, {len(fit.model.u)} vertices")
        recent = fit.losses[-20:]
        self._bar.update(
            self._task,
            completed=len(fit.losses),
            description=fit.stage.name,
            loss=sum(recent) / len(recent),
            speed=len(fit.losses) / max(fit.seconds, 1e-9),
        )


def _size(path: Path) -> str:
    from ..core.files import megabytes

    return megabytes(path.stat().st_size)


def _resume_command(args: argparse.Namespace) -> str:
    words = ["glrast", "fit", args.dataset, "--out", args.out]
    for name in (
        "steps",
        "resolution",
        "colour",
        "texture_size",
        "edges",
        "batch",
        "seed",
        "device",
    ):
        if getattr(args, name) is not None:
            words += [f"--{name.replace('_', '-')}", str(getattr(args, name))]
    words += [f"--up={args.up}"] if args.up else []
    for name in ("skip_missing", "invert_masks"):
        if getattr(args, name):
            words.append(f"--{name.replace('_', '-')}")
    return shlex.join([*words, "--resume"])


def _count(text: str) -> int:
    """argparse type: a whole number above zero."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above zero; got {text!r}")
    return value


def _pixels(word: str) -> int:
    """argparse type: a side of the pictures."""
    value = _count(word)
    if not SMALLEST <= value <= LARGEST:
        raise argparse.ArgumentTypeError(f"expected {SMALLEST} to {LARGEST} pixels; got {word}")
    return value


def _texels(text: str) -> int:
    """argparse type: a side of the texture."""
    value = _count(text)
    # bake.unwrap.LEVELS halvings must come out even; its limits are those of the default size.
    if value % 4 or not 32 <= value <= 8192:
        raise argparse.ArgumentTypeError(f"expected a multiple of 4 from 32 to 8192; got {value}")
    return value
