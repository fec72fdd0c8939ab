"""The contract's rules for one row, as Polars expressions, and the rows that break them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time

import polars as pl
import pyarrow.parquet as pq

from features.contracts import Column, Table, Type
from features.sources.currency import UNRATED
from features.sources.stage import ROW, Staged, unreadable

# categories: when all of a long table is broken, its failures still fit in memory
FAILURES = pl.Schema({ROW: pl.Int64(), "column": pl.Categorical(), "reason": pl.Categorical()})
_NO_CASES = pl.Schema({"column": pl.String(), "reason": pl.String(), "index": pl.UInt32()})
_BATCH_ROWS = 250_000
_END_OF_DAY = time(23, 59, 59, 999999)
_NOT_FINITE = r"(?i)^[+-]?(nan|inf|infinity)$"


@dataclass(frozen=True)
class Rule:
    """What must hold of a column in every row.

    Parameters
    ----------
    column
        Who is named when it does not hold.
    reason
        Why a row is set aside; it follows the column's name in a sentence.
    holds
        A Polars expression over the staged row, null counting as true.
    """

    column: str
    reason: str
    holds: pl.Expr


@dataclass(frozen=True)
class World:
    """What a row is held against besides itself.

    Parameters
    ----------
    accounts
        Known account ids: those of `accounts`, and those that vanished in a merge.
    extracted_at
        Naive UTC.
    """

    accounts: pl.Series
    extracted_at: datetime


def rules(table: Table, present: Iterable[str], world: World) -> tuple[Rule, ...]:
    """Give the contract's rules for one row of a table.

    Parameters
    ----------
    table
        The declaration.
    present
        The contract columns that the source has; absent ones have no rules.
    world
        The known accounts and the time of the extract.
    """
    names = tuple(present)
    found: list[Rule] = []
    for name in names:
        column = table[name]
        found += [*_type_rules(column), *_value_rules(column), *_time_rules(column, names, world)]
    found += _account_rules(table, world)
    found += _ranges_by(table)
    return tuple(found)


def money_rules(table: Table) -> tuple[Rule, ...]:
    """Give the rule that money in a foreign currency has an exchange rate."""
    reason = "has no exchange rate for the row's currency and date"
    return tuple(
        Rule(column.name, reason, ~pl.col(UNRATED))
        for column in table
        if column.dtype is Type.MONEY
    )


def key_rule(key: tuple[str, ...]) -> Rule:
    """Give the rule that no two rows share a key, for a frame without copies of rows."""
    others = f", with {', '.join(key[1:])}," if key[1:] else ""
    return Rule(key[0], f"is{others} shared with a different row", ~pl.struct(*key).is_duplicated())


def broken(staged: Staged, checks: Sequence[Rule]) -> pl.DataFrame:
    """Hold every row of a staged table against the rules.

    Returns
    -------
    Frame
        One row per row and broken rule: row, column, reason.
    """
    failures = [_failures(batch, checks) for batch in _batches(staged)]
    return pl.concat([FAILURES.to_frame(), *failures])


def failing_rows(frame: pl.DataFrame, checks: Iterable[Rule]) -> pl.DataFrame:
    """Give column, reason and index (from 0) of each row of a frame and rule that it breaks.

    Raises
    ------
    polars.exceptions.PolarsError
        When a rule cannot be computed: then nothing may pass on it.
    """
    rules_of = {str(number): rule for number, rule in enumerate(checks)}
    breaks = frame.lazy().select(
        (~rule.holds.fill_null(value=True)).alias(name) for name, rule in rules_of.items()
    )
    broken_ones = breaks.collect()
    cases = [
        pl.DataFrame({"index": rows}).select(
            pl.lit(rules_of[name].column).alias("column"),
            pl.lit(rules_of[name].reason).alias("reason"),
            "index",
        )
        for name in broken_ones.columns
        if len(rows := broken_ones[name].arg_true())
    ]
    return pl.concat([_NO_CASES.to_frame(), *cases])


def _batches(staged: Staged) -> Iterator[pl.DataFrame]:
    for path in staged.files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                yield pl.DataFrame(pl.from_arrow(batch))


def _failures(batch: pl.DataFrame, checks: Sequence[Rule]) -> pl.DataFrame:
    cases = failing_rows(batch, checks)
    rows = batch[ROW].gather(cases["index"])
    return cases.select(rows.alias(ROW), "column", "reason").cast(FAILURES)


def _type_rules(column: Column) -> list[Rule]:
    cell = pl.col(column.name)
    if column.dtype is Type.TEXT:
        return [Rule(column.name, "is missing", cell.is_not_null())] if column.required else []
    text = pl.col(unreadable(column.name))
    found = []
    if column.required:
        found.append(Rule(column.name, "is missing", cell.is_not_null() | text.is_not_null()))
    is_not_finite = text.str.contains(_NOT_FINITE).fill_null(value=False)
    if column.dtype is Type.NUMBER:
        found.append(Rule(column.name, "is not a finite number", cell.is_finite()))
    if column.dtype in {Type.INTEGER, Type.MONEY}:
        found.append(Rule(column.name, "is not a finite number", ~is_not_finite))
        has_reason = is_not_finite | _is_outside(column, _in_words(column))
        found.append(Rule(column.name, f"is not {_a(column)}", text.is_null() | has_reason))
    else:
        found.append(Rule(column.name, f"is not {_a(column)}", text.is_null()))
    return found


def _a(column: Column) -> str:
    return {
        Type.INTEGER: "a whole number",
        Type.NUMBER: "a number",
        Type.MONEY: "an amount",
        Type.BOOLEAN: "a yes or no",
        Type.TIME: "an ISO date or time",
    }[column.dtype]


def _value_rules(column: Column) -> list[Rule]:
    cell, found = pl.col(column.name), []
    if column.allowed:
        reason = f"is not one of {', '.join(column.allowed)}"
        found.append(Rule(column.name, reason, cell.is_in(column.allowed)))
    number = _in_words(column)
    if column.minimum is not None:
        reason = f"is below {column.minimum:,}"
        found.append(Rule(column.name, reason, ~_is_below(number, column.minimum)))
    if column.maximum is not None:
        reason = f"is above {column.maximum:,}"
        found.append(Rule(column.name, reason, ~_is_above(number, column.maximum)))
    return found


def _in_words(column: Column) -> pl.Expr:
    """Read a number also where it is too large for the column's type."""
    cell = pl.col(column.name).cast(pl.Float64)
    text = pl.col(unreadable(column.name)).cast(pl.Float64, strict=False)
    return cell.fill_null(text)


def _is_outside(column: Column, number: pl.Expr) -> pl.Expr:
    sides = [pl.lit(value=False)]
    if column.minimum is not None:
        sides.append(_is_below(number, column.minimum))
    if column.maximum is not None:
        sides.append(_is_above(number, column.maximum))
    return pl.any_horizontal(sides).fill_null(value=False)


def _is_below(number: pl.Expr, minimum: float) -> pl.Expr:
    # an infinity has a reason of its own
    return number.is_finite() & (number < minimum)


def _is_above(number: pl.Expr, maximum: float) -> pl.Expr:
    return number.is_finite() & (number > maximum)


def _time_rules(column: Column, present: tuple[str, ...], world: World) -> list[Rule]:
    found = []
    if column.ends in present:
        start = pl.col(str(column.ends))
        reason = f"lies before {column.ends}"
        found.append(Rule(column.name, reason, ~is_before(pl.col(column.name), start)))
    if column.dtype is Type.TIME and column.happened:
        extract = pl.lit(world.extracted_at, dtype=pl.Datetime("us"))
        reason = "lies after the time of the extract"
        found.append(Rule(column.name, reason, ~is_before(extract, pl.col(column.name))))
    return found


def is_before(earlier: pl.Expr, later: pl.Expr) -> pl.Expr:
    """Tell whether one time lies before another; a date is before only what is on a later day."""
    a_day = (earlier.dt.time() == _END_OF_DAY) | (later.dt.time() == _END_OF_DAY)
    return pl.when(a_day).then(earlier.dt.date() < later.dt.date()).otherwise(earlier < later)


def _account_rules(table: Table, world: World) -> list[Rule]:
    known = pl.lit(world.accounts)
    return [
        Rule(column.name, "names an unknown account", pl.col(column.name).is_in(known.implode()))
        for column in table
        if column.names_account
    ]


def _ranges_by(table: Table) -> list[Rule]:
    if table.ranges_by is None:
        return []
    picks, bounded, ranges = table.ranges_by
    found = []
    for value, (minimum, maximum) in ranges:
        cell = pl.col(bounded).cast(pl.Float64)
        is_outside = cell.is_finite() & ~cell.is_between(minimum, maximum)
        reason = f"is not within {minimum:g} and {maximum:g}, the range of {value}"
        found.append(Rule(bounded, reason, ~((pl.col(picks) == value) & is_outside)))
    return found
