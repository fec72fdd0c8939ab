from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from features.errors import ModelError
from models.bundle import Bundle
from models.peers import Peers
from models.reasons import STRETCH, Reason, explain, explain_by_horizon, importance

Stumps = Callable[..., Bundle]

USERS = "usage__active_users__28d"
USERS_WEEK = "usage__active_users__7d"
TICKETS = "support__open_tickets"
SEATS = "lifecycle__seats"
# Each stump gives its column plus or minus half of its step.
CUTS = (
    (USERS, 20.5, 2.0, 0.0),  # few users: +1
    (USERS_WEEK, 20.5, 0.5, 0.0),  # few users this week: +0.25
    (TICKETS, 2.5, 0.0, 1.0),  # many tickets: +0.5
    (SEATS, 50.5, 0.0, -3.0),  # many seats: -1.5
)
SUBJECTS = (
    {"column": USERS, "subject": "active users"},
    {"column": USERS_WEEK, "subject": "active users"},
    {"column": TICKETS, "subject": "open tickets"},
    {"column": SEATS, "subject": "seats"},
)


def row(users: float, week: float, tickets: float, seats: float) -> pd.DataFrame:
    return pd.DataFrame({SEATS: [seats], TICKETS: [tickets], USERS: [users], USERS_WEEK: [week]})


def effects(reasons: tuple[Reason, ...]) -> list[tuple[str, float]]:
    return [(reason.feature, pytest.approx(reason.effect)) for reason in reasons]


@pytest.fixture
def bundle(stumps: Stumps) -> Bundle:
    return stumps(*CUTS, catalogue=SUBJECTS)


def test_the_effects_of_one_subject_are_added_up(bundle: Bundle) -> None:
    (reasons,) = explain(bundle, row(12, 3, 0, 10), 30, 1)
    assert effects(reasons) == [(SEATS, 1.5)]
    (reasons,) = explain(bundle, row(12, 3, 0, 100), 30, 1)
    assert effects(reasons) == [(USERS, 1.25)]


def test_what_raises_comes_before_what_lowers_more(bundle: Bundle) -> None:
    (reasons,) = explain(bundle, row(12, 3, 9, 100), 30, 9)
    assert effects(reasons) == [(USERS, 1.25), (TICKETS, 0.5), (SEATS, -1.5)]


def test_at_most_so_many_reasons_and_each_subject_once(bundle: Bundle) -> None:
    (reasons,) = explain(bundle, row(12, 3, 9, 10), 30, 2)
    assert [reason.feature for reason in reasons] == [SEATS, USERS]


def test_the_leading_column_pulls_in_the_direction_of_the_sum(stumps: Stumps) -> None:
    two_up_one_down = stumps(
        (USERS, 20.5, 1.0, 0.0),
        (USERS_WEEK, 20.5, 0.0, 1.2),
        (TICKETS, 2.5, 0.0, 1.0),
        catalogue=tuple(
            {"column": name, "subject": "one"} for name in (USERS, USERS_WEEK, TICKETS)
        ),
    )
    (reasons,) = explain(two_up_one_down, row(12, 3, 9, 0), 30, 1)
    assert effects(reasons) == [(USERS, 0.5 - 0.6 + 0.5)]


def test_the_same_effects_at_every_horizon_when_no_interval_matters(bundle: Bundle) -> None:
    at = [explain(bundle, row(12, 3, 9, 10), days, 9) for days in (30, 90, 180, 365)]
    assert all(effects(reasons) == effects(at[0][0]) for (reasons,) in at)


def test_all_horizons_at_once_are_the_same_as_one_by_one(stumps: Stumps) -> None:
    # Few users count from the second interval on, so the horizons differ.
    later = stumps((USERS, 20.5, 2.0, 0.0), ("interval__number", 0.5, -3.0, 1.0))
    rows = pd.concat([row(12, 3, 9, 10), row(41, 3, 9, 10)])
    at_once = explain_by_horizon(later, rows, 3)
    assert at_once == {days: explain(later, rows, days, 3) for days in (30, 90, 180, 365)}
    assert explain_by_horizon(later, rows, 0) == {days: [(), ()] for days in (30, 90, 180, 365)}


def test_rows_keep_their_order_and_columns_are_found_by_name(bundle: Bundle) -> None:
    rows = pd.concat([row(12, 3, 0, 100), row(41, 40, 9, 100)])
    reordered = rows.loc[:, sorted(rows.columns, reverse=True)]
    leads = [reasons[0].feature for reasons in explain(bundle, reordered, 90, 1)]
    assert leads == [USERS, TICKETS]


def test_a_null_value_is_none_and_says_that_nothing_is_on_record(bundle: Bundle) -> None:
    (reasons,) = explain(bundle, row(np.nan, 3, 0, 100), 30, 1)
    assert reasons[0].value is None
    assert reasons[0].text == f"No {USERS} on record"


def test_a_column_without_a_sentence_is_told_by_its_name(bundle: Bundle) -> None:
    (reasons,) = explain(bundle, row(12, 3, 0, 100), 30, 1)
    assert reasons[0].text == f"{USERS} is 12"


def test_the_sentence_has_the_accounts_own_numbers_and_only_a_true_direction(
    stumps: Stumps,
) -> None:
    before = "usage__active_users_before__28d"
    entry = {
        "column": USERS,
        "subject": "active users",
        "unit": "users",
        "description": "Active users in 28 days.",
        "text": {
            "level": "{value} active [user|users] in four weeks",
            "rising": f"Active users rose from {{{before}}} to {{value}} in four weeks",
            "falling": f"Active users fell from {{{before}}} to {{value}} in four weeks",
            "missing": "No use on record",
            "against": before,
        },
        "units": {USERS: "users", before: "users"},
    }
    told = stumps(CUTS[0], catalogue=(entry,))
    rows = pd.DataFrame({USERS: [12.0, 12.0, 1.0, np.nan], before: [41.0, 7.0, np.nan, 41.0]})
    texts = [reasons[0].text for reasons in explain(told, rows, 90, 1)]
    assert texts == [
        "Active users fell from 41 to 12 in four weeks",
        "Active users rose from 7 to 12 in four weeks",
        "1 active user in four weeks",
        "No use on record",
    ]


def test_each_column_of_a_ready_table_is_a_family(stumps: Stumps) -> None:
    names = ("a", "b", "c", "d")
    ready = tuple({"column": name, "group": "table", "subject": name} for name in names)
    cuts = [(name, 0.5, 0.0, 2.0 * (4 - at)) for at, name in enumerate(names)]
    rows = pd.DataFrame({name: [1.0] for name in names})
    (reasons,) = explain(stumps(*cuts, catalogue=ready), rows, 30, 9)
    assert [reason.feature for reason in reasons] == list(names)


def test_of_one_family_one_subject_is_among_the_first_three(stumps: Stumps) -> None:
    told = [("usage", "events"), ("usage", "days"), ("support", "tickets"), ("people", "champion")]
    catalogue = tuple(
        {"column": name, "group": group, "subject": name, "unit": "x", "text": {"level": name}}
        | {"units": {}, "description": ""}
        for group, name in told
    )
    cuts = [(name, 0.5, 0.0, 2.0 * (4 - at)) for at, (_, name) in enumerate(told)]
    rows = pd.DataFrame({name: [1.0] for _, name in told})
    (reasons,) = explain(stumps(*cuts, catalogue=catalogue), rows, 30, 9)
    assert [reason.feature for reason in reasons] == ["events", "tickets", "champion", "days"]
    (fewer,) = explain(stumps(*cuts, catalogue=catalogue), rows, 30, 2)
    assert fewer == reasons[:2]


def test_a_sentence_says_where_the_account_stands_among_others(stumps: Stumps) -> None:
    entry = {
        "column": USERS,
        "group": "usage",
        "subject": "active users",
        "unit": "users",
        "description": "Active users in 28 days.",
        "text": {"level": "{value} active [user|users] in four weeks", "missing": "No use known"},
        "units": {},
    }
    peers = Peers({USERS: (13.0, 15.0, 40.0, 50.0)})
    told = stumps(CUTS[0], catalogue=(entry,), peers=peers)
    rows = pd.DataFrame({USERS: [12.0, 20.0, np.nan]})
    texts = [reasons[0].text for reasons in explain(told, rows, 90, 1)]
    assert texts == [
        "12 active users in four weeks; 12 is fewer than at 9 of 10 accounts",
        "20 active users in four weeks",
        "No use known",
    ]
    by_horizon = explain_by_horizon(told, rows, 1)
    assert [reasons[0].text for reasons in by_horizon[365]] == texts


def test_where_it_stands_in_its_term_is_not_compared_with_others(stumps: Stumps) -> None:
    entry = {
        "column": "lifecycle__days_to_term_end",
        "group": "lifecycle",
        "subject": "time to renewal",
        "unit": "days",
        "text": {"level": "The term ends in {value} days"},
        "units": {},
    }
    peers = Peers({entry["column"]: (20.0, 40.0, 300.0, 330.0)})
    told = stumps((entry["column"], 30.5, 2.0, 0.0), catalogue=(entry,), peers=peers)
    (reasons,) = explain(told, pd.DataFrame({entry["column"]: [9.0]}), 90, 1)
    assert reasons[0].text == "The term ends in 9 days"


def test_a_subject_without_an_effect_is_no_reason(stumps: Stumps) -> None:
    flat = stumps((USERS, 20.5, 0.0, 0.0), (TICKETS, 2.5, 0.0, 1.0), catalogue=SUBJECTS)
    (reasons,) = explain(flat, row(12, 3, 9, 10), 30, 9)
    assert [reason.feature for reason in reasons] == [TICKETS]


@pytest.mark.parametrize("limit", [0, -1])
def test_none_asked_for_gives_none(bundle: Bundle, limit: int) -> None:
    assert explain(bundle, row(12, 3, 9, 10), 30, limit) == [()]


def test_no_rows_give_no_reasons(bundle: Bundle) -> None:
    assert explain(bundle, row(12, 3, 9, 10).iloc[:0], 30, 3) == []


def test_a_missing_column_is_an_error_and_no_guess(bundle: Bundle) -> None:
    with pytest.raises(ModelError, match=SEATS):
        explain(bundle, row(12, 3, 9, 10).drop(columns=SEATS), 30, 3)


def test_a_reason_is_the_contracts_struct() -> None:
    reason = Reason(USERS, 12.0, 1.25, "Active users fell from 41 to 12 in four weeks")
    assert list(reason.to_json()) == ["feature", "value", "effect", "text"]


def test_importance_is_the_mean_absolute_effect_of_a_subject(bundle: Bundle) -> None:
    rows = pd.concat([row(12, 3, 9, 100), row(41, 3, 9, 100)])
    assert importance(bundle, rows, 30) == pytest.approx(
        {"seats": 1.5, "active users": (1.25 + 0.75) / 2, "open tickets": 0.5}
    )


def test_stretches_of_rows_change_no_reason(bundle: Bundle) -> None:
    rows = pd.concat(
        [row(users, 3, tickets, 10 * users) for users in range(9) for tickets in range(5)],
        ignore_index=True,
    )
    times = 2 * STRETCH // len(rows)
    alone = [explain(bundle, rows.iloc[[at]], 30, 3)[0] for at in range(len(rows))]
    many = pd.concat([rows] * times, ignore_index=True)
    assert explain(bundle, many, 30, 3) == alone * times
    assert explain_by_horizon(bundle, many, 3)[30] == alone * times
