"""What features of one's own are put through: on drawn companies, then on the company's source."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from itertools import product
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from features.battery.drawn import ACCOUNTS, NO_HISTORY, Draw, Tables, draw_company
from features.battery.trial import differences
from features.battery.written import write_checked
from features.build import feature_table
from features.built import month_starts
from features.catalog import available, sources_of, with_inputs
from features.checked import CheckedSource
from features.cut import cut
from features.declare import Feature, Formula, Missing, Total
from features.engine import Engine
from features.spine import account_states

ALWAYS = frozenset({"accounts", "account_merges", "subscriptions"})
DRAWN = Draw(seed=1, day=500, rows=60)
DRAWS = tuple(Draw(seed, day, rows=40) for seed, day in enumerate((200, 400, 600, 760)))
DAYS_DRAWN = (150, 300, 500, 700)
DATES = 4
RELATIVE = 1e-9
CURE = "Give each fact its own time (`at`), and let a view use no value known later."


@dataclass(frozen=True)
class Trial:
    """The features under trial, the company's source, where files may lie, and the faults so far.

    The first of `engines` is what the others are held against.
    """

    own: tuple[Feature, ...]
    source: CheckedSource
    work: Path
    engines: tuple[Engine, ...]
    faults: dict[str, list[str]]

    def inputs(self, *features: Feature) -> tuple[Feature, ...]:
        """Give the features, and before each one what it reads."""
        return with_inputs(features, among=self.own)

    def is_sound(self, feature: Feature) -> bool:
        """Tell whether neither the feature nor what it reads has a fault."""
        return not any(self.faults.get(read.column) for read in self.inputs(feature))

    def sound(self) -> tuple[Feature, ...]:
        """Give the features to go on with."""
        return tuple(feature for feature in self.own if self.is_sound(feature))

    def blame(self, feature: Feature, fault: str) -> None:
        """Note a fault."""
        self.faults[feature.column].append(fault)

    @property
    def tables(self) -> frozenset[str]:
        """The source tables that matter to these features."""
        return ALWAYS.union(*(sources_of(feature, self.own) for feature in self.own))

    def write(self, folder: Path, tables: Tables) -> CheckedSource:
        """Write those tables of a drawn company."""
        return write_checked(folder, {name: tables[name] for name in tables if name in self.tables})


def run_alone(trial: Trial) -> None:
    """Run each feature by itself, so that one that raises hides no other; look at its nulls."""
    source = trial.write(trial.work / "alone", draw_company(DRAWN))
    for feature in trial.sound():
        try:
            table = _drawn(source, trial, feature)
        except Exception as error:  # noqa: BLE001 - foreign code may raise anything: it has failed
            said = str(error).strip().partition("\n")[0]
            fault = f"It does not run, {type(error).__name__}: {said}. Check columns and functions."
            trial.blame(feature, fault)
        else:
            _has_its_missing_value(trial, feature, table)


def _has_its_missing_value(trial: Trial, feature: Feature, table: pd.DataFrame) -> None:
    values = table.loc[table["account_id"] == NO_HISTORY, feature.column]
    is_zero = feature.missing is Missing.ZERO
    if not (values.eq(0).all() if is_zero else values.isna().all()):
        trial.blame(
            feature,
            f"An account without any row gets {values.iloc[0]:g}, not {'0' if is_zero else 'null'} "
            "as declared: correct `missing`, or the recipe.",
        )


def ignore_order(trial: Trial) -> None:
    """Shuffle the rows of all tables, and look for other numbers."""
    tables, sound = draw_company(DRAWN), trial.sound()
    dice = random.Random(1)  # noqa: S311 - a shuffle, not a secret
    shuffled = {name: dice.sample(rows, len(rows)) for name, rows in tables.items()}
    left, right = (
        _drawn(trial.write(trial.work / name, drawn), trial, *sound)
        for name, drawn in (("in order", tables), ("shuffled", shuffled))
    )
    for feature in sound:
        if not left[feature.column].equals(right[feature.column]):
            trial.blame(
                feature,
                "The order of rows changes it: order by all that tells rows apart, or aggregate.",
            )


def run_alike(trial: Trial) -> None:
    """Compute on each engine, and look for other numbers."""
    source, sound = trial.write(trial.work / "alike", draw_company(DRAWN)), trial.sound()
    tables = {engine: _drawn(source, trial, *sound, engine=engine) for engine in trial.engines}
    first, *others = trial.engines
    for feature, other in product(sound, others):
        column = feature.column
        if not _is_equal(tables[first][column], tables[other][column], feature):
            trial.blame(
                feature,
                f"{other.value} gives other numbers than {first.value}: sum whole numbers, divide "
                "by columns, and order by all that tells rows apart.",
            )


def _is_equal(left: pd.Series, right: pd.Series, feature: Feature) -> bool:
    """Tell whether two engines agree: on whole sums to the bit, on quotients nearly."""
    recipe = feature.recipe
    is_quotient = isinstance(recipe, Formula) or (isinstance(recipe, Total) and recipe.mean)
    tolerance = RELATIVE if is_quotient else 0.0
    return bool(np.allclose(left, right, rtol=tolerance, atol=0.0, equal_nan=True))


def look_back_only(trial: Trial) -> None:
    """Delete, exchange and tell again what drawn companies come to know later."""
    sound = trial.sound()
    plain = tuple(replace(draw, is_versioned=False) for draw in DRAWS)
    found = [
        difference
        for name, draws in (("versions", DRAWS), ("plain", plain))
        for difference in differences(
            draws, trial.work / name, features=trial.inputs(*sound), write=trial.write
        )
    ]
    worlds = {difference.column: difference.world for difference in found}
    for feature in sound:
        *inputs, _ = trial.inputs(feature)
        if feature.column in worlds and not any(read.column in worlds for read in inputs):
            trial.blame(
                feature,
                "It looks ahead: a drawn company's number at a date is another one with "
                f"{worlds[feature.column]}. {CURE}",
            )


def stand_on(trial: Trial) -> None:
    """Look whether the company's source bears each feature, and whether it varies there."""
    borne = {feature.column for feature in available(trial.source, trial.own, touches=True)}
    for feature in trial.sound():
        if feature.column not in borne:
            trial.blame(
                feature,
                f"Your source lacks what it reads of {', '.join(sources_of(feature, trial.own))}, "
                "or overwrites it without versions: see tenure validate, or map it in source.toml.",
            )
    sound = trial.sound()
    table = _own(trial.source, _spread_out(month_starts(trial.source), DATES), trial, sound)
    for feature in sound:
        values = table[feature.column]
        if values.nunique(dropna=False) < 2:  # noqa: PLR2004 - one value tells nothing apart
            held = "null" if values.isna().all() else f"{values.iloc[0]:g}"
            trial.blame(
                feature,
                f"It is {held} for all accounts at all dates of your source: check its condition.",
            )


def stand_cut(trial: Trial) -> None:
    """Delete what became known later from the company's own source, and look for other numbers."""
    columns = {name: c for name, c in trial.source.columns.items() if name in trial.tables}
    source = replace(trial.source, columns=MappingProxyType(columns))
    for day in _spread_out(month_starts(source), DATES)[1:-1]:
        sound = trial.sound()
        before = cut(source, datetime.combine(day, time()), trial.work / f"cut-{day}")
        seen, known = (_own(each, [day], trial, sound) for each in (source, before))
        for feature in sound:
            left, right = seen[feature.column], known[feature.column]
            differs = ~((left == right) | (left.isna() & right.isna())).to_numpy()
            if differs.any():
                at = int(np.flatnonzero(differs)[0])
                trial.blame(
                    feature,
                    f"It looks ahead: as of {day}, account {seen['account_id'][at]} has "
                    f"{left[at]:g}, but {right[at]:g} by what was known then. {CURE}",
                )


def _drawn(
    source: CheckedSource, trial: Trial, *features: Feature, engine: Engine = Engine.POLARS
) -> pd.DataFrame:
    """Give a drawn company's features, of the account without history too."""
    dates = pd.to_datetime([replace(DRAWN, day=day).as_of for day in DAYS_DRAWN])
    points = pd.MultiIndex.from_product(
        [[*ACCOUNTS, NO_HISTORY], dates.astype("datetime64[us]")], names=["account_id", "as_of"]
    )
    asked = trial.inputs(*features)
    return feature_table(source, points.to_frame(index=False), engine=engine, features=asked)


def _own(
    source: CheckedSource, days: Sequence[date], trial: Trial, features: Sequence[Feature]
) -> pd.DataFrame:
    """Give the features of all accounts that the whole source has active at the days."""
    states = account_states(trial.source, days)
    return feature_table(source, states, features=trial.inputs(*features))


def _spread_out(days: Sequence[date], count: int) -> list[date]:
    """Pick so many dates, evenly, the first and the last among them."""
    at = np.unique(np.linspace(0, len(days) - 1, count).round().astype(int))
    return [days[number] for number in at]
