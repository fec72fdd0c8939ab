"""Which backups were written from a home: an erasure says in which of them an account remains."""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from glob import escape
from pathlib import Path

from features.home import Home, private
from features.sources.workplace import alone
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
    """Remember where a backup is being written; those that are gone are forgotten.

    It is called once the file has been begun, and before anything is in it: so an erasure tells of
    one that is written meanwhile, and of the half of one that was killed.
    """
    with alone(private(home.erasure)):
        new = Made(file.absolute(), made_at)
        there = [made for made in _noted(home) if _left_of(made) and made.file != new.file]
        text = json.dumps([made.to_json() for made in (*there, new)], indent=1) + "\n"
        put_private(_list(home), text)


def backups_made(home: Home) -> tuple[Made, ...]:
    """Give the backups, and halves of them, that are where they were written, oldest first."""
    return tuple(replace(made, file=file) for made in _noted(home) for file in _left_of(made))


def _noted(home: Home) -> list[Made]:
    if not _list(home).exists():
        return []
    told = json.loads(_list(home).read_text(encoding="utf-8"))
    return [Made(Path(each["file"]), datetime.fromisoformat(each["made_at"])) for each in told]


def _left_of(made: Made) -> list[Path]:
    halves = sorted(made.file.parent.glob(f".{escape(made.file.name)}.*"))
    there = [file for file in halves if file.exists()]
    # The file is looked for last: a half that was put in its place meanwhile is not missed.
    return [made.file, *there] if made.file.exists() else there


def _list(home: Home) -> Path:
    return home.erasure / "backups.json"
