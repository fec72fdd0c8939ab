"""Which parts of the service are there: asked of the parts themselves, at most once a second."""

import asyncio
import errno
import os
from asyncio import Task
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool

from features.errors import ErasureError, StoreError
from features.home import private
from serving.parts import Parts
from serving.snapshots.loaded import Loaded

STORE, AUDIT_LOG, SNAPSHOT, MODELS, SERVER = "store", "audit_log", "snapshot", "models", "server"
PARTS = (STORE, AUDIT_LOG, SNAPSHOT, MODELS, SERVER)
NEEDED = frozenset({AUDIT_LOG, SNAPSHOT, SERVER})
FRESH_SECONDS = 1.0
PROBE = bytes(2 * 4096)  # more than a block that may be left
NO_UNNAMED_FILES = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL})


@dataclass(frozen=True)
class Found:
    """What was found at the last look.

    Attributes
    ----------
    loaded:
        The set in service, and why a newer one is not.
    missing:
        Names of the parts that are not there, of `PARTS`: the store, a writable audit log, scores
        in service, the models of the newest scores, and a server that takes on requests.
    """

    loaded: Loaded
    missing: tuple[str, ...]

    @property
    def is_ready(self) -> bool:
        """Tell whether scores can be answered: without the store they can, for a while."""
        return not NEEDED & set(self.missing)


class Readiness:
    """Looks at the parts for whoever asks, once for all who ask within a second.

    Parameters
    ----------
    parts:
        The open service.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._asked_at = 0.0
        self._look: Task[Found] | None = None

    async def found(self) -> Found:
        """Look, or give what was found within the last second."""
        now = asyncio.get_running_loop().time()
        if self._look is None or (self._look.done() and now - self._asked_at >= FRESH_SECONDS):
            self._asked_at = now
            self._look = asyncio.create_task(run_in_threadpool(look, self._parts))
        return await asyncio.shield(self._look)


def look(parts: Parts) -> Found:
    """Ask each part whether it is there."""
    try:
        loaded = parts.watch.look()
    except StoreError:
        loaded = Loaded()
    missing = {
        STORE: not _answers(parts),
        AUDIT_LOG: not _takes_rows(parts.settings.home.audit_log),
        SNAPSHOT: loaded.in_service is None,
        MODELS: loaded.problem is not None,
        SERVER: parts.load.is_ending,
    }
    return Found(loaded, tuple(part for part in PARTS if missing[part]))


def _answers(parts: Parts) -> bool:
    try:
        with parts.store.reading() as connection:
            connection.execute(sa.select(1))
        parts.erasures.among(())
    except (StoreError, ErasureError):
        return False
    return True


def _takes_rows(folder: Path) -> bool:
    """Try to write beside the audit log, to a file that has no name and is gone at once."""
    try:
        number = os.open(private(folder), os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except OSError as error:
        return error.errno in NO_UNNAMED_FILES and os.access(folder, os.W_OK | os.X_OK)
    try:
        return os.write(number, PROBE) == len(PROBE)
    except OSError:
        return False
    finally:
        os.close(number)
