import json
from dataclasses import asdict

import pytest

from models.churn import CHURN
from models.question import Question, question_from_json
from models.questions import QUESTIONS


def test_the_defaults_are_the_contracts() -> None:
    for question in QUESTIONS.values():
        assert question.horizons_days == (30, 90, 180, 365)
        assert (question.grace_days, question.change_threshold) == (30, 0.10)
        assert question.main_horizon_days == 90


def test_the_intervals_lie_between_the_horizons() -> None:
    assert CHURN.intervals_days == ((0, 30), (30, 90), (90, 180), (180, 365))


@pytest.mark.parametrize(
    ("probability", "band"),
    [(0.375, "high"), (0.374, "medium"), (0.1875, "medium"), (0.187, "low"), (0.0, "low")],
)
def test_a_band_starts_at_its_multiple_of_the_base_rate(probability: float, band: str) -> None:
    assert CHURN.band(probability, base_rate=0.125) == band


def test_it_comes_back_from_json() -> None:
    question = Question("ours", "expansion", (60,), 14, 0.15, 60)
    assert question_from_json(json.loads(json.dumps(asdict(question)))) == question


@pytest.mark.parametrize("horizons", [(), (90, 30), (90, 90), (0, 90), (-1, 90)])
def test_it_refuses_horizons_that_do_not_rise(horizons: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="rising horizons"):
        Question("ours", "churn", horizons)


def test_it_refuses_a_main_horizon_that_is_not_one_of_its_own() -> None:
    with pytest.raises(ValueError, match="main horizon"):
        Question("ours", "churn", (30, 60))
