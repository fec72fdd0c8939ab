"""The back-test: what each origin may know, and what is reported of it."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta
from sklearn.metrics import log_loss, roc_auc_score

from features.built import Built
from features.checked import CheckedSource
from features.home import Home
from models.bundle import Bundle
from models.churn import CHURN
from models.registry import Registry
from training import tested
from training.backtest import Backtest, backtest
from training.backtest_lists import LISTED
from training.backtest_page import backtest_document, sections
from training.bundling import fit_bundle
from training.capacity import AtStake, Economics, Team, first_share
from training.closeup import beside_champion
from training.direct import direct_probabilities
from training.fit import BoosterParams
from training.prepare import dates_of, features_of, labelled_rows
from training.profit import maximum_profit
from training.shown import cell
from training.slices import COLD_START
from training.splits import Split, origins, outcome_known_by

FEW = BoosterParams(trees=10)
NEVER = pd.Timestamp("9999-01-01")


@pytest.fixture(scope="module")
def known(world: Callable[..., Built]) -> Built:
    built = world(accounts=200, months=36, seed=5)
    is_leaving = built.states["account_id"].str.endswith("7-00")
    status = np.where(is_leaving, "leaving", "active")
    table = built.table.assign(lifecycle__tenure_days=np.arange(len(built.table)) % 400.0)
    return replace(built, states=built.states.assign(status=status), table=table)


@pytest.fixture(scope="module")
def splits(known: Built) -> tuple[Split, ...]:
    dates = dates_of(known, labelled_rows(known, CHURN), CHURN)
    return origins(dates, known.source.extracted_at, CHURN)


@pytest.fixture(scope="module")
def champion(known: Built, splits: tuple[Split, ...]) -> Bundle:
    """Give the model of the third origin, as if it had become champion then."""
    return fit_bundle(labelled_rows(known, CHURN), CHURN, features_of(known, CHURN), splits[2], FEW)


@pytest.fixture(scope="module")
def rolled(known: Built, champion: Bundle) -> Backtest:
    return backtest(known, CHURN, params=FEW, champion=champion, direct=True)


@pytest.fixture(scope="module")
def unknowing(
    known: Built, splits: tuple[Split, ...], tmp_path_factory: pytest.TempPathFactory
) -> Backtest:
    """Back-test a company of which no loss is told that the third origin could not know."""
    moment = splits[2].test_from - timedelta(days=CHURN.grace_days)
    source = without_losses_from(known.source, moment, tmp_path_factory.mktemp("unknowing"))
    return backtest(replace(known, source=source), CHURN, params=FEW, direct=True)


def without_losses_from(source: CheckedSource, moment: pd.Timestamp, folder: Path) -> CheckedSource:
    rows = pd.read_parquet(source.folder / "subscriptions.parquet")
    rows.loc[rows["ended_at"] >= moment, "ended_at"] = NEVER
    rows.to_parquet(folder / "subscriptions.parquet")
    return replace(source, folder=folder)


def said(found: Backtest, origin: pd.Timestamp, kind: str) -> pd.DataFrame:
    rows = found.test_rows[found.test_rows["origin"] == origin]
    return rows.set_index(["account_id", "as_of"])[[f"{kind}__30d", f"{kind}__90d"]].sort_index()


def test_there_are_six_origins_and_each_tests_on_the_dates_up_to_the_next(rolled: Backtest) -> None:
    spans = rolled.test_rows.groupby("origin")["as_of"].agg(["min", "max"])
    assert len(spans) == len(rolled.by_origin) == 6
    assert (spans["min"] == spans.index).all()
    assert (spans["max"].to_numpy()[:-1] < spans["min"].to_numpy()[1:]).all()


@pytest.mark.parametrize("kind", ["probability", "direct"])
def test_no_loss_that_an_origin_could_not_know_moves_its_probabilities(
    rolled: Backtest, unknowing: Backtest, splits: tuple[Split, ...], kind: str
) -> None:
    for split in splits[:3]:
        pd.testing.assert_frame_equal(
            said(unknowing, split.test_from, kind), said(rolled, split.test_from, kind)
        )


@pytest.mark.parametrize("kind", ["probability", "direct"])
def test_a_loss_that_an_origin_could_know_does_move_them(
    rolled: Backtest, unknowing: Backtest, splits: tuple[Split, ...], kind: str
) -> None:
    last = splits[-1].test_from
    assert not said(unknowing, last, kind).equals(said(rolled, last, kind))


def test_the_figures_are_json_and_each_part_of_the_base_adds_up_to_the_whole(
    rolled: Backtest,
) -> None:
    metrics = json.loads(json.dumps(rolled.metrics, allow_nan=False))
    for parts in metrics["slices"].values():
        assert sum(part["rows"] for part in parts.values()) == metrics["rows"]
        assert sum(part["events"] for part in parts.values()) == metrics["events"]
    assert metrics["slices"]["age"][COLD_START]["rows"] > 0
    assert set(metrics["slices"]["tier"]) == {"unknown"}
    assert sum(cause["events"] for cause in metrics["causes"].values()) == metrics["events"]


def test_a_model_that_knows_the_hazard_in_part_beats_the_base_rate_on_the_same_draws(
    rolled: Backtest,
) -> None:
    above = rolled.metrics["above_baselines"]["base_rate"]
    assert above["log_loss"]["high"] < 0
    assert above["auc"]["low"] > 0
    for origin in rolled.by_origin:
        assert set(origin["above_baselines"]) == set(rolled.metrics["baselines"])


def test_a_team_without_csms_has_nobody_on_its_lists(rolled: Backtest) -> None:
    assert rolled.metrics["team"] == {"high": 25, "mid": 150}
    assert rolled.metrics["at_team"]["expected_mrr"]["listed"] == 0
    assert rolled.metrics["lead_time"]["team"]["listed"]["value"] == 0
    assert rolled.metrics["lead_time"]["tenth"]["listed"]["value"] > 0


def test_those_who_had_asked_to_leave_are_counted_apart_and_in_no_figure(
    known: Built, rolled: Backtest
) -> None:
    assert not rolled.test_rows["account_id"].str.endswith("7-00").any()
    dates = rolled.test_rows["as_of"].unique()
    asked = known.states[known.states["status"] == "leaving"]
    asked = asked[asked["as_of"].isin(dates)]
    lives = pd.read_parquet(known.source.folder / "subscriptions.parquet")
    joined = asked.merge(lives, on="account_id")
    days = (joined["ended_at"] - joined["as_of"]).dt.days
    came = ((days >= 0) & (days < 90)).sum()
    leaving = rolled.metrics["leaving"]
    assert (leaving["rows"], leaving["events"]) == (len(asked), came)
    assert leaving["share"]["value"] == pytest.approx(came / len(asked))


def test_the_champion_is_judged_only_on_rows_that_it_did_not_learn_from(
    known: Built, champion: Bundle, rolled: Backtest, splits: tuple[Split, ...]
) -> None:
    beside = rolled.metrics["champion"]
    rows = rolled.test_rows[rolled.test_rows["as_of"] >= splits[2].test_from]
    features = known.table.set_index(["account_id", "as_of"])
    seen = features.loc[pd.MultiIndex.from_frame(rows[["account_id", "as_of"]])].reset_index()
    rival = champion.probabilities(seen)[:, CHURN.horizons_days.index(90)]
    outcome = rows["outcome__90d"]
    assert beside["champion"]["rows"] == len(rows) < len(rolled.test_rows)
    assert beside["champion"]["auc"]["value"] == pytest.approx(roc_auc_score(outcome, rival))
    difference = log_loss(outcome, rows["probability__90d"]) - log_loss(outcome, rival)
    assert beside["above"]["log_loss"]["value"] == pytest.approx(difference)


def test_a_champion_of_other_features_is_told_and_not_compared(
    rolled: Backtest, champion: Bundle
) -> None:
    foreign = replace(champion, features=("x__gone", *champion.features[1:]))
    found = beside_champion(tested.Tested(rolled.test_rows, {}), CHURN, foreign)
    assert "without x__gone" in found["reason"]
    later = replace(champion, as_of_range=(champion.as_of_range[0], NEVER.date()))
    assert (
        "No tested row"
        in beside_champion(tested.Tested(rolled.test_rows, {}), CHURN, later)["reason"]
    )


def test_a_direct_classifier_is_lightgbms_own_on_the_outcomes_of_its_horizon(
    known: Built,
) -> None:
    rows, features = labelled_rows(known, CHURN), features_of(known, CHURN)
    # so early that no slice is left to calibrate on
    first = sorted(rows["as_of"].unique())[6].to_pydatetime()
    dates = dates_of(known, rows, CHURN)
    question = replace(CHURN, horizons_days=(30, 90))
    found = direct_probabilities(rows, rows, question, features, dates, Split(first, first), FEW)
    outcome = outcome_known_by(rows, 90, first, CHURN)
    # what is known of a window without a term: its number, no end, no days to one
    window = np.tile([0.0, np.nan, np.nan], (len(rows), 1))
    cells = np.hstack([rows[list(features.names)].to_numpy(dtype=float), window])
    known_rows = np.isfinite(outcome)
    data = lightgbm.Dataset(cells[known_rows].astype(np.float32), label=outcome[known_rows])
    booster = lightgbm.train(FEW.to_lightgbm(), data, num_boost_round=FEW.trees)
    assert found[:, 1] == pytest.approx(booster.predict(cells.astype(np.float32)), abs=1e-12)


def section(found: Backtest, caption: str) -> dict[str, list[str]]:
    """Give a section's rows by their first cell."""
    table = next(each for each in sections(found) if each.caption == caption)
    return {first: rest for first, *rest in map(list, table.rows)}


def test_the_page_holds_every_figure_and_opens_without_a_network(
    rolled: Backtest, tmp_path: Path
) -> None:
    registry = Registry(Home(tmp_path / "home"))
    said = backtest_document(rolled, tmp_path, {"source": "made"}, registry)
    document = json.loads(json.dumps(said))
    assert document["run"]
    html = Path(document["report"]).read_text()
    for caption in (
        "Date by date",
        "By horizon",
        "Against plainer ways",
        "What lists catch",
        "What the best list would win",
        "How early",
        "Events at least 30 days away",
        "Those who had asked to leave",
        "By contract",
        "By touch",
        "By cause of loss",
        "Against the champion",
        "Is it better than plainer ways?",
    ):
        assert f"<h2>{caption}</h2>" in html
    assert not re.search(r'(src|href)=(?!"data:)', html)
    assert "//" not in re.sub(r'src="[^"]*"', "", html)


def test_the_page_says_what_the_figures_say(rolled: Backtest) -> None:
    dates = section(rolled, "Date by date")
    assert list(dates) == [origin["origin"] for origin in rolled.by_origin]
    found = rolled.by_origin[0]["auc"]
    told = f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
    assert dates[rolled.by_origin[0]["origin"]][2] == told
    assert section(rolled, "Against the champion")["auc"][2][0] in "+-"
    words = [each.words for each in sections(rolled) if "team's lists" in each.caption]
    assert "No account of these tiers has a CSM" in words[0]


def test_what_a_call_costs_and_wins_is_what_the_team_states(known: Built, rolled: Backtest) -> None:
    dear = Team(economics=Economics(touch_cost=400.0, save_chance=0.3))
    again = backtest(known, CHURN, params=FEW, team=dear, limit=1)
    assert again.metrics["economics"]["touch_cost"] == 400.0
    rows = again.test_rows
    order = (rows["probability__90d"] * rows["mrr"]).to_numpy()
    stake = AtStake(rows, (rows["outcome__90d"] > 0).to_numpy(), rows["mrr"].to_numpy())
    best = again.metrics["best_lists"]
    assert best["expected_mrr"] == maximum_profit(stake, order, dear.economics)
    assert set(best) == {"probability", "expected_mrr", *rolled.metrics["baselines"]}
    (tenth,) = (
        each
        for each in again.metrics["capacity"]
        if (each["share"], each["order"]) == (0.10, "expected_mrr")
    )
    listed = first_share(rows, order, 0.10)
    saved = 0.3 * 12 * rows["mrr"][listed & stake.came].sum() - 400 * listed.sum()
    assert tenth["profit"]["value"] == pytest.approx(saved / rows["as_of"].nunique())
    words = [each.words for each in sections(again) if each.caption.startswith("What")]
    assert "each account on it costs 400" in words[0]
    assert "30% on average" in words[2]


def test_each_origin_tells_what_its_own_lists_catch_and_what_comes_later(rolled: Backtest) -> None:
    told = section(rolled, "What lists by expected MRR catch, date by date")
    later = section(rolled, "Events at least 30 days away")
    for run in rolled.by_origin:
        rows = rolled.test_rows[rolled.test_rows["origin"] == pd.Timestamp(run["origin"])]
        order = rows["probability__90d"] * rows["mrr"]
        listed = pd.concat(
            [
                order[rows["as_of"] == date].nlargest(
                    max(1, int((rows["as_of"] == date).sum() / 10))
                )
                for date in rows["as_of"].unique()
            ]
        ).index
        came = rows["outcome__90d"]
        (tenth,) = (
            each
            for each in run["capacity"]
            if (each["share"], each["order"]) == (0.10, "expected_mrr")
        )
        assert tenth["precision"]["value"] == pytest.approx(came[listed].mean())
        assert tenth["lift"]["value"] == pytest.approx(came[listed].mean() / came.mean())
        assert run["later"]["rows"] == (~(rows["event_days"] < 30)).sum()
        assert f"{run['origin']}, first 10%" in told
        assert run["origin"] in later


def test_each_origin_tells_what_its_best_list_would_win(known: Built) -> None:
    cheap = 5.0
    team = Team(economics=Economics(touch_cost=cheap))
    rolled = backtest(known, CHURN, params=FEW, team=team, limit=2)
    told = section(rolled, "What the best list by expected MRR would win, date by date")
    chances = np.linspace(0.0005, 0.9995, 1_000)
    sure = beta.pdf(chances, 20 * 0.15, 20 * 0.85) / 1_000
    for run in rolled.by_origin:
        rows = rolled.test_rows[rolled.test_rows["origin"] == pd.Timestamp(run["origin"])]
        won = 12 * rows["mrr"] * rows["outcome__90d"]
        order = -rows["probability__90d"] * rows["mrr"]  # equal ones are called together
        lists = pd.DataFrame({"won": won, "spent": cheap}).groupby(order).sum().cumsum()
        gains = chances[:, None] * lists["won"].to_numpy() - lists["spent"].to_numpy()
        best = np.maximum(gains, 0).max(axis=1)
        found = run["best_lists"]["expected_mrr"]["profit"]
        assert found["value"] == pytest.approx(sure @ best / rows["as_of"].nunique(), rel=1e-3)
        assert 0 < found["low"] <= found["value"] <= found["high"]
        assert told[run["origin"]][0].startswith(cell(found).split(" ")[0])


def test_a_list_that_sorts_nobody_out_is_called_that(rolled: Backtest) -> None:
    everybody = {"listed": 5.0, "listed_share": 1.0, "recall": {"value": 1, "low": 1, "high": 1}}
    full = {**dict.fromkeys(LISTED), **everybody}
    metrics = {**rolled.metrics, "at_team": dict.fromkeys(("probability", "expected_mrr"), full)}
    alike = replace(rolled, metrics={**metrics, "rivals_at_team": {"rule": full}})
    words = [each.words for each in sections(alike) if "team's lists" in each.caption]
    assert "sorts nobody out" in words[0]
    assert words[0].endswith("Look at the lists of 5 and 10 %.")
    half = {**full, "recall": {"value": 0.5, "low": 0.4, "high": 0.6}}
    apart = replace(rolled, metrics={**metrics, "rivals_at_team": {"rule": half}})
    words = [each.words for each in sections(apart) if "team's lists" in each.caption]
    assert "sorts nobody out" not in words[0]
    assert "more than half of all accounts" in words[0]
    few = {**half, "listed_share": 0.4}
    at_team = {"probability": few, "expected_mrr": {**full, "listed_share": 0.4}}
    short = replace(apart, metrics={**apart.metrics, "at_team": at_team})
    words = [each.words for each in sections(short) if "team's lists" in each.caption]
    assert words[0].endswith("or to a mix of them.")


@pytest.mark.parametrize(
    ("figure", "told"),
    [
        (None, "-"),
        (0.25, "0.250"),
        (2500.0, "2,500"),
        ({"value": 0.5, "low": 0.25, "high": 0.75}, "0.500 [0.250, 0.750]"),
    ],
)
def test_a_cell_shows_its_interval_and_what_is_unknown_as_a_dash(figure: Any, told: str) -> None:
    assert cell(figure) == told
