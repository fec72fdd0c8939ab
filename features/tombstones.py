"""Which accounts were erased: by keyed hashes alone, so that none of them comes back.

An erased account's id is kept nowhere. What comes in is told to be of one by the same HMAC, under a
key of this installation that lies beside the tombstones, for their owner's eyes alone.
"""

import fcntl
import hmac
import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path
from threading import get_ident
from types import MappingProxyType
from typing import Any
from weakref import finalize

from features.errors import ErasureError
from features.home import Home, private

KEY_BYTES = 32
OWNER_ONLY = 0o600
MOST_SAID = 50_000
_PURPOSE = b"tombstone\0"
_PERSONS = b"person\0"


@dataclass(frozen=True)
class Tombstones:
    """What is kept of erased accounts.

    Parameters
    ----------
    key
        Of this installation.
    erased_on
        By HMAC, in hexadecimal: the day.
    also
        Ids that count as erased here, without a tombstone: those that were merged into one.
    """

    key: bytes = field(default=b"", repr=False)
    erased_on: Mapping[str, date] = field(default_factory=lambda: MappingProxyType({}))
    also: frozenset[str] = field(default=frozenset(), repr=False)

    def __bool__(self) -> bool:
        return bool(self.erased_on)

    def __getstate__(self) -> dict[str, Any]:
        """Travel to the workers of a cluster, which cannot take a proxy."""
        return {"key": self.key, "erased_on": dict(self.erased_on), "also": self.also}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)

    def has(self, account_id: str) -> bool:
        """Tell whether an account was erased."""
        return account_id in self.also or (
            bool(self.erased_on) and self.mac(account_id) in self.erased_on
        )

    def among(self, account_ids: Iterable[object]) -> frozenset[str]:
        """Give those of some ids that were erased; what is no text is none."""
        if not self:
            return frozenset()
        return frozenset(one for one in account_ids if isinstance(one, str) and self.has(one))

    def mac(self, account_id: str) -> str:
        """Give an account's HMAC under the installation's key."""
        return hmac.digest(
            self.key, _PURPOSE + account_id.encode("utf-8", "surrogatepass"), "sha256"
        ).hex()

    def with_merged(self, pairs: Iterable[tuple[object, object]]) -> "Tombstones":
        """Count as erased too what was merged into an erased account, however far.

        Parameters
        ----------
        pairs
            From which id into which.
        """
        if not self:
            return self
        into: dict[str, list[str]] = {}
        for source, target in pairs:
            if isinstance(source, str) and isinstance(target, str):
                into.setdefault(target, []).append(source)
        found: set[str] = set()
        left = list(self.among(into))
        while left:
            for one in into.get(left.pop(), ()):
                if one not in found:
                    found.add(one)
                    left.append(one)
        return replace(self, also=self.also | found)

    @property
    def persons_key(self) -> bytes:
        """The key under which ids of persons are kept; another than that of the tombstones."""
        return hmac.digest(self.key, _PERSONS, "sha256")

    def to_text(self) -> str:
        """Give the file's text."""
        erased = {mac: day.isoformat() for mac, day in sorted(self.erased_on.items())}
        return json.dumps({"key": self.key.hex(), "erased_on": erased}, indent=1) + "\n"


def read_tombstones(home: Home) -> Tombstones:
    """Read a home's tombstones; those of a home in which nothing was erased have no key.

    Raises
    ------
    ErasureError
        When the file is damaged: then nobody can tell who was erased, and nothing may be read.
    """
    file = home.tombstones
    return tombstones_in(file) if file.exists() else Tombstones()


def with_key(home: Home) -> Tombstones:
    """Read a home's tombstones as above, and make its key where there is none yet."""
    kept = read_tombstones(home)
    if not kept.key:
        put_private(home.tombstones, Tombstones(secrets.token_bytes(KEY_BYTES)).to_text(), os.link)
        kept = read_tombstones(home)  # of two that make one at once, the first stays
    return kept


def nobody(_account_id: str) -> bool:
    """Tell that an account was not erased, where none ever was."""
    return False


class Erasures:
    """Who was erased from a home, whenever it is asked; quick enough for every request.

    Each time it looks at the file's place alone, and reads the file when another one is there; what
    it said of an account stays said until then.
    """

    def __init__(self, home: Home) -> None:
        self._file = home.tombstones
        self._path = str(home.tombstones)
        self._read: tuple[object, Tombstones, dict[str, bool]] = (object(), Tombstones(), {})

    def has(self, account_id: str) -> bool:
        """Tell whether an account was erased; raises ErasureError as `read_tombstones`."""
        return bool(self.among((account_id,)))

    def among(self, account_ids: Sequence[str]) -> frozenset[str]:
        """Give those of some ids that were erased; raises ErasureError as `read_tombstones`."""
        tombstones, said = self._now()
        if not tombstones:
            return frozenset()
        if len(said) > MOST_SAID:
            said.clear()
        found = set()
        for one in account_ids:
            is_erased = said.get(one)
            if is_erased is None:
                is_erased = said[one] = tombstones.has(one)
            if is_erased:
                found.add(one)
        return frozenset(found)

    def _now(self) -> tuple[Tombstones, dict[str, bool]]:
        stamp = _stamp(self._path)
        if stamp != self._read[0]:  # looked at before it is read: what comes between is read again
            read = Tombstones() if stamp is None else tombstones_in(self._file)
            self._read = stamp, read, {}
        return self._read[1:]


def _stamp(path: str) -> tuple[int, ...] | None:
    """Give what tells a file from another one in its place; None: there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - each request asks, and Path.stat takes longer
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _damaged(Path(path), type(error).__name__) from error
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def tombstones_in(file: Path) -> Tombstones:
    """Read a file of tombstones, which may be a copy; errors as above."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        erased = {mac: date.fromisoformat(day) for mac, day in kept["erased_on"].items()}
        key = bytes.fromhex(kept["key"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(file, type(error).__name__) from error
    if len(key) != KEY_BYTES:
        raise _damaged(file, "no key")
    return Tombstones(key, MappingProxyType(erased))


def _damaged(file: Path, came: str) -> ErasureError:
    return ErasureError(
        f"Expected the tombstones of erased accounts in {file}, got {came}. Put a copy of the "
        "file back: without it, erased accounts would come back with the next extract."
    )


def bury(home: Home, account_ids: Iterable[str], today: date) -> Tombstones:
    """Keep tombstones of accounts, on the disk when this returns, and give all there are.

    Whoever calls it holds `erasing`.
    """
    kept = read_tombstones(home)
    if not kept.key:
        kept = replace(kept, key=secrets.token_bytes(KEY_BYTES))
    new = {kept.mac(one): today for one in account_ids}
    kept = replace(kept, erased_on=MappingProxyType(new | dict(kept.erased_on)))
    write_tombstones(home, kept)
    return kept


def lift(home: Home, account_ids: Iterable[str]) -> int:
    """Take tombstones away, and give how many there were: an extract may bring these back."""
    kept = read_tombstones(home)
    macs = {kept.mac(one) for one in account_ids} if kept else set()
    left = {mac: day for mac, day in kept.erased_on.items() if mac not in macs}
    if len(left) < len(kept.erased_on):
        write_tombstones(home, replace(kept, erased_on=MappingProxyType(left)))
    return len(kept.erased_on) - len(left)


def write_tombstones(home: Home, tombstones: Tombstones) -> None:
    """Put the file in its place by one rename, synced with its folder."""
    put_private(home.tombstones, tombstones.to_text())


def put_private(file: Path, text: str, put: Callable[[Path, Path], object] = os.replace) -> None:
    """Write a file of ours aside, sync it, and put it in its place for its owner's eyes alone.

    With `os.link` as the way to `put` it, a file that is there stays.
    """
    folder = private(file.parent)
    aside = file.with_name(f".{file.name}.{os.getpid()}.{get_ident()}")
    aside.unlink(missing_ok=True)
    aside.touch(mode=OWNER_ONLY)
    with aside.open("w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    with suppress(FileExistsError):
        put(aside, file)
    aside.unlink(missing_ok=True)
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def at_work(home: Home) -> Iterator[None]:
    """Hold a home while accounts are read into it: an erasure waits for the end, and is waited for.

    So nothing that was read before an erasure is written after it.
    """
    hold = Hold(home)
    try:
        hold.begin()
        yield
    finally:
        hold.end()


class Hold:
    """Holds a home as `at_work` does, from its beginning to its end, or until nobody has it."""

    def __init__(self, home: Home) -> None:
        number = os.open(private(home.root), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.begin = partial(fcntl.flock, number, fcntl.LOCK_SH)
        self.end = finalize(self, os.close, number)


@contextmanager
def erasing(home: Home, say: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold a home alone, once all that is at work in it has ended; `say` is told of a wait."""
    number = os.open(private(home.root), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if say:
                say("waiting for the verbs that are at work in this home to end")
            fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)
