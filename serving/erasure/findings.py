"""Taking erased accounts out of findings of leakage audits, where older releases named one."""

import html
import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from features.home import Home
from features.tombstones import OWNER_ONLY, Tombstones

NAMED = re.compile(r"(?<=as of \d{4}-\d\d-\d\d, account )(.{1,4800}?)(?= has )")
INSTEAD = "(erased)"
TEXTS = frozenset({".json", ".html"})


def sweep_findings(home: Home, erased: Tombstones) -> int:
    """Put a word in the place of erased accounts in reports and MLflow's files; give how many had.

    Findings name no account any more. Files of an MLflow server are not reached.
    """
    folders = (home.reports, home.mlflow_artifacts)
    files = [file for folder in folders for file in sorted(folder.rglob("*")) if file.is_file()]
    return sum(_swept(file, erased) for file in files if file.suffix in TEXTS)


def _swept(file: Path, erased: Tombstones) -> bool:
    before = file.read_bytes().decode(errors="surrogateescape")  # whatever it is, it stays so

    def instead(found: re.Match[str]) -> str:
        return INSTEAD if erased.among(_meant(found[1])) else found[1]

    after = NAMED.sub(instead, before)
    if after == before:
        return False
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    aside.touch(mode=OWNER_ONLY)
    aside.write_bytes(after.encode(errors="surrogateescape"))
    aside.replace(file)
    return True


def _meant(name: str) -> Iterator[str]:
    """Give what may be meant by a name, in JSON, in HTML, or in JSON that HTML carries."""
    for text in (name, html.unescape(name)):
        yield text
        with suppress(ValueError):
            yield json.loads(f'"{text}"', strict=False)
