"""Declared directions: for churn only, and held only where the settings ask for it."""

from dataclasses import replace

import lightgbm
import numpy as np
import pandas as pd

from models.churn import CHURN
from models.contraction import CONTRACTION
from models.expansion import EXPANSION
from training.bundling import FeatureList, directions
from training.fit import BoosterParams, fit_hazard

DECLARED = FeatureList(
    ("up", "down", "neither"),
    (
        {"column": "up", "risk": "up"},
        {"column": "down", "risk": "down"},
        {"column": "neither", "risk": None},
    ),
    "fingerprint",
)
PARAMS = BoosterParams(trees=30, rows_in_leaf=5, feature_share=1.0)


def test_they_hold_for_churn_and_for_no_other_question() -> None:
    assert directions(DECLARED, CHURN) == {"up": 1, "down": -1}
    assert directions(DECLARED, EXPANSION) == {}
    assert directions(DECLARED, CONTRACTION) == {}


def hazard_along_up(params: BoosterParams) -> np.ndarray:
    """Fit a hazard that rises and falls with a feature declared risky upwards, and follow it."""
    rng = np.random.default_rng(0)
    cells = rng.normal(size=(3000, 3))
    is_lost = rng.random(3000) < 0.3 + 0.25 * np.sin(3 * cells[:, 0])
    rows = pd.DataFrame(cells, columns=list(DECLARED.names)).assign(
        as_of=pd.Timestamp("2024-01-01"),
        event_days=np.where(is_lost, 10.0, np.nan),
        observed_days=1000.0,
    )
    border = pd.Timestamp("2027-01-01").to_pydatetime()
    held = directions(DECLARED, CHURN)
    text = fit_hazard(rows, CHURN, DECLARED.names, border, params, held)
    line = np.zeros((200, 6))
    line[:, 0] = np.linspace(-2, 2, 200)
    line[:, 4] = np.nan
    return np.asarray(lightgbm.Booster(model_str=text).predict(line))


def test_a_hazard_held_to_a_direction_never_turns_and_a_free_one_does() -> None:
    assert (np.diff(hazard_along_up(replace(PARAMS, monotone=False))) < 0).any()
    assert (np.diff(hazard_along_up(PARAMS)) >= 0).all()
