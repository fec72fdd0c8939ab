"""Reads `playbooks.toml`: every key is checked, and what is wrong is said with its line."""

import os
import re
import tomllib
from collections.abc import Collection, Sequence
from pathlib import Path

from features.catalog import catalog
from features.errors import PlaybookError
from features.own.harvest import Own
from models.families import FAMILIES
from serving.playbooks.condition import condition
from serving.playbooks.covered import demand_covered
from serving.playbooks.entry import LONGEST, Entry, is_text, is_whole
from serving.playbooks.lines import WHOLE, lines_of
from serving.playbooks.play import (
    NO_REASON,
    QUESTIONS,
    RUN_BY,
    TIERS,
    UNKNOWN_TIER,
    Play,
    Renewal,
    families_with,
)
from serving.playbooks.playbook import Playbook
from serving.playbooks.trigger import TOLD, Trigger
from serving.settings import Settings

DEFAULT = Path(__file__).parents[1] / "playbooks.toml"
LARGEST_FILE = 1_000_000
MOST = 200  # of plays, and of triggers: each combination looks through the plays
MOST_STEPS = 10
LONGEST_DAYS = 3_650
GROUP = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
TOP = ("own_families", "play", "trigger")
OF_PLAY = (
    "id",
    "name",
    "question",
    "families",
    "tiers",
    "days_to_renewal",
    "steps",
    "run_by",
    "owner",
)
OF_TRIGGER = ("id", "name", "when", "tell", "every_days", "tiers")


def read_playbook(
    file: Path | None = None,
    own_columns: Collection[str] | None = (),
) -> Playbook:
    """Read a file of plays and triggers, and prove that each account gets a play.

    Parameters
    ----------
    file:
        None: the default that comes with Tenure.
    own_columns:
        Columns of the company's own features; None: they are not known here, and a trigger may
        name any.

    Raises
    ------
    PlaybookError
        If the file is missing or wrong.
    """
    return _playbook(_text(file or DEFAULT), str(file or DEFAULT), own_columns)


def playbook_in_use(settings: Settings, own: Own | None = None) -> Playbook:
    """Read the file that the settings name, else that of the home, else the default.

    Parameters
    ----------
    own:
        The company's own features; None: they were not read, and where the settings name files of
        them, what triggers name is not held against them.

    Raises
    ------
    PlaybookError
        If the file is missing or wrong.
    """
    if own is not None:
        columns: list[str] | None = [feature.column for feature in own.features]
    else:
        columns = None if settings.features else []
    return read_playbook(file_in_use(settings), columns)


def file_in_use(settings: Settings) -> Path:
    """Name the file that counts."""
    at_home = settings.home.playbooks
    return settings.playbooks or (at_home if os.path.lexists(at_home) else DEFAULT)


def _text(file: Path) -> str:
    try:
        content = file.read_bytes()
        if len(content) > LARGEST_FILE:
            raise PlaybookError(
                f"Expected at most {LARGEST_FILE:,} bytes in {file}, got {len(content):,}. "
                "Name a file of plays and triggers."
            )
        return content.decode("utf-8-sig")
    except OSError as error:
        raise PlaybookError(
            f"Expected a file of plays at {file}, got: {error.strerror}. Write one there with "
            "tenure playbooks init, or take its name out of the settings."
        ) from error
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise PlaybookError(
            f"Expected UTF-8 in {file}, line {line}, got another encoding. Save it as UTF-8."
        ) from error


def _playbook(text: str, file: str, own_columns: Collection[str] | None) -> Playbook:
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PlaybookError(
            f"Expected TOML in {file}, got text that breaks it: {error}. Correct that line."
        ) from error
    lines = lines_of(text)
    top = Entry(file, lines, WHOLE, 0, values)
    top.demand_known(TOP)
    own = _own_families(top)
    plays = tuple(_play(entry, own) for entry in _entries(top, "play"))
    known = None if own_columns is None else {each.column for each in catalog()} | {*own_columns}
    triggers = tuple(_trigger(entry, known) for entry in _entries(top, "trigger"))
    for each in (plays, triggers):
        _demand_different(each, file)
    demand_covered(plays, own, file)
    return Playbook(plays, triggers, own, file)


def _own_families(top: Entry) -> tuple[str, ...]:
    values = top.values.get("own_families", [])
    if not isinstance(values, list) or not all(_is_group(each) for each in values):
        raise top.wrong("own_families", "a list of groups of features of your own")
    if taken := [each for each in values if each in (*FAMILIES, NO_REASON)]:
        raise top.wrong("own_families", "other names than ours", f"Remove {taken[0]}.")
    if len(set(values)) < len(values):
        raise top.wrong("own_families", "each once", "Remove what stands there twice.")
    return tuple(values)


def _entries(top: Entry, table: str) -> list[Entry]:
    found = top.values.get(table, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise PlaybookError(
            f"Expected tables [[{table}]] in {top.file}, line {top.lines.of(table)}, got another "
            f"value. Write [[{table}]] in two brackets above each one."
        )
    if len(found) > MOST:
        raise PlaybookError(
            f"Expected at most {MOST} [[{table}]] in {top.file}, got {len(found)} with line "
            f"{top.lines.of(table, MOST)}. Merge those that do the same."
        )
    return [Entry(top.file, top.lines, table, at, each) for at, each in enumerate(found)]


def _play(entry: Entry, own: Sequence[str]) -> Play:
    entry.demand_known(OF_PLAY)
    return Play(
        id=entry.identity(),
        name=entry.text("name", 80),
        question=entry.one_of("question", QUESTIONS),
        families=entry.some_of("families", families_with(own)),
        tiers=entry.some_of("tiers", (*TIERS, UNKNOWN_TIER)),
        renewal=_renewal(entry),
        steps=_steps(entry),
        run_by=entry.one_of("run_by", RUN_BY),
        owner=entry.text("owner", 60),
        line=entry.line(),
    )


def _trigger(entry: Entry, known: Collection[str] | None) -> Trigger:
    entry.demand_known(OF_TRIGGER)
    every = entry.values.get("every_days")
    if not is_whole(every) or not 1 <= every <= LONGEST_DAYS:
        raise entry.wrong("every_days", f"a whole number from 1 to {LONGEST_DAYS:,}")
    text = entry.values.get("when")
    if not isinstance(text, str):
        raise entry.wrong("when", "a condition in quotes")
    return Trigger(
        id=entry.identity(),
        name=entry.text("name", 80),
        when=condition(text, known, entry.where("when")),
        tell=entry.some_of("tell", TOLD, few=1),
        every_days=every,
        tiers=entry.some_of("tiers", (*TIERS, UNKNOWN_TIER)),
        line=entry.line(),
    )


def _renewal(entry: Entry) -> Renewal | None:
    key = "days_to_renewal"
    value = entry.values.get(key)
    if value is None:
        return None
    if value == "none":
        return Renewal(is_none=True)
    if not isinstance(value, dict) or not value or not {*value} <= {"from", "to"}:
        raise entry.wrong(key, '{ from = 0, to = 90 }, one of the two, or "none"')
    if not all(is_whole(each) and abs(each) <= LONGEST_DAYS for each in value.values()):
        raise entry.wrong(key, f"whole days, at most {LONGEST_DAYS:,}")
    first, last = value.get("from"), value.get("to")
    if first is not None and last is not None and first > last:
        raise entry.wrong(key, "from at or before to", "Exchange the two.")
    return Renewal(first, last)


def _steps(entry: Entry) -> tuple[str, ...]:
    steps = entry.values.get("steps")
    if (
        not isinstance(steps, list)
        or not 1 <= len(steps) <= MOST_STEPS
        or not all(is_text(each, LONGEST) for each in steps)
    ):
        wanted = f"1 to {MOST_STEPS} sentences of at most {LONGEST} printable characters"
        raise entry.wrong("steps", wanted)
    return tuple(steps)


def _demand_different(entries: Sequence[Play] | Sequence[Trigger], file: str) -> None:
    lines: dict[str, int] = {}
    for each in entries:
        if each.id in lines:
            raise PlaybookError(
                f"Expected each id once in {file}, line {each.line}, got {each.id!r}, which line "
                f"{lines[each.id]} has already. Rename one of them."
            )
        lines[each.id] = each.line


def _is_group(value: object) -> bool:
    return isinstance(value, str) and GROUP.fullmatch(value) is not None
