"""Whether probabilities mean what they say: bins, calibration error and slope, Brier's parts."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from training.calibrate import logistic_map
from training.heldout import Resampled, brier

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

BINS = 10
_SMALLEST = 1e-6


def bins(probabilities: Floats, count: int = BINS) -> NDArray[np.intp]:
    """Give the number of each row's bin, from low to high; shape (n,).

    The bins hold equally many rows, but equal probabilities are never parted: where there are few
    different ones, bins are larger and fewer.
    """
    ordered = np.sort(probabilities)
    edges = ordered[[at * len(ordered) // count for at in range(1, count)]]
    above = np.searchsorted(edges, probabilities, side="right")
    return np.unique(above, return_inverse=True)[1]


def reliability(outcomes: Floats, probabilities: Floats) -> list[dict[str, float]]:
    """Give the bins of the rows with a known outcome: rows, mean predicted, observed share."""
    known = np.isfinite(outcomes)
    outcome, probability = outcomes[known], probabilities[known]
    if not len(outcome):
        return []
    number = bins(probability)
    return [
        {
            "rows": int(inside.sum()),
            "predicted": float(probability[inside].mean()),
            "observed": float(outcome[inside].mean()),
        }
        for inside in (number == each for each in np.unique(number))
    ]


def calibration_error(outcome: Booleans, probability: Floats, drawn: Resampled) -> Floats:
    """Mean distance of predicted and observed share over the bins, in each draw.

    The expected calibration error of Naeini et al. (2015, doi:10.1609/aaai.v29i1.9602) with bins
    of equally many rows; the bins stay those of the rows as they are. Chance alone keeps it above
    0, the more so the fewer rows there are.
    """
    number = bins(probability)
    by_bin = drawn.sums_by(outcome - probability, number, int(number.max()) + 1)
    return np.asarray(np.abs(by_bin).sum(axis=1) / drawn.sums(np.ones(len(number))))


def brier_parts(outcome: Booleans, probability: Floats, drawn: Resampled) -> dict[str, Floats]:
    """Part the Brier score in each draw: reliability - resolution + uncertainty + within_bins.

    Murphy (1973, doi:10.1175/1520-0450(1973)012<0595:ANVPOT>2.0.CO;2); what the probabilities
    differ inside a bin is the fourth part (Stephenson et al. 2008, doi:10.1175/2007WAF2006116.1).
    The bins stay those of the rows as they are. Each part has shape (draws,).
    """
    number = bins(probability)
    ones, count = np.ones(len(number)), int(number.max()) + 1
    sizes, said, came = (
        drawn.sums_by(values, number, count)
        for values in (ones, probability, outcome.astype(float))
    )
    rows = sizes.sum(axis=1)
    base = came.sum(axis=1) / rows
    filled = np.maximum(sizes, 1)  # a bin of which a draw holds no row counts for nothing in it
    said, came, share = said / filled, came / filled, sizes / rows[:, None]
    parts = {
        "reliability": (share * (said - came) ** 2).sum(axis=1),
        "resolution": (share * (came - base[:, None]) ** 2).sum(axis=1),
        "uncertainty": base * (1 - base),
    }
    between = parts["reliability"] - parts["resolution"] + parts["uncertainty"]
    return {**parts, "within_bins": brier(outcome, probability, drawn) - between}


def observed_over_expected(outcome: Booleans, probability: Floats, drawn: Resampled) -> Floats:
    """Events over the sum of the probabilities, in each draw."""
    return np.asarray(drawn.sums(outcome.astype(float)) / drawn.sums(probability))


def calibration_slope(outcomes: Floats, probabilities: Floats) -> float:
    """Slope of the outcomes on the log odds (Cox 1958): 1 is right, below is too bold."""
    return float(_line(outcomes, _log_odds(probabilities))[1])


def calibration_slopes(outcome: Booleans, probability: Floats, drawn: Resampled) -> Floats:
    """`calibration_slope` in each draw.

    A draw's is one Newton step from that of all rows, where the step is none (one-step bootstrap,
    Schucany and Wang 1991, doi:10.1111/j.2517-6161.1991.tb01847.x): as many fits would cost more
    than all other figures. NaN in a draw of rows of one outcome; that of all rows where nothing
    tells of another, as where one probability was said to everybody.
    """
    log_odds, came = _log_odds(probability), outcome.astype(float)
    line = _line(came, log_odds)
    said = expit(line[0] + line[1] * log_odds)
    pull = [drawn.sums((came - said) * part) for part in (np.ones(len(said)), log_odds)]
    curve = [drawn.sums(said * (1 - said) * log_odds**power) for power in range(3)]
    spread = curve[0] * curve[2] - curve[1] ** 2
    step = curve[0] * pull[1] - curve[1] * pull[0]
    moved = np.divide(step, spread, out=np.zeros(len(step)), where=spread > _SMALLEST)
    has_both = (drawn.sums(came) > 0) & (drawn.sums(1 - came) > 0)
    slopes = np.where(has_both, line[1] + moved, np.nan)
    return np.asarray(np.where(np.arange(len(slopes)) == 0, line[1], slopes))


def _line(outcomes: Floats, log_odds: Floats) -> Floats:
    """Fit intercept and slope; a slope of 0 where all log odds are one."""
    if np.ptp(log_odds) == 0:
        return np.zeros(2)
    design = np.stack([np.ones(len(log_odds)), log_odds], axis=1)
    return logistic_map(design, outcomes, np.zeros(2), np.full(2, _SMALLEST))


def _log_odds(probabilities: Floats) -> Floats:
    return np.asarray(logit(np.clip(probabilities, _SMALLEST, 1 - _SMALLEST)))
