"""Make a sample company: live its past, write its tables, and the truth beside them."""

from collections.abc import Callable
from pathlib import Path

from features.errors import SourceError
from features.sources.sample.accounts import draw_accounts
from features.sources.sample.history import live, stream
from features.sources.sample.tables import write_tables
from features.sources.sample.truth import FOLDER, write_truth
from features.sources.sample.world import World, calendar

FEWEST_ACCOUNTS, FEWEST_MONTHS = 20, 6


def simulate(
    out: Path,
    *,
    accounts: int = 2000,
    months: int = 48,
    seed: int = 1,
    progress: Callable[[str], None] | None = None,
) -> None:
    """Write a sample company as a source folder.

    Parameters
    ----------
    out
        Folder to write into; made if it is not there, refused if it holds anything.
    accounts
        How many accounts there ever are, at least 20; two thirds are there on the first day.
    months
        How many months of history, from January 2022, at least 6.
    seed
        The same seed, accounts and months give the same rows.
    progress
        Is told what is being done.

    Raises
    ------
    SourceError
        If the folder is not empty, or the company would be too small.
    """
    tell = progress or _silent
    if accounts < FEWEST_ACCOUNTS or months < FEWEST_MONTHS:
        raise SourceError(
            f"A sample company needs {FEWEST_ACCOUNTS} accounts and {FEWEST_MONTHS} months, "
            f"not {accounts} and {months}. Ask for more."
        )
    if out.exists() and any(out.iterdir()):
        raise SourceError(f"{out} is not empty. Name a new folder for the sample company.")
    out.mkdir(parents=True, exist_ok=True)
    world, cal = World(), calendar(months)
    tell(f"living {months} months of {accounts} accounts")
    people = draw_accounts(world, accounts, months, stream(seed, "accounts"))
    history = live(people, world, cal, stream(seed, "dynamics"))
    write_tables(history, out, seed, tell)
    tell("writing the truth beside the tables")
    write_truth(history, world, out / FOLDER, seed)


def _silent(_: str) -> None:
    """Tell nobody."""
