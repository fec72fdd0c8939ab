"""Who the customers are: what is drawn once for each account and never changes."""

from dataclasses import dataclass, fields

import numpy as np

from features.sources.sample.world import Floats, Ints, World

MONTHLY, YEARLY, TWO_YEARS = 1, 12, 24
SEATS_MEDIAN = (26.0, 10.0, 5.0)
SEAT_PRICES = (62.0, 48.0, 35.0)
MOST_SEATS = 70
TERM_SHARES = ((0.06, 0.74, 0.20), (0.32, 0.60, 0.08), (0.72, 0.28, 0.0))


@dataclass(frozen=True)
class Accounts:
    """Fixed traits, one array of shape (accounts,) each.

    Parameters
    ----------
    tier
        0 high, 1 mid, 2 tech: index into world.TIERS.
    joins
        Month in which the first subscription starts; negative before the first day.
    billing_day
        Day of month, 1 to 28, of bills, renewals and term ends.
    term_months, notice_days
        The signed term and how long before its end a cancellation must arrive.
    adoption_norm, value_norm
        Where adoption and value settle, in standard deviations.
    sensitivity
        How much a price rise hurts.
    response
        What a touch does: 1 helps, 0 nothing, -0.6 harms.
    season_depth, season_month
        How deep the quiet season is, and the month of the year in which it is deepest.
    is_quiet
        Machines use the product, hardly any people: silent, and no more at risk for it.
    rise_month
        Month of the year in which a monthly account's price rises.
    region
        0 to 3: where it is hosted, hence which outages it meets.
    seats_at_start, price_at_start
        Seats, and the price of a seat and month, when the first subscription starts.
    """

    tier: Ints
    joins: Ints
    billing_day: Ints
    term_months: Ints
    notice_days: Ints
    adoption_norm: Floats
    value_norm: Floats
    sensitivity: Floats
    response: Floats
    season_depth: Floats
    season_month: Ints
    is_quiet: np.ndarray
    rise_month: Ints
    region: Ints
    seats_at_start: Ints
    price_at_start: Floats

    def __len__(self) -> int:
        """Count the accounts."""
        return len(self.tier)

    @property
    def is_monthly(self) -> np.ndarray:
        """Which accounts may leave at any billing day, shape (accounts,)."""
        return np.equal(self.term_months, MONTHLY)

    def take(self, rows: Ints) -> "Accounts":
        """Keep some accounts, in the order given."""
        return Accounts(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def draw_accounts(world: World, accounts: int, months: int, rng: np.random.Generator) -> Accounts:
    """Draw every account's fixed traits; later joiners come from a drifted mix."""
    joins = _joins(world, accounts, months, rng)
    lateness = np.clip(joins, 0, None) / max(months, 1)
    tier = _tiers(lateness, rng)
    term = _terms(tier, lateness, rng)
    notice = np.where(term == MONTHLY, 0, rng.choice([30, 30, 30, 45, 60], accounts))
    median = np.array(SEATS_MEDIAN)[tier]
    seats = np.clip(np.round(median * rng.lognormal(0, 0.45, accounts)), 2, MOST_SEATS)
    price = np.array(SEAT_PRICES)[tier] * rng.lognormal(0, 0.15, accounts) * (1 + 0.15 * lateness)
    seasonal = rng.random(accounts) < 0.2  # noqa: PLR2004 - a share of the mix, justified in the decision
    return Accounts(
        tier=tier,
        joins=joins,
        billing_day=rng.integers(1, 29, accounts),
        term_months=term,
        notice_days=notice,
        adoption_norm=rng.normal(0, 0.45, accounts),
        value_norm=rng.normal(0, 0.45, accounts),
        sensitivity=rng.uniform(0.85, 1.15, accounts),
        response=rng.choice([1.0, 0.0, -0.6], accounts, p=[0.45, 0.40, 0.15]),
        season_depth=np.where(seasonal, rng.uniform(0.45, 0.75, accounts), 0.08),
        season_month=rng.integers(1, 13, accounts),
        is_quiet=rng.random(accounts) < np.array([0.06, 0.10, 0.16])[tier],
        rise_month=rng.integers(1, 13, accounts),
        region=rng.integers(0, 4, accounts),
        seats_at_start=seats.astype(np.int64),
        price_at_start=np.round(price, 2),
    )


def _joins(world: World, accounts: int, months: int, rng: np.random.Generator) -> Ints:
    early = round(accounts * world.share_at_start)
    before = -rng.integers(1, 37, early)
    during = rng.integers(0, max(months - 1, 1), accounts - early)
    return np.concatenate([before, np.sort(during)]).astype(np.int64)


def _tiers(lateness: Floats, rng: np.random.Generator) -> Ints:
    high = 0.17 - 0.07 * lateness
    mid = 0.36 - 0.06 * lateness
    u = rng.random(len(lateness))
    return np.where(u < high, 0, np.where(u < high + mid, 1, 2)).astype(np.int64)


def _terms(tier: Ints, lateness: Floats, rng: np.random.Generator) -> Ints:
    shares = np.array(TERM_SHARES)[tier]
    monthly = np.clip(shares[:, 0] + 0.08 * lateness, 0, 0.95)
    u = rng.random(len(tier))
    yearly = monthly + (1 - monthly) * shares[:, 1] / (shares[:, 1] + shares[:, 2])
    return np.where(u < monthly, MONTHLY, np.where(u < yearly, YEARLY, TWO_YEARS)).astype(np.int64)
