"""What is not known yet changes nothing on Spark either: all features, on few companies.

Spark plans and reads each of many small steps for a while, whatever their size, so the companies of
a batch share one table of features there: of the worlds in which something else followed. DuckDB
gives what they are held against, so that a number that Spark computes otherwise is found as well.
"""

import os

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from features.battery.drawn import draws
from features.battery.smallest import shown
from features.battery.trial import differences
from features.catalog import catalog
from features.engine import Engine

BATCHES = int(os.environ.get("BATTERY_BATCHES", "1"))
DRAWS = 3 * int(os.environ.get("BATTERY_SIZE", "1"))
BATTERY = settings(
    max_examples=BATCHES, deadline=None, derandomize=BATCHES == 1, phases=[Phase.generate]
)


@pytest.mark.usefixtures("spark")
@BATTERY
@given(seed=st.integers(0, 2**30))
def test_what_becomes_known_later_changes_nothing(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    batch = draws(seed, DRAWS, is_versioned=True)
    folder = tmp_path_factory.mktemp("companies") / "drawn"
    found = differences(batch, folder, engine=Engine.SPARK, true_engine=Engine.DUCKDB)
    assert shown(found, batch, catalog()) == ""
