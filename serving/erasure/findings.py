"""Taking erased accounts out of findings of leakage audits, where older releases named one."""

import html
import os
import re
from pathlib import Path

from features.home import Home
from features.tombstones import OWNER_ONLY, Tombstones

NAMED = re.compile(r"(?<=as of \d{4}-\d\d-\d\d, account )(.{1,400}?)(?= has )")
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
    before = file.read_bytes().decode()

    def instead(found: re.Match[str]) -> str:
        return INSTEAD if erased.has(_plain(found[1])) else found[1]

    after = NAMED.sub(instead, before)
    if after == before:
        return False
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    aside.touch(mode=OWNER_ONLY)
    aside.write_bytes(after.encode())
    aside.replace(file)
    return True


def _plain(name: str) -> str:
    return html.unescape(name.replace('\\"', '"').replace("\\\\", "\\"))
