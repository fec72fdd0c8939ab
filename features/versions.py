"""The rows of a table's files in whole numbers, each version with the snapshots that know it."""

from collections.abc import Sequence
from pathlib import Path

import narwhals as nw

from features.contracts import TABLES, Column, Type
from features.declare import FIXED
from features.engine import Session
from features.windows import NEVER, Rows, first_day_after


def versions(
    path: Path, table: str, present: Sequence[str], names: Sequence[str], session: Session
) -> Rows:
    """Give the rows of a table's files, each known until a later version of it is.

    Parameters
    ----------
    path
        The table's file, a folder of them, or one part of a log.
    present, names
        The contract's columns that it has, and those that are wanted.

    Returns
    -------
    Rows
        account_id, enters, leaves and the wanted columns, in whole numbers and texts.
    """
    read = {name: _whole(TABLES[table][name], is_there=name in present) for name in names}
    frame = session.scan(path)
    key = TABLES[table].key if "recorded_at" in present else ()
    if not key:
        known = "known_at" if "recorded_at" in present else TABLES[table].first_time
        frame = frame.select("account_id", known_at=known, **read)
        never = nw.lit(NEVER, nw.Int64)
        frame = frame.with_columns(enters=first_day_after("known_at"), leaves=never)
        return frame.select("account_id", "enters", "leaves", *names)
    # At one moment, the version that says when it was recorded comes after the one that does not.
    order = ("recorded_in_order", "says_when")
    earliest = nw.col("known_at").cum_min(reverse=True).over(*key, order_by=order)
    later = nw.col("known_from_then").shift(-1).over(*key, order_by=order)
    frame = frame.with_columns(
        recorded_in_order=nw.coalesce("recorded_at", "known_at"),
        says_when=(~nw.col("recorded_at").is_null()).cast(nw.Int64),
    ).with_columns(known_from_then=earliest)
    frame = frame.with_columns(replaced_at=later).select(
        "account_id", "known_at", "replaced_at", **read
    )
    leaves = first_day_after("replaced_at").fill_null(NEVER)
    frame = frame.with_columns(enters=first_day_after("known_at"), leaves=leaves)
    frame = frame.select("account_id", "enters", "leaves", *names)
    return frame.filter(nw.col("enters") < nw.col("leaves"))


def _whole(column: Column, *, is_there: bool) -> nw.Expr:
    """Read a column as whole numbers: times in microseconds, numbers in ten-thousandths."""
    if not is_there:
        default = None if column.default is None else round(column.default * FIXED)
        return nw.lit(default, nw.String if column.dtype is Type.TEXT else nw.Int64)
    match column.dtype:
        case Type.TIME:
            return nw.col(column.name)
        case Type.MONEY:
            return (nw.col(column.name) * FIXED).cast(nw.Int64)
        case Type.NUMBER:
            whole = _rounded(nw.col(column.name) * FIXED).cast(nw.Int64)
            return (
                whole if column.default is None else whole.fill_null(round(column.default * FIXED))
            )
        case Type.INTEGER | Type.BOOLEAN:
            return nw.col(column.name).cast(nw.Int64)
        case Type.TEXT:
            return nw.col(column.name)


def _rounded(number: nw.Expr) -> nw.Expr:
    """Round to a whole number, a half away from zero: engines' own ways of a half differ."""
    below = ((0.5 - number).floor()) * -1
    return nw.when(number < 0).then(below).otherwise((number + 0.5).floor())
