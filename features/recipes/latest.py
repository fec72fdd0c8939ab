"""The value of the latest fact among those that count at a snapshot."""

from collections.abc import Sequence

import narwhals as nw

from features.declare import Feature, Latest
from features.grid import SPAN, Grid, with_span
from features.rows import Reader
from features.windows import Rows, is_seen


def latest(features: Sequence[Feature], reader: Reader, on: Grid) -> Rows:
    """Give account_id, as_of_day and the latest value of one feature."""
    (feature,) = features
    recipe = feature.recipe
    if not isinstance(recipe, Latest):
        raise TypeError(f"Expected a latest value, got {feature.column}.")
    facts = reader.facts(recipe.facts)
    if recipe.facts.where is not None:
        facts = facts.filter(recipe.facts.where)
    facts = facts.with_columns(moment=nw.col(recipe.facts.at), value=recipe.value)
    facts = facts.filter(~nw.col("value").is_null())
    is_state = recipe.facts.until is not None
    spans = with_span(facts, feature.window, on, is_state=is_state)
    spans = reader.session.settle(_last(spans, recipe, *SPAN))
    standing = spans.join(on.points, on="account_id").filter(is_seen(*SPAN))
    last = _last(standing, recipe, "as_of_day")
    return last.select("account_id", "as_of_day", nw.col("value").alias(feature.column))


def _last(rows: Rows, recipe: Latest, *alike: str) -> Rows:
    """Keep the latest moment's value of an account's rows that have these columns in common."""
    by = ("account_id", *alike)
    rows = rows.filter(nw.col("moment") == nw.col("moment").max().over(*by))
    return rows.group_by(*by, "moment").agg(getattr(nw.col("value"), recipe.pick)())
