"""The two ways to ask for growth: their parts by hand."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.cumulative_incidence import hazards, summed, until
from models.expansion import EXPANSION
from models.intervals import at_risk, cumulative


def test_hazards_are_what_their_cumulative_incidence_was_made_of() -> None:
    drawn = np.random.default_rng(0).uniform(0.01, 0.4, (5, 4))
    np.testing.assert_allclose(hazards(cumulative(drawn)), drawn)


def test_growth_counts_only_before_a_loss() -> None:
    grown, gone = np.array([[0.2, 0.5]]), np.array([[0.3, 0.1]])
    # half are left after the first interval, and half of these grow in the second
    assert summed(grown, gone)[0] == pytest.approx([0.2, 0.2 + 0.5 * 0.5])


def test_without_losses_both_ways_are_one() -> None:
    drawn = np.random.default_rng(1).uniform(0.01, 0.4, (5, 4))
    np.testing.assert_allclose(summed(drawn, np.zeros((5, 4))), cumulative(drawn))


def test_who_was_lost_is_at_risk_to_the_end_of_that_interval_and_no_longer() -> None:
    labels = pd.DataFrame(
        {
            "event_days": [np.nan, np.nan, 200.0],
            "competing_days": [45.0, np.nan, np.nan],
            "observed_days": [400.0, 400.0, 400.0],
        }
    )
    counted = []
    for event, other in (("event_days", "competing_days"), ("competing_days", "event_days")):
        asked = until(labels, EXPANSION, event, other)
        days = (asked[name].to_numpy(dtype=float) for name in ("event_days", "observed_days"))
        counted.append(at_risk(EXPANSION, *days).sum(axis=1).tolist())
    # of 30, 90, 180 and 365 days: a loss on day 45 ends it at 90, growth on day 200 at 365
    assert counted == [[2, 4, 4], [2, 4, 4]]
