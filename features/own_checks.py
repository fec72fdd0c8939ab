"""The battery on features of one's own: without a test runner, each fault in one sentence."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from features.battery.drawn import ACCOUNTS, NO_HISTORY, Draw, Tables, draw_company
from features.battery.trial import differences
from features.battery.written import write_checked
from features.build import feature_table
from features.built import month_starts
from features.catalog import available, catalog_json, sources_of, with_inputs
from features.checked import CheckedSource
from features.cut import cut
from features.declare import Feature, Formula, Missing, Total
from features.engine import Engine
from features.errors import FeatureError
from features.own import Own
from features.sentences import sentence
from features.spine import account_states

DRAWN = Draw(seed=1, day=500, rows=60)
DRAWS = tuple(Draw(seed, day, rows=40) for seed in range(2) for day in (200, 400, 600, 760))
DATES_DRAWN = tuple(Draw(0, day).as_of for day in (150, 300, 500, 700))
DATES = 4
RELATIVE = 1e-9
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


@dataclass(frozen=True)
class _Trial:
    """The features under trial, where files may lie, and what was found so far."""

    own: tuple[Feature, ...]
    work: Path
    engines: tuple[Engine, ...]
    faults: dict[str, list[str]] = field(default_factory=dict)

    def sound(self) -> tuple[Feature, ...]:
        """Give the features without a fault whose inputs have none either."""
        inputs = {f.column: [i.column for i in with_inputs([f], among=self.own)] for f in self.own}
        is_sound = {c: not any(self.faults.get(i) for i in read) for c, read in inputs.items()}
        return tuple(feature for feature in self.own if is_sound[feature.column])

    def blame(self, column: str, sentence_: str) -> None:
        self.faults[column].append(sentence_)


def try_out(
    own: Own,
    source: CheckedSource,
    engine: Engine = Engine.DUCKDB,
    *,
    progress: Callable[[str], None] | None = None,
) -> Tried:
    """Try a company's own features on drawn companies and on its own source.

    Each must say what it is; run on DuckDB and Polars, and on `engine`, with equal numbers; take
    no notice of what became known at its date or later, nor of the order of rows; give an account
    without history the declared missing value; be borne by the source, and vary in it. A feature
    with a fault is not tried further.

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
    with TemporaryDirectory(prefix="tenure-") as work:
        engines = tuple(dict.fromkeys([Engine.POLARS, Engine.DUCKDB, engine]))
        trial = _Trial(own.features, Path(work), engines, {f.column: [] for f in own.features})
        for told, step in (
            ("what they say", _say_what_they_are),
            ("each engine", _run_alike),
            ("what became known later", _look_back_only),
            ("the order of rows", _ignore_order),
        ):
            say(told)
            step(trial)
        say("your source")
        _stand_on(source, trial)
        _stand_cut(source, trial, say)
        _stand_on_sound_ones(trial)
    return Tried({column: tuple(found) for column, found in trial.faults.items()})


def _say_what_they_are(trial: _Trial) -> None:
    entries = catalog_json(trial.own)
    for feature, entry in zip(trial.own, entries, strict=True):
        for fault in _unsaid(feature, entry):
            trial.blame(feature.column, fault)


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


def _run_alike(trial: _Trial) -> None:
    source = write_checked(trial.work / "drawn", draw_company(DRAWN))
    for feature in trial.sound():
        try:
            tables = [_drawn_table(source, feature, trial.own, engine) for engine in trial.engines]
        except Exception as error:  # noqa: BLE001 - foreign code may raise anything: it has failed
            said = str(error).strip().partition("\n")[0]
            trial.blame(
                feature.column,
                f"It does not run, {type(error).__name__}: {said}. Check columns and functions.",
            )
            continue
        first, *others = (table[feature.column] for table in tables)
        for engine, other in zip(trial.engines[1:], others, strict=True):
            if not _is_equal(first, other, feature):
                trial.blame(
                    feature.column,
                    f"{engine.value} gives other numbers than {trial.engines[0].value}: sum whole "
                    "numbers, divide by columns, and order by all that tells rows apart.",
                )
        _has_its_missing_value(trial, feature, tables[0])


def _drawn_table(
    source: CheckedSource, feature: Feature, own: Iterable[Feature], engine: Engine
) -> pd.DataFrame:
    asked = with_inputs([feature], among=own)
    return feature_table(source, _drawn_spine(), engine=engine, features=asked)


def _drawn_spine() -> pd.DataFrame:
    dates = pd.to_datetime(list(DATES_DRAWN)).astype("datetime64[us]")
    names = [*ACCOUNTS, NO_HISTORY]
    points = pd.MultiIndex.from_product([names, dates], names=["account_id", "as_of"])
    return points.to_frame(index=False)


def _is_equal(left: pd.Series, right: pd.Series, feature: Feature) -> bool:
    """Tell whether two engines agree: whole sums to the bit, quotients nearly."""
    recipe = feature.recipe
    is_quotient = isinstance(recipe, Formula) or (isinstance(recipe, Total) and recipe.mean)
    tolerance = RELATIVE if is_quotient else 0.0
    return bool(np.allclose(left, right, rtol=tolerance, atol=0.0, equal_nan=True))


def _has_its_missing_value(trial: _Trial, feature: Feature, table: pd.DataFrame) -> None:
    values = table.loc[table["account_id"] == NO_HISTORY, feature.column]
    is_zero = feature.missing is Missing.ZERO
    if not (values.eq(0).all() if is_zero else values.isna().all()):
        trial.blame(
            feature.column,
            f"An account without any row gets {values.iloc[0]:g}, not {'0' if is_zero else 'null'} "
            "as declared: correct `missing`, or the recipe.",
        )


def _look_back_only(trial: _Trial) -> None:
    sound = trial.sound()
    columns = {feature.column for feature in sound}
    asked = with_inputs(sound, among=trial.own)
    versioned = differences(DRAWS, trial.work / "versioned", features=asked)
    plain_draws = [Draw(draw.seed, draw.day, is_versioned=False, rows=draw.rows) for draw in DRAWS]
    plain = differences(plain_draws, trial.work / "plain", features=asked)
    for column in dict.fromkeys(found.column for found in (*versioned, *plain)):
        if column in columns:
            world = next(found.world for found in (*versioned, *plain) if found.column == column)
            trial.blame(
                column,
                f"It looks ahead: a drawn company's number at a date is another one with {world}. "
                "Give each fact its own time (`at`), and let a view use no value known later.",
            )


def _ignore_order(trial: _Trial) -> None:
    sound = trial.sound()
    tables = draw_company(DRAWN)
    shuffled: Tables = {}
    for name, rows in tables.items():
        shuffled[name] = random.Random(1).sample(rows, len(rows))  # noqa: S311 - no secret
    left, right = (
        feature_table(
            write_checked(trial.work / name, drawn),
            _drawn_spine(),
            engine=Engine.POLARS,
            features=with_inputs(sound, among=trial.own),
        )
        for name, drawn in (("in order", tables), ("shuffled", shuffled))
    )
    for feature in sound:
        if not left[feature.column].equals(right[feature.column]):
            trial.blame(
                feature.column,
                "The order of rows changes it: order by all that tells rows apart, or aggregate.",
            )


def _stand_on(source: CheckedSource, trial: _Trial) -> None:
    borne = {feature.column for feature in available(source, trial.own)}
    for feature in trial.sound():
        if feature.column not in borne:
            trial.blame(
                feature.column,
                f"Your source lacks what it reads of {', '.join(sources_of(feature, trial.own))}, "
                "or overwrites it without versions: see tenure validate, or map it in source.toml.",
            )
    sound = trial.sound()
    if not sound:
        return
    days = _spread_out(month_starts(source), DATES)
    table = _own_table(source, source, days, with_inputs(sound, among=trial.own))
    for feature in sound:
        values = table[feature.column]
        if values.nunique(dropna=False) < 2:  # noqa: PLR2004 - one value tells nothing apart
            held = "null" if values.isna().all() else f"{values.iloc[0]:g}" if len(values) else ""
            trial.blame(
                feature.column,
                f"It is {held} for all accounts at all dates of your source: check its condition.",
            )


def _stand_cut(source: CheckedSource, trial: _Trial, say: Callable[[str], None]) -> None:
    """Delete what became known later from the company's own source, and compare."""
    for day in _spread_out(month_starts(source), DATES)[1:-1]:
        sound = trial.sound()
        if not sound:
            return
        say(f"your source as of {day}")
        asked = with_inputs(sound, among=trial.own)
        before = cut(source, datetime.combine(day, time()), trial.work / f"cut-{day}")
        seen, known = (_own_table(of, source, [day], asked) for of in (source, before))
        for feature in sound:
            left, right = seen[feature.column], known[feature.column]
            differs = ~((left == right) | (left.isna() & right.isna())).to_numpy()
            if differs.any():
                at = int(np.flatnonzero(differs)[0])
                trial.blame(
                    feature.column,
                    f"It looks ahead: as of {day}, account {seen['account_id'][at]} has "
                    f"{left[at]:g}, but {right[at]:g} by what was known then. "
                    "Give each fact its own time (`at`), and let a view use no value known later.",
                )


def _stand_on_sound_ones(trial: _Trial) -> None:
    """Fail what reads a feature that failed."""
    sound = {feature.column for feature in trial.sound()}
    for feature in trial.own:
        if feature.column not in sound and not trial.faults[feature.column]:
            trial.blame(feature.column, "It reads a feature that failed: correct that one first.")


def _own_table(
    read: CheckedSource, states_of: CheckedSource, days: Sequence[date], asked: Sequence[Feature]
) -> pd.DataFrame:
    states = account_states(states_of, days)
    return feature_table(read, states, features=asked)


def _spread_out(days: Sequence[date], count: int) -> list[date]:
    """Pick so many dates, evenly, the first and the last among them."""
    at = np.unique(np.linspace(0, len(days) - 1, count).round().astype(int))
    return [days[number] for number in at]


def _silent(_: str) -> None:
    return None
