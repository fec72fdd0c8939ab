"""How sure a share of counted cases is."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def wilson(shares: Floats, counts: npt.NDArray[np.int_]) -> tuple[Floats, Floats]:
    """Give the 95 % interval of shares of counts (Wilson 1927, doi:10.2307/2276774)."""
    z = 1.959964
    centre = (shares + z**2 / (2 * counts)) / (1 + z**2 / counts)
    half = z * np.sqrt(shares * (1 - shares) / counts + z**2 / (4 * counts**2))
    half = half / (1 + z**2 / counts)
    return centre - half, centre + half
