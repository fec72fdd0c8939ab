"""The battery on features of one's own: without a test runner, each fault in one sentence."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from features.catalog import catalog_json
from features.checked import CheckedSource
from features.declare import Feature
from features.engine import Engine
from features.errors import FeatureError
from features.own.harvest import Own
from features.own.trials import (
    Trial,
    ignore_order,
    look_back_only,
    run_alike,
    run_alone,
    stand_cut,
    stand_on,
)
from features.sentences import sentence

_PROBED = (-2.0, 0.0, 1.0, 4.0, float("nan"))


@dataclass(frozen=True)
class Tried:
    """What the battery found: by feature, a sentence for each fault; none for one that passed."""

    faults: Mapping[str, tuple[str, ...]]

    @property
    def failed(self) -> tuple[str, ...]:
        """The features with a fault."""
        return tuple(column for column, found in self.faults.items() if found)

    def text(self) -> str:
        """Give a line for each feature, and one for each fault below it."""
        lines = []
        for column, found in self.faults.items():
            lines += [
                f"{column}: {'failed' if found else 'passed'}",
                *(f"  {each}" for each in found),
            ]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Give the same as JSON values."""
        return {
            "passed": not self.failed,
            "features": [
                {"column": column, "passed": not found, "faults": list(found)}
                for column, found in self.faults.items()
            ],
        }

    def demand(self) -> None:
        """Raise FeatureError unless every feature passed."""
        if self.failed:
            raise FeatureError(
                f"Expected {len(self.faults)} features of your own to pass, got "
                f"{len(self.failed)} that failed: {', '.join(self.failed)}. "
                "Correct them as said above, or take them out of FEATURES."
            )


def try_out(
    own: Own,
    source: CheckedSource,
    engine: Engine = Engine.DUCKDB,
    *,
    progress: Callable[[str], None] | None = None,
) -> Tried:
    """Try a company's own features on drawn companies and on its own source.

    Each must say what it is; run; give an account without history the declared missing value; take
    no notice of the order of rows; give equal numbers on DuckDB and Polars, and on `engine`; take
    no notice of what became known at its date or later; be borne by the source, and vary in it. A
    feature with a fault is not tried further.

    Parameters
    ----------
    own
        From `features.own.harvest`, which refuses what breaks the rules of names.
    source
        The company's checked source.
    engine
        A further engine to hold the numbers against.
    progress
        Is told what is tried.
    """
    say = progress or _silent
    engines = tuple(dict.fromkeys([Engine.POLARS, Engine.DUCKDB, engine]))
    faults: dict[str, list[str]] = {feature.column: [] for feature in own.features}
    with TemporaryDirectory(prefix="tenure-") as work:
        trial = Trial(own.features, source, Path(work), engines, faults)
        for told, step in (
            ("what they say", _say_what_they_are),
            ("each alone", run_alone),
            ("the order of rows", ignore_order),
            ("each engine", run_alike),
            ("what becomes known later", look_back_only),
            ("your source", stand_on),
            ("your source, cut at earlier dates", stand_cut),
        ):
            if trial.sound():
                say(told)
                step(trial)
    for feature in own.features:
        if not faults[feature.column] and not trial.is_sound(feature):
            trial.blame(feature, "It reads a feature that failed: correct that one first.")
    return Tried({column: tuple(found) for column, found in faults.items()})


def _say_what_they_are(trial: Trial) -> None:
    for feature, entry in zip(trial.own, catalog_json(trial.own), strict=True):
        for fault in _unsaid(feature, entry):
            trial.blame(feature, fault)


def _unsaid(feature: Feature, entry: Mapping[str, Any]) -> Iterator[str]:
    if not feature.subject.strip():
        yield "It has no subject: name the thing that it measures."
    if not feature.description.strip().endswith("."):
        yield "Its description is no sentence: write one, with a full stop."
    row = dict.fromkeys(entry["units"], 3.0)
    for value in _PROBED:
        said = sentence(entry, {**row, feature.column: value})
        if not said or set("{}[]<>|") & set(said) or "nan" in said:
            yield f"For {value:g} a CSM would read {said!r}: correct its text."
            return


def _silent(_: str) -> None:
    return None
