"""How a source table is declared: its grain, its key, its columns and when each fact is known."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

LARGEST_INTEGER = 10**9
"""Seats or people of one account: more than there are at any."""
LARGEST_MONEY = 10**12
"""In ten-thousandths, as features add it up, 64 bits hold the sum of nine hundred such rows."""


class Type(StrEnum):
    """What a cell holds. Times are naive UTC, money is an exact decimal of four places."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    MONEY = "money"
    BOOLEAN = "boolean"
    TIME = "time"


@dataclass(frozen=True)
class Column:
    """One column of the contract.

    Parameters
    ----------
    name, dtype
        As the contract names it.
    required
        Every row needs a value, when the table is there.
    unit
        What a number counts: "seats", "months", "per month".
    allowed
        The only values there are, or () for any.
    minimum, maximum
        Both included.
    happened
        For a time: it tells of something past, so it cannot lie after the extract. A due date,
        the end of a signed term, a scheduled start or end may.
    ends
        For a time: the column of the start that it ends. Before it, the row is broken.
    follows
        For a time: the column it usually comes after. Before it, the row is kept, with a warning.
    overwritten
        The source keeps the newest value only, so it is a feature only with versions.
    known_at
        The time column that says when this value became known; None: with the row itself.
        A time column other than the row's first is known at its own time.
    default
        What a missing value means.
    outcome
        Tells how the story ended, so it is never a feature.
    names_account
        Holds the id of an account that must be known.
    names_person
        Holds the id of a person: an HMAC of it is kept, and not the id.
    """

    name: str
    dtype: Type
    required: bool = False
    unit: str | None = None
    allowed: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    happened: bool = True
    ends: str | None = None
    follows: str | None = None
    overwritten: bool = False
    known_at: str | None = None
    default: float | None = None
    outcome: bool = False
    names_account: bool = False
    names_person: bool = False


@dataclass(frozen=True)
class Table:
    """One table of the contract.

    Parameters
    ----------
    name
        As the contract names it.
    grain
        What one row is, in words.
    key
        The columns that name a row, without `recorded_at`; () where rows have no name.
    first_time
        The time at which the row itself becomes known, unless it was recorded later.
    columns
        In the contract's order. Any table may carry `recorded_at` besides.
    required
        A source without this table is refused.
    usually_after
        What an account's rows usually come after: "sign-up", "first subscription" or None.
    ranges_by
        (column that picks, column that is bounded, {value: (minimum, maximum)} as pairs), where
        one column's range hangs on another's value.
    is_log
        Rows are only ever added, and there are so many that a check reads the new ones alone; the
        checked rows lie in one part for each week of `first_time`.
    """

    name: str
    grain: str
    key: tuple[str, ...]
    first_time: str
    columns: tuple[Column, ...]
    required: bool = False
    usually_after: str | None = None
    ranges_by: tuple[str, str, tuple[tuple[str, tuple[float, float]], ...]] | None = None
    is_log: bool = False

    def __iter__(self) -> Iterator[Column]:
        """Give the contract's columns, then `recorded_at`."""
        yield from self.columns
        yield RECORDED_AT

    def __getitem__(self, name: str) -> Column:
        """Give the column of this name, or raise KeyError."""
        return {column.name: column for column in self}[name]


def text(
    name: str,
    *,
    required: bool = False,
    allowed: tuple[str, ...] = (),
    overwritten: bool = False,
    known_at: str | None = None,
    outcome: bool = False,
) -> Column:
    """Declare a text column."""
    return Column(
        name,
        Type.TEXT,
        required=required,
        allowed=allowed,
        overwritten=overwritten,
        known_at=known_at,
        outcome=outcome,
    )


def account(name: str = "account_id") -> Column:
    """Declare the column that says whose row it is; the account must be known."""
    return Column(name, Type.TEXT, required=True, names_account=True)


def person(name: str, *, required: bool = False) -> Column:
    """Declare the column that says which person it was: equal ids stay equal, and are no more."""
    return Column(name, Type.TEXT, required=required, names_person=True)


def time(
    name: str,
    *,
    required: bool = False,
    ends: str | None = None,
    follows: str | None = None,
    happened: bool = True,
) -> Column:
    """Declare a time, known at itself."""
    return Column(
        name,
        Type.TIME,
        required=required,
        ends=ends,
        follows=follows,
        happened=happened,
        known_at=name,
    )


def integer(
    name: str,
    unit: str,
    *,
    minimum: float = 0,
    maximum: float = LARGEST_INTEGER,
    overwritten: bool = False,
) -> Column:
    """Declare a whole number."""
    return Column(
        name,
        Type.INTEGER,
        unit=unit,
        minimum=minimum,
        maximum=maximum,
        overwritten=overwritten,
    )


def number(
    name: str,
    unit: str,
    *,
    required: bool = False,
    minimum: float | None = None,
    maximum: float | None = None,
    known_at: str | None = None,
    default: float | None = None,
) -> Column:
    """Declare a number with a fraction."""
    return Column(
        name,
        Type.NUMBER,
        required=required,
        unit=unit,
        minimum=minimum,
        maximum=maximum,
        known_at=known_at,
        default=default,
    )


def money(name: str, unit: str, *, minimum: float = -LARGEST_MONEY) -> Column:
    """Declare an amount of the company's one currency; always required."""
    return Column(
        name, Type.MONEY, required=True, unit=unit, minimum=minimum, maximum=LARGEST_MONEY
    )


def boolean(name: str, *, required: bool = False, overwritten: bool = False) -> Column:
    """Declare a yes or no."""
    return Column(name, Type.BOOLEAN, required=required, overwritten=overwritten)


RECORDED_AT = time("recorded_at")
