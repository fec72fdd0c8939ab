"""What `train` and `audit` are asked of a ready table, and what is taken on by name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from models.audit_checks import CHECKS
from models.made_from import TableRoles

AUDIT_HELP = """Look for what a model of MODEL (default: churn) would know and could not have known.

\b
single_columns  columns that alone nearly decide the outcome, or are filled in only for
                accounts that end; ids and names; constants
later_rows      features that change when rows known later are added: past dates, from the
                source as it stands and from the source cut at the date, to the bit
label_windows   windows that reach over their border, or further than is said
train_and_now   whether today's rows can be told from those learned from, and by what

Each training makes the same audit. A finding stops a promotion, and ends this verb with 1, until
the source or the feature is corrected, or it is taken on by name with --accept: here, in tenure
train or in tenure promote. So does a check that cannot be computed. Of a ready table (--table),
training leaves out the columns that are not taken on.
"""
AUDIT_EXAMPLES = """\b
tenure audit churn --source SOURCE
tenure audit churn --accept train_and_now --json
tenure audit churn --table FILE --label left --time as_of --group account_id
tenure train churn --accept lifecycle__notice_days
"""
_ACCEPT = "A column or check whose finding of the audit you take on; may be given several times."


@dataclass(frozen=True, kw_only=True)
class TableAsked(TableRoles):
    """A ready table, its columns' roles, and what is taken on by name.

    Raises
    ------
    click.UsageError
        When a role is given without a table.
    """

    table: Path | None

    def __post_init__(self) -> None:
        if self.table is None and (self.label or self.time or self.group):
            raise click.UsageError("--label, --time and --group belong to --table.")


def table_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what makes a `TableAsked` to a verb."""
    for option in (
        accept_option,
        click.option("--group", help="Its customer column."),
        click.option("--time", help="Its date column."),
        click.option("--label", help="Its label column."),
        click.option("--table", type=click.Path(path_type=Path), help="A ready feature table."),
    ):
        command = option(command)
    return command


def _acceptable(
    _context: click.Context, _option: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete names of checks and of the catalogue, when a shell asks for them."""
    from features.catalog import catalog

    names = (*CHECKS, *(feature.column for feature in catalog()))
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


accept_option = click.option(
    "--accept", multiple=True, metavar="NAME", help=_ACCEPT, shell_complete=_acceptable
)
