"""What `tenure train` is asked beside its table: to search, or to train a version again."""

import os
from collections.abc import Callable

import click
from click.shell_completion import CompletionItem

from serving.verbs.console import Session
from serving.verbs.table_asked import TableAsked

TRAIN_HELP = """Train a model, test it on a later period, and register it as challenger.

It is audited for leaks first: see tenure audit. What that finds stops the promotion until it
is taken on with --accept; of a ready table, such columns are left out.

With --tune MINUTES settings are searched on what lies before the test. Of a ready table without
dates a quarter is set aside first, to test on.

With --reproduce VERSION nothing is registered. The version is trained again from its record alone:
its data, features, dates, settings and seed. Trees and scores are compared to the last bit, and
only where all are the same does the verb end with 0. Other data or other features are refused, and
it says which; other code, or another lock, it tells of and compares all the same. Without --source
it takes the checked data of that fingerprint which TENURE_HOME still holds; a version that was
trained on a ready table needs that file as --table.
"""
TRAIN_EXAMPLES = """\b
tenure train churn --source SOURCE
tenure train churn --tune 20
tenure train churn --table FILE --label left --time as_of --group account_id
tenure train churn --table FILE --label left --tune 10
tenure train churn --reproduce 3
tenure train churn --reproduce 4 --table FILE --json
"""
_AGAIN = "Train this version again from its record, and compare. Registers nothing."
_TUNE = "Search for better settings for so long; the same again goes on where it ended."
_MINUTES = click.FloatRange(min=0, min_open=True)


def training_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --tune and --reproduce to a verb."""
    tune = click.option("--tune", "tune_minutes", type=_MINUTES, metavar="MINUTES", help=_TUNE)
    again = click.option(
        "--reproduce", "version", metavar="VERSION", help=_AGAIN, shell_complete=_versions
    )
    return tune(again(command))


def demand_together(asked: TableAsked, tune_minutes: float | None, version: str | None) -> None:
    """Refuse options of which one would not be kept.

    Raises
    ------
    click.UsageError
        When a version's record is to be departed from.
    """
    departs = tune_minutes is not None or asked != TableAsked(table=asked.table)
    if version is not None and departs:
        raise click.UsageError(
            "--reproduce takes settings, roles and what was taken on from the version's record: "
            "give --source or --table at most."
        )


def _versions(
    context: click.Context, _option: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the registered versions of the model, when a shell asks for them."""
    session = Session()
    database = session.settings.home.mlflow_database
    if not database.is_file() and not os.environ.get("MLFLOW_TRACKING_URI"):
        return []  # asking would make the registry
    # Where a word is still to come, click leaves those before it unread.
    asked = {context.params["model"], *context.args}
    found = (each for each in session.registry.models() if each.model in asked)
    return [
        CompletionItem(each.version, help=f"{each.created_at:%Y-%m-%d}")
        for each in found
        if each.version.startswith(incomplete)
    ]
