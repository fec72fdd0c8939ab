"""When features are folded out of a log, and how they come back to the engine."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow.parquet as pq

from features.checked import CheckedSource
from features.declare import Feature, facts_of
from features.engine import Engine, Session
from features.fold.folded import is_folded
from features.fold.one_pass import fold as fold_log
from features.grid import Grid
from features.windows import Rows

ROWS_WORTH_A_FOLD = 250_000
"""Below so many rows the engine is done before the compiled loops are loaded."""


@dataclass(frozen=True)
class Folded:
    """What came out of folds: rows (account_id, as_of_day and columns), and which features."""

    rows: tuple[Rows, ...] = ()
    columns: frozenset[str] = frozenset()


NOTHING = Folded()


def fold_logs(
    source: CheckedSource,
    features: Sequence[Feature],
    on: Grid,
    session: Session,
    engine: Engine,
    *,
    fold: bool | None,
) -> Folded:
    """Fold each log that is worth it, once, for all features that can be had so.

    Parameters
    ----------
    fold
        True: every log; False: none; None: those with many rows, and none on Spark, whose events
        may lie where this process cannot read them.
    """
    if fold is False or (fold is None and engine is Engine.SPARK):
        return NOTHING
    together: dict[str, list[Feature]] = {}
    for feature in features:
        if is_folded(feature):
            together.setdefault(facts_of(feature).source_table, []).append(feature)
    done = Folded()
    for table, chosen in together.items():
        if fold or _rows(source, table) >= ROWS_WORTH_A_FOLD:
            folded = fold_log(source, chosen, on.accounts, on.days)
            columns = {name: folded[name] for name in folded.column_names}
            rows = session.frame(columns, folded.schema)
            given = frozenset(f.column for f in chosen if f.column in columns)
            done = Folded((*done.rows, rows), done.columns | given)
    return done


def _rows(source: CheckedSource, table: str) -> int:
    return sum(int(pq.read_metadata(part).num_rows) for part in source.parts(table))
