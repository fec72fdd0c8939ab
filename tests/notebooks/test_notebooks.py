"""Each notebook runs from top to bottom, and what it computed is computed again by another road."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import lightgbm
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy.stats import percentileofscore
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from models.bundle import row_covariates
from models.churn import CHURN
from models.families import family_of
from models.intervals import matrix
from training.fit import LinearParams
from training.oracle import oracle_probabilities
from training.prepare import labelled_rows
from training.run import train
from training.splits import on_record

GUIDE = Path(__file__).parents[2] / "docs" / "for-data-scientists.md"
NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.py"))
NAMES = (
    "compare_two_models",
    "explain_one_account",
    "explore_a_source",
    "question_features",
    "train_and_backtest",
)


@pytest.fixture(scope="module")
def explored(run) -> SimpleNamespace:
    return run("explore_a_source")


@pytest.fixture(scope="module")
def questioned(run) -> SimpleNamespace:
    return run("question_features")


@pytest.fixture(scope="module")
def explained(run) -> SimpleNamespace:
    return run("explain_one_account")


@pytest.fixture(scope="module")
def compared(run) -> SimpleNamespace:
    return run("compare_two_models")


@pytest.fixture(scope="module")
def tested(run, explained: SimpleNamespace, compared: SimpleNamespace) -> SimpleNamespace:
    """Run last: it registers a version more, which the others are not to see."""
    assert (explained.version, len(compared.versions)) == ("2", 2)
    return run("train_and_backtest")


@pytest.fixture(scope="module")
def database(sample) -> Iterator[sqlite3.Connection]:
    """What the check kept, but no log, as tables of SQLite; times are text that sorts."""
    source = sample.built.source
    with closing(sqlite3.connect(":memory:")) as connection:
        for name in ("subscriptions", "trainings", "touches", "account_merges"):
            rows = source.newest(name)
            times = rows.select_dtypes("datetime").columns
            texts = {time: rows[time].dt.strftime("%Y-%m-%d %H:%M:%S.%f") for time in times}
            money = {name: rows[name].astype(float) for name in ("mrr",) if name in rows}
            rows.assign(**texts, **money).astype(object).where(rows.notna(), None).to_sql(
                name, connection, index=False
            )
        yield connection


def cells(text: str) -> list[str]:
    """Part a notebook into its cells, each with its marker; the header comes first."""
    return re.split(r"^(?=# %%)", text, flags=re.MULTILINE)


def test_each_notebook_is_known_here() -> None:
    assert [notebook.stem for notebook in NOTEBOOKS] == list(NAMES)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_text_in_cells_that_jupytext_pairs(notebook: Path) -> None:
    header, title, *others = cells(notebook.read_text(encoding="utf-8"))
    assert "formats: ipynb,py:percent" in header
    assert all(line.startswith("#") for line in header.split("\n") if line)
    assert title.startswith("# %% [markdown]\n# # ")
    for cell in (title, *others):
        marker, *lines = cell.rstrip("\n").split("\n")
        assert marker in {"# %%", "# %% [markdown]"}
        is_code = any(line and not line.startswith("#") for line in lines)
        assert is_code is (marker == "# %%")


def test_no_notebook_is_kept_with_its_answers() -> None:
    assert list(NOTEBOOKS[0].parent.glob("*.ipynb")) == []


def test_the_guide_walks_through_every_notebook() -> None:
    linked = re.findall(r"\]\(\.\./notebooks/(\w+)\.py\)", GUIDE.read_text(encoding="utf-8"))
    assert set(linked) == set(NAMES)
    assert all(linked.count(name) >= 2 for name in NAMES)  # in the table, and where it is used


def test_the_guides_question_is_one_that_trains(sample) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)
    values: dict[str, object] = {}
    exec(code, values)  # noqa: S102 - our own page, to see that it holds
    trained = train(sample.built, values["SOONER"], params=LinearParams(), poisoned=sample.poisoned)
    assert trained.bundle.question.horizons_days == (30, 60, 90)
    assert trained.bundle.probabilities(trained.test_rows).shape == (len(trained.test_rows), 3)


@pytest.mark.parametrize("name", ["explored", "questioned", "explained", "compared", "tested"])
def test_every_plot_shows_something(name: str, request: pytest.FixtureRequest) -> None:
    figures = request.getfixturevalue(name).plots
    assert len(figures) >= 2
    for figure in figures:
        assert all(axes.has_data() for axes in figure.axes)


def test_every_row_that_lies_in_the_files_is_accounted_for(explored, sample) -> None:
    raw = {file.stem: pq.read_metadata(file).num_rows for file in sample.folder.glob("*.parquet")}
    tables = explored.tables
    assert {name: raw[name] for name in tables.index} == tables["read"].to_dict()
    kept = tables["accepted"] + tables["quarantined"] + tables["collapsed"]
    assert (kept == tables["read"]).all()
    assert explored.weekly.sum() == tables.loc["usage_events", "accepted"]


def test_the_mrr_is_that_of_the_rows_that_run(explored, database) -> None:
    months = [f"{month:%Y-%m-%d %H:%M:%S}" for month in explored.mrr.index]
    query = """
        SELECT total(mrr) FROM subscriptions
        WHERE started_at < :as_of AND (ended_at IS NULL OR ended_at >= :as_of)
    """
    counted = [database.execute(query, {"as_of": month}).fetchone()[0] for month in months]
    assert explored.mrr.to_numpy() == pytest.approx(counted)


def test_those_lost_within_30_days_are_the_accounts_of_which_sql_finds_an_end(
    explored, database
) -> None:
    query = """
        SELECT DISTINCT last.account_id FROM subscriptions AS last
        WHERE last.ended_at >= :as_of AND last.ended_at < :end AND last.mrr > 0 AND NOT EXISTS (
            SELECT 1 FROM subscriptions AS other
            WHERE other.account_id = last.account_id AND other.mrr > 0
                AND julianday(other.started_at) < julianday(last.ended_at) + 30
                AND (other.ended_at IS NULL OR other.ended_at > last.ended_at)
        )
    """
    merges = database.execute("SELECT from_account_id, into_account_id FROM account_merges")
    merged = {account for pair in merges for account in pair}
    lost = 0
    for as_of, rows in explored.within_30_days.groupby("as_of"):
        days = (as_of, as_of + pd.Timedelta(days=30))
        asked = dict(
            zip(("as_of", "end"), (f"{day:%Y-%m-%d %H:%M:%S}" for day in days), strict=True)
        )
        ended = {account for (account,) in database.execute(query, asked)}
        own = rows[~rows["account_id"].isin(merged)]
        told = set(own.loc[own["churned"] == 1, "account_id"])
        assert told == ended.intersection(own["account_id"])
        lost += len(told)
    assert 10 < lost <= explored.churn["sum"].sum() == explored.causes.size


def test_a_feature_of_ones_own_counts_what_sql_counts(questioned, database) -> None:
    known = questioned.known
    assert len(known) > 500
    merged = {row[0] for row in database.execute("SELECT into_account_id FROM account_merges")}
    query = """
        SELECT count(DISTINCT user_id) FROM trainings
        WHERE account_id = ? AND completed_at < ? AND known_at < ? AND completed_at >= ?
    """
    for row in known[~known["account_id"].isin(merged)].iloc[::7].itertuples():
        as_of, since = (
            f"{moment:%Y-%m-%d %H:%M:%S}"
            for moment in (row.as_of, row.as_of - pd.Timedelta("365D"))
        )
        (count,) = database.execute(query, (row.account_id, as_of, as_of, since)).fetchone()
        assert row.ours__taught_users__365d == count


def test_its_relation_to_churn_is_scikit_learns_auc(questioned) -> None:
    known, relation = questioned.known, questioned.relation
    auc = roc_auc_score(known["churned"], known["ours__taught_users__365d"])
    assert relation.auc == pytest.approx(auc)
    assert relation.events == known["churned"].sum()


def test_a_declared_feature_passes_and_the_leak_is_named(questioned) -> None:
    assert questioned.poisoned.rows > 50
    assert questioned.poisoned.changed == ()
    assert [(found.column, found.blocking) for found in questioned.findings] == [("end_year", True)]


def test_the_account_is_the_one_with_the_most_to_lose(explained) -> None:
    scores = explained.scores
    told = scores[(scores["horizon_days"] == 90) & (scores["status"] == "scored")]
    mrr = explained.today.states.set_index("account_id")["mrr"]
    losses = told.set_index("account_id")["probability"] * mrr
    assert explained.account_id == losses.idxmax()


def test_its_probability_is_what_lightgbm_says_of_its_numbers(explained) -> None:
    bundle, row = explained.bundle, explained.row
    booster = lightgbm.Booster(model_str=bundle.booster_text)
    numbers = row[list(bundle.features)].to_numpy(dtype=np.float32)
    cells_of_row = matrix(numbers, row_covariates(bundle.question, row))
    raw = booster.predict(cells_of_row, raw_score=True)
    hazards = 1 / (1 + np.exp(-bundle.calibration.log_odds(raw[None, :])[0]))
    scores = explained.scores
    own = scores[scores["account_id"] == explained.account_id].sort_values("horizon_days")
    assert own["probability"].to_numpy() == pytest.approx(1 - np.cumprod(1 - hazards))
    assert explained.probability.iloc[-1] == pytest.approx(
        own.set_index("horizon_days")["probability"][90]
    )


def test_the_effects_add_up_and_the_reasons_are_of_three_families_first(explained) -> None:
    found = explained.explained
    assert explained.by_subject.sum() + found.baseline[0] == pytest.approx(found.log_odds[0])
    entries = {entry["column"]: entry for entry in explained.bundle.catalogue}
    told = [entries[reason.feature] for reason in explained.reasons]
    effects = [reason.effect for reason in explained.reasons]
    own = explained.by_subject[[entry["subject"] for entry in told]]
    assert effects == pytest.approx(own.to_numpy())
    assert len({family_of(entry) for entry in told[:3]}) == 3
    others = explained.by_subject.drop(own.index[:3]).sort_values(ascending=False)
    in_turn = [*others[others > 0], *others[others < 0].iloc[::-1]]
    assert effects[3:] == pytest.approx(in_turn[: len(effects) - 3])


def test_its_standing_among_its_peers_is_scipys(explained) -> None:
    for name, told in explained.standing.iterrows():
        peers = explained.peers[name].dropna()
        if np.isfinite(told["value"]):
            share = percentileofscore(peers, told["value"], kind="mean") / 100
            assert told["share_below"] == pytest.approx(share)


def test_two_models_are_compared_on_rows_that_neither_learned_from(compared) -> None:
    borders = [compared.trial.bundle.as_of_range[1], compared.rival.as_of_range[1]]
    assert compared.later["as_of"].min() >= pd.Timestamp(max(borders))
    assert np.isfinite(compared.outcomes).all()
    assert 0 < compared.outcomes.sum() < len(compared.outcomes)


def test_their_figures_and_the_difference_are_scikit_learns(compared) -> None:
    outcomes, said, figures = compared.outcomes, compared.said, compared.figures
    newer, older = compared.newer.version, compared.older.version
    metrics = {"auc": roc_auc_score, "log_loss": log_loss, "brier": brier_score_loss}
    for name, metric in metrics.items():
        ours = {version: metric(outcomes, said[version]) for version in (newer, older)}
        assert figures.loc[name].to_dict() == pytest.approx(ours)
        difference = compared.difference.loc[name]
        assert difference["value"] == pytest.approx(ours[newer] - ours[older])
        assert difference["low"] <= difference["value"] <= difference["high"]


def test_the_gates_are_those_of_a_promotion(compared) -> None:
    assert [gate.name for gate in compared.report.gates] == [
        "loads",
        "golden_set",
        "later_period",
        "log_loss",
        "caught_arr",
        "segments",
        "calibration",
        "age",
        "audit",
    ]
    told = next(gate for gate in compared.report.gates if gate.name == "later_period")
    assert f"{len(compared.later)} rows" in told.sentence
    # Few customers leave here, so that a promotion counts past dates, and so does the notebook.
    assert "so that past dates count too" in told.sentence
    assert told.figures["past_dates"] > 0


def test_the_back_test_is_what_scikit_learn_says_of_its_rows(tested) -> None:
    rows = tested.rolled.test_rows
    outcome, probability = rows["outcome__90d"], rows["probability__90d"]
    assert tested.metrics["auc"]["value"] == pytest.approx(roc_auc_score(outcome, probability))
    assert tested.metrics["log_loss"]["value"] == pytest.approx(log_loss(outcome, probability))
    for origin, own in rows.groupby("origin"):
        auc = roc_auc_score(own["outcome__90d"], own["probability__90d"])
        assert tested.origins.loc[f"{origin:%Y-%m-%d}", "value"] == pytest.approx(auc)
    drawn = tested.reliability
    assert (drawn["rows"] * drawn["observed"]).sum() == pytest.approx(outcome.sum())
    assert (drawn["rows"] * drawn["predicted"]).sum() == pytest.approx(probability.sum())


def test_the_oracle_stands_beside_the_back_test_and_its_skill_is_scikit_learns(
    tested, sample
) -> None:
    rows = tested.rolled.test_rows
    dates = [stamp.to_pydatetime() for stamp in rows["as_of"].unique()]
    truth = oracle_probabilities(sample.folder, dates, "churn", [90])
    told = rows.merge(truth, on=["account_id", "as_of"])
    best, own = (
        roc_auc_score(told["outcome__90d"], told[name]) - 0.5
        for name in ("probability", "probability__90d")
    )
    assert tested.oracle.loc["pooled", "value"] == pytest.approx(own / best)
    assert "<h2>Against the best possible</h2>" in Path(tested.document["report"]).read_text()


def touched_by_sql(rows: pd.DataFrame, database: sqlite3.Connection) -> np.ndarray:
    """Say of each row whether a touch that was not held back lies in the 90 days before it."""
    query = """
        SELECT EXISTS (
            SELECT 1 FROM touches
            WHERE coalesce(arm, 'treatment') <> 'control'
                AND occurred_at < :as_of AND known_at < :as_of
                AND julianday(occurred_at) >= julianday(:as_of) - 90
                AND account_id IN (
                    SELECT :account UNION
                    SELECT from_account_id FROM account_merges
                    WHERE into_account_id = :account AND merged_at < :as_of AND known_at < :as_of
                )
        )
    """
    asked = (
        {"account": row.account_id, "as_of": f"{row.as_of:%Y-%m-%d %H:%M:%S}"}
        for row in rows.itertuples()
    )
    return np.array([database.execute(query, each).fetchone()[0] for each in asked])


def test_the_back_test_stands_with_and_without_what_the_team_had_touched(tested, database) -> None:
    rows = tested.rolled.test_rows
    is_touched = touched_by_sql(rows, database) > 0
    assert rows["touched"].tolist() == is_touched.tolist()
    for part, own in (("touched in the 90 days before", is_touched), ("not touched", ~is_touched)):
        found = tested.touch.loc[part]
        assert (found["rows"], found["events"]) == (own.sum(), rows.loc[own, "outcome__90d"].sum())
    page = Path(tested.document["report"]).read_text(encoding="utf-8")
    assert "<h2>By touch</h2>" in page
    assert f"touched {is_touched.mean():.0%} of the rows" in page


def test_a_training_says_and_keeps_what_share_was_touched(tested, sample, database) -> None:
    found = tested.registered
    share = found.document["data"]["touched_share"]
    rows = on_record(labelled_rows(sample.built, CHURN), tested.trained.split.test_from, CHURN)
    assert 0 < share < 1
    assert share == pytest.approx(touched_by_sql(rows, database).mean())
    assert any(f"had touched {share:.0%} of the rows" in remark for remark in found.remarks)
    kept = tested.session.registry.models()[0]
    assert (kept.version, kept.data["touched_share"]) == (found.version, str(share))
