"""A snapshot of a publication: files from which an account's scores are looked up.

::

    <number>-<digest>/        the digest is that of manifest.json
        manifest.json         SHA-256 of each of the other files
        publication.json      what was published, and the SHA-256 of its models' manifests
        index.bin             of each account, by the hash of its id: where its record lies
        accounts.bin          the records: id, CSM, name in the audit log, answer as JSON
        features.arrow        the feature rows that were scored, to be mapped into memory
        golden-<model>.json   what the models said of made-up rows

Files never change once the folder is in its place: another state is another folder.
"""

import hashlib
import os
import shutil
import struct
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple
from weakref import finalize

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import SnapshotError
from features.held import held_folder
from features.home import private

MANIFEST = "manifest.json"
ABOUT = "publication.json"
INDEX = "index.bin"
RECORDS = "accounts.bin"
FEATURES = "features.arrow"
DIGEST = 32
OWNER_ONLY = 0o600
CHUNK_BYTES = 1 << 20
ASIDE = ".aside-"
HEAD = struct.Struct("<IiII")  # lengths of id, CSM (-1: none), name in the audit log, head
PLACES = 3  # whole numbers of 64 bits by account: the hash of its id, where its record lies, length


class Record(NamedTuple):
    """What is kept of an account.

    Attributes
    ----------
    csm
        In whose book it is.
    pseudonym
        What the account is called in the audit log.
    head, tail
        The JSON of its answer, up to its age in hours and from there on: the age is all of it that
        changes.
    """

    account_id: str
    csm: str | None
    pseudonym: str
    head: bytes
    tail: bytes

    def to_bytes(self) -> bytes:
        """Give the record as it is kept."""
        told = self.account_id.encode(), (self.csm or "").encode(), self.pseudonym.encode()
        csm = -1 if self.csm is None else len(told[1])
        lengths = HEAD.pack(len(told[0]), csm, len(told[2]), len(self.head))
        return b"".join((lengths, *told, self.head, self.tail))


@dataclass(frozen=True, eq=False)
class Snapshot:
    """An open snapshot; its file is closed when nobody holds it any more.

    Records are read by their place, not mapped: a mapped file that is cut short kills the process,
    and each worker's memory would count the pages that it has seen.

    Attributes
    ----------
    folder
        Where it lies; its name names the snapshot.
    about
        The JSON of what was published.
    accounts
        How many there are.
    """

    folder: Path
    about: bytes
    accounts: int
    _hashes: memoryview = field(repr=False)
    _starts: memoryview = field(repr=False)
    _lengths: memoryview = field(repr=False)
    _file: int = field(repr=False)

    def find(self, account_id: str) -> Record | None:
        """Give an account's record, None when it has none; raises SnapshotError if unreadable."""
        wanted = account_id.encode("utf-8", "surrogatepass")
        hashed = _hash(wanted)
        at = bisect_left(self._hashes, hashed)
        while at < self.accounts and self._hashes[at] == hashed:
            record = self._record(at)
            if record.account_id == account_id:
                return record
            at += 1
        return None

    def records(self) -> Iterator[Record]:
        """Give all records, in no order that means anything."""
        return map(self._record, range(self.accounts))

    def features(self) -> pa.Table:
        """Map the feature rows that were scored: account_id, as_of, and the models' features."""
        return pa.ipc.open_file(pa.memory_map(str(self.folder / FEATURES))).read_all()

    def golden(self) -> dict[str, Path]:
        """Give the files of made-up rows, by model."""
        found = self.folder.glob("golden-*.json")
        return {file.stem.removeprefix("golden-"): file for file in sorted(found)}

    def _record(self, at: int) -> Record:
        length = self._lengths[at]
        told = os.pread(self._file, length, self._starts[at])
        if len(told) != length:
            raise _damaged(self.folder / RECORDS, "a file that was cut short")
        id_length, csm, pseudonym, head = HEAD.unpack_from(told)
        id_end = HEAD.size + id_length
        csm_end = id_end + max(csm, 0)
        pseudonym_end = csm_end + pseudonym
        return Record(
            told[HEAD.size : id_end].decode(),
            None if csm < 0 else told[id_end:csm_end].decode(),
            told[csm_end:pseudonym_end].decode("ascii"),
            told[pseudonym_end : pseudonym_end + head],
            told[pseudonym_end + head :],
        )


def write_snapshot(
    parent: Path,
    number: int,
    about: bytes,
    records: Iterable[Record],
    features: pa.Table,
    golden: Mapping[str, str],
) -> str:
    """Write a snapshot aside, sync it, and put it in its place as a whole.

    Parameters
    ----------
    parent
        Folder of snapshots; made when it is not there.
    number
        Of the publication.
    about
        JSON of what was published.
    records
        One for each account, in any order.
    features
        Feature rows that were scored.
    golden
        Made-up rows and what each model says of them, as text, by model.

    Returns
    -------
    The snapshot's name: that of its folder.
    """
    with held_folder(private(parent), ASIDE) as aside:
        sums = {ABOUT: _written(aside / ABOUT, lambda file: file.write(about))}
        for model, text in sorted(golden.items()):
            file_name = f"golden-{model}.json"
            sums[file_name] = _written(aside / file_name, partial(_write_text, text))
        places: list[tuple[int, int, int]] = []
        sums[RECORDS] = _written(
            aside / RECORDS, lambda file: _write_records(file, records, places)
        )
        sums[INDEX] = _written(aside / INDEX, lambda file: file.write(_index(places)))
        sums[FEATURES] = _written(aside / FEATURES, lambda file: _write_features(file, features))
        manifest = msgspec.json.format(msgspec.json.encode(sums), indent=1) + b"\n"
        digest = _written(aside / MANIFEST, lambda file: file.write(manifest))
        name = f"{number}-{digest[:DIGEST]}"
        sync(aside)
        _put(aside, parent / name)
        sync(parent)
    return name


def open_snapshot(folder: Path) -> Snapshot:
    """Open a snapshot after a look at each of its bytes.

    Raises
    ------
    SnapshotError
        If a file is missing, or is not what the name of the folder stands for.
    """
    try:
        manifest = (folder / MANIFEST).read_bytes()
        if hashlib.sha256(manifest).hexdigest()[:DIGEST] != folder.name.rpartition("-")[2]:
            raise _damaged(folder / MANIFEST, "other bytes")
        sums = msgspec.json.decode(manifest, type=dict[str, str])
        for name, wanted in sums.items():
            with (folder / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != wanted:
                    raise _damaged(folder / name, "other bytes")
        about = (folder / ABOUT).read_bytes()
        index = memoryview((folder / INDEX).read_bytes()).cast("Q")
        opened = os.open(folder / RECORDS, os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, msgspec.DecodeError) as error:
        raise _damaged(folder, str(error)) from error
    count = len(index) // PLACES
    hashes, starts, lengths = (index[at * count : (at + 1) * count] for at in range(PLACES))
    snapshot = Snapshot(folder, about, count, hashes, starts, lengths, opened)
    finalize(snapshot, os.close, opened)
    return snapshot


def without(folder: Path, account_ids: Collection[str]) -> str | None:
    """Write a snapshot anew without some accounts.

    Returns
    -------
    The new snapshot's name; None where none of them is in this one. The old one stays.

    Raises
    ------
    SnapshotError
        If the old one is damaged.
    """
    before = open_snapshot(folder)
    if all(before.find(one) is None for one in account_ids):
        return None
    features = before.features()
    gone = pa.array(sorted(account_ids), features.schema.field("account_id").type)
    others = pc.invert(pc.is_in(features["account_id"], value_set=gone))
    return write_snapshot(
        folder.parent,
        number_of(folder.name),
        before.about,
        (record for record in before.records() if record.account_id not in account_ids),
        features.filter(others),
        {model: file.read_text(encoding="utf-8") for model, file in before.golden().items()},
    )


def number_of(name: str) -> int:
    """Give the publication's number of a snapshot's name."""
    return int(name.partition("-")[0])


def sync(path: Path) -> None:
    """Bring a file, or what a folder lists, to the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _put(aside: Path, target: Path) -> None:
    """Put a snapshot in its place; what is there under its name is the same, unless damaged."""
    if target.exists():
        with suppress(SnapshotError):
            open_snapshot(target)
            return
        shutil.rmtree(target)
    aside.rename(target)


def _hash(account_id: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(account_id, digest_size=8).digest(), "little")


def _write_records(
    file: BinaryIO, records: Iterable[Record], places: list[tuple[int, int, int]]
) -> None:
    start = 0
    for record in records:
        told = record.to_bytes()
        file.write(told)
        places.append((_hash(record.account_id.encode()), start, len(told)))
        start += len(told)


def _index(places: list[tuple[int, int, int]]) -> bytes:
    """Lay the places out: all hashes in order, then where the records lie, then their lengths."""
    return np.array(sorted(places), dtype="<u8").reshape(-1, PLACES).T.tobytes()


def _write_text(text: str, file: BinaryIO) -> None:
    file.write(text.encode())


def _write_features(file: BinaryIO, features: pa.Table) -> None:
    with pa.ipc.new_file(file, features.schema) as out:
        out.write_table(features)


def _written(path: Path, write: Callable[[BinaryIO], object]) -> str:
    """Write and sync a file for its owner's eyes alone, and give its SHA-256."""
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with os.fdopen(number, "w+b") as file:
        write(file)
        file.flush()
        os.fsync(number)
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(path: Path, got: str) -> SnapshotError:
    return SnapshotError(
        f"Expected {path} as it was published, got {got}. "
        "Run `tenure score` to publish anew, or put another publication in service."
    )
