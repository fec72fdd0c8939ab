"""Past scores against what has happened since."""

import pandas as pd

from features.checked import CheckedSource
from models.question import Question
from training.labels import label, outcome_within


def realised(scores: pd.DataFrame, source: CheckedSource, question: Question) -> pd.DataFrame:
    """Add to the scored rows of one model what came true.

    Parameters
    ----------
    scores:
        The scores table (`models.scored`); rows of other models or statuses are left aside.
    source:
        A later extract of the same company; its newest knowledge is the truth.
    question:
        The model's question.

    Returns
    -------
    pandas.DataFrame
        The scored rows with ``outcome``: 1, 0, or NaN where the window and its grace are not over
        at the extract, or where the account is unknown to it or had nothing left to lose.
    """
    own = scores[(scores["model"] == question.name) & (scores["status"] == "scored")]
    dated = own[["account_id", "as_of"]].drop_duplicates()
    known = dated[dated["account_id"].isin(source.read("accounts")["account_id"])]
    labels = label(source, known, question)
    parts = [
        labels[["account_id", "as_of"]].assign(
            horizon_days=int(days), outcome=outcome_within(labels, int(days))
        )
        for days in sorted(own["horizon_days"].unique())
    ]
    if not parts:
        return own.assign(outcome=pd.Series(dtype="float64"))
    outcomes = pd.concat(parts)
    keys = ["account_id", "as_of", "horizon_days"]
    return own.merge(outcomes, on=keys, how="left", validate="one_to_one")
