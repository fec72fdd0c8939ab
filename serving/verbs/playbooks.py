"""The verbs of plays and triggers: check a file, show what each account gets, begin a file."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from features.errors import PlaybookError
from serving.verbs.console import Session, as_json

if TYPE_CHECKING:
    from serving.playbooks.covered import Answered
    from serving.playbooks.playbook import Playbook
    from serving.playbooks.trigger import Trigger

EXAMPLES = """\b
Examples:
  tenure playbooks init
  tenure playbooks check our-plays.toml
  tenure playbooks show --question churn --tier tech
  tenure playbooks export --run-by mail --out tonight.csv
"""
FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(epilog=EXAMPLES)
def playbooks() -> None:
    """Plays, and plain triggers: docs/playbooks.md tells how to write them."""


@playbooks.command()
@click.argument("file", type=FILE, required=False)
@as_json
def check(session: Session, file: Path | None) -> None:
    """Read a file, by default the one in use, and prove that each account gets a play."""
    playbook = _read(session, file)
    document = {
        "file": playbook.file,
        "plays": len(playbook.plays),
        "triggers": len(playbook.triggers),
    }
    text = (
        f"{playbook.file}: {len(playbook.plays)} plays, and one for every account; "
        f"{len(playbook.triggers)} triggers"
    )
    session.answer(text, document)


@playbooks.command()
@click.argument("file", type=FILE, required=False)
@click.option("--question", type=click.Choice(["churn", "expansion"]), help="Default: both.")
@click.option("--tier", type=click.Choice(["high", "mid", "tech", "unknown"]), help="Default: all.")
@as_json
def show(session: Session, file: Path | None, question: str | None, tier: str | None) -> None:
    """Show which play each combination gets, and the triggers."""
    from serving.playbooks.covered import answered

    playbook = _read(session, file)
    found = [
        each
        for each in answered(playbook.plays, playbook.own_families)
        if question in (None, each.question) and tier in (None, each.tier)
    ]
    rows = list(_rows(found))
    triggers = [_trigger(each) for each in playbook.triggers]
    told = [f"{each['id']}: {each['when']} -> {', '.join(each['tell'])}" for each in triggers]
    lines = [*_table(rows), "", "Triggers:", *told]
    session.answer("\n".join(lines), {"plays": rows, "triggers": triggers})


@playbooks.command()
@click.argument("file", type=FILE, required=False)
@as_json
def init(session: Session, file: Path | None) -> None:
    """Write the default to edit, by default to where it is found: playbooks.toml in the home."""
    from serving.playbooks.read import DEFAULT

    place = file or session.settings.playbooks or session.home.playbooks
    try:
        with place.open("xb") as written:
            written.write(DEFAULT.read_bytes())
    except FileExistsError as error:
        raise PlaybookError(
            f"Expected no file at {place} yet, got one. Edit that one, or name another place."
        ) from error
    session.answer(
        f"{place} is written. Edit it, then: tenure playbooks check", {"file": str(place)}
    )


@playbooks.command()
@click.option("--run-by", required=True, type=click.Choice(["mail", "person"]))
@click.option("--out", required=True, type=FILE, help="A .csv file.")
@as_json
def export(session: Session, run_by: str, out: Path) -> None:
    """Write what a mail system, or people, are to run: a row for each account and play or trigger.

    Of the newest publication. A row's account_id, kind, id and as_of name it, so that a system that
    is given it twice runs it once.
    """
    from serving.playbooks.export import to_run, write_csv
    from serving.publishing.publication import latest

    playbook = session.playbook
    publication = latest(session.store)
    if publication is None:
        raise PlaybookError("Expected scores to export plays for, got none. Run: tenure score")
    rows = to_run(session.store, session.home, publication, playbook, run_by)
    left_out = write_csv(rows, out)
    kept = [row for row in rows if row["account_id"] not in left_out]
    note = f"; left out, as a spreadsheet would compute them: {len(left_out):,}" if left_out else ""
    document = {
        "as_of": publication.as_of,
        "rows": len(kept),
        "accounts": len({row["account_id"] for row in kept}),
        "left_out": left_out,
        "file": str(out),
    }
    text = f"{out} holds {len(kept):,} rows as of {publication.as_of:%Y-%m-%d}{note}"
    session.answer(text, document)


def _read(session: Session, file: Path | None) -> "Playbook":
    from serving.playbooks.read import read_playbook

    if file is None:
        return session.playbook
    return read_playbook(file, [feature.column for feature in session.own.features])


def _rows(found: Iterable["Answered"]) -> Iterator[dict[str, Any]]:
    """Give a row for each combination, stretches of time with the same play as one."""
    from serving.playbooks.covered import in_words
    from serving.playbooks.play import Renewal

    for (question, tier, family), group in groupby(
        found, lambda each: (each.question, each.tier, each.family)
    ):
        for play, times in groupby(group, lambda each: each.play):
            spans = [each.renewal for each in times]
            timed = [each for each in spans if not each.is_none]
            words = [in_words(Renewal(timed[0].first, timed[-1].last))] if timed else []
            words += [in_words(each) for each in spans if each.is_none]
            yield {
                "question": question,
                "tier": tier,
                "family": family,
                "renewal": ", or ".join(words),
                "play": play.id if play else None,
                "run_by": play.run_by if play else None,
                "owner": play.owner if play else None,
            }


def _table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        of = f"{row['question']:<9}  {row['tier']:<7}  {row['family']:<12}  {row['renewal']:<44}"
        yield f"{of}  {row['play']} ({row['run_by']}, {row['owner']})"


def _trigger(trigger: "Trigger") -> dict[str, Any]:
    return {
        "id": trigger.id,
        "name": trigger.name,
        "when": " ".join(trigger.when.text.split()),
        "tell": list(trigger.tell),
        "every_days": trigger.every_days,
        "tiers": list(trigger.tiers),
        "line": trigger.line,
    }
