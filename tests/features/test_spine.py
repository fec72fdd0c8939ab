"""Which accounts there are at a date, and in what state."""

from collections.abc import Callable
from datetime import datetime

import pandas as pd
import pytest

from features.checked import CheckedSource
from features.engine import Engine
from features.errors import TenureError
from features.spine import account_states

Company = Callable[..., CheckedSource]
TABLES = {
    "accounts": """
        account_id  created_at  parent_account_id
        early       2024-01-01  -
        parent      2024-06-15  -
        late        2024-06-15  early
        part        2024-01-01  parent
        all         2024-01-01  -
        free        2024-01-01  -
        gone        2024-01-01  -
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at ended_at   cancel_requested_at
        s1              early      base    100 2024-02-01 -          -
        s2              part       base    100 2024-02-01 -          2024-04-01
        s3              part       plus    50  2024-02-01 -          -
        s4              all        base    100 2024-02-01 2024-12-31 2024-04-01
        s5              free       base    0   2024-02-01 -          -
        s6              gone       base    70  2024-02-01 2024-05-01 -
    """,
}


def on(source: CheckedSource, date: str, column: str = "status") -> dict[str, object]:
    states = account_states(source, [datetime.fromisoformat(date)], engine=Engine.POLARS)
    return dict(zip(states["account_id"], states[column], strict=True))


def test_the_state_is_the_one_just_before_the_date(company: Company) -> None:
    source = company(TABLES, extracted_at="2025-06-01")
    assert on(source, "2024-02-01")["early"] == "no_data"
    assert on(source, "2024-02-02")["early"] == "active"
    assert on(source, "2024-05-01")["gone"] == "active"
    assert on(source, "2024-05-02")["gone"] == "inactive"


def test_an_account_is_leaving_when_every_running_subscription_was_asked_to_end(
    company: Company,
) -> None:
    states = on(company(TABLES, extracted_at="2025-06-01"), "2024-07-01")
    assert (states["all"], states["part"]) == ("leaving", "active")


def test_a_cancel_request_counts_from_its_own_time(company: Company) -> None:
    assert on(company(TABLES, extracted_at="2025-06-01"), "2024-04-01")["all"] == "active"


def test_an_account_without_mrr_is_inactive(company: Company) -> None:
    assert on(company(TABLES, extracted_at="2025-06-01"), "2024-07-01")["free"] == "inactive"


def test_an_account_appears_when_it_is_known(company: Company) -> None:
    source = company(TABLES, extracted_at="2025-06-01")
    assert "late" not in on(source, "2024-06-15")
    assert on(source, "2024-06-16")["late"] == "no_data"


def test_mrr_is_summed_exactly(company: Company) -> None:
    assert on(company(TABLES, extracted_at="2025-06-01"), "2024-07-01", "mrr")["part"] == 150.0


def test_the_customer_group_is_the_topmost_parent_known_by_then(company: Company) -> None:
    source = company(TABLES, extracted_at="2025-06-01")
    assert on(source, "2024-06-01", "customer_group")["part"] == "part"
    assert on(source, "2024-07-01", "customer_group")["part"] == "parent"


MERGED = {
    "accounts": """
        account_id  created_at
        old         2024-01-01
        new         2024-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at
        s1              old        base    100 2024-02-01
        s2              new        base    30  2024-02-01
    """,
    "account_merges": """
        from_account_id into_account_id merged_at
        old             new             2024-05-10
    """,
}


def test_from_the_merge_on_two_accounts_are_one(company: Company) -> None:
    source = company(MERGED, extracted_at="2025-06-01")
    assert on(source, "2024-05-10", "mrr") == {"old": 100.0, "new": 30.0}
    assert on(source, "2024-05-11", "mrr") == {"new": 130.0}


def test_the_newest_version_known_before_the_date_counts(company: Company) -> None:
    versions = """
        subscription_id account_id product mrr started_at recorded_at
        s1              old        base    100 2024-02-01 2024-02-01
        s1              old        base    140 2024-02-01 2024-04-05
    """
    source = company({**MERGED, "subscriptions": versions}, extracted_at="2025-06-01")
    assert on(source, "2024-04-05", "mrr")["old"] == 100.0
    assert on(source, "2024-04-06", "mrr")["old"] == 140.0


@pytest.mark.parametrize("engine", [Engine.DUCKDB, Engine.POLARS])
@pytest.mark.parametrize(
    "told", ["", "renews_at", "term_months", "cancel_requested_at", "renews_at term_months"]
)
def test_what_no_column_tells_is_as_what_no_row_tells(
    company: Company, engine: Engine, told: str
) -> None:
    values = {"renews_at": "2024-09-01", "term_months": "6", "cancel_requested_at": "2024-04-01"}
    untold = dict.fromkeys(values.keys() - told.split(), "-")
    lacking, empty = (
        account_states(
            company(_with(signed), extracted_at="2025-06-01"), ["2024-07-01"], engine=engine
        )
        for signed in ({name: values[name] for name in told.split()}, values | untold)
    )
    pd.testing.assert_frame_equal(lacking, empty)


def _with(columns: dict[str, str]) -> dict[str, str]:
    """Let the account `early` have one subscription, with these columns more."""
    names, row = " ".join(columns), " ".join(columns.values())
    signed = f"""
        subscription_id account_id product mrr started_at {names}
        s1              early      base    100 2024-02-01 {row}
    """
    return TABLES | {"subscriptions": signed}


@pytest.mark.parametrize("engine", [Engine.DUCKDB, Engine.POLARS])
def test_the_longest_term_has_an_end(company: Company, engine: Engine) -> None:
    signed = {"term_months": "1200", "notice_days": "36500"}
    source = company(_with(signed), extracted_at="2025-06-01")
    states = account_states(source, ["2024-07-01"], engine=engine).set_index("account_id")
    assert str(states.loc["early", "term_ends_at"]) == "2124-02-01 00:00:00"


def test_a_date_with_a_time_of_day_is_refused(company: Company) -> None:
    with pytest.raises(TenureError, match="00:00 UTC"):
        on(company(MERGED, extracted_at="2025-06-01"), "2024-05-10T08:00")


def test_before_the_first_account_there_is_no_row(company: Company) -> None:
    assert on(company(MERGED, extracted_at="2025-06-01"), "2023-01-01") == {}
