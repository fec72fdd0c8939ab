"""What a model says of later rows that it had not seen, beside what came true."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import TooLittleDataError
from models.bundle import Bundle
from models.question import Question
from training import renewals
from training.added import added_mrr, told_shares
from training.baselines import baselines
from training.capacity import Economics
from training.evaluate import evaluation
from training.labels import outcome_within
from training.next_product import next_product_figures, told_ranks
from training.splits import Split, outcome_known_by

Floats = NDArray[np.float64]

FEWEST_TEST_GROUPS = 3
FEW_TEST_GROUPS = 20
"""With fewer customers with the event in the test period, people are told so."""


@dataclass(frozen=True)
class Tested:
    """Later rows that a model had not seen, and what it said of them.

    Attributes
    ----------
    rows
        Features, states and labels, and per horizon h ``probability__<h>d`` and ``outcome__<h>d``
        (0, 1, or NaN where it is unknown); of expansions also what `told_shares`
        and `told_ranks` give.
    rivals
        The baselines' probabilities at the main horizon.
    """

    rows: pd.DataFrame
    rivals: Mapping[str, Floats]


def test(bundle: Bundle, rows: pd.DataFrame, split: Split) -> Tested:
    """Predict the test slice, by the model and by the baselines of the same training rows."""
    question = bundle.question
    later = scored_later(bundle, rows, split)
    known = outcome_known_by(rows, question.main_horizon_days, split.test_from, question)
    learned = np.isfinite(known)
    rivals = baselines(rows[learned], known[learned], later, bundle.features, question.outcome)
    return Tested(later, rivals)


def scored_later(bundle: Bundle, rows: pd.DataFrame, split: Split) -> pd.DataFrame:
    """Give the rows of the test slice whose outcome is known, with it and with probabilities."""
    question = bundle.question
    later = rows[split.is_test(rows["as_of"]).astype(bool)]
    probabilities = bundle.probabilities(later)
    columns = told_shares(bundle, later) | told_ranks(bundle.next_products, later)
    for at, days in enumerate(question.horizons_days):
        columns[f"probability__{days}d"] = probabilities[:, at]
        columns[f"outcome__{days}d"] = outcome_within(later, days)
    if question.outcome == "churn":
        columns[renewals.SAID] = bundle.renewal_probabilities(later, probabilities)
        columns[renewals.CAME] = renewals.renewed(later)
    later = later.assign(**columns)
    is_known = np.isfinite(later[f"outcome__{question.main_horizon_days}d"].to_numpy())
    known: pd.DataFrame = later[is_known].reset_index(drop=True)
    return known


def figures_of(
    tested: Tested, question: Question, economics: Economics | None = None
) -> dict[str, Any]:
    """Give the metrics JSON of tested rows; lists by the economics as stated, or as usual."""
    horizons = question.horizons_days
    figures = evaluation(
        tested.rows,
        {days: tested.rows[f"outcome__{days}d"].to_numpy() for days in horizons},
        {days: tested.rows[f"probability__{days}d"].to_numpy() for days in horizons},
        tested.rivals,
        question.main_horizon_days,
        mrr_at_stake(tested.rows, question),
        economics or Economics(),
    )
    if question.outcome == "expansion":
        figures["added_mrr"] = added_mrr(tested.rows, question)
        figures["next_product"] = next_product_figures(tested.rows, question)
    return figures


def mrr_at_stake(rows: pd.DataFrame, question: Question) -> Floats:
    """Give what each row's event loses or adds a month: of a churn all its MRR; shape (n,)."""
    mrr = rows["mrr"].to_numpy(dtype=float)
    if question.outcome == "churn":
        return mrr
    change = rows[f"mrr_change__{question.main_horizon_days}d"].to_numpy(dtype=float)
    sign = 1 if question.outcome == "expansion" else -1
    return np.asarray(mrr * np.maximum(np.nan_to_num(sign * change), 0))


def refuse_an_empty_test(
    rows: pd.DataFrame, outcome: pd.Series | Floats, question: Question
) -> None:
    """Demand that some customers had the event in the test period.

    Raises
    ------
    TooLittleDataError
        With fewer than three: no figure of such a test says anything.
    """
    groups = rows.loc[outcome == 1, "customer_group"].nunique()
    if groups < FEWEST_TEST_GROUPS:
        raise TooLittleDataError(
            f"Expected at least {FEWEST_TEST_GROUPS} customers with {question.name} in the test "
            f"period, got {groups}. Bring a longer history or more accounts."
        )


def told_if_few(rows: pd.DataFrame, outcome: pd.Series, question: Question) -> tuple[str, ...]:
    """Say how little the figures rest on, where it is little."""
    groups = rows.loc[outcome == 1, "customer_group"].nunique()
    if groups >= FEW_TEST_GROUPS:
        return ()
    said = (
        f"The figures rest on {groups} customers with {question.name} in the test period: read "
        "their intervals, not the figures."
    )
    return (said,)
