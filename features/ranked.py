"""Which value of a column has the largest or smallest total, and how large or how old that is.

The facts are first added up for each account, value and day, in one pass; from there on the cost
hangs on the days, not on the facts. A value's total is a running sum over the snapshots at which it
changes, so it stands on spans of snapshots, and only the first of each span can come first.
"""

from collections.abc import Sequence

import narwhals as nw

from features.declare import Feature, Ranked, facts_of, merged_facts
from features.grid import Grid, with_days
from features.rows import Reader
from features.windows import AS_OF_DAY, NEVER, Rows, Window, is_seen

POINT = ("account_id", "as_of_day")
OF_ONE = ("account_id", "key")


def ranked(features: Sequence[Feature], reader: Reader, on: Grid) -> Rows:
    """Give account_id, as_of_day and features that rank one column by the same values."""
    is_state = facts_of(features[0]).until is not None
    by_day = reader.session.settle(_by_day(features, reader, is_state=is_state))
    found = on.points.select(*POINT)
    for feature in features:
        seen = with_days(by_day, feature.window, on, is_state=is_state)
        totals = reader.session.settle(_running(seen, feature, on))
        first = reader.session.settle(_first(totals, feature, on))
        if _recipe(feature).since:
            first = _since(_leading(totals, first, feature), by_day, feature, on)
        found = found.join(first, on=list(POINT), how="left")
    return found


def _recipe(feature: Feature) -> Ranked:
    if not isinstance(feature.recipe, Ranked):
        raise TypeError(f"Expected values in a ranking, got {feature.column}.")
    return feature.recipe


def _by_day(features: Sequence[Feature], reader: Reader, *, is_state: bool) -> Rows:
    """Add up the facts of each account, value and day: amount, and how many facts have one."""
    recipe = _recipe(features[0])
    facts = reader.facts(merged_facts(features), extra=(recipe.key,))
    if recipe.facts.where is not None:
        facts = facts.filter(recipe.facts.where)
    value = nw.lit(1, nw.Int64) if recipe.value is None else recipe.value
    facts = facts.with_columns(key=nw.col(recipe.key), amount=value)
    facts = facts.filter(~nw.col("key").is_null(), ~nw.col("amount").is_null())
    until = ["until_day"] if is_state else []
    days = facts.group_by(*OF_ONE, "enters", "leaves", "at_day", *until)
    return days.agg(nw.col("amount").sum().cast(nw.Int64), facts=nw.len().cast(nw.Int64))


def _running(seen: Rows, feature: Feature, on: Grid) -> Rows:
    """Give each value's total, or mean, with the span of snapshots on which it stands."""
    changes = [
        seen.select(*OF_ONE, nw.col("amount", "facts") * sign, edge_day=edge)
        for edge, sign in (("start_day", 1), ("end_day", -1))
    ]
    steps = on.starting(nw.concat(changes, how="vertical"), "edge_day", "start")
    steps = steps.group_by(*OF_ONE, "start").agg(nw.col("amount", "facts").sum().cast(nw.Int64))
    running = nw.col("amount", "facts").cum_sum().over(*OF_ONE, order_by="start").cast(nw.Int64)
    end = nw.col("start").shift(-1).over(*OF_ONE, order_by="start").fill_null(NEVER)
    spans = steps.select(*OF_ONE, "start", running, end=end).filter(nw.col("facts") > 0)
    total = nw.col("amount")
    mean = total.cast(nw.Float64) / nw.col("facts").cast(nw.Float64)
    return spans.select(*OF_ONE, "start", "end", total=mean if _recipe(feature).mean else total)


def _first(totals: Rows, feature: Feature, on: Grid) -> Rows:
    """Give the first total at each snapshot."""
    best = getattr(nw.col("total"), _recipe(feature).pick)()
    spans = totals.group_by("account_id", "start", "end").agg(best)
    standing = spans.join(on.points, on="account_id").filter(is_seen("start", "end"))
    return standing.group_by(*POINT).agg(best.alias(feature.column))


def _leading(totals: Rows, first: Rows, feature: Feature) -> Rows:
    """Give the values that have the first total at each snapshot."""
    top = first.select(*POINT, total=feature.column)
    return top.join(totals, on=["account_id", "total"]).filter(is_seen("start", "end"))


def _since(leading: Rows, by_day: Rows, feature: Feature, on: Grid) -> Rows:
    """Give the days since the last fact of those values."""
    seen = with_days(by_day, Window(None), on, is_state=facts_of(feature).until is not None)
    spans = on.ending(on.starting(seen, "start_day", "since"), "end_day", "gone")
    last = spans.group_by(*OF_ONE, "since", "gone").agg(nw.col("at_day").max())
    standing = leading.select(*POINT, "key").join(last, on=list(OF_ONE))
    standing = standing.filter(is_seen("since", "gone"))
    days = standing.group_by(*POINT).agg(nw.col("at_day").max())
    return days.select(*POINT, (AS_OF_DAY - nw.col("at_day")).alias(feature.column))
