"""Training on a ready table from elsewhere."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from features.errors import SourceError, TooLittleDataError
from models.bundle import load, save
from models.churn import CHURN
from models.expansion import EXPANSION
from models.made_from import TableRoles
from models.reasons import explain
from training.ready import label_column, numbers_in, outcomes
from training.table import train_table, verdict
from training.table_file import read_table


def accounts(rows=400, *, strength=2.0, seed=1):
    """A flat table: a signal in `usage` and in `plan`, noise elsewhere."""
    random = np.random.default_rng(seed)
    usage = random.normal(size=rows)
    plan = random.choice(["zebra", "pro"], size=rows)
    log_odds = -1 - strength * usage + (plan == "zebra")
    churned = random.random(rows) < 1 / (1 + np.exp(-log_odds))
    return pd.DataFrame(
        {
            "account_id": [f"a{number}" for number in range(rows)],
            "usage": usage,
            "plan": plan,
            "charges": pd.Series(random.normal(50, 9, rows).round(2)).astype(str),
            "label": churned.astype(int),
        }
    )


def panel(dates=12, strength=2.0):
    """The same by account and month."""
    months = pd.date_range("2024-01-01", periods=dates, freq="MS")
    frames = [
        accounts(100, strength=strength, seed=at).assign(as_of=month)
        for at, month in enumerate(months)
    ]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def flat():
    return train_table(accounts(), CHURN)


@pytest.fixture(scope="module")
def dated():
    return train_table(panel(), CHURN)


def test_it_says_that_there_is_a_signal_where_there_is_one(flat):
    assert flat.metrics["auc"]["low"] > 0.7
    assert flat.verdict.startswith("There is a usable signal: AUC 0.")


def test_it_says_that_there_is_none_where_there_is_none():
    noise = accounts(strength=0.0).drop(columns="plan")
    assert train_table(noise, CHURN).verdict.startswith("There is no usable signal")


def test_a_wide_interval_is_no_usable_signal():
    assert "no usable signal" in verdict({"auc": {"value": 0.70, "low": 0.54, "high": 0.85}})
    assert "a usable signal" in verdict({"auc": {"value": 0.58, "low": 0.56, "high": 0.60}})


def test_each_metric_has_a_value_within_its_interval(flat):
    assert set(flat.metrics) == {"auc", "average_precision", "brier", "log_loss"}
    for figure in flat.metrics.values():
        assert figure["low"] <= figure["value"] <= figure["high"]


def test_probabilities_are_calibrated(flat):
    held = flat.held_out
    assert held.probabilities.mean() == pytest.approx(held.outcome.mean(), abs=0.02)


def test_the_model_scores_rows_by_column_name_and_survives_its_file(flat, tmp_path):
    rows = accounts(5, seed=9).drop(columns=["label", "account_id"])
    rows["charges"] = rows["charges"].astype(float)
    save(flat.bundle, tmp_path)
    back = load(tmp_path).probabilities(rows[rows.columns[::-1]])
    np.testing.assert_allclose(back, flat.bundle.probabilities(rows))


def test_its_reasons_name_numbers_words_and_gaps_as_the_table_has_them(flat):
    row = pd.DataFrame({"usage": [-2.0], "plan": ["zebra"], "charges": [50.0]})
    gap = row.assign(usage=np.nan, plan=None)
    with_values, with_gaps = explain(flat.bundle, pd.concat([row, gap]), 90, 3)
    said = {reason.feature: reason.text for reason in with_values}
    assert (said["usage"], said["plan"]) == ("usage is -2", "plan is zebra")
    said = {reason.feature: reason.text for reason in with_gaps}
    assert (said["usage"], said["plan"]) == ("No usage on record", "No plan on record")


def test_a_value_never_seen_counts_as_missing(flat):
    rows = pd.DataFrame({"usage": [0.0, 0.0], "plan": ["gold", None], "charges": [50.0, 50.0]})
    seen, missing = flat.bundle.probabilities(rows)[:, 0]
    assert seen == missing


def test_the_booster_holds_no_value_and_no_column_name_of_the_table(flat):
    assert "zebra" not in flat.bundle.booster_text
    assert "charges" not in flat.bundle.booster_text


def test_a_column_name_may_be_anything():
    frame = accounts().rename(columns={"usage": 'Use, in {"hours"} [x]'})
    assert train_table(frame, CHURN).metrics["auc"]["low"] > 0.7


def test_a_leak_is_named_and_left_out():
    frame = accounts()
    leak = frame.assign(why=pd.Series("moved", frame.index).where(frame["label"] == 1))
    trained = train_table(leak, CHURN)
    assert [finding.column for finding in trained.audit.findings] == ["why"]
    assert "why" not in trained.bundle.features
    assert trained.left_out["why"].startswith("filled after the end")
    assert trained.metrics["auc"]["value"] < 0.95


def test_a_leak_that_somebody_takes_on_is_used():
    frame = accounts()
    score = 100.0 * frame["label"] + np.arange(len(frame)) / 1000
    trained = train_table(frame.assign(score=score), CHURN, TableRoles(accept=("score",)))
    assert "score" in trained.bundle.features
    assert trained.metrics["auc"]["value"] > 0.99


def test_with_dates_the_test_begins_at_the_border_that_the_model_tells_of(dated):
    tested = panel().iloc[dated.rows]["as_of"]
    assert tested.min() == pd.Timestamp("2024-10-01")
    assert dated.bundle.as_of_range == (date(2024, 1, 1), date(2024, 10, 1))


def test_later_rows_teach_nothing(dated):
    """The test period turned upside down: the model stays the same to the byte."""
    frame = panel()
    later = frame["as_of"] >= "2024-07-01"
    frame.loc[later, "usage"] *= -1
    frame.loc[later & (frame["as_of"] < "2024-10-01"), "label"] = 0
    again = train_table(frame, CHURN)
    assert again.bundle.booster_text == dated.bundle.booster_text
    assert again.bundle.calibration == dated.bundle.calibration
    assert again.metrics["auc"]["value"] < 0.5


def test_rows_of_one_group_stay_on_one_side_of_a_fold():
    """Nothing but an account's own mark tells its outcome: no fold can have learned it."""
    account = np.repeat(np.arange(120), 6)
    mark = np.random.default_rng(2).permutation(120)[account] + 0.5
    frame = pd.DataFrame(
        {"account_id": account, "mark": mark, "label": (account % 3 == 0).astype(int)}
    )
    assert train_table(frame, CHURN).metrics["auc"]["low"] < 0.55


def test_empty_labels_are_unknown_and_not_a_no():
    frame = accounts(300).astype({"label": "Int64"})
    frame.loc[:99, "label"] = pd.NA
    trained = train_table(frame, CHURN)
    assert list(trained.rows) == list(range(100, 300))


def test_training_twice_gives_the_same_bytes(flat):
    assert train_table(accounts(), CHURN).bundle.digest == flat.bundle.digest


def test_it_refuses_too_few_events():
    frame = accounts()
    frame["label"] = (np.arange(400) < 19).astype(int)
    with pytest.raises(TooLittleDataError, match="got 19 with and 381 without"):
        train_table(frame, CHURN)


def test_it_refuses_a_history_shorter_than_a_window_and_its_test():
    with pytest.raises(TooLittleDataError, match="before the test period"):
        train_table(panel(dates=4), CHURN)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["Yes", "no", " YES "], [1, 0, 1]),
        ([True, False, None], [1, 0, np.nan]),
        ([1.0, 0.0, np.nan], [1, 0, np.nan]),
        (["1", "0", ""], [1, 0, np.nan]),
    ],
)
def test_a_label_may_be_written_in_several_ways(values, expected):
    np.testing.assert_equal(outcomes(pd.Series(values)), expected)


def test_a_label_of_three_values_is_refused():
    with pytest.raises(SourceError, match=r"got 'maybe' and 0 more"):
        outcomes(pd.Series(["yes", "no", "maybe"], name="label"))


@pytest.mark.parametrize(
    ("columns", "question", "found"),
    [
        (["a", "label", "churned"], CHURN, "label"),
        (["a", "Churned"], CHURN, "Churned"),
        (["a", "Churn Label"], CHURN, "Churn Label"),
        (["a", "expanded"], EXPANSION, "expanded"),
    ],
)
def test_it_knows_a_label_by_its_name(columns, question, found):
    assert label_column(pd.DataFrame(columns=columns), question.name) == found


def test_it_asks_for_the_label_when_no_name_says_it():
    with pytest.raises(SourceError, match="--label"):
        label_column(pd.DataFrame(columns=["a", "b"]), "churn")


def test_blanks_among_numbers_are_missing_and_words_are_words():
    np.testing.assert_equal(numbers_in(pd.Series(["1.5", " ", "2"])).to_numpy(), [1.5, np.nan, 2])
    assert numbers_in(pd.Series(["1.5", "x"])) is None


def test_it_reads_csv_and_parquet_alike(tmp_path):
    frame = accounts(30)
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(
        read_table(tmp_path / "t.csv").astype({"charges": str}),
        read_table(tmp_path / "t.parquet"),
        check_dtype=False,
    )


@pytest.mark.parametrize("name", ["none.csv", "table.xlsx"])
def test_it_says_which_files_it_reads(tmp_path, name):
    with pytest.raises(SourceError, match=r"as \.parquet or \.csv"):
        read_table(tmp_path / name)


def test_a_row_without_a_date_is_refused_where_dates_split_the_table():
    table = panel()
    table.loc[3, "as_of"] = pd.NaT
    with pytest.raises(SourceError, match="got 1 rows without"):
        train_table(table, CHURN)


@pytest.mark.parametrize("kind", ["float32", "int64", "bool", "Int64", "object"])
def test_numbers_of_any_type_are_the_same_numbers(kind):
    found = numbers_in(pd.Series([1, 0, 1], index=[7, 8, 9]).astype(kind))
    pd.testing.assert_series_equal(found, pd.Series([1.0, 0.0, 1.0], index=[7, 8, 9]))


def test_what_is_not_finite_is_missing():
    found = numbers_in(pd.Series([1.5, np.inf, np.nan]))
    assert found.isna().tolist() == [False, True, True]
