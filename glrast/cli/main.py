"""The command `glrast`: finds the sub-command, runs it, and turns its errors into one line.

A command is a module of this folder with `add_arguments(parser)` and `run(args) -> int`, the exit code. It is
imported only when it is asked for. Exit codes: 0 done, 1 the command's own verdict, 2 a wrong argument or a file or
device that does not serve, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

COMMANDS = {
    "fit": "posed pictures of an object to a coloured mesh",
    "data": "what is understood of a data set: cameras, masks, box, a contact sheet",
    "bake": "one texture for a mesh, from posed pictures, a finer mesh or its own materials",
    "render": "a mesh as colour, mask, depth and normal images",
    "doctor": "what of OpenGL is found here, whether it renders, and if not, why",
    "audit": "how wrong each method's gradients of visibility are, and what they cost",
    "bench": "milliseconds and bytes of each operation on this machine",
}
WRONG_INPUT, INTERRUPTED = 2, 130  # 128 + SIGINT, what shells expect

# What our checks, files and drivers raise. The last two come from our checks or from a defect: see _expected.
_CAUGHT = (OSError, ImportError, ValueError, RuntimeError, TypeError, IndexError)
_HINT = "(GLRAST_DEBUG=1 shows where this comes from)"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the words after `glrast`; those of this process by default.

    Returns: the exit code.

    Raises: SystemExit from argparse: 0 after --help and --version, 2 for arguments it does not know.

    Note: GLRAST_DEBUG=1 in the environment lets errors through with their traceback.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    command = words[0] if words and words[0] in COMMANDS else None
    module = None
    try:
        module = importlib.import_module(f"glrast.cli.{command}") if command else None
        parser = _parser(command, module)
        args = parser.parse_args(words)
        if module is None:
            parser.print_help()
            return WRONG_INPUT
        return module.run(args)
    except KeyboardInterrupt:
        if _debugging():
            raise
        print(f"\nglrast {command}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except _CAUGHT as error:
        if _debugging() or not _expected(error):
            raise
        print(_one_line(command, error), file=sys.stderr)
        return WRONG_INPUT


def _parser(command: str | None, module) -> argparse.ArgumentParser:
    """All commands with their summaries; only `command` gets its arguments, for only its module is imported."""
    import glrast

    parser = argparse.ArgumentParser(
        prog="glrast",
        description="Differentiable rasterization on the OpenGL pipeline.",
        epilog="glrast COMMAND --help tells its arguments. GLRAST_DEBUG=1 shows where an error comes from.",
    )
    parser.add_argument("--version", action="version", version=f"glrast {glrast.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, summary in COMMANDS.items():
        added = commands.add_parser(name, help=summary, description=summary)
        if name == command:
            module.add_arguments(added)
    return parser


def _expected(error: Exception) -> bool:
    """Our messages begin with our name. A TypeError or IndexError without it is a defect, and shows its traceback."""
    return str(error).startswith("glrast") or not isinstance(error, (TypeError, IndexError))


def _one_line(command: str | None, error: Exception) -> str:
    """The message as it is if it is ours, else with the command before it."""
    message = str(error)
    if message.startswith("glrast"):
        return message
    if isinstance(error, ModuleNotFoundError):
        return (
            f'glrast {command}: {error.name} is not installed; run: pip install "glrast[fit,bench]"'
        )
    if isinstance(error, (OSError, ImportError)):
        return f"glrast {command}: {message or type(error).__name__}"
    return f"glrast {command}: {type(error).__name__}: {message} {_HINT}"


def _debugging() -> bool:
    return os.environ.get("GLRAST_DEBUG", "0") not in ("", "0")
