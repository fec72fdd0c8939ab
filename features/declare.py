"""How one feature is declared: one value that says what it is, and how it is computed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

import narwhals as nw

from features.facts import Beside, Facts, View
from features.windows import MINUTE, Rows, Window

__all__ = [
    "FIXED",
    "Beside",
    "Distinct",
    "Duration",
    "Extreme",
    "Facts",
    "Feature",
    "Formula",
    "Latest",
    "Missing",
    "Others",
    "Ranked",
    "Recipe",
    "Text",
    "Total",
    "Unit",
    "View",
    "difference",
    "facts_of",
    "key_of",
    "merged_facts",
    "over",
    "ratio",
    "reads_of",
    "relative_change",
]

FIXED = 10_000
"""Money and numbers are summed as whole ten-thousandths, so that every engine's sum is exact."""


class Unit(StrEnum):
    """What a feature's number is in; it decides how the number is written."""

    EVENTS = "events"
    USERS = "users"
    ITEMS = "items"
    TICKETS = "tickets"
    INVOICES = "invoices"
    PAYMENTS = "payments"
    SEATS = "seats"
    MONTHS = "months"
    DAYS = "days"
    HOURS = "hours"
    MINUTES = "minutes"
    POINTS = "points"
    MONEY = "currency"
    MONEY_PER_MONTH = "currency per month"
    SHARE = "share"
    RATIO = "ratio"


class Missing(StrEnum):
    """What an account without any such row gets."""

    ZERO = "zero"
    """Nothing happened, and that is known."""
    UNKNOWN = "null"
    """There is no such number."""


@dataclass(frozen=True)
class Text:
    """What a CSM reads, as `str.format` templates over the columns of the feature's own row.

    `{value}` is the feature's own number; `[ticket is|tickets are]` agrees with the number before.
    `now` and `against` decide whether rising, falling or equal is said; none of them is said where
    one of the two is null, or where they differ by less than is written.

    Parameters
    ----------
    level
        Says the value alone, whatever it is; the last resort of the others.
    rising, falling, equal
        Say that `now` is above, below, or exactly `against`.
    missing
        Says that the value is null.
    against
        The feature column, or the number, that is compared with. Beside a number, `now` is written
        without its sign.
    now
        The feature column that is compared; None is the value itself.
    beside
        Says the value beside other numbers, without a direction.
    """

    level: str
    rising: str | None = None
    falling: str | None = None
    missing: str = "Nothing is known about this"
    against: str | float | None = None
    now: str | None = None
    equal: str | None = None
    beside: str | None = None

    def over(self, days: int) -> "Text":
        """Write out `<days>`."""
        texts = {
            name: text.replace("<days>", str(days))
            for name, text in vars(self).items()
            if isinstance(text, str)
        }
        return replace(self, **texts)


@dataclass(frozen=True)
class Total:
    """A count (no value), a sum or a mean of a whole-number expression, divided by `per`."""

    facts: Facts
    value: nw.Expr | None = field(default=None, compare=False)
    per: int = FIXED
    mean: bool = False
    back: int = 0
    """How many windows before the last one; of a state: as it was so many windows ago."""
    lag_days: int = 0
    """How long before the snapshot the last window ends."""


@dataclass(frozen=True)
class Others:
    """A total over the other accounts of one's group, those that belong to it at the snapshot.

    Parameters
    ----------
    total
        What is added up.
    among
        A table that is made: account_id, enters, leaves and `among`, the group.
    """

    total: Total
    among: Beside

    def __post_init__(self) -> None:
        if self.total.mean:
            raise ValueError(f"Expected a count or a sum over the others, got the mean {self}.")

    @property
    def facts(self) -> Facts:
        """The rows of all accounts."""
        return self.total.facts


@dataclass(frozen=True)
class Distinct:
    """How many different values of a column there are; null is none."""

    facts: Facts
    key: str
    back: int = 0
    lag_days: int = 0


@dataclass(frozen=True)
class Extreme:
    """The smallest or largest whole-number expression over the rows that count at a snapshot.

    Parameters
    ----------
    facts
        The rows.
    value
        The expression; `at_day` is the day of the fact.
    pick
        Which one.
    since, ahead
        The value is a day, and the feature is how many days it lies before the snapshot, or after.
    at_snapshot
        Adds columns that hang on the snapshot to the rows that stand at one; it gets these, and
        what their view has beside it.
    """

    facts: Facts
    value: nw.Expr = field(compare=False)
    pick: Literal["min", "max"]
    since: bool = False
    ahead: bool = False
    at_snapshot: Callable[..., Rows] | None = None
    per: int = 1


@dataclass(frozen=True)
class Latest:
    """The whole-number value of the latest fact that has one.

    Of several facts at one moment, `pick` says which value counts.
    """

    facts: Facts
    value: nw.Expr = field(compare=False)
    pick: Literal["min", "max"] = "min"
    per: int = 1


@dataclass(frozen=True)
class Ranked:
    """The first of a column's values (null is none), ranked by their totals in the window.

    Parameters
    ----------
    value
        What each fact adds, a whole-number expression; None counts facts.
    pick
        Which total comes first; the feature is that total, divided by `per`.
    mean
        They are ranked by the value's mean, which is then the feature.
    since
        The feature is the days since the last fact, whenever it was, of what comes first; of
        several with one total, of what was seen last.
    lag_days
        How long before the snapshot the window ends.
    """

    facts: Facts
    key: str
    value: nw.Expr | None = field(default=None, compare=False)
    pick: Literal["min", "max"] = "max"
    mean: bool = False
    since: bool = False
    lag_days: int = 0
    per: int = 1


@dataclass(frozen=True)
class Duration:
    """How long states held in the window, added up; one without an end holds at the snapshot.

    Parameters
    ----------
    clock
        Reads a time, in microseconds, on a clock that may stand still; None: it never does.
    since
        Marks rows that are moments, no states: only what held after the latest of them counts.
    """

    facts: Facts
    clock: Callable[[nw.Expr], nw.Expr] | None = None
    since: nw.Expr | None = field(default=None, compare=False)
    per: int = MINUTE


@dataclass(frozen=True)
class Formula:
    """A function of other features of the same row, in floating point.

    `of` names their columns, `value` gets their expressions in that order.
    """

    of: tuple[str, ...]
    value: Callable[..., nw.Expr]


Recipe = Total | Others | Distinct | Extreme | Latest | Ranked | Duration | Formula


@dataclass(frozen=True)
class Feature:
    """One feature: the column, the catalogue's entry and the sentence all come from it.

    Parameters
    ----------
    group, name, window_days
        Make the column `<group>__<name>[__<window>d]`. In every text and column name that is
        given here, `<days>` stands for the window.
    recipe
        How it is computed.
    unit
        What its number is in.
    subject
        The thing it measures, shared by its windows and trends; reasons are summed over it.
    description
        One sentence for the catalogue.
    text
        The sentences for a CSM.
    missing
        What an account without any such row gets.
    risk
        Which direction makes a loss likelier, "up" or "down", where that is beyond doubt.
    """

    group: str
    name: str
    recipe: Recipe
    unit: Unit
    subject: str
    description: str
    text: Text
    missing: Missing = Missing.ZERO
    risk: Literal["up", "down"] | None = None
    window_days: int | None = None

    @property
    def column(self) -> str:
        """The column's name."""
        window = f"__{self.window_days}d" if self.window_days else ""
        return f"{self.group}__{self.name}{window}"

    @property
    def window(self) -> Window:
        """The window in which its facts lie."""
        recipe = self.recipe.total if isinstance(self.recipe, Others) else self.recipe
        lag_days = getattr(recipe, "lag_days", 0)
        lag_days += getattr(recipe, "back", 0) * (self.window_days or 0)
        is_state = not isinstance(self.recipe, Formula) and self.recipe.facts.until is not None
        return Window(None if is_state else self.window_days, lag_days)


def facts_of(feature: Feature) -> Facts:
    """Give a measured feature's facts."""
    if isinstance(feature.recipe, Formula):
        raise TypeError(f"Expected a measured feature, got the formula {feature.column}.")
    return feature.recipe.facts


def reads_of(feature: Feature) -> tuple[Beside, ...]:
    """Give what a measured feature reads below and beside its facts, first its source table."""
    facts = facts_of(feature)
    plain = (Beside(facts.source_table, ()),)
    among = (feature.recipe.among,) if isinstance(feature.recipe, Others) else ()
    return (*(facts.table.reads if isinstance(facts.table, View) else plain), *among)


def key_of(feature: Feature) -> tuple[str, ...]:
    """Give the column whose values a measured feature tells apart, if it does."""
    recipe = feature.recipe
    return (recipe.key,) if isinstance(recipe, Distinct | Ranked) else ()


def merged_facts(features: Sequence[Feature]) -> Facts:
    """Give facts whose columns serve all these features over one table; none has its condition."""
    first = facts_of(features[0])
    uses = dict.fromkeys(name for feature in features for name in facts_of(feature).uses)
    return Facts(first.table, first.at, first.until, tuple(uses))


def over(
    windows: tuple[int, ...], feature: Feature, texts: Mapping[int, Text] | None = None
) -> tuple[Feature, ...]:
    """Declare one feature over several windows of so many days; `texts` are those of some."""
    own = {days: replace(feature, text=text) for days, text in (texts or {}).items()}
    return tuple(_in_window(own.get(days, feature), days) for days in windows)


def _in_window(feature: Feature, days: int) -> Feature:
    def fill(text: str) -> str:
        return text.replace("<days>", str(days))

    recipe = feature.recipe
    if isinstance(recipe, Formula):
        recipe = replace(recipe, of=tuple(map(fill, recipe.of)))
    return replace(
        feature,
        recipe=recipe,
        window_days=days,
        description=fill(feature.description),
        text=feature.text.over(days),
    )


def ratio(part: nw.Expr, whole: nw.Expr) -> nw.Expr:
    """Divide; null where the whole is not above zero."""
    return nw.when(whole > 0).then(part / whole)


def relative_change(now: nw.Expr, before: nw.Expr) -> nw.Expr:
    """Give the change from before to now as a share of before; null where that is not above 0."""
    return nw.when(before > 0).then((now - before) / before)


def difference(now: nw.Expr, before: nw.Expr) -> nw.Expr:
    """Give the change from before to now."""
    return now - before
