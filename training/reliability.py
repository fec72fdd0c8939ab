"""Whether probabilities mean what they say: bins, calibration error and slope, Brier's parts."""

import numpy as np
from numpy.typing import NDArray

from training.calibrate import logistic_map
from training.heldout import Resampled

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


def brier_parts(outcome: Booleans, probability: Floats) -> dict[str, float]:
    """Part the Brier score: reliability - resolution + uncertainty + within_bins.

    Murphy (1973, doi:10.1175/1520-0450(1973)012<0595:ANVPOT>2.0.CO;2); what the probabilities
    differ inside a bin is the fourth part (Stephenson et al. 2008, doi:10.1175/2007WAF2006116.1).
    """
    number = bins(probability)
    sizes = np.bincount(number)
    share = sizes / len(outcome)
    said, came = (
        np.bincount(number, weights=part.astype(float)) / sizes for part in (probability, outcome)
    )
    base = outcome.mean()
    parts = {
        "reliability": float(share @ (said - came) ** 2),
        "resolution": float(share @ (came - base) ** 2),
        "uncertainty": float(base * (1 - base)),
    }
    whole = float(np.mean((probability - outcome) ** 2))
    between = parts["reliability"] - parts["resolution"] + parts["uncertainty"]
    return {**parts, "within_bins": whole - between}


def observed_over_expected(outcome: Booleans, probability: Floats, drawn: Resampled) -> Floats:
    """Events over the sum of the probabilities, in each draw."""
    return np.asarray(drawn.sums(outcome.astype(float)) / drawn.sums(probability))


def calibration_slope(outcomes: Floats, probabilities: Floats) -> float:
    """Slope of the outcomes on the log odds (Cox 1958): 1 is right, below is too bold."""
    kept = np.clip(probabilities, _SMALLEST, 1 - _SMALLEST)
    log_odds = np.log(kept / (1 - kept))
    if np.ptp(log_odds) == 0:
        return 0.0
    design = np.stack([np.ones(len(kept)), log_odds], axis=1)
    return float(logistic_map(design, outcomes, np.zeros(2), np.full(2, _SMALLEST))[1])
