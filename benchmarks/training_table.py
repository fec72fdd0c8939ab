"""From 3.7 million events to a training table: states, usage features and labels at month ends."""

from pathlib import Path

import pandas as pd

from benchmarks.usage import as_of_times
from features.build import feature_table
from features.catalog import available
from features.checked import MANIFEST, CheckedSource, open_checked
from features.spine import account_states
from models.churn import CHURN
from training.labels import label


def ready(folder: Path) -> None:
    """Check the company once."""
    if (folder / "home").exists():
        return
    from benchmarks.new_day import write_customers  # noqa: PLC0415 - the table needs no check
    from features.home import Home  # noqa: PLC0415 - the same
    from features.sources.check import check  # noqa: PLC0415 - the same

    write_customers(folder)
    log = sorted((folder / "usage_events").glob("*.parquet"))
    (folder / "company" / "usage_events").mkdir()
    for part in log:
        (folder / "company" / "usage_events" / part.name).hardlink_to(part)
    check(str(folder / "company"), home=Home(folder / "home-making"))
    (folder / "home-making").rename(folder / "home")


def training_table(folder: Path) -> pd.DataFrame:
    """Give each active account's usage features and outcome at twelve month ends."""
    source = checked(folder / "home")
    states = account_states(source, as_of_times())
    usage = [feature for feature in available(source) if feature.group == "usage"]
    features = feature_table(source, states, features=usage)
    outcomes = label(source, states, CHURN)
    return features.merge(outcomes, on=["account_id", "as_of"], how="left")


def checked(home: Path) -> CheckedSource:
    """Open the one checked source of a home."""
    (manifest,) = (home / "checked").glob(f"*/{MANIFEST}")
    return open_checked(manifest.parent)
