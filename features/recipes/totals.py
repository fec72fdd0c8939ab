"""Counts, sums and means of facts.

A fact counts on a span of snapshots. A total is therefore a running sum: each fact adds its value
at the first snapshot that sees it, and takes it away at the first that sees it no more. Facts that
the same snapshots see are added up before. So the cost is one pass over the facts for each window,
however many snapshots there are, and every sum is one of whole numbers, exact in any order.
"""

from collections.abc import Sequence

import narwhals as nw

from features.declare import Feature, Missing, Total, facts_of, merged_facts
from features.grid import SPAN, Grid, run, with_span
from features.rows import Reader
from features.windows import NEVER, Rows

COUNT = "__n"
"""Suffix of the column that counts the values below a mean, or below a sum that may be unknown."""


def counts_values(feature: Feature) -> bool:
    """Tell whether a feature needs the number of its values beside it."""
    recipe = feature.recipe
    return isinstance(recipe, Total) and (recipe.mean or feature.missing is Missing.UNKNOWN)


def totals(features: Sequence[Feature], reader: Reader, on: Grid) -> Rows:
    """Give account_id, as_of_day and the sums of features over the same facts."""
    is_state = facts_of(features[0]).until is not None
    sought = {
        feature.column + suffix: (feature.window, amount)
        for feature in features
        for suffix, amount in _amounts(feature).items()
    }
    spelled = {repr(amount): amount for _, amount in sought.values()}
    names = {text: f"amount_{number}" for number, text in enumerate(spelled)}
    days = ["account_id", "enters", "leaves", "at_day", *(["until_day"] if is_state else [])]
    amounts = {names[text]: amount for text, amount in spelled.items()}
    facts = reader.facts(merged_facts(features)).with_columns(**amounts)
    windows = tuple(dict.fromkeys(window for window, _ in sought.values()))
    if len(windows) > 1:
        by_day = facts.group_by(*days).agg(nw.col(*amounts).sum().cast(nw.Int64))
        facts = reader.session.settle(by_day)
    spans = []
    for number, window in enumerate(windows):
        seen = with_span(facts, window, on, is_state=is_state).group_by("account_id", *SPAN)
        summed = seen.agg(nw.col(*amounts).sum().cast(nw.Int64))
        spans.append(summed.with_columns(series=nw.lit(number, nw.Int64)))
    alike = reader.session.settle(nw.concat(spans, how="vertical"))
    edges = [
        alike.select("account_id", "series", nw.col(*amounts) * sign, bucket=edge)
        for edge, sign in zip(SPAN, (1, -1), strict=True)
    ]
    steps = nw.concat(edges, how="vertical").filter(nw.col("bucket") < NEVER)
    changes = {
        column: nw.when(nw.col("series") == windows.index(window)).then(names[repr(amount)])
        for column, (window, amount) in sought.items()
    }
    return run(steps, changes, on)


def _amounts(feature: Feature) -> dict[str, nw.Expr]:
    """Give what each fact adds: by the column's suffix, its value, and its count if needed."""
    recipe = feature.recipe
    if not isinstance(recipe, Total):
        raise TypeError(f"Expected a total, got {feature.column}.")
    one = nw.lit(1, nw.Int64)
    value = one if recipe.value is None else recipe.value
    counted = one if recipe.value is None else (~recipe.value.is_null()).cast(nw.Int64)
    amounts = {"": value, COUNT: counted} if counts_values(feature) else {"": value}
    where = recipe.facts.where
    if where is None:
        return amounts
    return {suffix: nw.when(where).then(amount) for suffix, amount in amounts.items()}
