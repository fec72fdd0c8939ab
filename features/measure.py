"""From facts to numbers at snapshots: totals, distinct counts and extremes.

A fact counts on a span of snapshots. A total is therefore a running sum: each fact adds its value
at the first snapshot that sees it, and takes it away at the first that sees it no more. A distinct
count is the total of the spans' unions, key by key. So the cost is one pass over the facts, whatever
the number of snapshots, and every sum is one of whole numbers, exact in any order.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import narwhals as nw
import pyarrow as pa

from features.declare import Distinct, Extreme, Facts, Feature, Total, View
from features.engine import Session
from features.rows import Reader
from features.terms import snapshot_month
from features.windows import AS_OF_DAY, NEVER, Window, is_seen

AT_SNAPSHOT = ("as_of_day", "as_of_month", "as_of_dom", "as_of_month_last_dom")
COUNT = "__n"
"""Suffix of the column that counts the values below a mean, or below a sum that may be unknown."""


@dataclass(frozen=True)
class Grid:
    """The accounts and days at which features are measured, on one engine.

    Parameters
    ----------
    days
        The snapshots' days, rising.
    calendar
        For each day up to the last snapshot: `day`, and `bucket`, the first snapshot's day that is
        not before it.
    points
        Every account at every snapshot: account_id, and of the snapshot as_of_day, as_of_month
        (`terms`), as_of_dom, as_of_month_last_dom (days of the month, from 0).
    """

    days: tuple[int, ...]
    calendar: nw.LazyFrame
    points: nw.LazyFrame


def grid(accounts: Sequence[str], days: Iterable[int], session: Session) -> Grid:
    """Lay the grid of these accounts and days."""
    rising = tuple(sorted(set(days)))
    buckets = [
        (day, bucket)
        for before, bucket in zip((rising[0] - 1, *rising), rising, strict=False)
        for day in range(before + 1, bucket + 1)
    ]
    whole = pa.int64()
    calendar = session.frame(
        {"day": [day for day, _ in buckets], "bucket": [bucket for _, bucket in buckets]},
        pa.schema([("day", whole), ("bucket", whole)]),
    )
    months = [snapshot_month(day) for day in rising]
    snapshots = session.frame(
        {
            "as_of_day": rising,
            "as_of_month": [month.month for month in months],
            "as_of_dom": [month.dom for month in months],
            "as_of_month_last_dom": [month.last_dom for month in months],
        },
        pa.schema([(name, whole) for name in AT_SNAPSHOT]),
    )
    ids = session.frame({"account_id": accounts}, pa.schema([("account_id", pa.string())]))
    return Grid(rising, calendar, session.settle(ids.join(snapshots, how="cross")))


def measure(features: Iterable[Feature], reader: Reader, on: Grid) -> nw.LazyFrame:
    """Give the grid's points with one column for each feature, before units and missing values."""
    measured = on.points.select("account_id", "as_of_day")
    for kind, run in ((Total, totals), (Distinct, distinct), (Extreme, extremes)):
        chosen = [feature for feature in features if isinstance(feature.recipe, kind)]
        for together in _grouped(chosen):
            columns = reader.session.settle(run(together, reader, on))
            measured = measured.join(columns, on=["account_id", "as_of_day"], how="left")
    return reader.session.settle(measured)


def _grouped(features: Sequence[Feature]) -> list[list[Feature]]:
    """Put together what one pass over the facts can give."""

    def one_pass(feature: Feature) -> tuple[str, ...]:
        recipe = feature.recipe
        name = facts_of(feature).table
        table = f"{name.table}/{name.name}" if isinstance(name, View) else name
        key = (table, facts_of(feature).at, facts_of(feature).until or "")
        if isinstance(recipe, Distinct):
            return (*key, recipe.key, repr(recipe.facts.where))
        if isinstance(recipe, Extreme):
            moves = recipe.at_snapshot.__name__ if recipe.at_snapshot else ""
            return (*key, moves, str(feature.window_days))
        return key

    return [list(together) for _, together in groupby(sorted(features, key=one_pass), one_pass)]


def facts_of(feature: Feature) -> Facts:
    """Give a measured feature's facts."""
    recipe = feature.recipe
    if not isinstance(recipe, Total | Distinct | Extreme):
        raise TypeError(f"Expected a measured feature, got the formula {feature.column}.")
    return recipe.facts


def _merged(features: Sequence[Feature]) -> Facts:
    """Give facts whose columns serve all these features; where each has its own condition."""
    first = facts_of(features[0])
    uses = dict.fromkeys(name for feature in features for name in facts_of(feature).uses)
    return Facts(first.table, first.at, first.until, tuple(uses))


def counts_values(feature: Feature) -> bool:
    """Tell whether a total needs the number of its values beside it."""
    recipe = feature.recipe
    return isinstance(recipe, Total) and (recipe.mean or feature.missing.value == "null")


def totals(features: Sequence[Feature], reader: Reader, on: Grid) -> nw.LazyFrame:
    """Give account_id, as_of_day and the sums of features over the same facts."""
    facts = reader.facts(_merged(features))
    amounts: dict[str, nw.Expr] = {}
    named: dict[tuple[str, str], str] = {}
    for feature in features:
        for suffix, amount in _amounts(feature).items():
            text = repr(amount)
            if (text, suffix) not in named:
                named[(text, suffix)] = f"v{len(amounts)}"
                amounts[f"v{len(amounts)}"] = amount
    until = ["until_day"] if facts_of(features[0]).until else []
    by_day = reader.session.settle(
        facts.with_columns(**amounts)
        .group_by("account_id", "enters", "leaves", "at_day", *until)
        .agg(nw.col(*amounts).sum().cast(nw.Int64))
    )
    columns = {
        feature.column + suffix: (feature.window, named[(repr(amount), suffix)])
        for feature in features
        for suffix, amount in _amounts(feature).items()
    }
    return _running(columns, by_day, bool(until), on)


def _amounts(feature: Feature) -> dict[str, nw.Expr]:
    recipe = feature.recipe
    if not isinstance(recipe, Total):
        raise TypeError(f"Expected a total, got {feature.column}.")
    one = nw.lit(1, nw.Int64)
    value = one if recipe.value is None else recipe.value
    counted = one if recipe.value is None else (~recipe.value.is_null()).cast(nw.Int64)
    where = recipe.facts.where
    amounts = {"": value, COUNT: counted} if counts_values(feature) else {"": value}
    if where is None:
        return amounts
    return {suffix: nw.when(where).then(amount) for suffix, amount in amounts.items()}


def _running(
    columns: Mapping[str, tuple[Window, str]],
    amounts: nw.LazyFrame,
    is_state: bool,
    on: Grid,  # noqa: FBT001
) -> nw.LazyFrame:
    """Sum amounts over the spans in which each column's window sees them."""
    zeros = {column: nw.lit(0, nw.Int64) for column in columns}
    pieces = [on.points.select("account_id", bucket="as_of_day", **zeros)]
    for window in dict.fromkeys(window for window, _ in columns.values()):
        shown = {column: value for column, (of, value) in columns.items() if of == window}
        seen = spans(amounts, window, on, is_state=is_state)
        for edge, sign in (("start", 1), ("end", -1)):
            at_edge = seen.filter(nw.col(edge) < NEVER).group_by(
                "account_id", nw.col(edge).alias("bucket")
            )
            summed = at_edge.agg(**{c: nw.col(v).sum() * sign for c, v in shown.items()})
            pieces.append(_filled(summed, zeros, shown))
    return _accumulated(pieces, tuple(columns))


def _filled(
    summed: nw.LazyFrame, zeros: Mapping[str, nw.Expr], shown: Iterable[str]
) -> nw.LazyFrame:
    whole = {column: nw.col(column).cast(nw.Int64) for column in shown}
    return summed.select("account_id", "bucket", **{**zeros, **whole})


def _accumulated(pieces: Sequence[nw.LazyFrame], columns: Sequence[str]) -> nw.LazyFrame:
    steps = nw.concat(pieces, how="vertical").group_by("account_id", "bucket")
    summed = steps.agg(nw.col(*columns).sum().cast(nw.Int64))
    running = nw.col(*columns).cum_sum().over("account_id", order_by="bucket").cast(nw.Int64)
    return summed.select("account_id", running, as_of_day="bucket")


def spans(facts: nw.LazyFrame, window: Window, on: Grid, *, is_state: bool) -> nw.LazyFrame:
    """Add `start` and `end`: the snapshots between which a window sees each fact.

    Facts that no snapshot of the grid sees are left out; an end after the last is NEVER.
    """
    until = "until_day" if is_state else None
    first = on.days[0]
    facts = facts.with_columns(
        start_day=nw.max_horizontal(window.enters("enters", "at_day"), nw.lit(first, nw.Int64)),
        end_day=nw.max_horizontal(
            window.leaves("leaves", "at_day", until), nw.lit(first, nw.Int64)
        ),
    )
    starts = on.calendar.select(start_day="day", start="bucket")
    ends = on.calendar.select(end_day="day", end="bucket")
    seen = facts.filter(nw.col("start_day") < nw.col("end_day"))
    seen = seen.join(starts, on="start_day", how="inner").join(ends, on="end_day", how="left")
    seen = seen.with_columns(end=nw.col("end").fill_null(NEVER))
    return seen.filter(nw.col("start") < nw.col("end")).drop("start_day", "end_day")


def distinct(features: Sequence[Feature], reader: Reader, on: Grid) -> nw.LazyFrame:
    """Give account_id, as_of_day and the distinct counts of one key over the same facts."""
    recipe = features[0].recipe
    if not isinstance(recipe, Distinct):
        raise TypeError(f"Expected a distinct count, got {features[0].column}.")
    facts = reader.facts(_merged(features), extra=(recipe.key,))
    if recipe.facts.where is not None:
        facts = facts.filter(recipe.facts.where)
    facts = facts.filter(~nw.col(recipe.key).is_null()).with_columns(key=nw.col(recipe.key))
    is_state = recipe.facts.until is not None
    names = [
        "account_id",
        "key",
        "enters",
        "leaves",
        "at_day",
        *(["until_day"] if is_state else []),
    ]
    facts = reader.session.settle(facts.select(*names).unique())
    zeros = {feature.column: nw.lit(0, nw.Int64) for feature in features}
    pieces = [on.points.select("account_id", bucket="as_of_day", **zeros)]
    for feature in features:
        union = reader.session.settle(_union(spans(facts, feature.window, on, is_state=is_state)))
        for edge, sign in (("start", 1), ("end", -1)):
            at_edge = union.filter(nw.col(edge) < NEVER).group_by(
                "account_id", nw.col(edge).alias("bucket")
            )
            counted = at_edge.agg((nw.len().cast(nw.Int64) * sign).alias(feature.column))
            pieces.append(_filled(counted, zeros, (feature.column,)))
    return _accumulated(pieces, tuple(zeros))


def _union(spans: nw.LazyFrame) -> nw.LazyFrame:
    """Cut each key's spans so that they cover the same snapshots, but none twice."""
    longest = spans.group_by("account_id", "key", "start").agg(nw.col("end").max())
    key = ("account_id", "key")
    covered = longest.with_columns(reach=nw.col("end").cum_max().over(*key, order_by="start"))
    covered = covered.with_columns(reach=nw.col("reach").shift(1).over(*key, order_by="start"))
    covered = covered.with_columns(start=nw.max_horizontal("start", "reach"))
    return covered.filter(nw.col("start") < nw.col("end"))


def extremes(features: Sequence[Feature], reader: Reader, on: Grid) -> nw.LazyFrame:
    """Give account_id, as_of_day and the smallest or largest values of the rows that count."""
    facts = reader.facts(_merged(features))
    is_state = facts_of(features[0]).until is not None
    recipes = {f.column: f.recipe for f in features if isinstance(f.recipe, Extreme)}
    seen = spans(facts, features[0].window, on, is_state=is_state)
    values = {
        column: recipe.value
        if recipe.facts.where is None
        else nw.when(recipe.facts.where).then(recipe.value)
        for column, recipe in recipes.items()
    }
    picks = {column: getattr(nw.col(column), recipe.pick)() for column, recipe in recipes.items()}
    at_snapshot = next(iter(recipes.values())).at_snapshot
    if at_snapshot is None:
        seen = seen.with_columns(**values).group_by("account_id", "start", "end").agg(**picks)
        seen = reader.session.settle(seen)
        values = {column: nw.col(column) for column in values}
    standing = seen.join(on.points, on="account_id").filter(is_seen("start", "end"))
    standing = (at_snapshot(standing) if at_snapshot else standing).with_columns(**values)
    picked = standing.group_by("account_id", "as_of_day").agg(**picks)
    return picked.with_columns(**{c: _placed(recipe, c) for c, recipe in recipes.items()})


def _placed(recipe: Extreme, column: str) -> nw.Expr:
    if recipe.since:
        return AS_OF_DAY - nw.col(column)
    return nw.col(column) - AS_OF_DAY if recipe.ahead else nw.col(column)
