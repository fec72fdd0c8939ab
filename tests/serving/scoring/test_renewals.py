"""The next renewals as a table: who has one, and what is told of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from features.home import Home
from models.bundle import Bundle
from serving.publishing.publish import Scored, publish
from serving.scoring.renewals import COLUMNS, NOTICE, renewals, write_renewals
from serving.scoring.score import score
from serving.store import lookup
from serving.store.database import Store


@pytest.fixture
def scored(bundles: dict[str, Bundle], scored_company: Callable[..., Scored]) -> Scored:
    return scored_company(bundles)


@pytest.fixture
def states(scored: Scored, read_table) -> pd.DataFrame:
    """Give acme's term, and one of an account that has asked to leave."""
    frame = read_table("""
        account_id  status    mrr   term_ends_at
        acme        active    1000  2026-04-01
        bolt        active    5000  -
        quit        leaving   700   2026-03-20
    """)
    frame["as_of"] = scored.scores["as_of"].iloc[0]
    frame["mrr"] = frame["mrr"].astype(float)
    frame["term_ends_at"] = pd.to_datetime(frame["term_ends_at"]).astype("datetime64[us]")
    return frame


def told(bundles: dict[str, Bundle], table: pd.DataFrame, states: pd.DataFrame) -> pd.DataFrame:
    at = states["as_of"].iloc[0].to_pydatetime() + timedelta(hours=1)
    table = table[table["account_id"].isin(states["account_id"])]
    found = renewals(bundles, score(bundles, table, states, at), table, states)
    return found.set_index("account_id")


def test_one_row_for_each_account_under_a_term(bundles, table, states) -> None:
    found = told(bundles, table, states)
    assert list(found.index) == ["acme", "quit"]
    assert found["renewal_date"].dt.date.astype(str).tolist() == ["2026-04-01", "2026-03-20"]


def test_who_has_asked_to_leave_has_a_date_and_no_probability(bundles, table, states) -> None:
    found = told(bundles, table, states)
    assert 0 < found.loc["acme", "renewal_probability"] < 1
    assert pd.isna(found.loc["quit", "renewal_probability"])


def test_the_models_own_rows_give_the_same_probability(bundles, table, states) -> None:
    rows = table[table["account_id"] == "acme"]
    model = bundles["churn"]
    (expected,) = model.renewal_probabilities(rows, model.probabilities(rows))
    found = told(bundles, table, states)
    assert found.loc["acme", "renewal_probability"] == pytest.approx(expected)


def test_a_source_without_notice_periods_has_no_deadline(bundles, table, states) -> None:
    found = told(bundles, table.drop(columns=NOTICE), states)
    assert found["notice_deadline"].isna().all()


@pytest.mark.parametrize("kept", ["older", "none"])
def test_without_a_model_that_tells_there_is_a_date_and_no_probability(
    bundles, table, states, kept
) -> None:
    models = {"expansion": bundles["expansion"]}
    if kept == "older":
        models["churn"] = replace(bundles["churn"], at_term_end=None)
    found = told(models, table, states)
    assert found["renewal_probability"].isna().all()
    assert found["renewal_date"].notna().all()


def test_a_file_holds_them_all(scored: Scored, tmp_path: Path) -> None:
    write_renewals(scored.renewals, tmp_path / "renewals.parquet")
    read = pd.read_parquet(tmp_path / "renewals.parquet")
    assert tuple(read.columns) == COLUMNS
    pd.testing.assert_frame_equal(read, scored.renewals, check_dtype=False)


def test_a_company_without_terms_is_published(scored: Scored, store: Store, home: Home) -> None:
    none = replace(scored, renewals=scored.renewals.iloc[:0])
    number = publish(store, home, none, scored.scores["scored_at"].iloc[0].to_pydatetime()).number
    assert lookup.renewals_of(store, number, ["acme"]) == {}
