"""Folders that a process works in and holds by a lock: what a killed one left is removed."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def held_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Make a folder in `parent` whose name begins with `prefix`, gone at the end.

    Of such folders those are removed first that nobody holds: their process is dead.
    """
    for folder in parent.glob(f"{prefix}*"):
        _remove_if_left(folder)
    work, held = _held(parent, prefix)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        os.close(held)


def _held(parent: Path, prefix: str) -> tuple[Path, int]:
    # before the lock another process may take the folder for left, and remove it: then once more
    work = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
    try:
        held = os.open(work, os.O_RDONLY)
    except FileNotFoundError:
        return _held(parent, prefix)
    fcntl.flock(held, fcntl.LOCK_EX)
    if work.exists():
        return work, held
    os.close(held)
    return _held(parent, prefix)


def _remove_if_left(work: Path) -> None:
    try:
        held = os.open(work, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return  # its own process has just ended, or it is no folder of ours
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    else:
        shutil.rmtree(work, ignore_errors=True)
    finally:
        os.close(held)
