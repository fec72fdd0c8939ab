"""The feature table in parts is the feature table."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from features.build import feature_table
from features.catalog import catalog
from features.checked import CheckedSource
from features.engine import cluster
from features.errors import TenureError
from features.partitioned import whole, write_feature_parts
from features.spine import account_states

pytestmark = pytest.mark.usefixtures("spark")
COLUMNS = ("lifecycle__mrr", "lifecycle__mrr_change__90d", "lifecycle__tenure_days")
FEATURES = [feature for feature in catalog() if feature.column in COLUMNS]
COMPANY = {
    "accounts": """
        account_id created_at
        b          2024-01-01
        a          2024-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr   started_at ended_at
        s1              a          base    100.1 2024-01-15 -
        s2              b          base    50    2024-03-31 2024-04-20
    """,
}
APRIL, MAY = date(2024, 4, 1), date(2024, 5, 1)


@pytest.fixture
def source(company: Callable[..., CheckedSource]) -> CheckedSource:
    return company(COMPANY, extracted_at="2024-06-01")


def write(source: CheckedSource, dates: list[date], out: Path) -> None:
    with cluster() as running:
        write_feature_parts(source, dates, FEATURES, out, running)


def read(out: Path) -> pd.DataFrame:
    parts = [
        pd.read_parquet(file).assign(as_of=pd.Timestamp(folder.name.removeprefix("as_of=")))
        for folder in sorted(out.glob("as_of=*"))
        for file in sorted(folder.glob("*.parquet"))
    ]
    return pd.concat(parts, ignore_index=True)


def test_parts_hold_the_rows_of_the_feature_table_in_its_order(
    source: CheckedSource, tmp_path: Path
) -> None:
    write(source, [MAY, APRIL], tmp_path / "table")
    expected = feature_table(source, account_states(source, [APRIL, MAY]), features=FEATURES)
    assert list(expected["account_id"]) == ["a", "b", "a"]
    found = read(tmp_path / "table")[list(expected)].astype({"as_of": "datetime64[us]"})
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert (tmp_path / "table.catalog.json").exists()


def test_parts_replace_those_of_before_as_a_whole(source: CheckedSource, tmp_path: Path) -> None:
    out = tmp_path / "table"
    for as_of in (APRIL, MAY):
        write(source, [as_of], out)
    assert [folder.name for folder in out.glob("as_of=*")] == ["as_of=2024-05-01"]
    assert sorted(path.name for path in tmp_path.glob("*table*")) == ["table", "table.catalog.json"]


def test_a_run_that_breaks_off_leaves_what_was_there(tmp_path: Path) -> None:
    out = tmp_path / "table"
    with whole(out) as aside:
        aside.mkdir()
        (aside / "first").touch()
    with pytest.raises(FileNotFoundError), whole(out) as aside:
        (aside / "no" / "folder").touch()
    assert [path.name for path in out.iterdir()] == ["first"]
    assert not list(tmp_path.glob(".table*"))


def test_no_active_account_is_said_so(source: CheckedSource, tmp_path: Path) -> None:
    with pytest.raises(TenureError, match="Expected active accounts"):
        write(source, [date(2024, 1, 1)], tmp_path / "table")
