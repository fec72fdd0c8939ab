"""The manual: docs/features.md, written from the declarations. Run as a module, it prints it."""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence

from features.catalog import catalog, sources_of
from features.declare import Feature, Formula, Missing

__all__ = ["catalogue_markdown", "risk_in_words", "template", "window_in_words"]

_NAMED = re.compile(r"\{[^}]*\}")
_NOUN = re.compile(r"\[[^|\]]*\|([^\]]*)\]")
_HEAD = """# The features

Generated from the declarations in `features/families/`, {count} features. Each is known before
00:00 UTC of its date (`as_of`), over windows `[as_of - days, as_of)`. A group whose table a source
lacks is absent. A column that the source overwrites without versions (a ticket's priority or
category, a subscription's automatic renewal) leaves its features out.

*n* in a sentence stands for the account's own number. *Riskier* is the direction that makes a
loss likelier, told only where it is beyond doubt; *missing* is what an account without any such row
gets. `tenure features --describe NAME` prints all that is declared of a feature, and how it is
computed.
"""
_COLUMNS = ("about", "name", "what a CSM reads", "unit", "window", "from", "riskier", "missing")


def catalogue_markdown(features: Iterable[Feature]) -> str:
    """Give docs/features.md: an index of the groups, and a table of each group's features."""
    chosen = tuple(features)
    groups: dict[str, list[Feature]] = {}
    for feature in chosen:
        groups.setdefault(feature.group, []).append(feature)
    lines = [_HEAD.format(count=len(chosen)), *_table(("group", "features", "about"))]
    lines += [
        _row((f"[{group}](#{group})", str(len(own)), ", ".join(_subjects(own))))
        for group, own in groups.items()
    ]
    for group, own in groups.items():
        lines += ["", f"## {group}", "", *_table(_COLUMNS), *_rows(own)]
    return "\n".join(lines) + "\n"


def template(feature: Feature) -> str:
    """Give the sentence that a CSM reads, the fullest of them, with *n* for each number."""
    text = feature.text
    told = _NOUN.sub(r"\1", text.beside or text.rising or text.level)
    return _NAMED.sub("*n*", told)


def window_in_words(feature: Feature) -> str:
    """Tell which days' facts a feature is computed from."""
    if isinstance(feature.recipe, Formula):
        return f"{feature.window_days} days" if feature.window_days else "that of its inputs"
    window = feature.window
    ends = f"{window.lag_days} days before"
    if feature.recipe.facts.until is not None:
        return f"as it stood {ends}" if window.lag_days else "as it stands"
    days = "all time" if window.days is None else f"{window.days} days"
    return f"{days}, up to {ends}" if window.lag_days else days


def risk_in_words(feature: Feature) -> str:
    """Tell in which direction a loss becomes likelier; empty where none is declared."""
    return {"up": "higher", "down": "lower"}.get(feature.risk or "", "")


def _subjects(features: Sequence[Feature]) -> Iterable[str]:
    return dict.fromkeys(feature.subject for feature in features)


def _rows(features: Sequence[Feature]) -> Iterator[str]:
    """Give a group's rows, those about one subject together."""
    for subject in _subjects(features):
        same = [feature for feature in features if feature.subject == subject]
        for number, feature in enumerate(same):
            yield _row((subject if number == 0 else "", *_cells(feature)))


def _cells(feature: Feature) -> tuple[str, ...]:
    is_zero = feature.missing is Missing.ZERO
    return (
        f"`{feature.column}`",
        template(feature),
        feature.unit.value,
        window_in_words(feature),
        ", ".join(sources_of(feature)),
        risk_in_words(feature),
        "0" if is_zero else f"null: {feature.text.missing}",
    )


def _table(names: Sequence[str]) -> tuple[str, str]:
    return _row(names), _row(["---"] * len(names))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(catalogue_markdown(catalog()))
