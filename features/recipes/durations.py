"""How long states held: minutes of outage in a window, and since the customer last heard from us.

A state counts for the part of it that lies in the window, which moves with the snapshot: so states
stand beside every snapshot whose window they touch, and whole microseconds are added up.
"""

from collections.abc import Sequence

import narwhals as nw

from features.declare import Duration, Feature, facts_of, merged_facts
from features.grid import Grid
from features.rows import Reader
from features.windows import Rows, Window, is_seen

POINT = ("account_id", "as_of_day")


def durations(features: Sequence[Feature], reader: Reader, on: Grid) -> Rows:
    """Give account_id, as_of_day and the microseconds of features over the same states."""
    recipe, facts = _recipe(features[0]), facts_of(features[0])
    rows = reader.facts(merged_facts(features))
    states = rows if recipe.since is None else rows.filter(~recipe.since)
    lengths = [feature.window_days for feature in features]
    longest = Window(None if None in lengths else max(days or 0 for days in lengths))
    spans = reader.session.settle(_spans(states, longest, on))
    standing = _at_snapshots(spans, on).with_columns(after=nw.lit(None, nw.Int64))
    if recipe.since is not None:
        moments = _spans(rows.filter(recipe.since), Window(None), on)
        latest = nw.col(facts.at).max().alias("after")
        moments = reader.session.settle(moments.group_by("account_id", "start", "end").agg(latest))
        last = _at_snapshots(moments, on).group_by(*POINT).agg(nw.col("after").max())
        standing = standing.drop("after").join(last, on=list(POINT), how="left")
    standing = standing.with_columns(**{f.column: _held(f) for f in features})
    columns = [feature.column for feature in features]
    return standing.group_by(*POINT).agg(nw.col(*columns).sum().cast(nw.Int64))


def _recipe(feature: Feature) -> Duration:
    if not isinstance(feature.recipe, Duration):
        raise TypeError(f"Expected how long a state held, got {feature.column}.")
    return feature.recipe


def _spans(rows: Rows, window: Window, on: Grid) -> Rows:
    """Give rows with the span of snapshots whose window they touch."""
    rows = rows.with_columns(
        start_day=on.from_first(window.enters("enters", "at_day")),
        end_day=on.from_first(window.leaves("leaves", "until_day")),
    )
    rows = rows.filter(nw.col("start_day") < nw.col("end_day"))
    spans = on.ending(on.starting(rows, "start_day", "start"), "end_day", "end")
    return spans.filter(nw.col("start") < nw.col("end"))


def _at_snapshots(spans: Rows, on: Grid) -> Rows:
    return spans.join(on.points.select(*POINT), on="account_id").filter(is_seen("start", "end"))


def _held(feature: Feature) -> nw.Expr:
    """Give how long one state held in the feature's window, by the recipe's clock."""
    recipe = _recipe(feature)
    begin, end = Window(feature.window_days).part(recipe.facts.at, "until_time")
    begin = nw.max_horizontal(begin, nw.col("after"))
    held = end - begin if recipe.clock is None else recipe.clock(end) - recipe.clock(begin)
    held = nw.when(begin < end).then(held).otherwise(0)
    return held if recipe.facts.where is None else nw.when(recipe.facts.where).then(held)
