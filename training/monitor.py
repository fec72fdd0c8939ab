"""Whether a model in service still sees the world it learned: drift, calibration, outcomes."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.checked import CheckedSource
from models.bundle import Bundle
from models.record import plain
from training.evaluate import measured
from training.realised import realised

Floats = npt.NDArray[np.float64]
Level = Literal["steady", "moved", "far", "unknown"]

BINS = 10
MOVED_FROM = 0.1
FAR_FROM = 0.25
FEWEST_ROWS = 50
SHOWN = 10
_SMALLEST_SHARE = 1e-4


@dataclass(frozen=True)
class Drift:
    """How far one column has moved.

    Attributes
    ----------
    column:
        A feature, or ``probability`` with its horizon.
    index:
        The population stability index over ten bins of equally many training rows, and one more
        for null; None where there are too few rows.
    level:
        ``steady`` below 0.1, ``moved`` from there, ``far`` from 0.25, ``unknown`` without an
        index. An index that chance alone exceeds once in 100 times is needed to leave ``steady``.
    sentence:
        The same in plain words.
    """

    column: str
    index: float | None
    level: Level
    sentence: str


@dataclass(frozen=True)
class Calibration:
    """Past scores of one horizon whose window is over, against what came true.

    Attributes
    ----------
    rows, events:
        Scores that can be judged, and how many of them came true.
    expected:
        The sum of their probabilities.
    figures:
        auc, brier, log_loss and observed_over_expected as {value, low, high}; None where the rows
        do not bear them out.
    """

    horizon_days: int
    rows: int
    events: int
    expected: float
    figures: Mapping[str, Any]
    sentence: str


@dataclass(frozen=True)
class LeftAside:
    """Past scores that are no forecasts: one row is an account, date and horizon.

    Attributes
    ----------
    learned:
        Scores as of a date before the border of the bundle: it may have learned their outcome.
    late:
        Other scores that were made when their own window was over.
    """

    learned: int
    late: int
    sentence: str


@dataclass(frozen=True)
class MonitorReport:
    """What changed since training, in words and figures."""

    model: str
    model_version: str
    features: tuple[Drift, ...]
    scores: tuple[Drift, ...]
    calibration: tuple[Calibration, ...]
    left_aside: LeftAside

    def to_json(self) -> dict[str, Any]:
        """Give the report as JSON values."""
        values = {**asdict(self), "summary": self.text().splitlines()}
        return {name: plain(value) for name, value in values.items()}

    def text(self) -> str:
        """Give the report as lines for a terminal; of the features the ten furthest ones."""
        far = [drift for drift in self.features if drift.level == "far"]
        moved = [drift for drift in self.features if drift.level == "moved"]
        compared = [drift for drift in self.features if drift.level != "unknown"]
        lines = [
            (
                f"{self.model}: {len(far)} of {len(compared)} features are far from training, "
                f"{len(moved)} have moved."
            ),
            *(drift.sentence for drift in [*far, *moved][:SHOWN]),
            *(drift.sentence for drift in self.scores),
            *(calibration.sentence for calibration in self.calibration),
            *([self.left_aside.sentence] if self.left_aside.sentence else []),
        ]
        return "\n".join(lines)


def monitor(
    past_scores: pd.DataFrame,
    source: CheckedSource,
    bundle: Bundle,
    training_table: pd.DataFrame,
    current_table: pd.DataFrame,
) -> MonitorReport:
    """Compare the rows in service with those of training, and past scores with what came true.

    Parameters
    ----------
    past_scores:
        The scores table (`models.scored`), all dates; those that are no forecasts are left aside.
    source:
        The newest extract.
    bundle:
        The model in service: its question, its features and the dates that it learned from.
    training_table, current_table:
        Feature tables; of the first only the bundle's training dates count.
    """
    first, border = (pd.Timestamp(day) for day in bundle.as_of_range)
    learned = training_table["as_of"].between(first, border, inclusive="left")
    forecasts, left_aside = _forecasts(past_scores, bundle)
    outcomes = realised(forecasts, source, bundle.question)
    drifts = _feature_drifts(bundle, training_table[learned], current_table)
    return MonitorReport(
        model=bundle.question.name,
        model_version=bundle.version,
        features=tuple(sorted(drifts, key=_worst_first)),
        scores=tuple(_score_drifts(outcomes)),
        calibration=tuple(_calibrations(outcomes)),
        left_aside=left_aside,
    )


def stability_index(reference: Floats, current: Floats) -> float:
    """Give the population stability index: the sum over bins of (q - p) ln(q / p).

    Parameters
    ----------
    reference, current:
        Values; null is NaN and a bin of its own. The other bins hold equally many reference
        values, as far as ties allow. Shares below 1 in 10,000 count as that.
    """
    finite = reference[np.isfinite(reference)]
    tenths = np.linspace(0, 1, BINS + 1)[1:-1]
    edges = np.unique(np.quantile(finite, tenths)) if len(finite) else finite
    p, q = (_shares(values, edges) for values in (reference, current))
    return float(((q - p) * np.log(q / p)).sum())


def _forecasts(scores: pd.DataFrame, bundle: Bundle) -> tuple[pd.DataFrame, LeftAside]:
    """Keep the model's scores that were made before anybody, or the model, knew how it ended."""
    own = scores[(scores["model"] == bundle.question.name) & (scores["status"] == "scored")]
    border = pd.Timestamp(bundle.as_of_range[1])
    learned = own["as_of"] < border
    ends = own["as_of"] + pd.to_timedelta(own["horizon_days"], unit="D")
    late = ~learned & (own["scored_at"] >= ends)
    counts = int(learned.sum()), int(late.sum())
    return own[~learned & ~late], LeftAside(*counts, _set_aside(*counts, border))


def _set_aside(learned: int, late: int, border: pd.Timestamp) -> str:
    if not learned + late:
        return ""
    return (
        f"Left aside are {learned:,} scores as of dates before {border:%Y-%m-%d}, which the model "
        f"learned from, and {late:,} that were made when their own window was over."
    )


def _shares(values: Floats, edges: Floats) -> Floats:
    is_null = np.isnan(values)
    bins = np.searchsorted(edges, values[~is_null], side="right")
    counts = np.append(np.bincount(bins, minlength=len(edges) + 1), is_null.sum())
    return np.maximum(counts / len(values), _SMALLEST_SHARE)


def chance_index(reference_units: int, current_units: int) -> float:
    """Give the stability index that chance exceeds once in 100 times.

    By Wilson and Hilferty's approximation of chi-square (1931, doi:10.1073/pnas.17.12.684).
    """
    spread = 2 / (9 * BINS)
    quantile = BINS * (1 - spread + 2.3263 * math.sqrt(spread)) ** 3
    return quantile * (1 / reference_units + 1 / current_units)


def _drift(column: str, words: str, reference: pd.DataFrame, current: pd.DataFrame) -> Drift:
    """Compare a column of two frames whose rows of one account are not independent."""
    units = reference["account_id"].nunique(), current["account_id"].nunique()
    if min(units) < FEWEST_ROWS:
        few = f"{words}: {min(units)} accounts are too few to see drift (at least {FEWEST_ROWS})."
        return Drift(column, None, "unknown", few)
    before, after = (frame[column].to_numpy(dtype=float) for frame in (reference, current))
    index = stability_index(before, after)
    is_real = index > chance_index(*units)
    level: Level = "steady"
    if is_real and index >= MOVED_FROM:
        level = "far" if index >= FAR_FROM else "moved"
    sentence = f"{words}: {level}, index {index:.2f}; {_told(before, after)}."
    return Drift(column, index, level, sentence)


def _told(before: Floats, after: Floats) -> str:
    """Tell where the middle and the nulls were and are."""
    middles = (
        float(np.nanmedian(v)) if np.isfinite(v).any() else math.nan for v in (before, after)
    )
    was, now = ("nothing" if math.isnan(middle) else f"{middle:,.4g}" for middle in middles)
    nulls = f"null {np.isnan(before).mean():.0%}, now {np.isnan(after).mean():.0%}"
    return f"median {was}, now {now}; {nulls}"


def _feature_drifts(
    bundle: Bundle, training: pd.DataFrame, current: pd.DataFrame
) -> Iterator[Drift]:
    subjects = {entry["column"]: entry.get("subject") for entry in bundle.catalogue}
    for column in bundle.features:
        words = f"{subjects[column]} ({column})" if subjects.get(column) else column
        if column not in current.columns:
            gone = f"{words}: far, the model needs it and it is not there any more."
            yield Drift(column, None, "far", gone)
        elif column not in training.columns or column in bundle.categories:
            yield Drift(column, None, "unknown", f"{words}: no numbers of training to compare.")
        else:
            yield _drift(column, words, training, current)


def _worst_first(drift: Drift) -> tuple[bool, float, str]:
    known = drift.index is not None
    return drift.level != "far" or known, -(drift.index or 0.0), drift.column


def _score_drifts(scores: pd.DataFrame) -> Iterator[Drift]:
    """Compare the newest date's probabilities with the same model version's earlier ones."""
    if scores.empty:
        return
    newest = scores[scores["as_of"] == scores["as_of"].max()]
    version = newest["model_version"].iloc[0]
    earlier = scores[(scores["as_of"] < scores["as_of"].max())]
    earlier = earlier[earlier["model_version"] == version]
    for days in sorted(newest["horizon_days"].unique()):
        words = f"Scores at {days} days of version {version}"
        before, after = (frame[frame["horizon_days"] == days] for frame in (earlier, newest))
        drift = _drift("probability", words, before, after)
        yield Drift(f"probability__{days}d", drift.index, drift.level, drift.sentence)


def _calibrations(scores: pd.DataFrame) -> Iterator[Calibration]:
    for days, rows in scores.groupby("horizon_days"):
        judged = rows[rows["outcome"].notna()]
        figures = measured(
            judged["outcome"].to_numpy(dtype=float),
            judged["probability"].to_numpy(dtype=float),
            judged["account_id"].to_numpy(dtype=object),
        )
        events, expected = int(judged["outcome"].sum()), float(judged["probability"].sum())
        sentence = _judgement(int(str(days)), len(judged), events, expected, figures)
        yield Calibration(int(str(days)), len(judged), events, expected, figures, sentence)


def _judgement(
    days: int, rows: int, events: int, expected: float, figures: Mapping[str, Any]
) -> str:
    if not rows:
        return f"At {days} days no past score is old enough to be judged."
    told = f"At {days} days {rows:,} past scores can be judged: {events} events came"
    told = f"{told}, {expected:.1f} were expected"
    ratio, auc = figures["observed_over_expected"], figures["auc"]
    if ratio is None:
        return f"{told}; with {events} events in {rows} rows more cannot be said."
    fits = ratio["low"] <= 1 <= ratio["high"]
    verdict = "in line" if fits else "too low" if ratio["value"] > 1 else "too high"
    return (
        f"{told} (ratio {ratio['value']:.2f}, 95 % from {ratio['low']:.2f} to "
        f"{ratio['high']:.2f}: the probabilities are {verdict}); AUC {auc['value']:.2f}."
    )
