"""The gates that hold a challenger against a rival, on the same rows and the same resamples.

The rival is the champion; without one, its own base rate said to everybody. Each difference has the
interval of a paired bootstrap over customer groups: both meet the same customers in each draw.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.capacity import first_share
from training.evidence import Evidence
from training.heldout import SMALLEST
from training.tested import mrr_at_stake
from training.trial import Answer, Trial

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

PARTED_BY = ("tier", "segment", "region")
UNKNOWN, OTHERS = "unknown", "the small ones together"


def log_loss_holds(trial: Trial) -> Answer:
    """Ask for a log loss not worse than the champion's by more than a margin.

    Without a champion it must be surely better than the base rate's. Where past dates count, which
    tell of models that were fitted in the same way, the very model must not be surely worse than
    that on the rows after its training.
    """
    used = trial.evidence
    own, other = _losses(used, used.own), _losses(used, used.rival)
    figures = _paired(trial, own, other)
    answer = _better(trial, figures) if trial.champion is None else _no_worse(trial, figures)
    if not used.past_dates:
        return answer
    is_later = (used.rows["as_of"] >= trial.border).to_numpy()
    alone = _paired(trial, own, other, is_later)
    return Answer(
        answer.passed and alone["low"] <= answer.figures["allowed"],
        f"{answer.sentence} On the later rows alone: {_difference(alone)} Its lower end must do.",
        {**answer.figures, **{f"later_{name}": value for name, value in alone.items()}},
    )


def _better(trial: Trial, figures: dict[str, float]) -> Answer:
    base_rate = trial.bundle.base_rate(trial.horizon_days)
    then = ", at a past date its own" if trial.evidence.past_dates else ""
    return Answer(
        figures["high"] < 0,
        f"{_difference(figures)} The rival says {base_rate:.1%} to everybody{then}; all of the "
        "interval must lie below 0.",
        {**figures, "base_rate": base_rate, "allowed": 0.0},
    )


def _no_worse(trial: Trial, figures: dict[str, float]) -> Answer:
    allowed = trial.limits.worse_by * figures["rival"]
    sentence = f"{_difference(figures)} Up to {allowed:+.4f} would do."
    return Answer(figures["high"] <= allowed, sentence, {**figures, "allowed": allowed})


def caught_arr_holds(trial: Trial) -> Answer:
    """Ask that its list catches not less ARR than the champion's, by more than a margin.

    The list is the first tenth of each date's accounts, by probability times MRR, as the work list
    has them; what is caught is the share of the MRR that the events lose, or add. A first model has
    no list to be held against: its own share is told.
    """
    own = _caught(trial, trial.evidence.own)
    share, limits = f"{trial.limits.listed_share:.0%}", trial.limits
    if trial.champion is None:
        return Answer(
            passed=bool(np.isfinite(own.value)),
            sentence=f"Its list of {share} catches {own.value:.0%} of the ARR; there is no "
            "champion whose list could be better.",
            figures={"challenger": own.value},
        )
    rival = _caught(trial, trial.evidence.rival)
    low, high = np.nanquantile(own.draws - rival.draws, [0.025, 0.975])
    return Answer(
        bool(low >= -limits.caught_worse_by),
        f"Its list of {share} catches {own.value:.0%} of the ARR, the champion's "
        f"{rival.value:.0%}: {own.value - rival.value:+.1%} (95 % from {low:+.1%} to "
        f"{high:+.1%}). Down to {-limits.caught_worse_by:+.0%} would do.",
        {
            "challenger": own.value,
            "rival": rival.value,
            "difference": own.value - rival.value,
            "low": float(low),
            "high": float(high),
            "allowed": -limits.caught_worse_by,
        },
    )


def segments_hold(trial: Trial) -> Answer:
    """Ask that in no part of the customers it is surely worse than the rival by more than a margin.

    Parts are the tiers, segments and regions of the CRM; those with few events count together.
    """
    used = trial.evidence
    own, other = _losses(used, used.own), _losses(used, used.rival)
    found = {
        name: _paired(trial, own, other, part)
        for by in PARTED_BY
        for name, part in _parts(trial, by)
    }
    allowed = trial.limits.segment_worse_by
    collapsed = [
        f"{name}: {_difference(each)}"
        for name, each in found.items()
        if each["low"] > allowed * each["rival"]
    ]
    worst = max(each["low"] / each["rival"] for each in found.values())
    figures = {"parts": float(len(found)), "collapsed": float(len(collapsed)), "worst": worst}
    margin = f"surely worse than the rival by more than {allowed:.0%}"
    none = f"In none of {len(found)} parts of the customers it is {margin}."
    return Answer(
        not collapsed, f"It is {margin} in {' '.join(collapsed)}" if collapsed else none, figures
    )


def kept_apart(probabilities: Floats) -> Floats:
    """Keep probabilities apart from 0 and 1."""
    return np.clip(probabilities, SMALLEST, 1 - SMALLEST)


@dataclass(frozen=True)
class _Share:
    value: float
    draws: Floats


def _caught(trial: Trial, probabilities: Floats) -> _Share:
    rows = trial.evidence.rows
    order = probabilities * rows["mrr"].to_numpy(dtype=float)
    listed = first_share(rows, order, trial.limits.listed_share)
    stake = mrr_at_stake(rows, trial.bundle.question) * trial.evidence.outcomes
    at, draws = _draws(trial, np.ones(len(rows), dtype=bool))
    caught, all_of_it = (np.bincount(at, weights=each) for each in (stake * listed, stake))
    with np.errstate(invalid="ignore", divide="ignore"):  # a draw, or all rows, without an event
        return _Share(float(caught.sum() / all_of_it.sum()), (draws @ caught) / (draws @ all_of_it))


def _parts(trial: Trial, by: str) -> Iterator[tuple[str, Booleans]]:
    """Give each part with enough events, and the others together if there are any."""
    values = trial.evidence.rows[by]
    named = values.where(values.notna(), UNKNOWN).astype(str).to_numpy(dtype=object)
    left = np.ones(len(named), dtype=bool)
    for name in sorted(set(named)):
        part = named == name
        if trial.evidence.outcomes[part].sum() >= trial.limits.segment_events:
            left &= ~part
            yield f"{by} {name}", part
    if left.any():
        yield f"{by} ({OTHERS})", left


def _paired(
    trial: Trial, own: Floats, other: Floats, part: Booleans | None = None
) -> dict[str, float]:
    """Mean log losses in nats, and the 95 % interval of their difference over customer groups."""
    kept = np.ones(len(own), dtype=bool) if part is None else part
    at, draws = _draws(trial, kept)
    rows, differences = np.bincount(at), np.bincount(at, weights=(own - other)[kept])
    low, high = np.quantile((draws @ differences) / (draws @ rows), [0.025, 0.975])
    return {
        "challenger": float(own[kept].mean()),
        "rival": float(other[kept].mean()),
        "difference": float((own - other)[kept].mean()),
        "low": float(low),
        "high": float(high),
    }


def _draws(trial: Trial, kept: Booleans) -> tuple[npt.NDArray[np.intp], Floats]:
    """Give each kept row's group, and how often each group was drawn."""
    names = trial.evidence.rows["customer_group"].astype(str).to_numpy()[kept]
    groups, at = np.unique(names, return_inverse=True)
    draws = np.random.default_rng(trial.limits.seed).multinomial(
        len(groups), np.full(len(groups), 1 / len(groups)), size=trial.limits.resamples
    )
    return at, draws.astype(float)


def _losses(used: Evidence, probabilities: Floats) -> Floats:
    kept = kept_apart(probabilities)
    return np.asarray(-np.log(np.where(used.outcomes == 1, kept, 1 - kept)))


def _difference(figures: Mapping[str, float]) -> str:
    return (
        f"Log loss {figures['challenger']:.4f} against {figures['rival']:.4f}: "
        f"{figures['difference']:+.4f} (95 % from {figures['low']:+.4f} to {figures['high']:+.4f})."
    )
