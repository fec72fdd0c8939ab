"""The whole audit on a sample company: clean as it is, and each planted leak is caught by name."""

import zlib
from collections.abc import Callable
from dataclasses import replace

import narwhals as nw
import numpy as np
import pandas as pd
import pytest

from features.build import feature_table
from features.built import Built, month_starts
from features.catalog import available
from features.checked import CheckedSource
from features.declare import Facts, Feature, Missing, Text, Total, Unit, View
from features.engine import Engine
from features.errors import GateError, TenureError
from features.home import Home
from features.sources.check import check
from features.sources.sample.simulate import simulate
from features.spine import account_states
from features.windows import Rows
from models.audit_checks import CHECKS
from models.churn import CHURN
from training.audit.finding import Audited
from training.prepare import labelled_rows
from training.run import audit

GROUPS = ("lifecycle", "support")


def looks_ahead() -> Feature:
    """Invoices that will be paid some day, counted from the day they are issued."""

    def make(rows: Rows) -> Rows:
        return rows.with_columns(value=(~nw.col("paid_at").is_null()).cast(nw.Int64))

    view = View("paid_some_day", "invoices", ("issued_at", "paid_at"), make)
    recipe = Total(Facts(view, at="issued_at", uses=("value",)), nw.col("value"), per=1)
    text = Text("{value} invoices paid")
    what = "Invoices paid some day."
    return Feature("ours", "paid", recipe, Unit.ITEMS, "paid", what, text, Missing.UNKNOWN)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> CheckedSource:
    folder = tmp_path_factory.mktemp("audited")
    simulate(folder / "company", accounts=300, months=30, seed=5)
    return check(str(folder / "company"), home=Home(folder / "home"))


def history(source: CheckedSource, *more: Feature) -> Built:
    features = (*(f for f in available(source) if f.group in GROUPS), *more)
    states = account_states(source, month_starts(source), engine=Engine.POLARS)
    table = feature_table(source, states, features=features, engine=Engine.POLARS)
    return Built(source, features, states, table)


@pytest.fixture(scope="module")
def clean(source: CheckedSource) -> Built:
    return history(source)


def ends(built: Built) -> pd.Series:
    """By account, whether it is lost some day."""
    return labelled_rows(built, CHURN).groupby("account_id")["event_days"].any()


def with_column(built: Built, value: Callable[[pd.DataFrame], object]) -> Built:
    """Plant a column under a declared name, as a faulty feature would fill it."""
    column = "support__open_tickets"
    return replace(built, table=built.table.assign(**{column: value(built.table)}))


def caught(found: Audited, column: str = "support__open_tickets") -> set[str]:
    return {each.kind for each in found.stopping if each.column == column}


def test_nothing_stops_a_clean_company_and_each_check_was_made(clean: Built) -> None:
    found = audit(clean, CHURN)
    assert tuple(found.checks) == CHECKS
    assert found.stopping == ()
    assert "are the same to the bit" in found.checks["later_rows"]
    found.demand()


def test_a_feature_that_changes_with_later_rows_is_caught(source: CheckedSource) -> None:
    found = audit(history(source, looks_ahead()), CHURN)
    assert {(each.column, each.kind) for each in found.stopping} == {
        ("ours__paid", "changes with later rows")
    }
    with pytest.raises(GateError, match="--accept ours__paid"):
        found.demand()


def test_a_column_that_knows_the_days_to_come_is_caught(clean: Built) -> None:
    assert "decides the outcome" in caught(audit(coming(clean), CHURN))


def coming(built: Built) -> Built:
    """The days until the loss, as far as it comes within the window."""
    labels = labelled_rows(built, CHURN).set_index(["account_id", "as_of"])["event_days"]
    keys = pd.MultiIndex.from_frame(built.table[["account_id", "as_of"]])
    soon = labels.reindex(keys).to_numpy()
    return with_column(built, lambda _: np.where(soon < 90, soon, 400.0))


def test_a_column_filled_in_only_for_accounts_that_end_is_caught_long_before_they_do(
    clean: Built,
) -> None:
    """Written back over all rows of an account: most of them lie years before its end."""
    gone = clean.table["account_id"].map(ends(clean)).fillna(value=False).astype(bool)
    planted = with_column(clean, lambda table: table["lifecycle__mrr"].where(gone))
    assert "filled after the end" in caught(audit(planted, CHURN))


def test_an_id_in_numbers_is_caught(clean: Built) -> None:
    codes = clean.table["account_id"].map(lambda name: float(zlib.crc32(str(name).encode())))
    assert "names a row" in caught(audit(with_column(clean, lambda _: codes), CHURN))


def test_a_column_that_tells_the_date_is_caught(clean: Built) -> None:
    planted = with_column(
        clean, lambda table: (table["as_of"] - pd.Timestamp("2000-01-01")).dt.days.astype(float)
    )
    assert "tells now from then" in caught(audit(planted, CHURN))


def test_a_finding_is_taken_on_by_name_and_by_no_other(clean: Built) -> None:
    planted = coming(clean)
    taken = audit(planted, CHURN, accept=["support__open_tickets"])
    assert taken.stopping == ()
    assert {each.standing for each in taken.findings if each.blocking} == {"accepted"}
    with pytest.raises(TenureError, match="got open_tickets"):
        audit(planted, CHURN, accept=["open_tickets"])


def test_what_cannot_be_computed_stops_under_the_name_of_its_check(clean: Built) -> None:
    found = audit(replace(clean, features=()), CHURN)
    assert [(each.kind, each.column) for each in found.stopping] == [("not computed", "later_rows")]
    assert audit(replace(clean, features=()), CHURN, accept=["later_rows"]).stopping == ()


def test_its_text_and_its_json_say_the_same(clean: Built) -> None:
    found = audit(coming(clean), CHURN)
    document = found.to_json()
    assert document["passed"] is False
    assert all(each["message"] in found.text() for each in document["audit"])
    assert all(f"{name}: {said}" in found.text() for name, said in document["checks"].items())
