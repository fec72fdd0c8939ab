from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.errors import ModelError
from models.scored import COLUMNS, check_scores, read_scores, write_scores

NO_REASONS: list[dict[str, object]] = []
SILENCE = {
    "feature": "usage__days_since_last_event",
    "value": 21.0,
    "effect": 0.7,
    "text": "No use for 21 days",
}


def score(
    account_id: str | None,
    horizon_days: int,
    probability: object,
    rank: int | None,
    **changes: object,
) -> dict[str, Any]:
    row = {
        "account_id": account_id,
        "as_of": pd.Timestamp("2026-03-01"),
        "scored_at": pd.Timestamp("2026-03-01 06:00:00.123456"),
        "status": "scored",
        "model": "churn",
        "model_version": "v1",
        "features_version": "f1",
        "horizon_days": horizon_days,
        "probability": probability,
        "band": "low",
        "rank": rank,
        "reasons": NO_REASONS,
        "expected_added_mrr": None,
    }
    return row | changes


def unscored(account_id: str, status: str) -> dict[str, Any]:
    return score(account_id, 90, None, None, status=status, band=None)


def table(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(COLUMNS))


GOOD = (
    score("a", 30, 0.10, 1, reasons=[SILENCE]),
    score("a", 90, 0.20, 1, band="medium"),
    score("b", 90, 0.05, 2),
    unscored("c", "leaving"),
    unscored("d", "no_data"),
)


def test_a_good_table_passes() -> None:
    check_scores(table(*GOOD))


def test_it_comes_back_from_a_file_as_it_went(tmp_path: Path) -> None:
    write_scores(table(*GOOD), tmp_path / "new" / "scores.parquet")
    back = read_scores(tmp_path / "new" / "scores.parquet")
    assert list(back.columns) == list(COLUMNS)
    assert back["reasons"].tolist() == [[SILENCE], [], [], [], []]
    assert back["rank"].tolist()[:3] == [1, 1, 2]
    assert back["rank"].isna().tolist()[3:] == [True, True]
    assert back["scored_at"].tolist() == [pd.Timestamp("2026-03-01 06:00:00.123456")] * 5


def test_reasons_are_a_list_of_structs_in_the_file(tmp_path: Path) -> None:
    write_scores(table(*GOOD), tmp_path / "scores.parquet")
    field = pq.read_schema(tmp_path / "scores.parquet").field("reasons")
    assert [part.name for part in field.type.value_type] == ["feature", "value", "effect", "text"]


def test_writing_leaves_no_file_beside(tmp_path: Path) -> None:
    write_scores(table(*GOOD), tmp_path / "scores.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["scores.parquet"]


def test_a_broken_table_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        write_scores(table(score("a", 90, 1.5, 1)), tmp_path / "scores.parquet")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("rows", "rule"),
    [
        ((score("a", 90, 1.2, 1),), "probability from 0 to 1"),
        ((score("a", 90, np.inf, 1),), "probability from 0 to 1"),
        ((score("a", 90, np.nan, 1),), "probability in a scored row"),
        ((score("a", 90, 0.1, 1, band=None),), "band in a scored row"),
        ((score("a", 90, 0.1, 1, band="severe"),), "band to be one of"),
        ((score("a", 90, 0.1, 1, model="ruin"),), "model to be one of"),
        ((score("a", 90, 0.1, 1, status="fine"),), "no probability in a row that is not scored"),
        ((score("a", 90, 0.1, 1, model_version=None),), "model_version in a scored row"),
        ((score("a", 90, None, None, status="inactive", band="low"),), "no band in a row"),
        ((score("a", 90, 0.1, 1), score("a", 90, 0.1, 2)), "one row per account_id"),
        ((score("a", 90, 0.1, 2),), "ranks 1, 2, 3"),
        ((score("a", 90, 0.1, 1), score("b", 90, 0.2, 2)), "rank 1 for the highest"),
        ((score("a", 30, 0.2, 1), score("a", 90, 0.1, 1)), "never falls"),
        ((score("a", 0, 0.1, 1),), "horizon of at least one day"),
        ((score("a", 90, 0.1, 1, reasons=None),), "reasons in each row"),
        ((score("a", 90, 0.1, 1, expected_added_mrr=np.inf),), "finite expected_added_mrr"),
        ((score(None, 90, 0.1, 1),), "account_id in each row"),
    ],
)
def test_each_rule_catches_its_fault(rows: tuple[dict[str, Any], ...], rule: str) -> None:
    with pytest.raises(ModelError, match=rule):
        check_scores(table(*rows))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ModelError, match="'band'"):
        check_scores(table(*GOOD).drop(columns="band"))


def test_a_time_with_a_zone_is_refused() -> None:
    zoned = table(*GOOD)
    zoned["as_of"] = zoned["as_of"].dt.tz_localize("Europe/Berlin")
    with pytest.raises(ModelError, match="without a zone"):
        check_scores(zoned)


def test_a_probability_as_text_is_refused() -> None:
    with pytest.raises(ModelError, match="types of scores"):
        check_scores(table(score("a", 90, "often", 1)))


def test_a_file_that_is_not_there_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Run tenure score"):
        read_scores(tmp_path / "scores.parquet")
