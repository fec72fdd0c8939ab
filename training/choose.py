"""How to fit: as usual, as tuning finds, or simply where few customers had the event."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from models.question import Question
from models.trials import Trial
from training.bundling import FeatureList, event_groups
from training.fit import BoosterParams, LinearParams, Params
from training.heldout import standard_error
from training.later import folds, losses
from training.tune import Budget, tune

FEW_GROUPS = 100
"""With so many customers with the event the usual booster is fitted unasked."""

FEWEST_GROUPS_BEFORE = 5
"""A past border counts where at least so many customers had the event before it."""

FOLDS = 4
"""At how many past borders ways of fitting are compared."""

SIMPLEST_FIRST: Mapping[str, Params] = MappingProxyType(
    {
        "a linear model": LinearParams(),
        "a booster of few leaves": replace(BoosterParams(), trees=80, learning_rate=0.05, leaves=3),
        "the usual booster": BoosterParams(),
    }
)


@dataclass(frozen=True)
class Choice:
    """How a model is fitted, and for people why so; no sentence where nothing was in question."""

    params: Params
    why: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()


def choose(
    panel: pd.DataFrame, question: Question, features: FeatureList, border: datetime
) -> Choice:
    """Choose how to fit by what was known at a border, and by nothing later.

    With few events the simplest way is taken, and a less simple one only where its log loss on
    later dates lies below by more than the standard error of the difference over customers.

    Parameters
    ----------
    panel
        Labelled rows, as `training.prepare.labelled_rows` gives them.
    features
        What the model takes.
    """
    found = event_groups(panel, question.main_horizon_days, border, question)
    if found >= FEW_GROUPS:
        return Choice(BoosterParams())
    shy = replace(question, fewest_event_accounts=FEWEST_GROUPS_BEFORE)
    slices = folds(panel, shy, border, FOLDS)
    (name, params), *others = SIMPLEST_FIRST.items()
    start = f"Only {found} customers with {question.name} are known to learn from"
    if not slices:
        return Choice(params, (f"{start}, too few to compare ways of fitting: {name} is fitted.",))
    groups = np.concatenate([fold.tested["customer_group"] for fold in slices])
    least = np.concatenate([losses(fold, features, params) for fold in slices])
    for other, settings in others:
        rival = np.concatenate([losses(fold, features, settings) for fold in slices])
        if (rival - least).mean() < -standard_error(rival - least, groups):
            name, params, least = other, settings, rival
    why = f"{start}: {name} is fitted, by its log loss of {least.mean():.4f} on later dates."
    return Choice(params, (why,))


def tuned(
    panel: pd.DataFrame,
    question: Question,
    features: FeatureList,
    border: datetime,
    budget: Budget,
    about: Mapping[str, Any],
    progress: Callable[[str], None],
) -> Choice:
    """Choose a booster's parameters by `training.tune`, on what was known at a border."""
    shy = replace(question, fewest_event_accounts=FEWEST_GROUPS_BEFORE)
    slices = folds(panel, shy, border, FOLDS)
    looks = [partial(losses, fold, features) for fold in slices]
    found = tune(looks, budget, about=about, progress=progress)
    return Choice(found.params, (found.sentence(),), found.trials)
