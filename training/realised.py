"""Past scores against what has happened since."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from features.checked import CheckedSource
    from models.question import Question


def realised(
    scores: "pd.DataFrame", source: "CheckedSource", question: "Question"
) -> "pd.DataFrame":
    """Add to the scored rows of one model what came true.

    Parameters
    ----------
    scores:
        The scores table (`models.scored`); rows of other models or statuses are left aside.
    source:
        A later extract of the same company.
    question:
        The model's question.

    Returns
    -------
    pandas.DataFrame
        The scored rows with ``outcome``: 1, 0, or NaN where the window is not over yet.
    """
    raise NotImplementedError
