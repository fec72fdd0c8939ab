"""What is not known yet changes nothing: every feature, on companies drawn at random, at once.

Ordinarily one batch of companies for each engine; `make conformance` tries fresh batches, as many
as BATTERY_BATCHES says, each BATTERY_SIZE times as large: planning takes longer than companies do.
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
SIZE = int(os.environ.get("BATTERY_SIZE", "1"))
TRIALS = {
    "duckdb, versions, one pass over the log": (Engine.DUCKDB, 10, True, True),
    "duckdb, no versions": (Engine.DUCKDB, 10, False, False),
    "polars, versions": (Engine.POLARS, 10, True, False),
    "polars, no versions, one pass over the log": (Engine.POLARS, 10, False, True),
}
"""Engine, companies, whether their sources have versions, and whether the log is folded."""
BATTERY = settings(
    max_examples=BATCHES,
    deadline=None,
    derandomize=BATCHES == 1,
    phases=[Phase.generate],  # not the seed is made small, but the rows
)


@pytest.mark.parametrize("trial", TRIALS)
@BATTERY
@given(seed=st.integers(0, 2**30))
def test_what_becomes_known_later_changes_nothing(
    trial: str, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    engine, companies, is_versioned, fold = TRIALS[trial]
    batch = draws(seed, companies * SIZE, is_versioned=is_versioned)
    folder = tmp_path_factory.mktemp("companies") / "drawn"
    found = differences(batch, folder, engine=engine, fold=fold)
    assert shown(found, batch, catalog()) == ""
