"""Whether a challenger may take the champion's place: gates that refuse when in doubt.

Both models score the same rows of the same feature table, on dates that neither learned from. A
gate that cannot be computed has not passed, and says why.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from features.errors import GateError, TenureError
from models.audit_checks import CHECKS
from models.gate import Gate, GateReport
from training.audit.finding import demand_known
from training.heldout import SMALLEST
from training.reliability import calibration_slope
from training.trial import Limits, Trial, at_horizon

__all__ = ["Limits", "Trial", "decide"]

Floats = npt.NDArray[np.float64]


def decide(trial: Trial) -> GateReport:
    """Hold a challenger against the champion, or against the base rate, on a later period.

    Returns
    -------
    GateReport
        One answer a gate. It never raises: what goes wrong inside a gate is that gate's refusal.
    """
    asked = (
        ("loads", _loads),
        ("later_period", _later_period),
        ("log_loss", _beats_base_rate if trial.champion is None else _keeps_up_with_champion),
        ("calibration", _calibrated),
        ("audit", _audited),
    )
    return GateReport(
        model=trial.model,
        challenger=trial.version,
        champion=None if trial.champion is None else trial.champion.version,
        gates=tuple(_each_reason_once(_answer(name, gate, trial) for name, gate in asked)),
    )


@dataclass(frozen=True)
class _Answer:
    passed: bool
    sentence: str
    figures: Mapping[str, float] = field(default_factory=dict)


def _answer(name: str, gate: Callable[[Trial], _Answer], trial: Trial) -> Gate:
    try:
        answer = gate(trial)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong inside a gate is its refusal
        is_ours = isinstance(error, TenureError)
        return _refusal(name, str(error) if is_ours else f"{type(error).__name__}: {error}")
    broken = [figure for figure, value in answer.figures.items() if not math.isfinite(value)]
    if broken:
        return _refusal(name, f"{', '.join(broken)} is not a number.")
    return Gate(name, bool(answer.passed), answer.sentence, answer.figures)


def _refusal(name: str, why: str) -> Gate:
    return Gate(name, passed=False, sentence=f"It could not be computed: {why}")


def _each_reason_once(gates: Iterator[Gate]) -> Iterator[Gate]:
    """Name the earlier gate where a later one fails for the same reason, word for word."""
    first: dict[str, str] = {}
    for gate in gates:
        earlier = first.setdefault(gate.sentence, gate.name)
        same = f"It could not be computed, for the same reason as {earlier}."
        repeats = earlier != gate.name and not gate.passed
        yield replace(gate, sentence=same) if repeats else gate


def _loads(trial: Trial) -> _Answer:
    curves = trial.bundle.probabilities(trial.later)
    good = len(curves) > 0 and bool(((curves >= 0) & (curves <= 1)).all())
    good = good and bool((np.diff(curves, axis=1) >= 0).all())
    how = "gives" if good else "does not give"
    return _Answer(
        good,
        f"The saved model loads and {how} each of {len(curves)} rows probabilities from 0 to 1 "
        "that never fall with the horizon.",
        {"rows": len(curves)},
    )


def _later_period(trial: Trial) -> _Answer:
    limits, later, outcomes = trial.limits, trial.later, trial.outcomes
    figures = {
        "rows": len(later),
        "events": float(outcomes.sum()),
        "without": float(len(later) - outcomes.sum()),
        "groups": later["customer_group"].nunique(),
    }
    enough = min(figures["events"], figures["without"]) >= limits.events
    span = f"from {later['as_of'].min():%Y-%m-%d} to {later['as_of'].max():%Y-%m-%d}"
    return _Answer(
        enough and figures["groups"] >= limits.groups,
        f"After both trainings {len(later)} rows {span if len(later) else ''} have a known outcome "
        f"within {trial.horizon_days} days: {figures['events']:.0f} events in {figures['groups']} "
        f"customer groups (at least {limits.events} and {limits.groups} are asked for).",
        figures,
    )


def _keeps_up_with_champion(trial: Trial) -> _Answer:
    if trial.champion is None:
        raise GateError("Expected a champion to compare with, got none.")
    rival = at_horizon(trial.champion, trial.later, trial.horizon_days)
    figures = _paired(trial, rival)
    allowed = trial.limits.worse_by * figures["rival"]
    return _Answer(
        figures["high"] <= allowed,
        f"{_difference(figures)} Up to {allowed:+.4f} would do.",
        {**figures, "allowed": allowed},
    )


def _beats_base_rate(trial: Trial) -> _Answer:
    base_rate = trial.bundle.base_rate(trial.horizon_days)
    figures = _paired(trial, np.full(len(trial.later), base_rate))
    return _Answer(
        figures["high"] < 0,
        f"{_difference(figures)} The rival says {base_rate:.1%} to everybody; all of the "
        "interval must lie below 0.",
        {**figures, "base_rate": base_rate},
    )


def _calibrated(trial: Trial) -> _Answer:
    limits, kept = trial.limits, _kept(trial.probabilities)
    ratio = float(trial.outcomes.sum() / kept.sum())
    slope = calibration_slope(trial.outcomes, trial.probabilities)
    good = limits.observed_to_expected[0] <= ratio <= limits.observed_to_expected[1]
    good = good and limits.slope[0] <= slope <= limits.slope[1]
    return _Answer(
        good,
        f"{ratio:.2f} events came for each one expected ({_range(limits.observed_to_expected)}), "
        f"and the calibration slope is {slope:.2f} ({_range(limits.slope)}).",
        {"observed_to_expected": ratio, "slope": slope},
    )


def _audited(trial: Trial) -> _Answer:
    """Refuse findings that nobody took on, and an audit that left a check out."""
    unmade = [check for check in CHECKS if check not in trial.audit_checks]
    if unmade:
        raise GateError(
            f"{trial.version} was kept without the checks {', '.join(unmade)} of the leakage audit."
        )
    demand_known(trial.accept, [str(finding["column"]) for finding in trial.audit])
    blocking = [finding for finding in trial.audit if finding["blocking"] is not False]
    stopping = [finding for finding in blocking if _stops(finding, trial)]
    named = "; ".join(str(finding["message"]) for finding in stopping)
    accept = " ".join(sorted({f"--accept {finding['column']}" for finding in stopping}))
    taken = sorted({str(each["column"]) for each in blocking if each not in stopping})
    clean = f"None of {len(trial.audit)} findings of the leakage audit stops it."
    on = f" Taken on by name, or left out: {', '.join(taken)}." if taken else ""
    return _Answer(
        not stopping,
        f"{named} To take that on: {accept}." if stopping else clean + on,
        {"findings": len(trial.audit), "blocking": len(blocking), "stopping": len(stopping)},
    )


def _stops(finding: Mapping[str, object], trial: Trial) -> bool:
    """Tell whether nobody took a finding on; what is said to be left out must not be used."""
    column, standing = finding["column"], finding.get("standing")
    is_left_out = standing == "left out" and column not in trial.bundle.features
    return not (standing == "accepted" or is_left_out or column in trial.accept)


def _paired(trial: Trial, rival: Floats) -> dict[str, float]:
    """Mean log losses in nats, and the 95 % interval of their difference over customer groups."""
    own = _losses(trial.outcomes, trial.probabilities)
    other = _losses(trial.outcomes, rival)
    groups, at = np.unique(trial.later["customer_group"].astype(str), return_inverse=True)
    rows = np.bincount(at)
    differences = np.bincount(at, weights=own - other)
    draws = np.random.default_rng(trial.limits.seed).multinomial(
        len(groups), np.full(len(groups), 1 / len(groups)), size=trial.limits.resamples
    )
    low, high = np.quantile((draws @ differences) / (draws @ rows), [0.025, 0.975])
    return {
        "challenger": float(own.mean()),
        "rival": float(other.mean()),
        "difference": float((own - other).mean()),
        "low": float(low),
        "high": float(high),
    }


def _losses(outcomes: Floats, probabilities: Floats) -> Floats:
    kept = _kept(probabilities)
    return np.asarray(-np.log(np.where(outcomes == 1, kept, 1 - kept)))


def _kept(probabilities: Floats) -> Floats:
    return np.clip(probabilities, SMALLEST, 1 - SMALLEST)


def _difference(figures: Mapping[str, float]) -> str:
    return (
        f"Log loss {figures['challenger']:.4f} against {figures['rival']:.4f}: "
        f"{figures['difference']:+.4f} (95 % from {figures['low']:+.4f} to {figures['high']:+.4f})."
    )


def _range(limits: tuple[float, float]) -> str:
    return f"{limits[0]:g} to {limits[1]:g} is asked for"
