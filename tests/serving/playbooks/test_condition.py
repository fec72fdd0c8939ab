"""Conditions say what they say, nothing is known of a null, and nothing else gets through."""

import math
import time

import pandas as pd
import pytest

from features.errors import PlaybookError
from serving.playbooks.condition import condition
from serving.playbooks.trigger import Trigger, holding, lacking

KNOWN = ("use", "seats", "days")
TABLE = pd.DataFrame(
    {
        "account_id": ["acme", "bolt", "corn", "dune"],
        "use": [10.0, 0.0, math.nan, 4.0],
        "seats": pd.array([5, 0, 3, None], dtype="Int64"),
        "days": [30.0, -7.0, 305.0, math.inf],
    }
)


def holds(text: str) -> list[bool]:
    return condition(text, KNOWN, "here").holds(TABLE).tolist()


def refused(text: str) -> str:
    with pytest.raises(PlaybookError, match="here") as found:
        condition(text, KNOWN, "here")
    return str(found.value)


@pytest.mark.parametrize(
    ("text", "accounts"),
    [
        ("use > 4", "acme"),
        ("use >= 4", "acme dune"),
        ("use == 0 or days == 305", "bolt corn"),
        ("use != 4", "acme bolt"),
        ("-10 < days <= 30", "acme bolt"),
        ("use in [0, 4]", "bolt dune"),
        ("days not in (30, -7)", "corn"),
        ("use / seats >= 2", "acme"),
        ("use * 2 - seats + 1 > 15", "acme"),
        ("not use > 4", "bolt dune"),
        ("use > 4 and seats > 4", "acme"),
        ("(use > 4 or seats < 4)\n  and days > 0", "acme corn"),
    ],
)
def test_a_condition_holds_where_it_says(text: str, accounts: str) -> None:
    assert TABLE["account_id"][holds(text)].tolist() == accounts.split()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("use > 4", False),
        ("not use > 4", False),
        ("use != 4", False),
        ("use not in [4]", False),
        ("use > 4 or seats == 3", True),
        ("not (use > 4 and seats == 0)", True),
        ("not (use > 4 or seats == 0)", False),
    ],
)
def test_nothing_is_known_of_a_null(text: str, expected: bool) -> None:  # noqa: FBT001 - a parameter
    assert holds(text)[2] is expected


def test_a_division_by_zero_and_an_infinity_are_not_known() -> None:
    assert not holds("use / seats >= 0 or use / seats < 0")[1]
    assert not holds("seats / use > 0")[1]
    assert not holds("days > 0")[3]


def test_a_feature_that_the_table_lacks_is_not_known() -> None:
    asked = condition("tickets > 3 or use > 4", None, "here")
    assert asked.columns == {"tickets", "use"}
    assert asked.holds(TABLE).tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("use.real > 4", "Attribute (at character 1)"),
        ("__import__('os').system('true') == 0", "Call"),
        ("exit() > 1", "Call"),
        ("[use for use in [1]] == 1", "ListComp"),
        ("(lambda: 1)() > use", "Call"),
        ("use ** 9 ** 9 ** 9 > 1", "BinOp"),
        ("use % 2 == 0", "BinOp"),
        ("use << 9999 > 1", "BinOp"),
        ("use[0] > 1", "Subscript"),
        ("(use := 4) > 1", "NamedExpr"),
        ("use if use else 1", "IfExp"),
        ("f'{use}' == 1", "JoinedStr"),
        ("use == 'high'", "'high' where a number"),
        ("use == True", "True where a number"),
        ("use is None", "is where a comparison"),
        ("use in seats", "seats where a list"),
        ("use in []", "List"),
        ("use > 1e400", "a number beyond 1e+15"),
        ("use > " + "9" * 900, "a number beyond 1e+15"),
        ("use > 1j", "1j where a number"),
        ("use", "use where a condition"),
        ("use and seats", "use where a condition"),
        ("(use > 1) + 1 > 1", "Compare (at character 2)"),
        ("use > 1; seats > 1", "invalid syntax"),
        ("use >", "invalid syntax"),
        ("", "invalid syntax"),
        ("use > 1 # and", "a comment inside"),
        ("use > 1and seats", "invalid decimal literal"),
        ("use > 1\0", "null bytes"),
        ("1 < 2", "the same for every account"),
        ("not " * 30 + "use > 1", "more than 20 levels"),
        ("-" * 400 + "use > 1", "more than 20 levels"),
        ("(" * 400 + "use" + ")" * 400 + " > 1", "too many nested parentheses"),
        ("use > 1 or " * 200 + "use > 2", "at most 1,000 characters"),
        ("usee > 1", "there is no feature usee. Did you mean use?"),
        ("__builtins__ > 1", "there is no feature __builtins__. None is like it."),
    ],
)
def test_anything_else_is_refused(text: str, said: str) -> None:
    assert said in refused(text)


def test_a_refusal_is_quick() -> None:
    before = time.thread_time()
    refused("use > " + "**".join(["9"] * 300))
    assert time.thread_time() - before < 1


# Triggers


def trigger(text: str, tiers: tuple[str, ...] = ()) -> Trigger:
    return Trigger("t", "Told", condition(text, None, "here"), ("csm", "mail"), 28, tiers)


def test_a_trigger_holds_of_its_tiers_only() -> None:
    tiers = {"acme": "high", "bolt": "tech", "corn": None, "dune": "vip"}
    asked = [trigger("days > -999", given) for given in ((), ("tech",), ("high", "unknown"))]
    found = [holding([each], TABLE, tiers)["account_id"].tolist() for each in asked]
    assert found == [["acme", "bolt", "corn"], ["bolt"], ["acme", "corn"]]


def test_what_holds_says_who_is_told_and_how_often() -> None:
    (row,) = holding([trigger("use > 4")], TABLE, {}).to_dict("records")
    assert row == {
        "account_id": "acme",
        "trigger_id": "t",
        "name": "Told",
        "tell": "csm,mail",
        "every_days": 28,
    }


def test_no_trigger_holds_of_no_account() -> None:
    assert holding([], TABLE, {}).empty
    assert holding([trigger("use > 4")], TABLE.head(0), {}).empty


def test_features_that_a_source_lacks_are_named() -> None:
    asked = [trigger("tickets > 3 or use > 4")]
    assert lacking(asked, list(TABLE.columns)) == {"t": ("tickets",)}
    assert lacking(asked, ["tickets", "use"]) == {}
