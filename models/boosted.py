"""A booster as text: what it says of rows, and why. LightGBM's only door to predict by."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.errors import ModelError
from features.fold.absent import absent
from models.forest import Forest, read_forest

with absent("sklearn"):  # most of the time and a third of the memory of loading it; for wrappers
    import lightgbm

Cells = NDArray[np.float32]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Boosted:
    """Boosted trees; compiled loops add them up and share them out, to the bit as LightGBM adds up.

    What the loops do not know, such as leaves that hold linear models, LightGBM is asked for.

    Attributes
    ----------
    text
        LightGBM's own text format.
    """

    text: str

    @cached_property
    def booster(self) -> lightgbm.Booster:
        """The booster as LightGBM has it, parsed at first use."""
        return lightgbm.Booster(model_str=self.text)

    @cached_property
    def forest(self) -> Forest | None:
        """The trees as the compiled loops have them, read at first use; None: LightGBM is asked.

        Raises
        ------
        ModelError
            When the text is not what LightGBM writes.
        """
        return read_forest(self.text)

    def sums(self, cells: Cells) -> Floats:
        """Give what the trees say of each row (n, columns) together, shape (n,).

        Raises
        ------
        ModelError
            When the rows have other columns than the trees, or the text cannot be read.
        """
        if self.forest is None:
            return np.asarray(self.booster.predict(cells, raw_score=True), dtype=float)
        from models.tree_shap import add_up  # noqa: PLC0415 - Numba is loaded where rows are scored

        out = np.empty(len(cells))
        add_up(self.forest, _as_told(cells, self.forest), out)
        return out

    def contributions(self, cells: Cells) -> Floats:
        """Give what each column adds to `sums`, and last what they start from: (n, columns + 1).

        Raises
        ------
        ModelError
            As `sums`, and when the leaves hold linear models, which nobody can share out.
        """
        if self.forest is None:
            return self._lightgbms_contributions(cells)
        from models.tree_shap import share_out  # noqa: PLC0415 - as above

        out = np.empty((len(cells), self.forest.columns + 1))
        out[:, -1] = self.forest.start
        share_out(self.forest, _as_told(cells, self.forest), out)
        return out

    def _lightgbms_contributions(self, cells: Cells) -> Floats:
        try:
            return np.asarray(self.booster.predict(cells, pred_contrib=True), dtype=float)
        except lightgbm.basic.LightGBMError as error:
            raise ModelError(
                f"Expected trees that can be explained, got {error} Train without linear trees."
            ) from error

    def answers(self, cells: Cells) -> Floats:
        """Give what the objective makes of `sums`, shape (n,): amounts, if it fitted such."""
        return np.asarray(self.booster.predict(cells), dtype=float)


def demand_columns(text: str, columns: Sequence[str]) -> None:
    """Demand that a booster's columns are these, in this order, if its text names them.

    Raises
    ------
    ModelError
        If they are others: the numbers of a row would be taken for each other.
    """
    _, found, rest = text.partition("\nfeature_names=")
    names = rest[: rest.find("\n")].split(" ") if found else [*columns]
    # A ready table's may be called anything, and are known to its booster by their place.
    known = [{name, f"column_{at}"} for at, name in enumerate(columns)]
    if len(names) != len(known) or any(
        name not in either for name, either in zip(names, known, strict=True)
    ):
        raise ModelError(
            f"Expected a booster of the {len(columns)} columns of its bundle, in the order that "
            f"the bundle has, got {len(names)} that are not those. Train the model again."
        )


def _as_told(cells: Cells, forest: Forest) -> Cells:
    if cells.shape[1] != forest.columns:
        raise ModelError(
            f"Expected rows of {forest.columns} columns, as the trees were learned from, got "
            f"{cells.shape[1]}. Give the columns of the model, in its order."
        )
    return np.ascontiguousarray(cells, dtype=np.float32)
