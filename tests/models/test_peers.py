"""Where a number stands among those of others, and when that is said."""

import json

import pytest

from models.peers import Peers, peers_from_json

USERS = {
    "column": "usage__active_users__28d",
    "unit": "users",
    "text": {"level": "{value} active users in 28 days, {usage__active_users__90d} in 90"},
}
OVERDUE = {
    "column": "billing__days_overdue",
    "unit": "days",
    "text": {"level": "An invoice is {value} days overdue"},
}
SHARE = {"column": "share", "unit": "share", "text": {"level": "{value} of the seats are in use"}}
RENEWED = {"column": "change", "unit": "share", "text": {"level": "Users fell from {a} to {b}"}}
PEERS = Peers(
    {
        USERS["column"]: (5.0, 9.0, 40.0, 60.0),
        OVERDUE["column"]: (None, None, 0.0, 12.0),
        "share": (0.1, 0.2, 0.9, 0.95),
        "change": (-0.5, -0.2, 0.2, 0.5),
    }
)


@pytest.mark.parametrize(
    ("value", "standing"),
    [
        (4, (False, 9)),
        (5, (False, 8)),  # a bound is not beyond itself
        (8, (False, 8)),
        (9, None),
        (40, None),
        (41, (True, 8)),
        (60, (True, 8)),
        (61, (True, 9)),
    ],
)
def test_a_number_stands_out_beyond_eight_or_nine_of_ten(
    value: float, standing: tuple[bool, int] | None
) -> None:
    assert PEERS.standing(USERS["column"], value) == standing


def test_where_too_many_have_no_value_nothing_stands_out_to_that_side() -> None:
    assert PEERS.standing(OVERDUE["column"], -1.0) is None
    assert PEERS.standing("unheard of", 1.0) is None


@pytest.mark.parametrize(
    ("entry", "value", "text", "added"),
    [
        (USERS, 4, "4 active users in 28 days, 9 in 90", "; 4 is fewer than at 9 of 10 accounts"),
        (USERS, 50, "50 active users in 28 days", "; 50 is more than at 8 of 10 accounts"),
        (OVERDUE, 20, "An invoice is 20 days overdue", "; 20 is more than at 9 of 10 accounts"),
        (SHARE, 0.05, "5% of the seats are in use", "; 5% is lower than at 9 of 10 accounts"),
        (USERS, 0, "No active user in 28 days", "; 9 of 10 accounts have some"),
        (USERS, 20, "20 active users in 28 days", ""),
    ],
)
def test_the_sentence_says_which_number_is_compared_and_how(
    entry: dict[str, object], value: float, text: str, added: str
) -> None:
    assert PEERS.beside(entry, value, text) == text + added


@pytest.mark.parametrize(
    ("entry", "value", "text"),
    [
        (USERS, 4, "Active users fell to 40 in 14 days"),  # 4 stands in it only as a digit
        (USERS, 4, "Active users fell to 4% in 1.4 days"),
        (RENEWED, -0.7, "Users fell from 70 to 21"),  # the share itself is never told
    ],
)
def test_nothing_is_said_of_a_number_that_a_reader_does_not_see(
    entry: dict[str, object], value: float, text: str
) -> None:
    assert PEERS.beside(entry, value, text) == text


def test_they_come_back_from_their_text() -> None:
    assert peers_from_json(json.loads(json.dumps(PEERS.to_json()))) == PEERS
    assert peers_from_json(None) is None
