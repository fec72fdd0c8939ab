"""How much MRR an expansion adds: a share of that at ``as_of``, by horizon and by account.

The second of two parts: expected added MRR = P(expansion within h) x share x MRR at ``as_of``.
docs/definitions.md says what counts as added.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.linear import Linear, linear_from_json
from models.trees import Trees

Floats = NDArray[np.float64]
ByHorizon = Mapping[int, float]
Way = Literal["the mean share", "by account", "by trees"]

_STRETCH = 20_000


@dataclass(frozen=True)
class Judged:
    """How the ways to tell amounts did on expansions later than those that they learned from.

    Attributes
    ----------
    expansions
        Rows, of an account and a date, that expanded within the main horizon.
    mean_share, by_account
        Mean Poisson deviance of the share added, by the mean share and by account; less is better.
    standard_error
        Of their difference, over customers.
    by_trees, trees_error
        The deviance by boosted trees, and the standard error of its difference from that of the
        one of the other two that stands; None where trees were not asked, by older releases.
    """

    expansions: int
    mean_share: float
    by_account: float
    standard_error: float
    by_trees: float | None = None
    trees_error: float | None = None

    @property
    def way(self) -> Way:
        """The way that the past says to take; trees only where they were clearly better."""
        standing = self.mean_share if self.is_worse_by_account else self.by_account
        if self.by_trees is not None and standing - self.by_trees > (self.trees_error or 0.0):
            return "by trees"
        return "the mean share" if self.is_worse_by_account else "by account"

    @property
    def is_worse_by_account(self) -> bool:
        """Whether telling accounts apart was worse by more than the standard error."""
        return self.by_account - self.mean_share > self.standard_error


@dataclass(frozen=True)
class Shape:
    """What tells accounts apart by a regression: share = level of the horizon x exp(a sum).

    Attributes
    ----------
    weights
        The sum over features; its intercept is 0.
    lowest, highest
        The sum is kept between those of the expansions that it was learned from.
    levels
        By horizon in days, such that those expansions add as much by it as they did add.
    """

    weights: Linear
    lowest: float
    highest: float
    levels: ByHorizon

    def factors(self, cells: NDArray[np.float32]) -> Floats:
        """Give what the share of each row (n, features) is over the level, shape (n,)."""
        sums = np.empty(len(cells))
        for start in range(0, len(cells), _STRETCH):
            part = slice(start, start + _STRETCH)
            sums[part] = self.weights.effects(cells[part]).sum(axis=1)
        return np.asarray(np.exp(np.clip(sums, self.lowest, self.highest)))

    def to_json(self) -> dict[str, Any]:
        """Give the fields as JSON values."""
        return {
            "weights": asdict(self.weights),
            "lowest": self.lowest,
            "highest": self.highest,
            "levels": dict(self.levels),
        }


@dataclass(frozen=True)
class Amount:
    """The share of its MRR that an account adds by a horizon when it expands within it.

    Attributes
    ----------
    mean_shares
        By horizon in days, over the expansions that were learned from: MRR added over MRR. A
        horizon within which none was seen is left out.
    shape
        What tells accounts apart; None where the mean share stands for every account.
    judged
        By what that was decided; None where there was too little to compare.
    """

    mean_shares: ByHorizon
    shape: Shape | Trees | None = None
    judged: Judged | None = None

    def shares(self, cells: NDArray[np.float32], horizons_days: Sequence[int]) -> Floats:
        """Give the share of each row (n, features) by horizon; NaN where none was seen."""
        levels = self.mean_shares if self.shape is None else self.shape.levels
        of_horizon = np.array([levels.get(days, np.nan) for days in horizons_days])
        factors = np.ones(len(cells)) if self.shape is None else self.shape.factors(cells)
        return np.asarray(factors[:, None] * of_horizon)

    def sentence(self) -> str:
        """Say for people how the amounts are told, and by what that was decided."""
        if self.judged is None:
            return "What an expansion adds is the mean share: too few are known to compare ways."
        found, is_by_trees = self.judged, isinstance(self.shape, Trees)
        by_account: Way = "by trees" if is_by_trees else "by account"
        how = f"told {by_account}" if self.shape else "the mean share"
        trees = "" if found.by_trees is None else f", by trees {found.by_trees:.4f}"
        error = found.trees_error if is_by_trees else found.standard_error
        return (
            f"What an expansion adds is {how}: on {found.expansions:,} later expansions the "
            f"deviance was {found.by_account:.4f} by account, {found.mean_share:.4f} by the mean "
            f"share{trees} (standard error of the difference {error:.4f})."
        )

    def to_text(self) -> str:
        """Write it as JSON; the same numbers give the same text."""
        told = None if self.shape is None else self.shape.to_json()
        judged = None if self.judged is None else asdict(self.judged)
        fields = {
            "mean_shares": dict(self.mean_shares),
            "shape": told if isinstance(self.shape, Shape) else None,
            "judged": judged and {name: at for name, at in judged.items() if at is not None},
        }
        if isinstance(self.shape, Trees):  # no other file than older releases wrote has the name
            fields["trees"] = told
        return json.dumps(fields, indent=1, allow_nan=False) + "\n"


def amount_from_json(fields: Mapping[str, Any]) -> Amount:
    """Rebuild it from the JSON object of its fields."""
    shape, trees, judged = fields["shape"], fields.get("trees"), fields["judged"]
    regression = None if shape is None else _shape(shape)
    return Amount(
        mean_shares=by_horizon(fields["mean_shares"]),
        shape=_trees(trees) if trees else regression,
        judged=None if judged is None else Judged(**judged),
    )


def by_horizon(by_text: Mapping[str, float]) -> ByHorizon:
    """Rebuild numbers by horizon from JSON, whose names are texts."""
    return MappingProxyType({int(days): float(value) for days, value in by_text.items()})


def _shape(fields: Mapping[str, Any]) -> Shape:
    return Shape(
        weights=linear_from_json(fields["weights"]),
        lowest=float(fields["lowest"]),
        highest=float(fields["highest"]),
        levels=by_horizon(fields["levels"]),
    )


def _trees(fields: Mapping[str, Any]) -> Trees:
    return Trees("\n".join(fields["text"]), by_horizon(fields["levels"]))
