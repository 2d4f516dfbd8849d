"""Files that are either the old one or the whole new one, never half of one.

Every output of the job goes through `replacing`: the bytes go to a temporary name in the same
folder, are flushed to the disk, and take the final name in one rename.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; it becomes `path` when the block ends well.

    The temporary name keeps the suffix, because writers such as imageio choose the format by it.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with replacing(f'{folder}/note.txt') as temporary:
        ...         _ = temporary.write_text('whole')
        ...     os.listdir(folder)
        ['note.txt']
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield temporary
        _flush_to_disk(temporary)
        os.replace(temporary, path)
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
    return folder


def _flush_to_disk(path: Path) -> None:
    # Without this a power cut may leave a renamed file with no contents.
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
