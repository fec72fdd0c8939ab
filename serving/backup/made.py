"""Which backups were written from a home: an erasure says in which of them an account remains."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from features.home import Home
from features.tombstones import put_private


@dataclass(frozen=True)
class Made:
    """A backup that was written.

    Attributes
    ----------
    made_at:
        Naive UTC.
    """

    file: Path
    made_at: datetime

    def to_json(self) -> dict[str, str]:
        """Give it as JSON values."""
        return {"file": str(self.file), "made_at": self.made_at.isoformat()}


def note_backup(home: Home, file: Path, made_at: datetime) -> None:
    """Remember where a backup was written; those that are gone are forgotten."""
    there = [*backups_made(home), Made(file.absolute(), made_at)]
    text = json.dumps([made.to_json() for made in there], indent=1) + "\n"
    put_private(_list(home), text)


def backups_made(home: Home) -> tuple[Made, ...]:
    """Give the backups that are still where they were written, oldest first."""
    if not _list(home).exists():
        return ()
    told = json.loads(_list(home).read_text(encoding="utf-8"))
    found = (Made(Path(each["file"]), datetime.fromisoformat(each["made_at"])) for each in told)
    return tuple(made for made in found if made.file.exists())


def _list(home: Home) -> Path:
    return home.erasure / "backups.json"
