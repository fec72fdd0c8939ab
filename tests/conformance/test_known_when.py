"""What is not known yet changes nothing: every feature, on companies drawn at random, at once.

Ordinarily one batch of companies for each engine; `make conformance` tries fresh batches, as many
as BATTERY_BATCHES says.
"""

import os
import random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from features.battery.drawn import DAYS, Draw
from features.battery.smallest import smallest_leak
from features.battery.trial import Difference, differences
from features.catalog import catalog
from features.engine import Engine

BATCHES = int(os.environ.get("BATTERY_BATCHES", "1"))
DRAWS = {Engine.DUCKDB: 50, Engine.POLARS: 20}
BATTERY = settings(
    max_examples=BATCHES,
    deadline=None,
    derandomize=BATCHES == 1,
    phases=[Phase.explicit, Phase.generate],  # a leak is made small by its rows, below
)


def batch(seed: int, size: int, *, is_versioned: bool) -> list[Draw]:
    dice = random.Random(seed)  # noqa: S311 - a drawn company, not a secret
    days = [dice.randrange(20, DAYS - 10) for _ in range(size)]
    return [Draw(dice.randrange(2**30), day, is_versioned) for day in days]


@pytest.mark.parametrize("is_versioned", [True, False], ids=["versions", "no versions"])
@pytest.mark.parametrize("engine", DRAWS)
@BATTERY
@given(seed=st.integers(0, 2**30))
def test_what_becomes_known_later_changes_nothing(
    engine: Engine, seed: int, tmp_path_factory: pytest.TempPathFactory, *, is_versioned: bool
) -> None:
    draws = batch(seed, DRAWS[engine] // 2, is_versioned=is_versioned)
    folder = tmp_path_factory.mktemp("companies") / "drawn"
    found = differences(draws, folder, engine=engine)
    assert not found, shown(found, draws)


def shown(found: tuple[Difference, ...], draws: list[Draw]) -> str:
    """Name what leaks, and the fewest rows that show the first of it."""
    columns = sorted({each.column for each in found})
    lines = [f"{len(found)} numbers hang on what was not known yet: {', '.join(columns)}"]
    features = {feature.column: feature for feature in catalog()}
    first = next((each for each in found if each.column in features), None)
    if first:
        draw = next(draw for draw in draws if str(draw) == first.draw)
        lines += [str(first), f"as_of {draw.as_of}; the rows that show it, in {first.world!r}:"]
        rows = smallest_leak(draw, first.world, features[first.column])
        lines += [f"{name}: {row}" for name, few in rows.items() for row in few]
    return "\n".join(lines)
