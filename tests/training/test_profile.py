"""The features' profile: its figures by hand, planted faults as alarms, and a page by itself."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import narwhals as nw
import numpy as np
import pandas as pd
import pytest

from features.built import Built
from features.declare import Facts, Feature, Missing, Text, Total, Unit
from training.profile import FeatureProfile, Profile, area_under_curve, profile
from training.profile_page import page, write_profile

FACTS = Facts("subscriptions", at="started_at")


def declared(column: str, risk: str | None = None) -> Feature:
    group, name = column.split("__")
    text = Text("{value}")
    recipe = Total(FACTS, nw.col("mrr"))
    made = Feature(group, name, recipe, Unit.ITEMS, name, f"{name}.", text, Missing.UNKNOWN)
    return replace(made, risk=risk)


@pytest.fixture(scope="module")
def known(world: Callable[..., Built]) -> Built:
    """A company that left by the hazard that two of its features make, and planted columns."""
    made = world(accounts=150, months=16, seed=5)
    table, states = made.table, made.states
    ends = pd.read_parquet(made.source.path("subscriptions")).set_index("account_id")["ended_at"]
    days = (ends.reindex(table["account_id"]).to_numpy() - table["as_of"].to_numpy()).astype(
        "timedelta64[D]"
    )
    table = table.assign(
        x__leaky=(days.astype(float) < 90).astype(float),
        x__same=7.0,
        x__twin=table["x__fixed"],
        x__gap=table["x__noise"].where(np.arange(len(table)) % 4 > 0),
    )
    names = [column for column in table.columns if column.startswith("x__")]
    risks = {"x__fixed": "down", "x__lately": "up"}
    features = tuple(declared(name, risks.get(name)) for name in names)
    return Built(made.source, features, states, table)


@pytest.fixture(scope="module")
def profiled(known: Built) -> Profile:
    return profile(known)


def of(profiled: Profile, column: str) -> FeatureProfile:
    return next(each for each in profiled.features if each.column == column)


def test_the_auc_is_the_share_of_pairs_in_order() -> None:
    """Pairs (event, other): (3, 1), (3, 2), (2, 1) in order, (2, 2) even: 3.5 of 4."""
    values, outcome = np.array([3.0, 2.0, 1.0, 2.0]), np.array([1.0, 1.0, 0.0, 0.0])
    assert area_under_curve(values, outcome) == 3.5 / 4
    assert area_under_curve(-values, outcome) == 0.5 / 4
    assert area_under_curve(values, np.zeros(4)) is None


def test_the_figures_of_a_tiny_table_are_those_by_hand(
    checked_rows: Callable[..., object],
) -> None:
    """Four accounts, four dates from January; b leaves on 20 March, the extract is of December.

    The record begins with z, which left on 20 December and was seen on the first of it.
    """
    dates = [date(2023, 12, 1), *(date(2024, month, 1) for month in (1, 2, 3, 4))]
    ends = {"b": datetime(2024, 3, 20), "z": datetime(2023, 12, 20)}  # noqa: DTZ001 - naive UTC
    begin, extracted = datetime(2023, 1, 1), datetime(2024, 12, 1)  # noqa: DTZ001 - naive UTC
    lives = [(begin, ends.get(name), 100, name) for name in "abcdz"]
    source = checked_rows(lives, extracted_at=extracted)
    seen = zip(dates, ("z", "abcd", "abcd", "abcd", "acd"), strict=True)
    rows = [(name, day) for day, names in seen for name in names]
    frame = pd.DataFrame(rows, columns=["account_id", "as_of"]).astype({"as_of": "datetime64[us]"})
    values = [None, 1, 4, 2, None, 1, 4, 2, 3, 1, 4, 2, 3, None, 2, 3]
    table = frame.assign(x__a=np.array(values, dtype=float))
    states = frame.assign(status="active", mrr=100.0, customer_group=frame["account_id"])
    states["term_ends_at"], states["term_months"] = pd.NaT, np.nan
    (found,) = profile(Built(source, (declared("x__a"),), states, table)).features
    assert found.coverage == (0.0, 3 / 4, 1.0, 1.0, 2 / 3)
    assert found.spread is not None
    assert (found.spread.median, sum(found.spread.counts)) == (2.0, 13)
    churn = found.relation("churn", 90)
    # b has the highest value at each of its dates, and leaves within 90 days of each of them.
    assert churn is not None
    assert (churn.auc, churn.events, churn.rows) == (1.0, 3, 13)
    within_30 = found.relation("churn", 30)
    assert within_30 is not None
    assert within_30.events == 1


def test_a_window_that_is_not_closed_with_its_grace_tells_nothing(profiled: Profile) -> None:
    rows = [of(profiled, "x__fixed").relation("churn", days).rows for days in (30, 90, 180)]
    by_month = profiled.rows / len(profiled.dates)
    assert rows[0] - rows[1] == pytest.approx(2 * by_month, rel=0.2)
    assert rows[1] - rows[2] == pytest.approx(3 * by_month, rel=0.2)


def test_a_planted_leak_is_an_alarm(profiled: Profile) -> None:
    (flag,) = [flag for flag in of(profiled, "x__leaky").flags if flag.level == "alarm"]
    assert flag in profiled.alarms
    assert flag.sentence.startswith("churn: x__leaky")


def test_a_direction_that_is_declared_the_wrong_way_is_an_alarm(profiled: Profile) -> None:
    (flag,) = [flag for flag in of(profiled, "x__fixed").flags if flag.level == "alarm"]
    assert "declared riskier when it goes down" in flag.sentence
    assert of(profiled, "x__lately").flags == ()


def test_constant_and_duplicate_features_are_noted(profiled: Profile) -> None:
    assert ["one value" in flag.sentence for flag in of(profiled, "x__same").flags] == [True]
    assert [flag.sentence for flag in of(profiled, "x__twin").flags] == [
        "x__twin has the same values as x__fixed."
    ]


def test_an_honest_feature_raises_nothing(profiled: Profile) -> None:
    assert of(profiled, "x__noise").flags == ()
    assert of(profiled, "x__noise").relation("churn", 90).auc == pytest.approx(0.5, abs=0.05)
    assert of(profiled, "x__gap").coverage[0] == pytest.approx(0.75, abs=0.01)


def test_a_jump_is_drift(known: Built) -> None:
    last = known.table["as_of"] >= sorted(known.table["as_of"].unique())[-3]
    table = known.table.assign(x__noise=known.table["x__noise"].where(~last, 9.0))
    found = of(profile(replace(known, table=table)), "x__noise")
    assert min(found.drift[-3:]) > 1 > max(found.drift[:-3])
    assert [flag.sentence[:30] for flag in found.flags] == ["x__noise has moved far: index "]


def test_the_page_opens_without_a_network(profiled: Profile, tmp_path: Path) -> None:
    file = write_profile(profiled, tmp_path / "reports" / "profile.html")
    text = file.read_text(encoding="utf-8")
    assert re.findall(r"(?:https?:)?//[^ ]", text) == []
    assert re.findall(r"(?:src|href)=\"(?!#)", text) == []
    assert "default-src 'none'" in text
    assert list(file.parent.iterdir()) == [file]


def test_the_page_has_a_row_for_each_feature_the_strongest_first(profiled: Profile) -> None:
    names = re.findall(r"<code>(x__\w+)</code>", page(profiled))
    assert sorted(names) == sorted(each.column for each in profiled.features)
    assert names[0] == "x__leaky"
    assert names[-1] == "x__same"


def test_what_a_page_shows_cannot_be_markup(known: Built) -> None:
    spiked = replace(known.features[0], description="<script>alert(1)</script>.")
    rows = replace(known, features=(spiked,), table=known.table)
    assert "<script>alert" not in page(profile(rows))


def test_the_figures_are_json(profiled: Profile) -> None:
    read = json.loads(json.dumps(profiled.to_json(), allow_nan=False))
    assert read["features"][0]["relations"][0]["outcome"] == "churn"
    assert len(read["alarms"]) == 2


def test_directions_of_pure_chance_raise_no_alarm_on_a_hundred_and_twenty_accounts(
    known: Built,
) -> None:
    """Forty columns that an account keeps over all dates: many are 0.05 off one half by chance."""
    kept = sorted(known.table["account_id"].unique())[:120]
    table = known.table[known.table["account_id"].isin(kept)].reset_index(drop=True)
    rng, names = np.random.default_rng(11), [f"x__chance_{number}" for number in range(40)]
    levels = pd.DataFrame(rng.normal(size=(len(kept), 40)), index=kept, columns=names)
    chance = levels.loc[table["account_id"]].reset_index(drop=True)
    world = replace(
        known,
        table=pd.concat([table[["account_id", "as_of"]], chance], axis=1),
        features=tuple(declared(name, "up") for name in names),
    )
    found = profile(world)
    aucs = [each.relation("churn", 90).auc for each in found.features]
    assert sum(auc < 0.45 for auc in aucs) >= 3
    assert found.alarms == ()
