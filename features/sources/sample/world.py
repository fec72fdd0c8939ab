"""The sample company's hidden laws, and the calendar they run on.

How the laws show in the tables stands in the module of each table. All values are frozen:
docs/decisions/0001-sample-company.md says why they are as they are.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]

FIRST_DAY = datetime(2022, 1, 1)  # noqa: DTZ001 - times in the project are naive UTC
NEVER = 1 << 30
TIERS = ("high", "mid", "tech")
CAUSES = ("other", "adoption", "value", "champion", "outage", "price", "budget")


@dataclass(frozen=True)
class Risk:
    """Log odds that a customer decides to leave, by what has gone wrong."""

    monthly_base: tuple[float, float, float] = (-5.05, -4.85, -4.65)
    renewal_base: tuple[float, float, float] = (-4.15, -3.85, -3.65)
    low_adoption: float = 1.06
    low_value: float = 1.06
    healthy_from: float = -0.35
    champion_gone: float = 1.9
    outage: float = 1.15
    price: float = 1.8
    budget: float = 1.8
    care: float = 0.7
    growth: float = 0.5


@dataclass(frozen=True)
class Money:
    """Payment, price and seats: monthly chances and sizes."""

    payment_fails: float = 0.012
    payment_fails_in_stress: float = 0.45
    lost_when_unpaid: float = 0.20
    lost_when_unpaid_in_stress: float = 0.08
    shock_chance: float = 0.22
    usual_rise: tuple[float, float] = (0.02, 0.05)
    shock_rise: tuple[float, float] = (0.11, 0.22)
    quote_months_ahead: int = 4
    low_use: float = -1.0
    cut_in_stress: tuple[float, float] = (0.10, 0.55)
    cut_in_low_use: tuple[float, float] = (0.02, 0.25)
    cut_else: tuple[float, float] = (0.001, 0.02)
    cut_size: tuple[float, float] = (0.10, 0.35)


@dataclass(frozen=True)
class Growth:
    """Log odds and sizes of buying more, by month."""

    upsell_base: float = -4.9
    upsell_when_growing: float = 2.6
    upsell_value: float = 0.35
    upsell_in_stress: float = -1.5
    upsell_size: tuple[float, float] = (0.08, 0.40)
    crosssell_base: float = -6.0
    crosssell_value: float = 0.7
    crosssell_adoption: float = 0.5
    crosssell_when_growing: float = 1.0
    analytics_first: float = 0.6
    addon_share: tuple[float, float] = (0.12, 0.35)


@dataclass(frozen=True)
class Drift:
    """How hidden states move from one month to the next."""

    adoption_memory: float = 0.95
    adoption_noise: float = 0.27
    value_memory: float = 0.96
    value_noise: float = 0.24
    champion_wavers: float = 0.014
    champion_goes: float = 0.6
    champion_replaced: float = 0.16
    stress_starts: float = 0.005
    stress_starts_in_bad_year: float = 0.025
    stress_ends: float = 0.10
    growth_starts: float = 0.018
    growth_starts_in_bad_year: float = 0.008
    growth_ends: float = 0.11
    outage_month: float = 0.075
    outage_reach: float = 0.44
    defect: float = 0.012
    defect_pain: float = 0.9
    outage_memory: float = 0.78
    price_memory: float = 0.88
    care_memory: float = 0.78
    bad_year_starts: float = 1 / 36
    bad_year_months: int = 12


@dataclass(frozen=True)
class Touching:
    """How often a CSM acts in a month, by tier, and by what."""

    discretion: tuple[float, float, float] = (0.22, 0.07, 0.015)
    discretion_at_risk: tuple[float, float, float] = (0.25, 0.10, 0.02)
    enrolled: tuple[float, float, float] = (0.16, 0.11, 0.06)
    treated_share: float = 0.5


@dataclass(frozen=True)
class World:
    """All parameters of the sample company."""

    risk: Risk = field(default_factory=Risk)
    money: Money = field(default_factory=Money)
    growth: Growth = field(default_factory=Growth)
    drift: Drift = field(default_factory=Drift)
    touching: Touching = field(default_factory=Touching)
    share_at_start: float = 0.62


@dataclass(frozen=True)
class Calendar:
    """Months as day numbers since the first day; month 0 is January 2022.

    Parameters
    ----------
    starts
        Day number of each month's first day, shape (months + 1 + spare,).
    months
        Months that are lived; the rest are there for terms that end later.
    """

    starts: Ints
    months: int

    def days(self, month: int) -> int:
        """Count the days of a month."""
        return int(self.starts[month + 1] - self.starts[month])

    def month_of_year(self, month: int) -> int:
        """Give the month of the year, 1 to 12."""
        return month % 12 + 1

    def month_at(self, moment: datetime) -> int | None:
        """Give the month that starts at a moment, or None where none does."""
        day = (moment - FIRST_DAY) / timedelta(days=1)
        found = np.flatnonzero(self.starts == day)
        return int(found[0]) if len(found) else None


def calendar(months: int) -> Calendar:
    """Lay out the months from the first day, and sixty more for terms that end later."""
    first = np.datetime64(FIRST_DAY, "M")
    edges = first + np.arange(months + 62).astype("timedelta64[M]")
    starts = (edges.astype("datetime64[D]") - edges[0].astype("datetime64[D]")).astype(np.int64)
    return Calendar(starts, months)


def moment(day: float) -> datetime:
    """Turn a day number, with its fraction, into a time."""
    return FIRST_DAY + timedelta(days=float(day))
