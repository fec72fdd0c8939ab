"""The figure on reasons: its counting, on cases made up by hand, and its truth."""

import json
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.reasons import FAMILIES, Cases, by_cause, by_order, truest, unseen
from features.sources.sample.simulate import simulate
from features.sources.sample.world import CAUSES
from models.families import FAMILIES as KNOWN
from training.oracle import read_causes, read_truth


def cases(*lines: str) -> Cases:
    """Give cases, each `account cause families-in-order causes-by-the-truth`."""
    rows = []
    for line in lines:
        account, cause, told, true = line.split()
        reasons = [(family, 9.0 - at) for at, family in enumerate(told.split(","))]
        rows.append(
            {
                "account_id": account,
                "customer_group": account,
                "cause": cause,
                "reasons": json.dumps(reasons),
                "truest": json.dumps(true.split(",")),
            }
        )
    return Cases(pd.DataFrame(rows))


def test_every_cause_that_can_be_told_has_families_that_there_are() -> None:
    assert FAMILIES.keys() == set(CAUSES[1:])
    assert KNOWN.keys() >= frozenset().union(*FAMILIES.values())


def test_a_case_is_hit_by_a_family_of_its_cause_among_the_first_three() -> None:
    found = cases(
        "a price price,usage,people price",
        "b price usage,people,support,price price",  # the fourth does not count
        "c value usage,success,people adoption",
        "d other price,usage,people price",
    )
    lines = {line[0]: line for line in by_cause(found)}
    assert lines["price"][1:3] == ["2 (2)", "0.500 [0.000, 1.000]"]
    assert lines["price"][4] == "**no**"
    assert lines["value"][1:2] + lines["value"][4:] == ["1 (1)", "yes", "0.333", "0.000"]
    assert lines["champion"][1] == "0"
    assert lines["all"][1] == "3 (3)"
    assert lines["all"][2].startswith("0.667")
    assert lines["all"][6] == "0.667"


def test_by_chance_each_account_counts_once_and_those_without_a_cause_do_not() -> None:
    found = cases(
        "a price price,usage,people price",
        "a price price,usage,people price",
        "a price price,usage,people price",
        "b outage usage,people,support outage",
        "c other price,people,support price",
    )
    lines = {line[0]: line for line in by_cause(found)}
    assert lines["price"][5] == "0.500"
    assert lines["outage"][5] == "0.000"
    assert float(lines["all"][5]) == pytest.approx((3 * 0.5 + 0.0) / 4, abs=0.001)


def test_other_orders_are_of_the_same_effects() -> None:
    found = cases("a people contract,contract,usage,usage,support,people people")
    told = json.dumps([("people", 1.0), ("usage", 3.0), ("usage", 4.0), ("contract", 9.0)])
    found = Cases(found.rows.assign(cause="champion", reasons=told))
    hits = [line[1][:5] for line in by_order(found)]
    assert hits == ["0.000", "1.000", "1.000", "1.000"]
    crowded = json.dumps([("people", 1.0), ("usage", 3.0), ("price", 4.0), ("contract", 9.0)])
    hits = [line[1][:5] for line in by_order(Cases(found.rows.assign(reasons=crowded)))]
    assert hits == ["0.000", "0.000", "1.000", "1.000"]


def test_of_a_missed_case_it_says_whether_the_model_sees_the_cause() -> None:
    seen = [("usage", 4.0), ("support", 3.0), ("size", 2.0), ("price", 0.03), ("price", 0.03)]
    unheard = [("usage", 4.0), ("support", 3.0), ("size", 2.0), ("price", 0.3), ("price", -0.3)]
    found = cases("a price price -", "b price price -", "c adoption price -", "d other price -")
    told = [json.dumps(each) for each in (seen, unheard, seen, unheard)]
    said = unseen(Cases(found.rows.assign(reasons=told)))
    assert said.startswith(
        "Of the 2 cases that are missed the model makes nothing of the cause in 1:"
    )


def test_the_truths_three_are_those_that_add_most_at_the_date(tmp_path: Path) -> None:
    simulate(tmp_path, accounts=60, months=12)
    states = read_truth(tmp_path).states
    told = truest(tmp_path)["truest"].map(json.loads)
    assert len(told) == len(states)
    gone = (states["champion"] == 2).to_numpy()
    assert gone.any()
    assert all("champion" in three for three in told[gone])  # nothing adds more but four others
    assert not any("champion" in three for three in told[~gone])
    assert not any("budget" in three for three in told[~states["in_stress"].to_numpy()])
    assert set(read_causes(tmp_path)["event"]) == {"churn", "expansion"}
