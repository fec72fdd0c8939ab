"""A linear model by hand: values v such that ln(1 + v) is 1, 2 or 3."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.errors import ModelError
from models.bundle import Bundle, load, save
from models.linear import Linear, linear_from_json

ONE, TWO, THREE = np.e - 1, np.e**2 - 1, np.e**3 - 1
NOTHING = float("nan")

# The features are a and b; the last three columns describe the interval.
MODEL = Linear(
    intercept=-2.0,
    centres=(1.0, 2.0, 0.0, 0.0, 0.0),
    spreads=(0.5, 1.0, 1.0, 1.0, 1.0),
    weights=(0.4, -1.0, 0.0, 0.0, 0.0),
    absent=(0.0, 0.8, 0.0, 0.0, 0.0),
    absent_shares=(0.0, 0.25, 0.0, 0.0, 0.0),
)


def cells(*rows: tuple[float, float]) -> np.ndarray:
    return np.array([[*row, 0, 0, 0] for row in rows], dtype=np.float32)


@pytest.fixture
def bundle(stumps: Callable[..., Bundle]) -> Bundle:
    cuts = (("a", 0.0, 0.0, 0.0), ("b", 0.0, 0.0, 0.0))
    return stumps(*cuts, booster_text="", linear=MODEL)


@pytest.mark.parametrize(
    ("a", "b", "effects"),
    [
        (ONE, TWO, (0.0, -0.25 * 0.8)),  # both at their centre; b is there
        (TWO, TWO, (2 * 0.4, -0.2)),  # two spreads of a above
        (ONE, THREE, (0.0, -1.0 - 0.2)),
        (ONE, NOTHING, (0.0, 0.75 * 0.8)),  # b is missing
        (-TWO, TWO, (4 * -0.4, -0.2)),  # six spreads below, of which four count
    ],
)
def test_each_column_adds_its_weight_times_how_far_it_lies_from_its_centre(
    a: float, b: float, effects: tuple[float, float]
) -> None:
    found = MODEL.effects(cells((a, b)))
    assert found[0, :2] == pytest.approx(effects, abs=1e-6)
    assert MODEL.log_odds(cells((a, b)))[0] == pytest.approx(-2.0 + sum(effects), abs=1e-6)


def test_its_reasons_are_its_own_terms_and_add_up_exactly(bundle: Bundle) -> None:
    rows = pd.DataFrame({"a": [ONE, TWO], "b": [NOTHING, THREE]})
    explained = bundle.explained(rows, 90)
    assert explained.effects == pytest.approx(np.array([[0.0, 0.6], [0.8, -1.2]]), abs=1e-6)
    assert explained.baseline == pytest.approx([-2.0, -2.0])
    hazard = 1 / (1 + np.exp(-explained.log_odds))
    assert bundle.probabilities(rows)[:, 0] == pytest.approx(hazard)


def test_it_comes_back_from_text_and_json_and_says_the_same(bundle: Bundle, tmp_path: Path) -> None:
    save(bundle, tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["bundle.json", "linear.json", "manifest.json"]
    again = load(tmp_path)
    assert again == bundle
    assert again.digest == bundle.digest


def test_a_weight_that_was_changed_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    save(bundle, tmp_path)
    numbers = (tmp_path / "linear.json").read_text()
    (tmp_path / "linear.json").write_text(numbers.replace("0.4", "0.5"))
    with pytest.raises(ModelError, match="got other bytes"):
        load(tmp_path)


def test_another_weight_is_another_digest(bundle: Bundle, stumps: Callable[..., Bundle]) -> None:
    changed = linear_from_json(json.loads(MODEL.to_text().replace("0.4", "0.5")))
    cuts = (("a", 0.0, 0.0, 0.0), ("b", 0.0, 0.0, 0.0))
    assert stumps(*cuts, booster_text="", linear=changed).digest != bundle.digest


@pytest.mark.parametrize("wrong", [{"weights": [0.4]}, {"spreads": [0.0, 1.0, 1.0, 1.0, 1.0]}])
def test_numbers_for_too_few_columns_and_a_spread_of_nothing_are_refused(
    wrong: dict[str, list[float]],
) -> None:
    with pytest.raises(ValueError, match="spreads above 0"):
        linear_from_json({**json.loads(MODEL.to_text()), **wrong})
