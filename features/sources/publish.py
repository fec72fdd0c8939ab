"""Publishing a checked source: all of it at once, or nothing."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from features.checked import (
    MANIFEST,
    CheckedSource,
    manifest_of,
    read_manifest,
    write_manifest,
)
from features.errors import SourceError
from features.home import Home
from features.ledger import Stored
from features.sources.weeks import digest
from features.sources.workplace import alone


def publish(
    checked: CheckedSource, out: Path, home: Home, digests: Mapping[str, str]
) -> CheckedSource:
    """Move a checked source's files from `out` to the folder of its fingerprint.

    A new folder appears by one rename, with its manifest. Where the same content lies already,
    each file is replaced by one of the same bytes, and the manifest last. Of files below `out`
    whose SHA-256 is not among the `digests`, it is computed.

    Returns
    -------
    CheckedSource
        With its folder, its fingerprint and the digests of its files.
    """
    files = stored_below(out, digests)
    checked = replace(checked, files=MappingProxyType(files))
    fingerprint = fingerprint_of(checked)
    kept = replace(checked, folder=home.checked / fingerprint, fingerprint=fingerprint)
    (out / MANIFEST).write_text(write_manifest(kept), encoding="utf-8")
    for name in (*files, MANIFEST):
        _sync(out / name)
    for folder in (*(path for path in out.iterdir() if path.is_dir()), out):
        _sync(folder)
    with alone(home.checked):
        if kept.folder.exists():
            _keep_other(kept.folder, checked.origin)
            replace_files(out, kept.folder, (*files, MANIFEST))
        else:
            out.rename(kept.folder)
        _sync(home.checked)
    return kept


def stored_below(out: Path, digests: Mapping[str, str]) -> dict[str, Stored]:
    """Give size and SHA-256 of each file below a folder, by its name there; known ones are taken.

    Parameters
    ----------
    digests
        Those that are known, by name.
    """
    return {name: _stored(out / name, digests.get(name)) for name in _names(out)}


def _names(out: Path) -> Iterator[str]:
    for path in sorted(out.rglob("*")):
        if path.is_file():
            yield path.relative_to(out).as_posix()


def _stored(file: Path, sha256: str | None) -> Stored:
    return Stored(file.stat().st_size, sha256 or digest(file))


def replace_files(out: Path, folder: Path, names: Iterable[str]) -> None:
    """Move files one by one over those of the same names, in this order."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).replace(folder / name)
    for changed in (*(path for path in folder.iterdir() if path.is_dir()), folder):
        _sync(changed)


def _keep_other(folder: Path, origin: str) -> None:
    """Keep what was read of another source of the same content: its next check asks for it."""
    try:
        then = read_manifest(folder)
    except SourceError:
        return  # half removed, or of an older version
    if then.origin != origin:
        shutil.copyfile(folder / MANIFEST, folder / manifest_of(then.origin))


def fingerprint_of(checked: CheckedSource) -> str:
    """Give the SHA-256 over the content of a checked source that knows the digests of its files."""
    content = {
        table: [
            stored.sha256
            for name, stored in sorted(checked.files.items())
            if name == f"{table}.parquet" or name.startswith(f"{table}/")
        ]
        for table in checked.columns
    }
    said = {
        "content": content,
        "columns": {name: list(columns) for name, columns in checked.columns.items()},
        "extracted_at": checked.extracted_at.isoformat(),
        "currency": checked.currency,
        "stable_columns": sorted(checked.stable_columns),
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
