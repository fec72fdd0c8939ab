"""From contributions to sentences: why a probability is what it is, in the account's numbers."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from models.bundle import Bundle


@dataclass(frozen=True)
class Reason:
    """One subject's part in one probability.

    Attributes
    ----------
    feature:
        The column that carries most of it.
    value:
        That column's value, None where it is null.
    effect:
        Log odds, all columns of the subject together; positive raises the probability.
    text:
        A sentence with the account's own numbers.
    """

    feature: str
    value: float | None
    effect: float
    text: str

    def to_json(self) -> dict[str, Any]:
        """Give the reason as the contract's {feature, value, effect, text}."""
        return asdict(self)


def explain(
    bundle: "Bundle", rows: "pd.DataFrame", horizon_days: int, limit: int
) -> list[tuple[Reason, ...]]:
    """Give each row's strongest reasons, those that raise the probability first.

    Parameters
    ----------
    bundle:
        The model, with its catalogue.
    rows:
        A feature table: one row per account and date.
    horizon_days:
        One of the model's horizons; effects are averaged over its intervals.
    limit:
        At most so many reasons a row.

    Returns
    -------
    list of tuples of Reason
        One tuple a row, in the rows' order; a subject appears at most once.
    """
    raise NotImplementedError
