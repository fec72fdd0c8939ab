"""How to fit: as usual, as tuning finds, or simply where few customers had the event."""

from collections.abc import Callable, Mapping, Sequence
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
from training.later import Fold, folds, losses
from training.tune import LATER, Budget, tune

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

TUNED = "what tuning found"


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
    if not slices:
        name, params = next(iter(SIMPLEST_FIRST.items()))
        why = f"{_few(found, question)}, too few to compare ways of fitting: {name} is fitted."
        return Choice(params, (why,))
    name, params, losses_of = _taken(slices, features, SIMPLEST_FIRST)
    said = f"{name} is fitted, by its log loss of {losses_of[name]:.4f} {LATER}"
    return Choice(params, (f"{_few(found, question)}: {said}.",))


def tuned(
    panel: pd.DataFrame,
    question: Question,
    features: FeatureList,
    border: datetime,
    budget: Budget,
    about: Mapping[str, Any],
    progress: Callable[[str], None],
) -> Choice:
    """Choose a booster's parameters by `training.tune`, on what was known at a border.

    With few events they are one more way to fit, the least simple one: they are taken only where
    `choose` would take them among its own.
    """
    shy = replace(question, fewest_event_accounts=FEWEST_GROUPS_BEFORE)
    slices = folds(panel, shy, border, FOLDS)
    looks = [partial(losses, fold, features) for fold in slices]
    found = tune(looks, budget, about=about, progress=progress)
    events = event_groups(panel, question.main_horizon_days, border, question)
    if events >= FEW_GROUPS:
        return Choice(found.params, (found.sentence(),), found.trials)
    name, params, losses_of = _taken(slices, features, {**SIMPLEST_FIRST, TUNED: found.params})
    said = (
        f"{_few(events, question)}: {name} is fitted, by its log loss of {losses_of[name]:.4f} "
        f"{LATER}; that of {TUNED} is {losses_of[TUNED]:.4f}."
    )
    return Choice(params, (found.sentence(), said), found.trials)


def _taken(
    slices: Sequence[Fold], features: FeatureList, ways: Mapping[str, Params]
) -> tuple[str, Params, dict[str, float]]:
    """Take the simplest way that none after it surely betters; give the log loss of each by name.

    Parameters
    ----------
    ways
        The simplest first.
    """
    groups = np.concatenate([fold.tested["customer_group"] for fold in slices])
    found = {
        name: np.concatenate([losses(fold, features, params) for fold in slices])
        for name, params in ways.items()
    }
    taken = next(iter(ways))
    for name in ways:
        apart = found[name] - found[taken]
        if apart.mean() < -standard_error(apart, groups):
            taken = name
    return taken, ways[taken], {name: float(each.mean()) for name, each in found.items()}


def _few(found: int, question: Question) -> str:
    return f"Only {found} customers with {question.name} are known to learn from"
