"""All features, harvested from the families, and what is written about them."""

import hashlib
import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import narwhals as nw

from features import families
from features.checked import CheckedSource
from features.contracts import TABLES
from features.declare import Beside, Extreme, Feature, Formula, Others, View, key_of, reads_of
from features.reached import Reach
from features.sentences import fields as named_in
from features.sentences import sentence

__all__ = [
    "available",
    "catalog",
    "catalog_json",
    "features_fingerprint",
    "fingerprints",
    "sentence",
    "sources_of",
    "with_inputs",
    "without_touches",
]

_RUNS_ON = ("subscriptions", "ended_at")
"""The one end whose absence says something: a source without it has never lost a subscription."""


def catalog() -> tuple[Feature, ...]:
    """Give every declared feature, family by family, in the order of declaration."""
    pages = sorted(module.name for module in iter_modules(families.__path__))
    modules = [import_module(f"{families.__name__}.{page}") for page in pages]
    return tuple(feature for module in modules for feature in module.FEATURES)


def available(
    source: CheckedSource, own: Iterable[Feature] = (), *, touches: bool = False
) -> tuple[Feature, ...]:
    """Give the features, ours and a company's own, that a source can bear: it has their columns.

    A column that the source overwrites, without versions, bears none; nor does a missing table:
    its features are absent, not zero. Those over touches are there only with `touches`.
    """
    borne: dict[str, Feature] = {}
    declared: Iterable[Feature] = (*catalog(), *own)
    declared = waiting = [*(declared if touches else without_touches(declared))]
    while waiting:
        found = [feature for feature in waiting if _is_borne(feature, source, borne)]
        if not found:
            break
        borne |= {feature.column: feature for feature in found}
        waiting = [feature for feature in waiting if feature.column not in borne]
    return tuple(feature for feature in declared if feature.column in borne)


def without_touches(features: Iterable[Feature]) -> tuple[Feature, ...]:
    """Leave out what is computed from touches: they are the team's answer to risk."""
    chosen = tuple(features)
    left_out = {each.column for each in chosen if _reads_touches(each)}
    formulas = [(f.column, f.recipe.of) for f in chosen if isinstance(f.recipe, Formula)]
    found = left_out
    while found:
        above = {column for column, of in formulas if found.intersection(of)}
        found = above - left_out
        left_out = left_out | above
    return tuple(each for each in chosen if each.column not in left_out)


def _reads_touches(feature: Feature) -> bool:
    is_formula = isinstance(feature.recipe, Formula)
    return not is_formula and any(read.table == "touches" for read in reads_of(feature))


def _is_borne(feature: Feature, source: CheckedSource, borne: Mapping[str, Feature]) -> bool:
    if isinstance(feature.recipe, Formula):
        return all(column in borne for column in feature.recipe.of)
    facts = feature.recipe.facts
    contract = {column.name for column in TABLES[facts.source_table]}
    named = tuple(name for name in (*facts.columns, *key_of(feature)) if name in contract)
    own, *others = reads_of(feature)
    return _is_readable(own, (*own.uses, *named), source) and all(
        _is_readable(other, (*other.uses, *other.optional), source) for other in others
    )


def _is_readable(read: Beside, names: Iterable[str], source: CheckedSource) -> bool:
    if not source.has(read.table):
        return False
    present = source.columns[read.table]
    for name in names:
        column = TABLES[read.table][name]
        if column.overwritten and (read.table, name) not in source.stable_columns:
            return False
        may_lack = column.default is not None or (read.table, name) == _RUNS_ON
        if name not in present and name not in read.optional and not may_lack:
            return False
    return True


def with_inputs(features: Iterable[Feature], among: Iterable[Feature] = ()) -> tuple[Feature, ...]:
    """Give the features and those that their formulas read, each after what it reads.

    What a formula reads is one of ours, of the features themselves, or of those in `among`.
    """
    chosen = tuple(features)
    return _with_inputs(chosen, _by_column(chosen, among))


def _by_column(chosen: Iterable[Feature], among: Iterable[Feature]) -> dict[str, Feature]:
    return {feature.column: feature for feature in (*catalog(), *among, *chosen)}


def _with_inputs(chosen: Iterable[Feature], known: Mapping[str, Feature]) -> tuple[Feature, ...]:
    ordered: dict[str, Feature] = {}

    def add(feature: Feature) -> None:
        if isinstance(feature.recipe, Formula):
            for column in feature.recipe.of:
                add(known[column])
        ordered.setdefault(feature.column, feature)

    for feature in chosen:
        add(feature)
    return tuple(ordered.values())


def sources_of(feature: Feature, among: Iterable[Feature] = ()) -> tuple[str, ...]:
    """Name the source tables that a feature, one of ours or of `among`, is computed from."""
    return _sources(feature, _by_column([feature], among))


def _sources(feature: Feature, known: Mapping[str, Feature]) -> tuple[str, ...]:
    inputs = _with_inputs([feature], known)
    reads = [reads_of(each) for each in inputs if not isinstance(each.recipe, Formula)]
    beside = [other.table for _, *others in reads for other in others]
    return tuple(dict.fromkeys([*(own.table for own, *_ in reads), *beside]))


def catalog_json(
    features: Iterable[Feature], among: Iterable[Feature] = ()
) -> list[dict[str, Any]]:
    """Give the catalogue's entries, one for each feature, as JSON values.

    An entry has column, group, subject, unit, description, text (level, rising, falling, missing,
    against), risk, missing, sources, window_days and units: those of the columns that the text
    names, which are ours, of the features themselves, or of those in `among`.
    """
    chosen = tuple(features)
    known = _by_column(chosen, among)
    units = {column: feature.unit.value for column, feature in known.items()}
    return [_entry(feature, units, _sources(feature, known)) for feature in chosen]


def _entry(feature: Feature, units: Mapping[str, str], sources: tuple[str, ...]) -> dict[str, Any]:
    templates = [text for text in asdict(feature.text).values() if isinstance(text, str)]
    named = {name for text in templates for name in named_in(text)} - {"value"}
    return {
        "column": feature.column,
        "group": feature.group,
        "subject": feature.subject,
        "unit": feature.unit.value,
        "description": feature.description,
        "text": asdict(feature.text),
        "risk": feature.risk,
        "missing": feature.missing.value,
        "sources": list(sources),
        "window_days": feature.window_days,
        "units": {name: units[name] for name in sorted(named)},
    }


def features_fingerprint(features: Iterable[Feature]) -> str:
    """Give the SHA-256 over what fixes the features' meaning, in hexadecimal.

    That is what is declared, and the text of each function that it names or that one of those
    calls. The recipes' own code is not in it: the commit of a training and a publication names it.
    """
    return _sha256(_meanings(tuple(features)))


def fingerprints(features: Iterable[Feature]) -> dict[str, str]:
    """Give each feature's own SHA-256 by column, over the same as `features_fingerprint`."""
    chosen = tuple(features)
    return {
        feature.column: _sha256(meaning)
        for feature, meaning in zip(chosen, _meanings(chosen), strict=True)
    }


def _meanings(chosen: Sequence[Feature]) -> list[dict[str, Any]]:
    reach = Reach()
    return [
        {**entry, "recipe": _recipe(feature, reach)}
        for feature, entry in zip(chosen, catalog_json(chosen), strict=True)
    ]


def _sha256(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _recipe(feature: Feature, reach: Reach) -> dict[str, Any]:
    """Spell out how a feature is computed, as JSON values."""
    recipe = feature.recipe
    if isinstance(recipe, Formula):
        return {
            "kind": "Formula",
            "value": repr(recipe.value(*map(nw.col, recipe.of))),
            "reached": reach.texts(recipe.value),
        }
    if isinstance(recipe, Others):
        total = _recipe(replace(feature, recipe=recipe.total), reach)
        return {**total, "kind": "Others", "among": _read(recipe.among, reach)}
    facts = recipe.facts
    view = facts.table if isinstance(facts.table, View) else None
    at_snapshot = recipe.at_snapshot if isinstance(recipe, Extreme) else None
    shown = [f.name for f in fields(recipe) if f.name not in {"facts", "at_snapshot"}]
    return {
        "kind": type(recipe).__name__,
        "table": facts.source_table,
        "views": [_made_by(each, reach) for each in view.chain] if view else [],
        "facts": [repr(getattr(facts, f.name)) for f in fields(facts) if f.name != "table"],
        "recipe": [_spelled(getattr(recipe, name), reach) for name in shown],
        "at_snapshot": reach.texts(at_snapshot) if at_snapshot else None,
    }


def _spelled(part: object, reach: Reach) -> str | list[str]:
    return reach.texts(part) if inspect.isfunction(part) else repr(part)


def _made_by(view: View, reach: Reach) -> dict[str, Any]:
    beside = [_read(each, reach) for each in view.beside]
    return {"make": reach.texts(view.make), "beside": beside}


def _read(other: Beside, reach: Reach) -> list[Any]:
    made = [reach.texts(other.made)] if other.made else []
    return [other.table, other.uses, other.optional, *made]
