"""Totals over the other accounts of one's group: the group's total less the account's own.

A group is added up once, whatever its size, and both totals are whole numbers, so what is left is
exact. An account alone in its group has nothing here.
"""

from collections.abc import Sequence
from dataclasses import replace

import narwhals as nw

from features.declare import Feature, Others
from features.grid import Grid
from features.recipes.totals import totals
from features.rows import Reader
from features.windows import Rows, is_seen

POINT = ["account_id", "as_of_day"]


def others(features: Sequence[Feature], reader: Reader, on: Grid) -> Rows:
    """Give account_id, as_of_day and totals over the same facts, of the others in one's group."""
    members = reader.made[_recipe(features[0]).among]
    plain = [replace(feature, recipe=_recipe(feature).total) for feature in features]
    columns = [feature.column for feature in features]
    session = reader.session
    standing = on.points.join(members, on="account_id").filter(is_seen("enters", "leaves"))
    standing = session.settle(standing.select(*POINT, "among"))
    groups = standing.select("as_of_day", account_id="among").unique()
    of_groups = totals(plain, replace(reader, among=members), replace(on, points=groups))
    alone = members.with_columns(among="account_id")
    own = totals(plain, replace(reader, among=alone), replace(on, points=standing.select(*POINT)))
    found = standing.join(
        session.settle(of_groups).rename({"account_id": "among"}), on=["among", "as_of_day"]
    )
    found = found.join(session.settle(own), on=POINT, suffix="_own")
    return found.select(*POINT, *(nw.col(name) - nw.col(f"{name}_own") for name in columns))


def _recipe(feature: Feature) -> Others:
    if not isinstance(feature.recipe, Others):
        raise TypeError(f"Expected a total over others, got {feature.column}.")
    return feature.recipe
