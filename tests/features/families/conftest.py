"""Features of one account at a date, alike on both engines."""

from collections.abc import Callable, Sequence

import pandas as pd
import pytest

from features.build import feature_table
from features.catalog import catalog
from features.checked import CheckedSource
from features.engine import Engine


@pytest.fixture
def values() -> Callable[..., dict[str, float | None]]:
    """A factory: the columns' values of one account at a date; null is None."""

    def measure(
        source: CheckedSource, columns: Sequence[str], as_of: str, account: str = "a"
    ) -> dict[str, float | None]:
        spine = pd.DataFrame(
            {"account_id": [account], "as_of": pd.to_datetime([as_of]).astype("datetime64[us]")}
        )
        chosen = [feature for feature in catalog() if feature.column in columns]
        assert {feature.column for feature in chosen} == set(columns)
        tables = [
            feature_table(source, spine, engine=engine, features=chosen)[list(columns)]
            for engine in (Engine.DUCKDB, Engine.POLARS)
        ]
        pd.testing.assert_frame_equal(*tables, check_exact=True)
        (row,) = tables[0].to_dict("records")
        return {name: None if pd.isna(value) else value for name, value in row.items()}

    return measure
