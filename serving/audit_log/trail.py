"""The audit log: before account data leaves, a row says who read it; one chain for each process.

Rows are appended to a file beside the store and reach the operating system in one write, so that a
killed process loses none; a thread syncs them to the disk within a second of the first.
"""

import logging
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event, Lock, Thread

from features.errors import AuditError, StoreError
from features.home import private
from serving.audit_log.rows import (
    NOTHING_BEFORE,
    Read,
    closing,
    file_name,
    line,
    opening,
    time_text,
)

LOG = logging.getLogger("tenure.audit")
SYNC_SECONDS = 0.5  # leaves the sync itself as long again, to be done within a second
ANCHOR_SECONDS = 10.0
MOST_BYTES = 64 * 1024 * 1024
OWNER_ONLY = 0o600
APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
DAY = len("2026-03-02")


@dataclass(frozen=True)
class Head:
    """Where a chain stands: what the store keeps of it, so that a missing end is seen.

    Attributes
    ----------
    seq, digest:
        Number and hash of its newest row.
    at:
        When it was so, naive UTC.
    """

    chain: str
    seq: int
    digest: str
    at: datetime


@dataclass
class _File:
    """The open file of a chain, and what its next row follows."""

    pid: int
    path: Path
    number: int
    chain: str
    part: int
    day: str
    seq: int
    digest: str
    size: int
    last_at: str
    is_torn: bool = False
    has_failed: bool = False

    def write(self, row: bytes) -> None:
        """Append a row in one write, after the end of one that was cut short before."""
        text = b"\n" + row if self.is_torn else row
        self.is_torn = True
        if os.write(self.number, text) < len(text):
            raise OSError(0, "only a part of the row was written")
        self.is_torn = False
        self.size += len(text)

    def sync(self, number: int | None = None) -> None:
        """Bring all rows to the disk; a file that failed to or was removed is not gone on with."""
        try:
            os.fdatasync(self.number if number is None else number)
        except OSError:
            self.has_failed = True
            raise
        if not self.path.exists():
            self.has_failed = True


@dataclass
class Trail:
    """Appends to this process's chain; made without touching the disk.

    Attributes
    ----------
    folder:
        Where the files lie.
    now:
        The clock, naive UTC.
    anchor:
        Keeps a head elsewhere; it may raise StoreError, and is then asked again later. A chain that
        it was never told of is not begun.
    syncs_each:
        Whether each row is synced before its answer leaves.
    most_bytes:
        A file that has reached it is followed by another.
    """

    folder: Path
    now: Callable[[], datetime]
    anchor: Callable[[Head], None]
    syncs_each: bool = False
    most_bytes: int = MOST_BYTES
    _file: _File | None = None
    _lock: Lock = field(default_factory=Lock)
    _unsynced: Event = field(default_factory=Event)
    _closing: Event = field(default_factory=Event)
    _thread: Thread | None = None

    def append(self, read: Read) -> None:
        """Write the row of a read; when this returns, the operating system has it.

        Raises
        ------
        AuditError
            If it cannot be written, or the store cannot be told of a new chain: then nothing of the
            answer may leave.
        """
        with self._lock:
            try:
                self._append(read)
            except StoreError as error:
                raise AuditError(
                    "Expected the store to take the beginning of the audit log, got no answer. "
                    "Let the service reach it."
                ) from error
            except OSError as error:
                raise AuditError(
                    f"Expected the audit log in {self.folder} to take a row, got: "
                    f"{error.strerror}. Make room and let the service write there."
                ) from error
        if not self._unsynced.is_set():  # or the sync to come is after this row: quick to ask
            self._unsynced.set()

    @property
    def is_open(self) -> bool:
        """Tell whether this process has begun its chain: from then on a row is quick to write."""
        return self._file is not None and self._file.pid == os.getpid()

    def close(self) -> None:
        """End the chain, sync what was written, and keep the head in the store."""
        with self._lock:
            self._end()
        thread, self._thread = self._thread, None
        if thread is not None:
            self._closing.set()
            self._unsynced.set()
            thread.join()
        with self._lock:
            if self._file is not None:
                os.close(self._file.number)
                self._file = None

    def _append(self, read: Read) -> None:
        at = time_text(self.now())
        file = self._writable(at)
        row, digest = line(file.seq + 1, at, read, file.digest, set_back=at < file.last_at)
        file.write(row)
        file.seq, file.digest, file.last_at = file.seq + 1, digest, at
        if self.syncs_each:
            file.sync()

    def _end(self) -> None:
        """Write that nothing follows; a chain that cannot be written to any more goes without."""
        file = self._file
        if file is None or not self.is_open or file.has_failed:
            return
        at = max(time_text(self.now()), file.last_at)
        row, digest = closing(file.seq + 1, at, file.chain, file.part, file.digest)
        try:
            file.write(row)
        except OSError as error:
            LOG.error("the audit log cannot be ended: %s", error.strerror)  # noqa: TRY400 - a trace says no more
            return
        file.seq, file.digest, file.last_at = file.seq + 1, digest, at

    def _writable(self, at: str) -> _File:
        """Give the file to write to: a new one after a fork, for a new day, or when it is full."""
        file = self._file
        if file is None or file.pid != os.getpid():
            chain = f"{self.now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(6)}"
            file = self._file = self._begun(self._opened(chain, 1, -1, NOTHING_BEFORE, at))
            self._closing, self._unsynced = Event(), Event()
            self._thread = Thread(target=self._keep, name="tenure-audit-log", daemon=True)
            self._thread.start()
        elif file.has_failed or file.size >= self.most_bytes or at[:DAY] > file.day:
            if not file.has_failed:
                file.sync()
            new = self._opened(file.chain, file.part + 1, file.seq, file.digest, at)
            os.close(file.number)
            file = self._file = new
        return file

    def _begun(self, file: _File) -> _File:
        """Let the store know of a chain before its first row: one that it does not know was added.

        A file that it was not told of holds no row of an answer, and goes.
        """
        try:
            self.anchor(Head(file.chain, file.seq, file.digest, self.now()))
        except BaseException:
            os.close(file.number)
            file.path.unlink()
            raise
        return file

    def _opened(self, chain: str, part: int, seq: int, before: str, at: str) -> _File:
        path = private(self.folder) / file_name(chain, part)
        row, digest = opening(seq + 1, at, chain, part, before)
        number = os.open(path, APPEND, OWNER_ONLY)
        file = _File(os.getpid(), path, number, chain, part, at[:DAY], seq + 1, digest, 0, at)
        try:
            file.write(row)
            file.sync()
            _sync_folder(self.folder)
        except OSError:
            os.close(number)
            path.unlink()  # a file that has not begun holds no row of an answer
            raise
        return file

    def _keep(self) -> None:
        """Sync within a second of a row, and keep the head every ten, until the trail is closed."""
        kept, due = True, time.monotonic()
        head = None
        while not self._closing.is_set():
            if self._unsynced.wait(None if kept else max(0.0, due - time.monotonic())):
                self._closing.wait(SYNC_SECONDS)
                self._unsynced.clear()
                head, kept = self._synced(), False
            if head and time.monotonic() >= due:
                kept, due = self._kept(head), time.monotonic() + ANCHOR_SECONDS
        head = self._synced()
        if head:
            self._kept(head)

    def _synced(self) -> Head | None:
        """Sync without holding up those who append, and give the head that is on the disk now."""
        with self._lock:
            file = self._file
            if file is None:
                return None
            head = Head(file.chain, file.seq, file.digest, self.now())
            number = os.dup(file.number)
        try:
            file.sync(number)
        except OSError as error:
            LOG.error("the audit log cannot be synced: %s", error.strerror)  # noqa: TRY400 - a trace says no more
        finally:
            os.close(number)
        return head

    def _kept(self, head: Head) -> bool:
        try:
            self.anchor(head)
        except StoreError:
            LOG.warning("the store does not take the head of the audit log: asked again later")
            return False
        return True


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
