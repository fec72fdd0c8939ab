"""Which value of a column has the largest or smallest total, and how large or how old that is.

Facts that the same snapshots see are first added up for each account and value, in one pass for
each window: from there on the cost hangs on the snapshots, not on the facts. A value's total is
then a running sum over the snapshots at which it changes.
"""

from collections.abc import Sequence

import narwhals as nw

from features.declare import Feature, Ranked, merged_facts
from features.grid import SPAN, Grid, with_span
from features.rows import Reader
from features.windows import AS_OF_DAY, NEVER, Rows, Window, is_seen

POINT = ("account_id", "as_of_day")
OF_ONE = ("account_id", "key")


def ranked(features: Sequence[Feature], reader: Reader, on: Grid) -> Rows:
    """Give account_id, as_of_day and features that rank one column by the same values."""
    facts = _facts(features, reader)
    found = on.points.select(*POINT)
    for feature in features:
        seen = _seen(facts, feature, feature.window, on)
        added = nw.col("amount").sum().cast(nw.Int64), nw.len().cast(nw.Int64).alias("facts")
        spans = reader.session.settle(seen.group_by(*OF_ONE, *SPAN).agg(*added))
        totals = reader.session.settle(_running(spans, feature))
        first = reader.session.settle(_first(totals, feature, on))
        if _recipe(feature).since:
            leading = reader.session.settle(_leading(totals, first, feature))
            first = _since(leading, facts, feature, on)
        found = found.join(first, on=list(POINT), how="left")
    return found


def _recipe(feature: Feature) -> Ranked:
    if not isinstance(feature.recipe, Ranked):
        raise TypeError(f"Expected values in a ranking, got {feature.column}.")
    return feature.recipe


def _facts(features: Sequence[Feature], reader: Reader) -> Rows:
    """Give the facts that name a value, key, and have something to add, amount."""
    recipe = _recipe(features[0])
    facts = reader.facts(merged_facts(features), extra=(recipe.key,))
    if recipe.facts.where is not None:
        facts = facts.filter(recipe.facts.where)
    value = nw.lit(1, nw.Int64) if recipe.value is None else recipe.value
    facts = facts.with_columns(key=nw.col(recipe.key), amount=value)
    return facts.filter(~nw.col("key").is_null(), ~nw.col("amount").is_null())


def _seen(facts: Rows, feature: Feature, window: Window, on: Grid) -> Rows:
    """Add the first snapshot that sees each fact, and the first that sees it no more."""
    return with_span(facts, window, on, is_state=_recipe(feature).facts.until is not None)


def _running(spans: Rows, feature: Feature) -> Rows:
    """Give each value's total, or mean, with the span of snapshots on which it stands."""
    changes = [
        spans.select(*OF_ONE, nw.col("amount", "facts") * sign, start=edge)
        for edge, sign in (("start", 1), ("end", -1))
    ]
    steps = nw.concat(changes, how="vertical").filter(nw.col("start") < NEVER)
    steps = steps.group_by(*OF_ONE, "start").agg(nw.col("amount", "facts").sum().cast(nw.Int64))
    running = nw.col("amount", "facts").cum_sum().over(*OF_ONE, order_by="start").cast(nw.Int64)
    end = nw.col("start").shift(-1).over(*OF_ONE, order_by="start").fill_null(NEVER)
    standing = steps.select(*OF_ONE, "start", running, end=end).filter(nw.col("facts") > 0)
    total = nw.col("amount")
    mean = total.cast(nw.Float64) / nw.col("facts").cast(nw.Float64)
    return standing.select(*OF_ONE, "start", "end", total=mean if _recipe(feature).mean else total)


def _first(totals: Rows, feature: Feature, on: Grid) -> Rows:
    """Give the first total at each snapshot."""
    best = getattr(nw.col("total"), _recipe(feature).pick)()
    spans = totals.group_by("account_id", *SPAN).agg(best)
    standing = spans.join(on.points, on="account_id").filter(is_seen(*SPAN))
    return standing.group_by(*POINT).agg(best.alias(feature.column))


def _leading(totals: Rows, first: Rows, feature: Feature) -> Rows:
    """Give the values that have the first total at each snapshot."""
    top = first.select(*POINT, total=feature.column)
    leading = top.join(totals, on=["account_id", "total"]).filter(is_seen(*SPAN))
    return leading.select(*POINT, "key")


def _since(leading: Rows, facts: Rows, feature: Feature, on: Grid) -> Rows:
    """Give the days since the last fact of those values."""
    sought = facts.join(leading.select(*OF_ONE).unique(), on=list(OF_ONE))
    seen = _seen(sought, feature, Window(None), on)
    last = seen.group_by(*OF_ONE, *SPAN).agg(nw.col("at_day").max())
    standing = leading.join(last, on=list(OF_ONE)).filter(is_seen(*SPAN))
    days = standing.group_by(*POINT).agg(nw.col("at_day").max())
    return days.select(*POINT, (AS_OF_DAY - nw.col("at_day")).alias(feature.column))
