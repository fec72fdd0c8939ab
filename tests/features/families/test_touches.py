"""What customer success did, and that it is a feature only where a question asks."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from features.built import built
from features.catalog import available, catalog, without_touches
from features.checked import CheckedSource
from features.declare import Formula, Text, Unit
from features.home import Home
from models.asked import any_asks_for_touches, asked
from models.churn import CHURN
from models.questions import QUESTIONS
from training.prepare import features_of

Company = Callable[..., CheckedSource]
Values = Callable[..., dict[str, float | None]]
TABLES = {
    "accounts": """
        account_id created_at
        a          2023-01-01
        b          2023-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at
        s1              a          base    100 2023-01-01
        s2              b          base    100 2023-01-01
    """,
    "touches": """
        touch_id account_id occurred_at csm kind  arm
        t1       a          2024-01-20  kim call  -
        t2       a          2024-05-02  kim visit treatment
        t3       a          2024-05-20  lee none  control
        t4       a          2024-05-21  lee email -
        t5       b          2024-05-25  kim none  control
    """,
}
ASKING = replace(CHURN, touches=True)


@pytest.mark.parametrize(
    ("column", "as_of", "expected"),
    [
        ("touches__touches__28d", "2024-05-21", 1.0),
        ("touches__touches__28d", "2024-05-22", 2.0),
        ("touches__touches__365d", "2024-06-01", 3.0),
        ("touches__touches_before__90d", "2024-06-01", 1.0),
        ("touches__touches_change__90d", "2024-02-01", None),
        ("touches__touches_change__90d", "2024-06-01", 1.0),
        ("touches__days_since_touch", "2024-06-01", 11.0),
        ("touches__csms__365d", "2024-05-21", 1.0),
        ("touches__csms__365d", "2024-05-22", 2.0),
    ],
)
def test_what_was_done_is_counted(
    company: Company, values: Values, column: str, as_of: str, expected: float | None
) -> None:
    assert values(company(TABLES), [column], as_of) == {column: expected}


def test_what_an_experiment_held_back_was_not_done(company: Company, values: Values) -> None:
    columns = ["touches__touches__90d", "touches__days_since_touch"]
    assert list(values(company(TABLES), columns, "2024-06-01", "b").values()) == [0.0, None]


def test_touches_are_built_only_where_they_are_asked_for(company: Company, home: Home) -> None:
    source = company(TABLES)
    groups = {feature.group for feature in available(source)}
    assert "touches" not in groups
    assert {f.group for f in available(source, touches=True)} == {*groups, "touches"}
    days = (date(2024, 6, 1),)
    plain = built(source, days, home=home)
    with_touches = built(source, days, home=home, touches=True)
    assert "touches__touches__28d" not in plain.table
    assert with_touches.table["touches__touches__28d"].tolist() == [1.0, 0.0]


def test_a_question_gets_touches_only_if_it_asks(company: Company, home: Home) -> None:
    """Also from a table that was built with them, for the sake of another question."""
    history = built(company(TABLES), (date(2024, 6, 1),), home=home, touches=True)
    wanted, usual = features_of(history, ASKING), features_of(history, CHURN)
    assert {name for name in wanted.names if name not in usual.names} == {
        feature.column for feature in catalog() if feature.group == "touches"
    }
    assert wanted.fingerprint != usual.fingerprint


def test_no_question_asks_by_default() -> None:
    assert not any_asks_for_touches(QUESTIONS.values())
    assert any_asks_for_touches([CHURN, ASKING])
    assert asked(ASKING, catalog()) == catalog()


def test_what_a_formula_makes_of_touches_is_left_out_too() -> None:
    below = next(f for f in catalog() if f.column == "touches__touches_change__90d")
    above = replace(
        below,
        group="own",
        name="above",
        recipe=Formula((below.column,), lambda change: change),
        unit=Unit.SHARE,
        text=Text("{value}"),
    )
    kept = without_touches([*catalog(), above])
    assert kept == tuple(f for f in catalog() if f.group != "touches")
