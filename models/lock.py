"""One process at a time, on one machine."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from features.home import private


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """Wait until no other process or thread is inside with the same file, and keep them out.

    Parameters
    ----------
    file:
        An empty file that is made when needed and stays; a process that dies lets go of it.
    """
    private(file.parent)
    with open(file, "a", opener=_for_its_owner) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _for_its_owner(file: str, flags: int) -> int:
    return os.open(file, flags, 0o600)


def moved(fetched: Path, target: Path) -> None:
    """Put a fetched folder in its place, where another process may have put the same meanwhile."""
    try:
        fetched.rename(target)
    except OSError:
        # Another process fetched the same version meanwhile; any other cause is raised.
        if not target.is_dir():
            raise
