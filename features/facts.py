"""The rows that a feature is computed from: of a table, of a view, and of tables beside it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import narwhals as nw
import pyarrow as pa

from features.checked import CheckedSource
from features.windows import Rows


@dataclass(frozen=True)
class Beside:
    """Rows of another table, which a view's `make` gets after its own.

    They come as the view's own rows do. Two rows were known together where their spans meet:
    `features.rows.known_together` joins them so.

    Parameters
    ----------
    table
        The other source table.
    uses, optional
        Its columns, as of a view.
    made
        Makes a small table of the checked source before the engine runs, which comes instead of
        the rows; it plays versions and merges itself.
    """

    table: str
    uses: tuple[str, ...]
    optional: tuple[str, ...] = ()
    made: Callable[[CheckedSource], pa.Table] | None = None


@dataclass(frozen=True)
class View:
    """Rows made from the rows of one source table, or of another view.

    `make` gets the columns `uses` of the table and the `optional` ones (null where the source
    lacks them), times in microseconds, money and numbers in
    ten-thousandths, and with account_id, enters and leaves: the days of the first snapshots that
    know the row, and that know it no more; then one such frame for each table in `beside`. It gives
    back such a frame with columns of its own.
    """

    name: str
    table: "str | View"
    uses: tuple[str, ...]
    make: Callable[..., Rows] = field(compare=False)
    optional: tuple[str, ...] = ()
    beside: tuple[Beside, ...] = ()

    @property
    def source_table(self) -> str:
        """The source table below."""
        return self.table.source_table if isinstance(self.table, View) else self.table

    @property
    def chain(self) -> "tuple[View, ...]":
        """The views below, from the source table up, and this one."""
        return (*self.table.chain, self) if isinstance(self.table, View) else (self,)

    @property
    def reads(self) -> tuple[Beside, ...]:
        """All that it is made of: the source table's columns, then those of the tables beside."""
        lowest = self.chain[0]
        own = Beside(lowest.source_table, lowest.uses, lowest.optional)
        return (own, *(other for view in self.chain for other in view.beside))


@dataclass(frozen=True)
class Facts:
    """The rows that a feature is computed from, each with the time of its fact.

    Parameters
    ----------
    table
        The source table, or a view of it.
    at
        The time column at which the fact happens. Every other column shows what was known then:
        a time after it, and a value known after it, are null.
    until
        The time column that ends a state, or None for a moment.
    uses
        The further columns that `where` and the recipe read; a source that lacks one, or
        overwrites it, leaves the feature out.
    where
        Which rows count.
    """

    table: str | View
    at: str
    until: str | None = None
    uses: tuple[str, ...] = ()
    where: nw.Expr | None = field(default=None, compare=False)

    @property
    def source_table(self) -> str:
        """The source table below."""
        return self.table.source_table if isinstance(self.table, View) else self.table

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the table, or view, must have."""
        until = (self.until,) if self.until else ()
        return tuple(dict.fromkeys((self.at, *until, *self.uses)))
