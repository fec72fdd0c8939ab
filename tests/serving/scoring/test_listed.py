"""Who is on the list and who is not, and what changed since a week before, computed by hand."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime

import pandas as pd
import pytest

from models.bundle import Bundle
from serving.publishing.publish import Scored
from serving.scoring.changes import Before, told_changes
from serving.scoring.listed import why_not
from serving.scoring.rules import Rules
from serving.scoring.signals import sharp_changes

ReadTable = Callable[[str], pd.DataFrame]
AS_OF = pd.Timestamp("2026-03-02")
ROWS = """
    account_id  status    tier  csm  expected_loss  touched_at  tenure_days
    first       scored    high  Ann  900            -           400
    second      scored    high  Ann  800            -           400
    third       scored    high  Ann  700            -           400
    mixed       scored    mid   Ann  600            -           400
    of_bob      scored    high  Bob  5              -           400
    of_nobody   scored    high  -    4              -           400
    automatic   scored    tech  Ann  3              -           400
    no_tenure   scored    tech  Ann  3              -           -
    young       scored    high  Bob  999            -           29
    a_month     scored    tech  Bob  2              -           30
    called      scored    high  Ann  999            2026-02-17  400
    long_ago    scored    tech  Ann  1              2026-02-16  400
    going       leaving   high  Ann  -              2026-02-28  -
    gone        inactive  high  Ann  -              -           -
    unknown     no_data   high  Ann  -              -           -
"""


def test_the_first_cause_that_holds_says_why_an_account_is_not_on_the_list(
    read_table: ReadTable,
) -> None:
    rows = read_table(ROWS).astype({"expected_loss": float, "tenure_days": float})
    rows["touched_at"] = pd.to_datetime(rows["touched_at"])
    rules = Rules({"high": 2, "mid": 4}, cooldown_days=14, young_days=30)
    found = dict(zip(rows["account_id"], why_not(rows, AS_OF, rules), strict=True))
    assert {account_id: cause for account_id, cause in found.items() if cause} == {
        "third": "below_capacity",
        "mixed": "below_capacity",
        "young": "too_young",
        "called": "touched_lately",
        "going": "leaving",
        "gone": "ended",
        "unknown": "no_data",
    }


@pytest.mark.parametrize(("mid", "is_reached"), [(2, True), (1, False)])
def test_a_csm_of_two_tiers_gets_to_a_mix(
    read_table: ReadTable, mid: int, *, is_reached: bool
) -> None:
    rows = read_table(ROWS).astype({"expected_loss": float, "tenure_days": float})
    rows = rows[rows["account_id"].isin(["first", "mixed"])]
    rows["touched_at"] = pd.NaT
    causes = why_not(rows, AS_OF, Rules({"high": 2, "mid": mid}))
    assert causes.tolist() == [None, None if is_reached else "below_capacity"]


def told(then: Mapping[str, object] | None, version: str = "7") -> tuple[float, str | None]:
    rows = pd.DataFrame(
        {
            "account_id": ["a"],
            "probability": [0.40],
            "effects": [json.dumps({"open tickets": 0.9, "seats": -0.2, "price": 0.1})],
        }
    )
    index = pd.Index(["a" if then else "other"], name="account_id")
    said = pd.DataFrame([then or {"probability": 0.1, "effects": None}], index=index)
    before = Before(datetime(2026, 2, 23), version, said)  # noqa: DTZ001 - naive UTC everywhere
    row = told_changes(rows, "7", before).iloc[0]
    return row["change"], row["change_text"]


def then(probability: float | None, **effects: float) -> dict[str, object]:
    by_subject = {name.replace("_", " "): effect for name, effect in effects.items()}
    return {"probability": probability, "effects": json.dumps(by_subject) if effects else None}


def test_a_change_is_told_by_the_subjects_that_moved_most_its_way() -> None:
    change, text = told(then(0.10, open_tickets=0.1, seats=-0.9, usage_volume=0.5, price=0.08))
    assert change == pytest.approx(0.30)
    assert text == "Up from 10% to 40% since 2026-02-23, mostly by open tickets and seats."


def test_a_fall_is_told_by_what_fell() -> None:
    change, text = told(then(0.60, open_tickets=0.9, seats=0.3, price=0.1))
    assert change == pytest.approx(-0.20)
    assert text == "Down from 60% to 40% since 2026-02-23, mostly by seats."


def test_where_contributions_were_not_kept_only_the_probabilities_are_compared() -> None:
    assert told(then(0.10)) == (pytest.approx(0.30), "Up from 10% to 40% since 2026-02-23.")


def test_a_probability_that_stood_is_said_to_stand() -> None:
    assert told(then(0.402, open_tickets=5.0))[1] == "As on 2026-02-23."


def test_another_version_of_the_model_gives_no_difference() -> None:
    change, text = told(then(0.10, open_tickets=0.1), version="6")
    assert pd.isna(change)
    assert text == "Another version of the model scored on 2026-02-23: no difference is given."


@pytest.mark.parametrize("earlier", [None, then(None)])
def test_an_account_that_was_not_scored_then_says_so(earlier: dict[str, object] | None) -> None:
    change, text = told(earlier)
    assert pd.isna(change)
    assert text == "Not scored on 2026-02-23."


CATALOGUE = [
    {
        "column": column,
        "description": column,
        "unit": unit,
        "units": {},
        "text": {"level": f"{said} {{value}}", "missing": "none"},
    }
    for column, unit, said in (
        ("rhythm__pace_change__7d", "share", "Pace"),
        ("usage__week_against_month", "share", "Week"),
        ("people__champions_left__28d", "items", "Champions left"),
    )
]


@pytest.mark.parametrize(
    ("pace", "week", "left", "kind", "text"),
    [
        (-0.5, 0.0, 0, "drop_in_use", "Pace -50%."),
        (-0.49, -0.9, 0, None, None),  # a holiday week: per working day it is no drop
        (None, -0.9, 0, "drop_in_use", "Week -90%."),
        (None, None, 0, None, None),
        (-0.8, 0.0, 2, "champion_left", "Champions left 2. Pace -80%."),
    ],
)
def test_a_sharp_change_is_found_and_said(
    pace: float | None, week: float | None, left: int, kind: str | None, text: str | None
) -> None:
    table = pd.DataFrame(
        {
            "account_id": ["a"],
            "rhythm__pace_change__7d": [pace],
            "usage__week_against_month": [week],
            "people__champions_left__28d": [left],
        }
    )
    found = sharp_changes(table, CATALOGUE)
    assert found[["signal", "signal_text"]].to_numpy().tolist() == ([[kind, text]] if kind else [])


@pytest.mark.parametrize(
    ("others", "fell", "found"),
    [
        ([-0.3] * 40, -0.64, False),  # all customers rest: it did so little more than they
        ([-0.3] * 40, -0.66, True),  # below half of what is left of the middle one's use
        ([-0.6] * 40, -1.0, False),  # the middle one fell by half itself
        ([0.4] * 40, -0.5, True),
        ([0.4] * 40, -0.4, False),  # that others rise is no drop
        ([-0.3] * 10, -0.5, True),  # too few to compare with
    ],
)
def test_a_drop_in_use_is_sharp_beyond_what_the_middle_account_did(
    *, others: list[float], fell: float, found: bool
) -> None:
    paces = [fell, *others]
    names = [f"a{n}" for n in range(len(paces))]
    table = pd.DataFrame({"account_id": names, "rhythm__pace_change__7d": paces})
    assert ("a0" in set(sharp_changes(table, CATALOGUE)["account_id"])) is found


def test_each_known_account_has_one_row(
    scored_company: Callable[..., Scored], bundles: dict[str, Bundle]
) -> None:
    rows = scored_company(bundles).rows
    assert rows is not None
    by_id = rows.set_index("account_id")
    assert by_id.index.tolist() == ["acme", "bolt", "corn", "dune", "evil", "gone", "newt", "quit"]
    assert by_id.loc["quit", "why_not"] == "leaving"
    acme = by_id.loc["acme"]
    assert acme["expected_loss"] == pytest.approx(12_000 * acme["probability"])
    assert acme["family"] in {"usage", "support"}
    assert acme["notice_deadline"] == pd.Timestamp("2026-03-17")
    assert 0 < acme["expansion_probability"] < 1
    assert json.loads(acme["effects"])
