"""What `tenure score` does: every account scored and published, here or in parts on Spark."""

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from serving.verbs.console import Session, as_json, master_option, parquet, source_option, step

if TYPE_CHECKING:
    from features.checked import CheckedSource
    from serving.publishing.release import Released

FILE = click.Path(path_type=Path, dir_okay=False)
DAY = click.DateTime(["%Y-%m-%d"])
TOP = 10
WIDTH = 100
RENEWALS = "The next renewals, their probability and notice deadlines, as a .parquet file."
ON_SPARK = "On Spark, unpublished: features, scores, renewals and next_products in this folder."


@click.command()
@source_option
@click.option("--as-of", type=DAY, help="Default: the day of the extract.")
@click.option("--out", type=FILE, callback=parquet, help="Also as a .parquet file.")
@click.option("--renewals-out", type=FILE, callback=parquet, help=RENEWALS)
@click.option("--spark-out", type=click.Path(path_type=Path), help=ON_SPARK)
@master_option
@as_json
def score(
    session: Session,
    source: str | None,
    as_of: datetime | None,
    out: Path | None,
    renewals_out: Path | None,
    spark_out: Path | None,
    master: str | None,
) -> None:
    """Score every account with the champions, and publish the scores to the service."""
    from models.scored import write_scores
    from serving.scoring.renewals import write_renewals
    from serving.verbs import terminal

    if master and not spark_out:
        raise click.UsageError("--master goes with --spark-out.")
    _ = session.playbook  # a wrong file is said before anything is done
    if spark_out and (out or renewals_out):
        raise click.UsageError("--out and --renewals-out do not go with --spark-out.")
    if spark_out:
        _scored_on_spark(session, session.source(source), as_of, spark_out)
        return
    released = released_now(session, session.checked(session.source(source)), as_of)
    if out is not None:
        write_scores(released.scores, out)
    if renewals_out is not None:
        write_renewals(released.renewals, renewals_out)
    publication = released.publication
    document = {
        "as_of": publication.as_of,
        "accounts": publication.accounts,
        "models": {each.model: each.model_version for each in publication.models},
        "statuses": released.listed["status"].value_counts().to_dict(),
        "triggers": _told(session, released),
    }
    session.answer(terminal.text(released, TOP, WIDTH), document)


def _told(session: Session, released: "Released") -> dict[str, int]:
    """Count what people are told of by trigger; say which triggers the source cannot answer."""
    from serving.playbooks.fired import fired_of, told_now

    for name, columns in released.lacking.items():
        text = f"the trigger {name} may not fire: the source gives no {', '.join(columns)}."
        click.echo(f"tenure: {text}", err=True)
    publication = released.publication
    rows = told_now(fired_of(session.store, publication.number), publication.as_of)
    return dict(Counter(row["trigger_id"] for row in rows))


def released_now(
    session: Session, source: "CheckedSource", as_of: datetime | None = None
) -> "Released":
    """Score the accounts at a date, by default the extract's, and publish the scores."""
    from serving.publishing.release import release

    day = (as_of or source.extracted_at).date()
    with step("Scoring every account"):
        return release(
            source, day, session.registry, session.store, session.settings, own=session.own
        )


def _scored_on_spark(session: Session, source: str, as_of: datetime | None, out: Path) -> None:
    from features.engine import cluster
    from serving.scoring.batch import score_on_spark

    with cluster() as running:
        checked = session.checked(source, on=running)
        day = (as_of or checked.extracted_at).date()
        with step("Scoring every account on Spark"):
            written = score_on_spark(
                checked, day, session.registry, out, running, session.own.features
            )
    session.answer(f"{written['scores']}: scores in parts", {k: str(v) for k, v in written.items()})
