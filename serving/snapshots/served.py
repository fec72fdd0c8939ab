"""The snapshots that are kept, and which of them is in service.

``served/current`` holds the name of one. It is replaced as a whole, so that a reader sees one name
or the next, and what it names is whole already.
"""

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import msgspec

from features.errors import SnapshotError
from features.home import Home, private
from models.lock import alone
from serving.snapshots.snapshot import ABOUT, OWNER_ONLY, number_of, sync, without

CURRENT = "current"
LOCK = ".lock"
KEPT = 4
"""So many of the newest stay, besides the one in service: what a look back is quick with."""


class _Of(msgspec.Struct):
    as_of: datetime


class _Dated(msgspec.Struct):
    publication: _Of


def current(home: Home) -> str | None:
    """Give the name of the snapshot in service, None before the first; raises SnapshotError."""
    try:
        return (home.served / CURRENT).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SnapshotError(
            f"Expected the name of a snapshot in {home.served / CURRENT}, got {error}. "
            "Let the service read it, or run `tenure score` again."
        ) from error


def kept(home: Home) -> list[Path]:
    """Give the folders of the snapshots that are kept, newest publication first."""
    if not home.served.is_dir():
        return []
    found = [each for each in home.served.iterdir() if each.name[:1].isdigit() and each.is_dir()]
    return sorted(found, key=lambda folder: (number_of(folder.name), folder.name), reverse=True)


def before(home: Home, name: str) -> list[Path]:
    """Give the kept snapshots of publications before a snapshot's, those of the latest date first.

    What cannot be read is left out; so is what came later: it may have been put out of service.
    """
    number = name.partition("-")[0]
    if not number.isdecimal():
        return []
    dated = [
        (as_of, folder)
        for folder in kept(home)
        if number_of(folder.name) < int(number) and (as_of := _date_of(folder)) is not None
    ]
    return [folder for _, folder in sorted(dated, key=lambda each: each[0], reverse=True)]


@contextmanager
def undisturbed(home: Home) -> Iterator[None]:
    """Let no other process put a snapshot in service, or remove one, until the end of the block."""
    with alone(private(home.served) / LOCK):
        yield


def put_in_service(home: Home, name: str) -> None:
    """Let the service take a snapshot over, and remove what is older than the kept ones."""
    with undisturbed(home):
        _name(home, name)
        _remove_old(home)


def put_in_service_unless_older(home: Home, name: str, as_of: datetime) -> None:
    """Put a snapshot in service unless scores of a later date are: a past date scored again."""
    with undisturbed(home):
        before = _date_in_service(home)
        if before is None or before <= as_of:
            _name(home, name)
        _remove_old(home)


def erase_accounts(home: Home, account_ids: Collection[str]) -> int:
    """Write each snapshot that has any of these accounts anew without them, and remove the old.

    The service takes the new one over within a second, and lets go of the old one then.

    Returns
    -------
    How many snapshots had any.

    Raises
    ------
    SnapshotError
        If a snapshot cannot be read; those before it are without the accounts already.
    """
    changed = 0
    with undisturbed(home):
        for folder in kept(home):
            name = without(folder, account_ids)
            if name is None:
                continue
            if current(home) == folder.name:
                _name(home, name)
            shutil.rmtree(folder)
            changed += 1
    return changed


def _name(home: Home, name: str) -> None:
    aside = home.served / f".{CURRENT}.{os.getpid()}"
    number = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
    try:
        os.write(number, f"{name}\n".encode())
        os.fsync(number)
    finally:
        os.close(number)
    aside.replace(home.served / CURRENT)
    sync(home.served)


def _date_in_service(home: Home) -> datetime | None:
    """Give the date of the scores in service; None: there are none, or they cannot be read."""
    with suppress(SnapshotError):
        name = current(home)
        return None if name is None else _date_of(home.served / name)
    return None


def _date_of(folder: Path) -> datetime | None:
    with suppress(OSError, msgspec.DecodeError):
        told = (folder / ABOUT).read_bytes()
        return msgspec.json.decode(told, type=_Dated).publication.as_of
    return None


def _remove_old(home: Home) -> None:
    in_service = current(home)
    for folder in kept(home)[KEPT:]:
        if folder.name != in_service:
            shutil.rmtree(folder, ignore_errors=True)
