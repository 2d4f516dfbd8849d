"""Files that are either the old one or the whole new one, never half of one.

Every output of the job goes through `replacing`: the bytes go to a temporary name in the same
folder, are flushed to the disk, and take the final name in one rename. A full disk says so; what a
killed run has left behind goes when the next one begins.
"""

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

# No room on the disk, none in the quota, none below the limit on the size of a file.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# The temporary names of `replacing`, with the process that made them.
_LEFTOVER = re.compile(r"\..+\.(?P<process>\d+)\.partial(?:\.\w+)?")
_LONGEST = 48  # letters of a name that its temporary one keeps: file systems end at 255 bytes


class DiskFull(OSError):
    """A file did not fit on the disk; the message names it and says what to do."""


@contextmanager
def replacing(path: str | Path) -> Generator[Path, None, None]:
    """A temporary path beside `path` to write to; it becomes `path` when the block ends well.

    The temporary name keeps the suffix, because writers such as imageio choose the format by it.

    Raises:
        DiskFull: there was no room for it; the old file is whole.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with replacing(f'{folder}/note.txt') as temporary:
        ...         _ = temporary.write_text('whole')
        ...     os.listdir(folder)
        ['note.txt']
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem[:_LONGEST]}.{os.getpid()}.partial{path.suffix}")
    try:
        yield temporary
        _flush_to_disk(temporary)
        os.replace(temporary, path)
    except Exception as error:
        limit = _what_is_full(error)
        if limit is None:
            raise
        raise DiskFull(_no_room(path, temporary, limit)) from error
    finally:
        temporary.unlink(missing_ok=True)


def writable_folder(path: str | Path) -> Path:
    """The folder `path`, made if it is missing; raises at once if nothing can be written there."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise PermissionError(
            f"glrast fit: --out must be a folder that can be written; {folder} gave "
            f'"{error.strerror}". Name another folder, or correct its permissions.'
        ) from error
    remove_leftovers(folder)
    return folder


def check_writable(command: str, option: str, path: str | Path) -> None:
    """Raises at once if `path` cannot be written to, before a command has worked for minutes to fill it."""
    path = Path(path)
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        draft = path.with_name(f".{path.stem[:_LONGEST]}.{os.getpid()}.partial{path.suffix}")
        draft.touch()
        draft.unlink()
    except (OSError, ValueError) as error:  # ValueError: a path without a name
        found = error.strerror if isinstance(error, OSError) else "which names no file"
        raise OSError(
            f"glrast {command}: {option} must be a file that can be written; got {str(path)!r}, {found}: make its "
            "folder, or name another file"
        ) from error


def remove_leftovers(folder: Path) -> list[str]:
    """Removes the temporary files in `folder` whose process is gone, and returns their names."""
    removed: list[str] = []
    for path in sorted(folder.iterdir()):
        made = _LEFTOVER.fullmatch(path.name)
        if made is None or path.is_symlink() or not path.is_file():
            continue
        if _is_running(int(made["process"]), path):
            continue
        try:
            path.unlink()
        except OSError:
            continue  # of another user, perhaps: no reason to stop here
        removed.append(path.name)
    return removed


def _is_running(process: int, path: Path) -> bool:
    """Whether the process that made the file may still be writing it."""
    if process == os.getpid():
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass  # somebody else's
    try:
        # Numbers are used again: a process that began after the last byte has not written it.
        return Path(f"/proc/{process}").stat().st_mtime <= path.stat().st_mtime
    except OSError:
        return True


def _what_is_full(error: BaseException | None) -> str | None:
    """The system's words for what is full, if that is why a writer failed."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return error.strerror
        # torch.save raises an error of its own while it handles the file's.
        error = error.__cause__ or error.__context__
    return None


def _no_room(path: Path, temporary: Path, limit: str) -> str:
    written = temporary.stat().st_size if temporary.exists() else 0
    free = shutil.disk_usage(path.parent).free
    return (
        f"glrast: {path} could not be written, the disk is full ({limit}: {megabytes(written)} of "
        f"it written, {megabytes(free)} free with them). What stood there before is whole. Make "
        "room, or choose another folder."
    )


def megabytes(count: int) -> str:
    """A number of bytes as people read it."""
    return f"{count / 1e6:.1f} MB" if count < 1e8 else f"{count / 1e6:.0f} MB"


def _flush_to_disk(path: Path) -> None:
    # Without this a power cut may leave a renamed file with no contents.
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
