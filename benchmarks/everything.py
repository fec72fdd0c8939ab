"""Every feature of a sample company of twenty thousand accounts, at twenty-four month ends."""

from datetime import datetime
from pathlib import Path

import pandas as pd

from benchmarks.training_table import checked
from features.build import feature_table
from features.home import Home
from features.sources.check import check
from features.sources.sample.simulate import simulate
from features.spine import account_states

ACCOUNTS = 20_000
MONTHS = 48
AS_OFS = [
    datetime(year, month, 1)  # noqa: DTZ001 - naive UTC, as everywhere
    for year in (2024, 2025)
    for month in range(1, 13)
]


def ready(folder: Path) -> None:
    """Make the company and check it, once."""
    if not (folder / "home").exists():
        simulate(folder / "company", accounts=ACCOUNTS, months=MONTHS)
        check(str(folder / "company"), home=Home(folder / "home-making"))
        (folder / "home-making").rename(folder / "home")


def everything(folder: Path) -> pd.DataFrame:
    """Give every feature that the company can bear, of every active account."""
    source = checked(folder / "home")
    return feature_table(source, account_states(source, AS_OFS))
