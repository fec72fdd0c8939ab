"""A folder to work in beside the checked sources, and the end of what is no longer needed there."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from features.checked import MANIFEST, CheckedSource, read_manifest
from features.errors import SourceError
from features.held import held_folder
from features.home import Home, private

KEPT_CHECKS = 3
KEPT_FOR = timedelta(hours=24)
PREFIX = ".check-"


@contextmanager
def workplace(home: Home) -> Iterator[Path]:
    """Make a folder in `home.checked` for one check, gone at its end.

    What a killed check left is removed first: its process holds the lock on its folder no more.
    """
    checked = private(home.checked).resolve()
    with alone(checked):
        _clear(checked)
    with held_folder(checked, PREFIX) as work:
        yield work


def remove_superseded(newest: CheckedSource, home: Home, now: datetime | None = None) -> None:
    """Remove checks of the same source that newer ones have taken the place of.

    The newest `KEPT_CHECKS` of a source stay, and what is younger than `KEPT_FOR`: a reader that
    opened one of them goes on reading it.
    """
    before = ((now or datetime.now(UTC)) - KEPT_FOR).timestamp()
    with alone(home.checked):
        for folder in checks_of(newest.origin, home)[KEPT_CHECKS:]:
            if (folder / MANIFEST).stat().st_mtime < before:
                # without its manifest it is no checked source, however far the removal gets
                (folder / MANIFEST).unlink()
                shutil.rmtree(folder)


def checks_of(origin: str, home: Home) -> list[Path]:
    """Give the folders of all checks of one source, the newest first."""
    found = []
    for folder in home.checked.glob("[0-9a-f]*"):
        try:
            of = read_manifest(folder).origin
            written = (folder / MANIFEST).stat().st_mtime_ns
        except (SourceError, FileNotFoundError):
            continue  # half removed, of an older version, or removed just now: nobody's check
        if of == origin:
            found.append((written, folder))
    return [folder for _, folder in sorted(found, reverse=True)]


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other process or thread is inside with this folder, and keep them out."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _clear(checked: Path) -> None:
    for folder in checked.iterdir():
        if not folder.name.startswith(PREFIX) and not (folder / MANIFEST).exists():
            shutil.rmtree(folder)  # its removal was killed
