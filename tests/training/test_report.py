import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.errors import TooLittleDataError
from models.shares import wilson
from training.report import Evidence, summary, write_report

Make = Callable[..., Evidence]


@pytest.fixture
def evidence() -> Make:
    def make(**fields: Any) -> Evidence:
        # 100 rows; 20 events, of which 6 stand among the first 10.
        outcomes = np.zeros(100)
        outcomes[[0, 1, 2, 3, 4, 5, *range(40, 54)]] = 1
        values = {
            "model": "churn",
            "horizon_days": 90,
            "outcomes": outcomes,
            "probabilities": np.linspace(0.5, 0.0, 100),
            "metrics": {"auc": {"value": 0.71, "low": 0.66, "high": 0.75}},
        }
        return Evidence(**(values | fields))

    return make


def origin(as_of: str, value: float) -> dict[str, Any]:
    return {"as_of": as_of, "auc": {"value": value, "low": value - 0.1, "high": value + 0.1}}


def test_the_page_opens_without_a_network(evidence: Make, tmp_path: Path) -> None:
    full = evidence(importance={"use": 0.4}, origins=[origin("2024-01-01", 0.7)])
    page, *charts = write_report(full, tmp_path / "new")
    html = page.read_text()
    assert html.count("data:image/png;base64,") == 4
    assert not re.search(r'(src|href)=(?!"data:)', html)
    assert "//" not in re.sub(r'src="[^"]*"', "", html)
    assert [chart.name for chart in charts] == [
        "reliability.png",
        "gain.png",
        "importance.png",
        "origins.png",
        "report.json",
    ]
    assert all(chart.read_bytes().startswith(b"\x89PNG") for chart in charts[:-1])
    assert json.loads(charts[-1].read_text())["events"] == 20


def test_words_come_before_charts(evidence: Make, tmp_path: Path) -> None:
    html = write_report(evidence(), tmp_path)[0].read_text()
    assert html.index("What it says") < html.index("How sure") < html.index("<img")


def test_it_says_how_often_and_how_much_better_than_chance(evidence: Make) -> None:
    words = " ".join(summary(evidence())["says"])
    assert "the account left within 90 days 20 times (20.0%)" in words
    assert "hold 30% of all events: 3.0 times as many" in words
    assert "said 25.0% on average, and 20.0% happened" in words


def test_plainer_ways_stand_beside_the_model(evidence: Make, tmp_path: Path) -> None:
    rivals = {
        "logistic_regression": {"auc": {"value": 0.69, "low": 0.6, "high": 0.75}},
        "rule": {"auc": None},
    }
    html = write_report(evidence(rivals=rivals), tmp_path)[0].read_text()
    assert "Plainer ways on the same rows: logistic regression 69%." in html
    assert "auc of logistic regression" in html


def test_it_says_when_a_model_is_no_better_than_chance(evidence: Make) -> None:
    chance = {"auc": {"value": 0.53, "low": 0.47, "high": 0.6}}
    assert any(
        "cannot be told from chance" in line for line in summary(evidence(metrics=chance))["sure"]
    )
    assert not any("from chance" in line for line in summary(evidence())["sure"])


def test_an_interval_that_is_not_a_number_is_no_proof(evidence: Make) -> None:
    unknown = {"auc": {"value": 0.7, "low": float("nan"), "high": float("nan")}}
    assert any("from chance" in line for line in summary(evidence(metrics=unknown))["sure"])


def test_few_events_unsteady_origins_and_the_audit_are_said(evidence: Make) -> None:
    doubtful = evidence(
        origins=[origin("2024-01-01", 0.55), origin("2024-04-01", 0.8)],
        audit=[{"blocking": True, "message": "x decides the outcome."}, {"blocking": False}],
    )
    words = " ".join(summary(doubtful)["sure"])
    assert "Only 20 events" in words
    assert "from 0.55 to 0.80" in words
    assert "x decides the outcome." in words


def test_a_name_from_the_data_is_text_and_no_markup(evidence: Make, tmp_path: Path) -> None:
    html = write_report(evidence(data={"source": "<script>alert(1)</script>"}), tmp_path)[0]
    assert "<script" not in html.read_text()


@pytest.mark.parametrize("count", [0, 5])
def test_no_event_gives_no_report(evidence: Make, tmp_path: Path, count: int) -> None:
    with pytest.raises(TooLittleDataError, match=f"got 0 in {count}"):
        write_report(
            evidence(outcomes=np.zeros(count), probabilities=np.zeros(count)), tmp_path / "no"
        )
    assert not (tmp_path / "no").exists()


def test_the_wilson_interval_is_the_published_one() -> None:
    low, high = wilson(np.array([0.1, 0.0]), np.array([100, 20]))
    assert low == pytest.approx([0.0552, 0.0], abs=1e-4)
    assert high == pytest.approx([0.1744, 0.1611], abs=1e-4)


def test_it_says_what_share_of_the_rows_the_team_had_touched(evidence: Make) -> None:
    sure = summary(evidence(data={"touched_share": 0.25}))["sure"]
    assert any("Customer success had touched 25% of the rows" in line for line in sure)
    untold = summary(evidence(data={"touched_share": None}))["sure"]
    assert not any("touched" in line for line in untold)
