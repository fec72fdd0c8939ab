"""The verb that hands feedback on: what the team did, as the source's table of touches."""

from datetime import datetime
from pathlib import Path

import click

from serving.verbs.console import Session, as_json

EXAMPLES = """\b
Examples:
  tenure feedback export --out company/touches.parquet
  tenure feedback export --before 2026-03-01 --out company/touches/told.parquet
"""


@click.group(epilog=EXAMPLES)
def feedback() -> None:
    """Hand on what people told of accounts: docs/feedback.md tells which kinds there are."""


@feedback.command()
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file that ends with .csv or .parquet.",
)
@click.option(
    "--before",
    type=click.DateTime(["%Y-%m-%d"]),
    help="What was told before this date, UTC: that of the extract. Default: all.",
)
@as_json
def export(session: Session, out: Path, before: datetime | None) -> None:
    """Write what the team did as the table `touches` of a source, for training.

    Judgements, snoozes and outcomes are no touches, and what was taken back counts nowhere.
    """
    from serving.publishing.told_touches import told_touches, write_touches

    rows = told_touches(session.store, before)
    write_touches(rows, out)
    text = f"{out} holds {len(rows):,} touches: lay it into the source, then tenure validate"
    session.answer(text, {"out": str(out), "touches": len(rows)})
