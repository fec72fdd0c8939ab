"""The smallest and largest values among the facts that count at a snapshot."""

from collections.abc import Sequence

import narwhals as nw

from features.declare import Extreme, Feature, facts_of, merged_facts
from features.grid import SPAN, Grid, with_span
from features.rows import Reader
from features.windows import AS_OF_DAY, Rows, is_seen


def extremes(features: Sequence[Feature], reader: Reader, on: Grid) -> Rows:
    """Give account_id, as_of_day and the smallest or largest values over the same facts."""
    is_state = facts_of(features[0]).until is not None
    recipes = {f.column: f.recipe for f in features if isinstance(f.recipe, Extreme)}
    at_snapshot = next(iter(recipes.values())).at_snapshot
    values = {column: _value(recipe) for column, recipe in recipes.items()}
    picks = {column: getattr(nw.col(column), recipe.pick)() for column, recipe in recipes.items()}
    facts = reader.facts(merged_facts(features))
    spans = with_span(facts, features[0].window, on, is_state=is_state)
    if at_snapshot is None:
        spans = spans.with_columns(**values).group_by("account_id", *SPAN).agg(**picks)
        values = {column: nw.col(column) for column in recipes}
    spans = reader.session.settle(spans)
    standing = spans.join(on.points, on="account_id").filter(is_seen(*SPAN))
    if at_snapshot:
        standing = at_snapshot(standing, *reader.beside(facts_of(features[0]).table))
    standing = standing.with_columns(**values)
    picked = standing.group_by("account_id", "as_of_day").agg(**picks)
    return picked.with_columns(**{c: _placed(recipe, c) for c, recipe in recipes.items()})


def _value(recipe: Extreme) -> nw.Expr:
    where = recipe.facts.where
    return recipe.value if where is None else nw.when(where).then(recipe.value)


def _placed(recipe: Extreme, column: str) -> nw.Expr:
    if recipe.since:
        return AS_OF_DAY - nw.col(column)
    return nw.col(column) - AS_OF_DAY if recipe.ahead else nw.col(column)
