"""How many different keys: the total of the unions of each key's spans.

Of a key's facts that one snapshot sees first, only the latest can matter: it is seen longest. So no
more is kept of each key than one fact a snapshot, and the count is exact.
"""

from collections.abc import Sequence

import narwhals as nw

from features.declare import Distinct, Feature, facts_of, merged_facts
from features.grid import Grid, run
from features.rows import Reader
from features.windows import NEVER, Rows, Window


def distincts(features: Sequence[Feature], reader: Reader, on: Grid) -> Rows:
    """Give account_id, as_of_day and the distinct counts of one key over the same facts."""
    is_state = facts_of(features[0]).until is not None
    edges = []
    for lag_days in dict.fromkeys(feature.window.lag_days for feature in features):
        alike = [feature for feature in features if feature.window.lag_days == lag_days]
        latest = reader.session.settle(_latest(alike, reader, on))
        for feature in alike:
            union = _union(_seen(latest, feature.window, on, is_state=is_state))
            union = reader.session.settle(union)
            series = nw.lit(features.index(feature), nw.Int64)
            for edge, sign in (("start", 1), ("end", -1)):
                one = nw.lit(sign, nw.Int64)
                edges.append(union.select("account_id", bucket=edge, series=series, one=one))
    changes = {
        feature.column: nw.when(nw.col("series") == number).then("one")
        for number, feature in enumerate(features)
    }
    steps = nw.concat(edges, how="vertical").filter(nw.col("bucket") < NEVER)
    return run(steps, changes, on)


def _latest(features: Sequence[Feature], reader: Reader, on: Grid) -> Rows:
    """Give each key's latest fact among those that one snapshot, `start`, sees first."""
    recipe = features[0].recipe
    if not isinstance(recipe, Distinct):
        raise TypeError(f"Expected a distinct count, got {features[0].column}.")
    facts = reader.facts(merged_facts(features), extra=(recipe.key,))
    if recipe.facts.where is not None:
        facts = facts.filter(recipe.facts.where)
    facts = facts.filter(~nw.col(recipe.key).is_null()).with_columns(key=nw.col(recipe.key))
    enters = features[0].window.enters("enters", "at_day")
    facts = on.starting(facts.with_columns(start_day=on.from_first(enters)), "start_day", "start")
    until = ["until_day"] if recipe.facts.until else []
    alike = facts.group_by("account_id", "key", "start", "leaves", *until)
    return alike.agg(nw.col("at_day").max())


def _seen(latest: Rows, window: Window, on: Grid, *, is_state: bool) -> Rows:
    until = "until_day" if is_state else None
    end_day = on.from_first(window.leaves("leaves", "at_day", until))
    spans = on.ending(latest.with_columns(end_day=end_day), "end_day", "end")
    spans = spans.filter(nw.col("start") < nw.col("end"))
    return spans.select("account_id", "key", "start", "end")


def _union(spans: Rows) -> Rows:
    """Cut each key's spans so that they cover the same snapshots, but none twice."""
    key, order = ("account_id", "key"), ("start", "end")
    covered = spans.with_columns(reach=nw.col("end").cum_max().over(*key, order_by=order))
    covered = covered.with_columns(reach=nw.col("reach").shift(1).over(*key, order_by=order))
    covered = covered.with_columns(start=nw.max_horizontal("start", "reach"))
    return covered.filter(nw.col("start") < nw.col("end")).select("account_id", "start", "end")
