"""What features of one's own must keep to before they are tried on any data."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from features.contracts import TABLES
from features.declare import (
    Beside,
    Extreme,
    Feature,
    Formula,
    Missing,
    Others,
    Recipe,
    Text,
    Unit,
    View,
    key_of,
)
from features.errors import FeatureError
from features.sentences import fields

__all__ = ["keep_to_the_rules"]

Found = Sequence[tuple[Path, Feature]]
_KINDS: Mapping[str, Any] = MappingProxyType(
    {"recipe": Recipe, "unit": Unit, "missing": Missing, "text": Text}
)
OWNER = "account_id"
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def keep_to_the_rules(found: Found, ours: Sequence[Feature]) -> None:
    """Refuse features, each with its file, that would not fit beside ours.

    Raises
    ------
    FeatureError
        When a name is malformed or taken; a table or column is none of the contract's; a formula
        or sentence names what nobody declares; a view shares its name with another one.
    """
    owners = {feature.column: "Tenure" for feature in ours}
    for file, feature in found:
        _well_typed(file, feature)
        _well_windowed(file, feature)
        _well_named(file, feature)
        if feature.column in owners:
            raise FeatureError(
                f"Expected a new name in {file}, got {feature.column}, which "
                f"{owners[feature.column]} declares already. Give it a name or group of your own."
            )
        owners[feature.column] = str(file)
    for file, feature in found:
        _names_features(file, feature, owners.keys())
        _names_columns(file, feature)
    _no_namesakes([*ours, *(feature for _, feature in found)])


def _well_typed(file: Path, feature: Feature) -> None:
    given: Mapping[str, Any] = vars(feature)
    for name, kind in _KINDS.items():
        if not isinstance(given[name], kind):
            raise FeatureError(
                f"Expected {name} of {feature.group}__{feature.name} in {file} as features.declare "
                f"has it, got {given[name]!r:.60}. Choose one from there, such as Unit.TICKETS."
            )
    if feature.risk not in ("up", "down", None):
        raise FeatureError(
            f"Expected risk of {feature.group}__{feature.name} in {file} to be 'up', 'down' or "
            f"None, got {feature.risk!r:.60}. Name the direction that makes a loss likelier."
        )


def _well_windowed(file: Path, feature: Feature) -> None:
    recipe = feature.recipe.total if isinstance(feature.recipe, Others) else feature.recipe
    shifts = {name: getattr(recipe, name, 0) for name in ("back", "lag_days")}
    given = {"window_days": feature.window_days, **shifts}
    for name, number in given.items():
        least = 0 if name in shifts else 1
        is_right = type(number) is int and number >= least
        if not (is_right or (number is None and name == "window_days")):
            raise FeatureError(
                f"Expected {name} of {feature.group}__{feature.name} in {file} to be a whole "
                f"number from {least} on, got {number!r:.60}. A window lies before the snapshot."
            )


def _well_named(file: Path, feature: Feature) -> None:
    for part in (feature.group, feature.name):
        if not _NAME.fullmatch(part):
            raise FeatureError(
                f"Expected a group and a name like support and open_tickets in {file}, got "
                f"{part!r}. Use small letters, digits and single underscores."
            )


def _names_features(file: Path, feature: Feature, declared: Iterable[str]) -> None:
    text = feature.text
    read = feature.recipe.of if isinstance(feature.recipe, Formula) else ()
    compared = [name for name in (text.now, text.against) if isinstance(name, str)]
    said = [template for template in vars(text).values() if isinstance(template, str)]
    named = {name for template in said for name in fields(template)} - {"value"}
    unknown = sorted({*read, *compared, *named}.difference(declared))
    if unknown:
        raise FeatureError(
            f"Expected the columns that {feature.column} in {file} reads or tells to be features, "
            f"got {unknown[0]}, which nobody declares. Correct the name."
        )


def _names_columns(file: Path, feature: Feature) -> None:
    for table, names in _reads(feature):
        if table not in TABLES:
            raise FeatureError(
                f"Expected a table of the contract for {feature.column} in {file}, got {table!r}. "
                f"The tables are {', '.join(TABLES)}."
            )
        columns = [column.name for column in TABLES[table]]
        if OWNER in names and OWNER in columns:
            raise FeatureError(
                f"Expected columns of {table} besides {OWNER} for {feature.column} in {file}, got "
                f"{OWNER}, which stands beside every row by itself. Take it out of `uses`."
            )
        unknown = [name for name in names if name not in columns]
        if unknown:
            raise FeatureError(
                f"Expected columns of {table} for {feature.column} in {file}, got {unknown[0]!r}. "
                f"They are {', '.join(columns)}."
            )


def _reads(feature: Feature) -> Iterator[tuple[str, tuple[str, ...]]]:
    if isinstance(feature.recipe, Formula):
        return
    facts = feature.recipe.facts
    if isinstance(facts.table, View):
        reads: Iterable[Beside] = facts.table.reads
        yield from ((read.table, (*read.uses, *read.optional)) for read in reads)
    else:
        yield facts.table, (*facts.columns, *key_of(feature))


def _no_namesakes(features: Iterable[Feature]) -> None:
    """Refuse views, and functions at a snapshot, of one name: passes over facts go by these."""
    known: dict[tuple[str, ...], Any] = {}
    for feature in features:
        for key, function in _functions(feature):
            if known.setdefault(key, function) is not function:
                raise FeatureError(
                    f"Expected the {key[0]} {key[2]} over {key[1]} to be one and the same, but "
                    f"{feature.column} means another one by it. Give it a name of its own."
                )


def _functions(feature: Feature) -> Iterator[tuple[tuple[str, ...], Any]]:
    recipe = feature.recipe
    if isinstance(recipe, Formula):
        return
    table = recipe.facts.source_table
    if isinstance(recipe.facts.table, View):
        for view in recipe.facts.table.chain:
            yield ("view", table, view.name), view.make
    if isinstance(recipe, Extreme) and recipe.at_snapshot:
        yield ("function", table, recipe.at_snapshot.__name__), recipe.at_snapshot
