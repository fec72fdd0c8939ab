"""All that is declared of one feature, for people and as JSON values."""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, TypeAlias

import narwhals as nw

from features.catalog import catalog_json
from features.declare import (
    Distinct,
    Duration,
    Extreme,
    Facts,
    Feature,
    Formula,
    Latest,
    Missing,
    Others,
    Ranked,
    Total,
    View,
)
from features.errors import FeatureError
from features.manual import template, window_in_words

_OPERATORS: Mapping[str, str] = MappingProxyType(
    {
        "eq": "=",
        "ne": "is not",
        "gt": ">",
        "ge": ">=",
        "lt": "<",
        "le": "<=",
        "and": "and",
        "or": "or",
        "add": "+",
        "sub": "-",
        "mul": "*",
        "truediv": "/",
        "floordiv": "//",
    }
)
_METHOD = re.compile(rf"\.__({'|'.join(_OPERATORS)})__\(")
_COLUMN = re.compile(r"col\((\w+)\)")
_SINGLE = re.compile(r"(?<!\w)\(([\w.]+)\)")
Measured: TypeAlias = Total | Others | Distinct | Extreme | Latest | Ranked | Duration
_PICKS: Mapping[str, str] = MappingProxyType({"min": "smallest", "max": "largest"})
_NEAR = 5


def named(name: str, features: Sequence[Feature]) -> tuple[Feature, ...]:
    """Give the feature of that name, or else those whose names begin with it.

    Raises
    ------
    FeatureError
        When no name begins so; the message holds the nearest ones.
    """
    if not name.strip():
        raise FeatureError(
            "Expected a feature's name or its beginning, got none. "
            "tenure features --list names them all."
        )
    exact = tuple(feature for feature in features if feature.column == name)
    found = exact or tuple(feature for feature in features if feature.column.startswith(name))
    if found:
        return found
    columns = [feature.column for feature in features]
    near = get_close_matches(name, columns, n=_NEAR, cutoff=0.5)
    near += [column for column in columns if name in column and column not in near][:_NEAR]
    hint = f"Near it are {', '.join(near)}." if near else "tenure features --list names them all."
    raise FeatureError(f"Expected a feature's name or its beginning, got {name!r}. {hint}")


def description(feature: Feature, features: Sequence[Feature]) -> dict[str, Any]:
    """Give a feature's catalogue entry, and with it sentence, window, computed and related.

    Parameters
    ----------
    feature
        One of `features`.
    features
        The catalogue; related ones are looked for in it.
    """
    (entry,) = catalog_json([feature], among=features)
    return {
        **entry,
        "sentence": template(feature).replace("*n*", "<n>"),
        "window": window_in_words(feature),
        "computed": computed(feature),
        "related": related(feature, entry["units"], features),
    }


def description_text(told: Mapping[str, Any]) -> str:
    """Lay a description out for a terminal."""
    gap = told["text"]["missing"]
    missing = "0" if told["missing"] == Missing.ZERO else f'null, told as "{gap}"'
    risk = {"up": "higher makes a loss likelier", "down": "lower makes a loss likelier"}
    lines = {
        "is": told["description"],
        "a CSM reads": told["sentence"],
        "about": told["subject"],
        "unit": told["unit"],
        "window": told["window"],
        "from": ", ".join(told["sources"]),
        "computed": told["computed"],
        "missing": missing,
        "risk": risk.get(told["risk"], "no direction is beyond doubt"),
        "related": ", ".join(told["related"]) or "none",
    }
    return "\n".join([told["column"], *(f"  {name:<12} {text}" for name, text in lines.items())])


def computed(feature: Feature) -> str:
    """Say in words how a feature is computed."""
    recipe = feature.recipe
    if isinstance(recipe, Formula):
        return f"{_made_by(recipe.value)}, from {', '.join(recipe.of)}"
    return f"{_measured(recipe)} {_facts(recipe.facts)}"


def _measured(recipe: Measured) -> str:
    match recipe:
        case Others(total=total):
            said = f"over the other accounts of its group, {_measured(total)}"
        case Total(value=None):
            said = "the number of"
        case Total(value=value, mean=mean):
            said = f"the {'mean' if mean else 'sum'} of {_value(value)} over"
        case Distinct(key=key):
            said = f"the number of different values of {key} over"
        case Extreme(value=value, pick=pick, since=since, ahead=ahead):
            days = "the days since " if since else "the days until " if ahead else ""
            said = f"{days}the {_PICKS[pick]} {_value(value)} over"
        case Latest(value=value):
            said = f"the {_value(value)} of the latest of the"
        case Duration(since=since):
            broken = "" if since is None else f" after the latest where {expression(since)}"
            said = f"the time held{broken}, summed over"
        case Ranked(key=key, value=value, pick=pick, mean=mean, since=since):
            by = f"the {key} with the {_PICKS[pick]} {'mean' if mean else 'total'} {_value(value)}"
            said = f"{'the days since the last fact of' if since else 'that of'} {by} over"
    return said


def _value(value: nw.Expr | None) -> str:
    return "number" if value is None else expression(value)


def expression(expr: nw.Expr) -> str:
    """Write an expression as one would on paper, as far as it is made of plain comparisons."""
    said = _METHOD.sub(lambda found: f" {_OPERATORS[found[1]]} (", _COLUMN.sub(r"\1", repr(expr)))
    return _SINGLE.sub(r"\1", said)


def related(feature: Feature, said: Iterable[str], features: Sequence[Feature]) -> list[str]:
    """Name its inputs, those its sentence tells, those computed from it, and its subject's rest."""
    inputs = feature.recipe.of if isinstance(feature.recipe, Formula) else ()
    above = [
        other.column
        for other in features
        if isinstance(other.recipe, Formula) and feature.column in other.recipe.of
    ]
    same = [
        other.column
        for other in features
        if (other.group, other.subject) == (feature.group, feature.subject)
    ]
    found = dict.fromkeys([*inputs, *said, *above, *same])
    return [column for column in found if column != feature.column]


def _facts(facts: Facts) -> str:
    table = facts.table
    rows = f"rows of {facts.source_table}"
    if isinstance(table, View):
        rows = f"rows of the view {table.name} of {facts.source_table} ({_made_by(table.make)})"
    where = f" where {expression(facts.where)}" if facts.where is not None else ""
    until = f" until {facts.until}" if facts.until else ""
    return f"{rows}{where}, each counted from its {facts.at}{until}"


def _made_by(function: object) -> str:
    first = (getattr(function, "__doc__", None) or "").strip().partition("\n")[0]
    told = first.rstrip(".")
    name = getattr(function, "__name__", "a function")
    told = told[:1].lower() + told[1:].replace("`", "")
    return told.removeprefix("give ") if told else "a formula" if "<" in name else name
