"""How features are filled, spread, drift, and relate to what came true: for a data scientist."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.built import Built
from features.catalog import catalog_json
from models.question import Question
from models.questions import QUESTIONS
from training.audit.columns import audit
from training.audit.company import AUDITED_ROWS
from training.chance import auc_beyond_chance
from training.labels import outcome_within
from training.monitor import FAR_FROM, chance_index, stability_index
from training.prepare import labelled_rows
from training.splits import on_record

Floats = NDArray[np.float64]

OUTCOMES = ("churn", "expansion")
BINS = 16
REFERENCE_SHARE = 0.25
CLIPPED = (0.01, 0.99)
HALF = 0.5
"""The AUC of a feature that tells nothing."""


@dataclass(frozen=True)
class Spread:
    """How the values lie: quantiles, and counts in equal bins between 1 % and 99 % of them."""

    low: float
    median: float
    high: float
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Relation:
    """A feature at a date against an outcome within a horizon after it.

    Attributes
    ----------
    outcome, horizon_days
        What, and within how many days; only windows that are closed, with their grace, count.
    auc
        How often a row with the outcome has the higher value than one without it (Mann and
        Whitney 1947); 0.5 is no relation, below it low values go with the outcome. None without
        rows of both kinds.
    rows, events
        Rows whose value and outcome are known, and those of them with the outcome.
    """

    outcome: str
    horizon_days: int
    auc: float | None
    rows: int
    events: int


@dataclass(frozen=True)
class Flag:
    """What somebody should look at: an alarm, or a note."""

    level: Literal["alarm", "note"]
    sentence: str


@dataclass(frozen=True)
class FeatureProfile:
    """One feature over all dates.

    Attributes
    ----------
    entry
        Its catalogue entry.
    coverage
        By date, the share of rows with a value.
    drift
        By date, the population stability index against the reference dates.
    spread
        None where no row has a value.
    relations
        Against each outcome at each horizon of its question.
    """

    entry: Mapping[str, Any]
    coverage: tuple[float, ...]
    drift: tuple[float, ...]
    spread: Spread | None
    relations: tuple[Relation, ...]
    flags: tuple[Flag, ...]

    @property
    def column(self) -> str:
        """Its name."""
        return str(self.entry["column"])

    def relation(self, outcome: str, horizon_days: int) -> Relation | None:
        """Give the relation to one outcome within one horizon."""
        asked = (outcome, horizon_days)
        return next((r for r in self.relations if (r.outcome, r.horizon_days) == asked), None)


@dataclass(frozen=True)
class Profile:
    """All features of a source, and the dates, rows and accounts behind the figures."""

    features: tuple[FeatureProfile, ...]
    dates: tuple[date, ...]
    reference_dates: int
    rows: int
    accounts: int
    horizons_days: Mapping[str, int]

    @property
    def alarms(self) -> tuple[Flag, ...]:
        """What may make a model worthless."""
        return tuple(f for each in self.features for f in each.flags if f.level == "alarm")

    def text(self, page: Path) -> str:
        """Say what was looked at, and what raises an alarm."""
        looked = f"{page}: {len(self.features)} features of {self.accounts:,} accounts"
        said = [f"{looked} at {len(self.dates)} dates", *(flag.sentence for flag in self.alarms)]
        return "\n".join(said)

    def to_json(self) -> dict[str, Any]:
        """Give the figures as JSON values."""
        return {
            "dates": [day.isoformat() for day in self.dates],
            "reference_dates": self.reference_dates,
            "rows": self.rows,
            "accounts": self.accounts,
            "alarms": [flag.sentence for flag in self.alarms],
            "features": [
                {"column": each.column, **{k: v for k, v in asdict(each).items() if k != "entry"}}
                for each in self.features
            ],
        }


def profile(built: Built, *, progress: Callable[[str], None] | None = None) -> Profile:
    """Profile all built features over their dates.

    Parameters
    ----------
    built
        States and features at some dates, best the first of each month.
    progress
        Is told how far it is.
    """
    say = progress or _silent
    say("labelling")
    table, days = built.table, sorted(built.table["as_of"].unique())
    reference = max(1, round(len(days) * REFERENCE_SHARE))
    labelled = {name: _labelled(built, QUESTIONS[name]) for name in OUTCOMES}
    names = [feature.column for feature in built.features]
    flags = {name: list(found) for name, found in _audited(labelled, names).items()}
    for name, twin in _duplicates(table, names).items():
        flags[name].append(Flag("note", f"{name} has the same values as {twin}."))
    found = []
    directions = sum(feature.risk is not None for feature in built.features)
    for number, entry in enumerate(catalog_json(built.features), start=1):
        say(f"feature {number} of {len(names)} {_bar(number / len(names))}")
        own = flags[entry["column"]]
        found.append(_profiled(entry, table, days, reference, labelled, own, directions))
    return Profile(
        features=tuple(found),
        dates=tuple(pd.Timestamp(day).date() for day in days),
        reference_dates=reference,
        rows=len(table),
        accounts=int(table["account_id"].nunique()),
        horizons_days={name: QUESTIONS[name].main_horizon_days for name in OUTCOMES},
    )


def area_under_curve(values: Floats, outcome: Floats) -> float | None:
    """Give the AUC of values for a known outcome (0, 1), ties counting half; None without both."""
    events = float(outcome.sum())
    others = len(outcome) - events
    if not events or not others:
        return None
    above = pd.Series(values).rank().to_numpy()[outcome == 1].sum() - events * (events + 1) / 2
    return float(above / (events * others))


def _labelled(built: Built, question: Question) -> pd.DataFrame:
    rows = labelled_rows(built, question)
    return on_record(rows, built.source.extracted_at, question) if len(rows) else rows


def _profiled(
    entry: Mapping[str, Any],
    table: pd.DataFrame,
    days: Sequence[Any],
    reference: int,
    labelled: Mapping[str, pd.DataFrame],
    flags: Sequence[Flag],
    directions: int,
) -> FeatureProfile:
    column = str(entry["column"])
    by_day = [table.loc[table["as_of"] == day, column].to_numpy(dtype=float) for day in days]
    before = np.concatenate(by_day[:reference]) if by_day else np.empty(0)
    drift = tuple(stability_index(before, values) for values in by_day) if len(before) else ()
    relations = tuple(_relations(column, labelled))
    units = len(before) // max(reference, 1), len(by_day[-1]) if by_day else 0
    return FeatureProfile(
        entry=entry,
        coverage=tuple(float(np.isfinite(values).mean()) for values in by_day),
        drift=drift,
        spread=_spread(table[column].to_numpy(dtype=float)),
        relations=relations,
        flags=(
            *flags,
            *_against_declared(entry, labelled["churn"], directions),
            *_drifted(column, drift, units),
        ),
    )


def _relations(column: str, labelled: Mapping[str, pd.DataFrame]) -> Iterator[Relation]:
    for outcome, rows in labelled.items():
        values = rows[column].to_numpy(dtype=float)
        for days in QUESTIONS[outcome].horizons_days:
            came = outcome_within(rows, days)
            known = np.isfinite(values) & np.isfinite(came)
            auc = area_under_curve(values[known], came[known])
            yield Relation(outcome, days, auc, int(known.sum()), int(came[known].sum()))


def _spread(values: Floats) -> Spread | None:
    there = values[np.isfinite(values)]
    if not len(there):
        return None
    low, median, high = (float(v) for v in np.quantile(there, [CLIPPED[0], 0.5, CLIPPED[1]]))
    counts, _ = np.histogram(np.clip(there, low, high), bins=BINS, range=(low, high))
    return Spread(low, median, high, tuple(int(count) for count in counts))


def _audited(
    labelled: Mapping[str, pd.DataFrame], names: Sequence[str]
) -> dict[str, tuple[Flag, ...]]:
    """Give what the leak audit says of each feature: it knows the outcome, or says nothing."""
    found: dict[str, dict[str, Flag]] = {name: {} for name in names}
    for outcome, rows in labelled.items():
        came = outcome_within(rows, QUESTIONS[outcome].main_horizon_days)
        known = rows[np.isfinite(came)].assign(_outcome=came[np.isfinite(came)])
        sample = known.sample(min(len(known), AUDITED_ROWS), random_state=0)
        if sample.empty:
            continue
        groups = sample["customer_group"].to_numpy()
        for finding in audit(sample, sample["_outcome"].to_numpy(), names, groups):
            level: Literal["alarm", "note"] = "alarm" if finding.blocking else "note"
            said = finding.message if level == "note" else f"{outcome}: {finding.message}"
            found[finding.column].setdefault(finding.kind, Flag(level, said))
    return {name: tuple(flags.values()) for name, flags in found.items()}


def _duplicates(table: pd.DataFrame, names: Sequence[str]) -> dict[str, str]:
    """Name, for each feature whose values are an earlier one's in every row, that one."""
    first: dict[bytes, str] = {}
    twins = {}
    for name in names:
        values = table[name].to_numpy(dtype=float)
        is_constant = len(np.unique(values)) < 2  # noqa: PLR2004 - one value tells nothing apart
        twin = first.setdefault(np.where(np.isnan(values), np.nan, values + 0.0).tobytes(), name)
        if twin != name and not is_constant:
            twins[name] = twin
    return twins


def _against_declared(
    entry: Mapping[str, Any], rows: pd.DataFrame, directions: int
) -> Iterator[Flag]:
    """Tell where a declared direction is the other way round, by more than chance would do."""
    column, days = str(entry["column"]), QUESTIONS["churn"].main_horizon_days
    if not entry["risk"] or rows.empty:
        return
    values, came = rows[column].to_numpy(dtype=float), outcome_within(rows, days)
    known = np.isfinite(values) & np.isfinite(came)
    customers = rows["customer_group"].to_numpy(dtype=object)
    bounds = auc_beyond_chance(values[known], came[known], customers[known], of=directions)
    if bounds is None:
        return
    low, high = bounds
    if (high < HALF) if entry["risk"] == "up" else (low > HALF):
        yield Flag(
            "alarm",
            f"{column} is declared riskier when it goes {entry['risk']}, but its AUC for churn "
            f"within {days} days lies between {low:.3f} and {high:.3f}.",
        )


def _drifted(column: str, drift: Sequence[float], units: tuple[int, int]) -> Iterator[Flag]:
    """Tell where the last date is far from the reference, beyond what chance does."""
    if drift and min(units) and drift[-1] >= max(FAR_FROM, chance_index(*units)):
        yield Flag("note", f"{column} has moved far: index {drift[-1]:.2f} at the last date.")


def _bar(share: float, width: int = 20) -> str:
    return "█" * round(share * width) + "░" * (width - round(share * width))


def _silent(_: str) -> None:
    return None
