"""The file of a backup: a ZIP whose last bytes are the SHA-256 of all the others."""

import hashlib
import json
import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from features.errors import BackupError
from serving.snapshots.snapshot import sync

FORMAT = 1
MANIFEST = "manifest.json"
SEAL_BYTES = 64  # hexadecimal digits, as the ZIP's comment
OWNER_ONLY = 0o600
CHUNK_BYTES = 1 << 20
NAME = re.compile(r"(?:store|files)(?:/(?!\.{1,2}(?:/|$))[^/\\\0]+)+")


@dataclass(frozen=True)
class Member:
    """One file in a backup.

    Attributes
    ----------
    size, digest:
        Bytes, and their SHA-256.
    rows:
        Of a table of the store.
    """

    size: int
    digest: str
    rows: int


@dataclass(frozen=True)
class Manifest:
    """What a backup holds, and what made it.

    Attributes
    ----------
    made_at:
        Naive UTC.
    store_version:
        As `serving.store.migrate` numbers them.
    artifacts:
        Where the files of models lay, as the registry names them.
    members:
        By their names in the ZIP: ``store/<table>.jsonl``, and ``files/…`` as below TENURE_HOME.
    """

    made_at: datetime
    release: str
    store_version: str
    artifacts: str
    members: Mapping[str, Member]

    @property
    def rows(self) -> dict[str, int]:
        """Give the rows of each table."""
        tables = (name for name in self.members if name.startswith("store/"))
        return {Path(name).stem: self.members[name].rows for name in sorted(tables)}


@dataclass
class Writer:
    """A backup being written."""

    archive: zipfile.ZipFile
    members: dict[str, Member] = field(default_factory=dict)

    def add(self, name: str, chunks: Iterable[bytes]) -> None:
        """Add a file, chunk after chunk; of a table each chunk is a row."""
        digest, size, rows = hashlib.sha256(), 0, 0
        with self.archive.open(name, "w", force_zip64=True) as out:
            for chunk in chunks:
                out.write(chunk)
                digest.update(chunk)
                size, rows = size + len(chunk), rows + 1
        self.members[name] = Member(size, digest.hexdigest(), rows)

    def finish(self, **about: Any) -> Manifest:  # noqa: ANN401 - Manifest says their types
        """Add the manifest, with what is to be said beside the members."""
        manifest = Manifest(members=dict(self.members), **about)
        text = json.dumps({"format": FORMAT, **asdict(manifest)}, default=str, indent=1)
        self.archive.writestr(MANIFEST, text)
        return manifest


@contextmanager
def new_backup(path: Path) -> Iterator[Writer]:
    """Write a backup aside and put it in its place once it is whole, for its owner's eyes alone.

    Raises
    ------
    BackupError
        If there is a file of that name.
    """
    if path.exists():
        raise BackupError(f"Expected a new file at {path}, got one that is there. Name another.")
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    number = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    try:
        with os.fdopen(number, "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.comment = b"0" * SEAL_BYTES
                yield Writer(archive)
            seal = _digest_before_seal(file)
            file.seek(-SEAL_BYTES, os.SEEK_END)
            file.write(seal)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        sync(path.parent)
    finally:
        aside.unlink(missing_ok=True)


@dataclass(frozen=True)
class Reader:
    """A backup whose every byte is as it was written."""

    archive: zipfile.ZipFile
    manifest: Manifest

    def chunks(self, name: str) -> Iterator[bytes]:
        """Give a file's bytes, some at a time."""
        with self.archive.open(name) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """Give a table's rows, with times as text."""
        with self.archive.open(f"store/{table}.jsonl") as file:
            for line in file:
                yield json.loads(line)


@contextmanager
def opened_backup(path: Path) -> Iterator[Reader]:
    """Open a backup and hold all of it against its seal and its manifest.

    Raises
    ------
    BackupError
        If it is damaged, cut short, no backup, or of a newer format.
    """
    with ExitStack() as opened:
        try:
            file = opened.enter_context(path.open("rb"))
            if _digest_before_seal(file) != file.read(SEAL_BYTES):
                raise _damaged(path)
            archive = opened.enter_context(zipfile.ZipFile(file))
            reader = Reader(archive, _manifest(archive, path))
            _demand_members(reader, path)
        except (OSError, zipfile.BadZipFile, zlib.error) as error:
            raise BackupError(
                f"Expected {path} to be a backup that can be read, got: {error}. Name another file."
            ) from error
        yield reader


def _digest_before_seal(file: Any) -> bytes:  # noqa: ANN401 - a binary file has no one type
    """Hash a file to its last bytes, and leave it there."""
    left = max(0, file.seek(0, os.SEEK_END) - SEAL_BYTES)
    file.seek(0)
    digest = hashlib.sha256()
    while left and (chunk := file.read(min(left, CHUNK_BYTES))):
        digest.update(chunk)
        left -= len(chunk)
    return digest.hexdigest().encode()


def _damaged(path: Path) -> BackupError:
    return BackupError(
        f"Expected {path} to be a whole backup, got one that was changed or cut short, or "
        "something else. Take another backup, or copy this one again."
    )


def _manifest(archive: zipfile.ZipFile, path: Path) -> Manifest:
    with suppress(KeyError, ValueError, TypeError):
        told = json.loads(archive.read(MANIFEST))
        if told.pop("format") > FORMAT:
            raise BackupError(
                f"Expected {path} to be a backup of this Tenure or an older one, got one of "
                f"{told['release']}. Install that release."
            )
        members = {name: Member(**member) for name, member in told.pop("members").items()}
        made_at = datetime.fromisoformat(told.pop("made_at"))
        return Manifest(made_at=made_at, members=members, **told)
    raise _damaged(path)


def _demand_members(reader: Reader, path: Path) -> None:
    """Demand that the files of the manifest are there, and are those; none lies elsewhere."""
    members = reader.manifest.members
    if {*reader.archive.namelist()} != {*members, MANIFEST} or not all(
        map(NAME.fullmatch, members)
    ):
        raise _damaged(path)
    for name, member in members.items():
        digest = hashlib.sha256()
        for chunk in reader.chunks(name):
            digest.update(chunk)
        if digest.hexdigest() != member.digest:
            raise _damaged(path)
