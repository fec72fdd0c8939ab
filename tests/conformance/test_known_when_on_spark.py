"""What is not known yet changes nothing on Spark either: few companies, and a part of the features.

Spark plans and reads each of many small steps for seconds, so a batch tries one feature in forty;
the batches of `make conformance` begin at different ones.
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
ONE_IN = 40
BATTERY = settings(
    max_examples=BATCHES, deadline=None, derandomize=BATCHES == 1, phases=[Phase.generate]
)


@pytest.mark.usefixtures("spark")
@BATTERY
@given(seed=st.integers(0, 2**30))
def test_what_becomes_known_later_changes_nothing(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    batch = draws(seed, 3, is_versioned=True)
    features = catalog()[seed % ONE_IN :: ONE_IN]
    folder = tmp_path_factory.mktemp("companies") / "drawn"
    found = differences(batch, folder, features=features, engine=Engine.SPARK)
    assert shown(found, batch, features) == ""
