"""A step of gpu_check made up for its tests, without PyTorch: `climber.py --notes FILE --skip NAME ...`."""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.gpu.rungs import Missing, Wrong, climb  # noqa: E402

NAMES = ("one", "two", "three", "four", "five")


def absent():
    raise Missing("there is none here")


def doubtful():
    raise Wrong("images went through host memory: no reason", {"ms": 3})


parser = argparse.ArgumentParser()
parser.add_argument("--notes", type=Path)
parser.add_argument("--skip", nargs="*")
parser.add_argument("--also", action="store_true")
parser.add_argument("--never-ends", action="store_true")
args = parser.parse_args()
rungs = {name: lambda name=name: {"figure": NAMES.index(name)} for name in NAMES}
if args.also:
    rungs |= {"absent": absent, "doubtful": doubtful}
print("begun")
climb("made up", rungs, args.notes, args.skip)
if args.never_ends:
    time.sleep(1e6)
