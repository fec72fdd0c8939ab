"""Whether a challenger may take the champion's place: gates that refuse when in doubt.

Both models score the same rows of the same feature table, on dates that neither learned from. A
gate that cannot be computed has not passed, and says why.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, time

import numpy as np
import numpy.typing as npt

from features.errors import GateError, TenureError
from models.audit_checks import CHECKS
from models.gate import Gate, GateReport
from training.audit.finding import demand_known
from training.evidence import counted
from training.gates_compared import (
    caught_arr_holds,
    kept_apart,
    log_loss_holds,
    segments_hold,
)
from training.reliability import calibration_slope
from training.trial import Answer, Limits, Trial

__all__ = ["Limits", "Trial", "decide"]


def decide(trial: Trial) -> GateReport:
    """Hold a challenger against the champion, or against the base rate, on a later period.

    Returns
    -------
    GateReport
        One answer a gate. It never raises: what goes wrong inside a gate is that gate's refusal.
    """
    asked = (
        ("loads", _loads),
        ("golden_set", _answers_as_registered),
        ("later_period", _later_period),
        ("log_loss", log_loss_holds),
        ("caught_arr", caught_arr_holds),
        ("segments", segments_hold),
        ("calibration", _calibrated),
        ("age", _is_young),
        ("audit", _audited),
    )
    return GateReport(
        model=trial.model,
        challenger=trial.version,
        champion=None if trial.champion is None else trial.champion.version,
        gates=tuple(_each_reason_once(_answer(name, gate, trial) for name, gate in asked)),
    )


def _answer(name: str, gate: Callable[[Trial], Answer], trial: Trial) -> Gate:
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


def _loads(trial: Trial) -> Answer:
    curves = trial.bundle.probabilities(trial.later)
    good = len(curves) > 0 and _are_probabilities(curves)
    how = "gives" if good else "does not give"
    return Answer(
        good,
        f"The saved model loads and {how} each of {len(curves)} rows probabilities from 0 to 1 "
        "that never fall with the horizon.",
        {"rows": len(curves)},
    )


def _answers_as_registered(trial: Trial) -> Answer:
    """Ask the challenger, as it comes out of the registry, what it was asked when it was kept."""
    if trial.registered is None:
        raise GateError(f"No golden set was kept with {trial.model} {trial.version}.")
    bundle, golden = trial.registered()
    curves, kept = bundle.probabilities(golden.rows), golden.probabilities
    if len(kept) == 0 or curves.shape != kept.shape:
        raise GateError(f"Expected answers of shape {kept.shape}, got {curves.shape}.")
    apart = float(np.abs(curves - kept).max())
    are_some = _are_probabilities(curves)
    broken = "" if are_some else "; not all are from 0 to 1 and rise with the horizon"
    return Answer(
        apart <= trial.limits.golden_by and are_some,
        f"Fetched anew from the registry, it answers the {len(kept)} rows of its golden set up to "
        f"{apart:.2g} away from when it was registered ({trial.limits.golden_by:g} is allowed)"
        f"{broken}.",
        {"rows": len(kept), "apart": apart},
    )


def _are_probabilities(curves: npt.NDArray[np.float64]) -> bool:
    within = bool(((curves >= 0) & (curves <= 1)).all())
    return within and bool((np.diff(curves, axis=1) >= 0).all())


def _later_period(trial: Trial) -> Answer:
    """Ask for events enough to judge by; where few customers have one, past dates count too."""
    limits, found, days = trial.limits, counted(trial.later, trial.outcomes), trial.horizon_days
    rows = trial.later["as_of"]
    span = f"from {rows.min():%Y-%m-%d} to {rows.max():%Y-%m-%d}" if len(rows) else ""
    said = (
        f"After both trainings {len(rows)} rows {span} have a known outcome within {days} days: "
        f"{found['events']:.0f} events in {found['groups']} customer groups (at least "
        f"{limits.events} and {limits.groups} are asked for)."
    )
    used = trial.evidence if trial.counts_past else None
    if used is None or not used.past_dates:
        return Answer(limits.are_met(found), said, found)
    pooled = counted(used.rows, used.outcomes)
    return Answer(
        limits.are_met(pooled) and pooled["event_groups"] >= limits.event_groups,
        f"{said} Fewer than {limits.few_groups} customers here ever had the event, so that past "
        f"dates count too: from {used.past_dates} of them models were fitted anew in the same "
        "ways, on what was known then, and asked about the dates that followed. In all that is "
        f"{pooled['events']:.0f} events of {pooled['event_groups']} customers among "
        f"{pooled['groups']} (at least {limits.events}, {limits.event_groups} and {limits.groups} "
        "are asked for). On so few the intervals are wide, and they tell more of how such models "
        "do than of this very one.",
        {**pooled, "past_dates": used.past_dates, "later_events": found["events"]},
    )


def _calibrated(trial: Trial) -> Answer:
    limits, used = trial.limits, trial.evidence
    ratio = float(used.outcomes.sum() / kept_apart(used.own).sum())
    slope = calibration_slope(used.outcomes, used.own)
    good = limits.observed_to_expected[0] <= ratio <= limits.observed_to_expected[1]
    good = good and limits.slope[0] <= slope <= limits.slope[1]
    return Answer(
        good,
        f"{ratio:.2f} events came for each one expected ({_range(limits.observed_to_expected)}), "
        f"and the calibration slope is {slope:.2f} ({_range(limits.slope)}).",
        {"observed_to_expected": ratio, "slope": slope},
    )


def _is_young(trial: Trial) -> Answer:
    """Refuse a model that could have learned from far newer dates by now."""
    border, newest = trial.bundle.as_of_range[1], trial.newest_known
    days = (newest - datetime.combine(border, time())).days
    if days < 0:
        raise GateError(
            f"It learned from dates before {border}, and these data know outcomes up to "
            f"{newest:%Y-%m-%d} only, {-days} days before that: they are older than the model, or "
            "another company's. Name the extract that it was trained on, or a later one."
        )
    return Answer(
        days <= trial.limits.age_days,
        f"It learned from dates before {border}, and outcomes are known up to {newest:%Y-%m-%d}, "
        f"{days} days later (at most {trial.limits.age_days} are allowed).",
        {"days": float(days)},
    )


def _audited(trial: Trial) -> Answer:
    """Refuse findings that nobody took on, and an audit that left a check out."""
    unmade = [check for check in CHECKS if check not in trial.audit_checks]
    if unmade:
        raise GateError(
            f"{trial.model} {trial.version} was registered without the checks "
            f"{', '.join(unmade)} of the leakage audit. Train it anew, which makes them: "
            f"tenure train {trial.model}"
        )
    demand_known(trial.accept, [str(finding["column"]) for finding in trial.audit])
    blocking = [finding for finding in trial.audit if finding["blocking"] is not False]
    stopping = [finding for finding in blocking if _stops(finding, trial)]
    named = "; ".join(str(finding["message"]) for finding in stopping)
    accept = " ".join(sorted({f"--accept {finding['column']}" for finding in stopping}))
    taken = sorted({str(each["column"]) for each in blocking if each not in stopping})
    clean = f"None of {len(trial.audit)} findings of the leakage audit stops it."
    on = f" Taken on by name, or left out: {', '.join(taken)}." if taken else ""
    return Answer(
        not stopping,
        f"{named} To take that on: {accept}." if stopping else clean + on,
        {"findings": len(trial.audit), "blocking": len(blocking), "stopping": len(stopping)},
    )


def _stops(finding: Mapping[str, object], trial: Trial) -> bool:
    """Tell whether nobody took a finding on; what is said to be left out must not be used."""
    column, standing = finding["column"], finding.get("standing")
    is_left_out = standing == "left out" and column not in trial.bundle.features
    return not (standing == "accepted" or is_left_out or column in trial.accept)


def _range(limits: tuple[float, float]) -> str:
    return f"{limits[0]:g} to {limits[1]:g} is asked for"
