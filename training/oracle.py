"""The best possible model of the sample company: its hidden state, played forward many times.

The only reader of the truth that lies beside the sample company's tables.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.errors import SourceError
from features.sources.sample.accounts import Accounts
from features.sources.sample.dynamics import Month, next_bad_year, step
from features.sources.sample.state import State
from features.sources.sample.truth import FOLDER
from features.sources.sample.world import FIRST_DAY, NEVER, Calendar, World, calendar

Floats = npt.NDArray[np.floating[Any]]
FEWEST_PLAYS = 500
CELLS_AT_ONCE = 150_000
GRACE_DAYS = 30
CHANGE = 0.10
TOLERANCE = 1e-5
OUTCOMES = ("churn", "expansion", "contraction")


@dataclass(frozen=True)
class Truth:
    """A sample company's hidden side, as it was written.

    Parameters
    ----------
    states
        One row per account and month at whose start it pays: hidden states and hazards.
    traits
        One row per account: what never changes.
    bad_year
        Months that the bad year lasts at the start of each month.
    """

    world: World
    calendar: Calendar
    states: pd.DataFrame
    traits: pd.DataFrame
    bad_year: tuple[int, ...]


def has_truth(company: Path) -> bool:
    """Say whether a folder is a sample company's, with its truth beside the tables."""
    return (company / FOLDER / "world.json").is_file()


def read_truth(company: Path) -> Truth:
    """Read the truth of a sample company.

    Raises
    ------
    SourceError
        If the folder holds no truth, since then it is no sample company.
    """
    folder = _folder(company)
    described = json.loads((folder / "world.json").read_text())
    return Truth(
        world=_world(described["world"]),
        calendar=calendar(described["months"]),
        states=pd.read_parquet(folder / "states.parquet"),
        traits=pd.read_parquet(folder / "traits.parquet"),
        bad_year=tuple(described["bad_year_months_left"]),
    )


def read_causes(company: Path) -> pd.DataFrame:
    """Read why each account was lost, and each purchase: account_id, event, occurred_at, cause.

    Raises
    ------
    SourceError
        As `read_truth`.
    """
    return pd.read_parquet(_folder(company) / "causes.parquet")


def _folder(company: Path) -> Path:
    if not has_truth(company):
        raise SourceError(
            f"{company} has no truth beside its tables. Make a company with `tenure simulate`."
        )
    return company / FOLDER


def _world(described: dict[str, Any]) -> World:
    """Put the laws together again from JSON, in which tuples are lists."""
    laws = {}
    for field in fields(World):
        value = described[field.name]
        if isinstance(value, dict):
            law = type(getattr(World(), field.name))
            value = law(**{k: tuple(v) if isinstance(v, list) else v for k, v in value.items()})
        laws[field.name] = value
    return World(**laws)


def oracle_probabilities(
    company: Path,
    as_of_dates: Iterable[date | datetime],
    question_name: str,
    horizons_days: Sequence[int],
    plays: int = FEWEST_PLAYS,
    seed: int = 0,
) -> pd.DataFrame:
    """Estimate P(event within h | everything true at as_of), for every paying account.

    The company is played forward from the hidden state at each date, by the step that made its
    past. What came true is never looked at. The standard error is at most 0.5 / sqrt(plays).

    Parameters
    ----------
    company
        Folder that `simulate` wrote.
    as_of_dates
        First days of months; the hidden state moves from month to month.
    question_name
        "churn", "expansion" or "contraction", by the contract's definitions.
    horizons_days
        Lengths of the windows [as_of, as_of + h), in days.
    plays
        Futures played for each date.
    seed
        Of the futures; they have nothing to do with the company's own.

    Returns
    -------
    pandas.DataFrame
        account_id, as_of, horizon_days, probability: one row per paying account, date and horizon.
        Accounts with a cancellation pending are among them.

    Raises
    ------
    SourceError
        If there is no truth, a date is not the first day of a month that was lived, or the
        question is unknown.
    """
    if question_name not in OUTCOMES:
        raise SourceError(f"The oracle answers {', '.join(OUTCOMES)}, not {question_name!r}.")
    truth = read_truth(company)
    parts = [
        _at_date(truth, moment, question_name, horizons_days, plays, seed)
        for moment in _midnights(as_of_dates)
    ]
    return pd.concat(parts, ignore_index=True)


def oracle_added_shares(
    company: Path,
    as_of_dates: Iterable[date | datetime],
    horizons_days: Sequence[int],
    plays: int = FEWEST_PLAYS,
    seed: int = 0,
) -> pd.DataFrame:
    """Estimate what each paying account adds by expanding within h, given everything at as_of.

    Returns
    -------
    pandas.DataFrame
        account_id, as_of, horizon_days, probability (as `oracle_probabilities` has it) and
        added_share: the mean over all plays of what the MRR at the horizon lies above that at
        as_of, as a share of it, of the plays that expanded within the horizon; 0 of the others.

    Raises
    ------
    SourceError
        As `oracle_probabilities`.
    """
    truth = read_truth(company)
    parts = []
    for moment in _midnights(as_of_dates):
        month, rows = _month(truth, moment)
        days, levels = _played(truth, rows, month, "expansion", horizons_days, plays, seed)
        mrr = rows["mrr"].to_numpy(dtype=np.float32)
        for horizon, level in zip(horizons_days, levels, strict=True):
            came = days < horizon
            share = np.where(came, np.maximum(level / mrr - 1, 0), 0)
            told = {"probability": came.mean(axis=0), "added_share": share.mean(axis=0)}
            parts.append(_told(rows, moment, horizon, told))
    return pd.concat(parts, ignore_index=True)


def skill_share(auc_model: float, auc_oracle: float) -> float:
    """Give the share of the oracle's skill, (AUC - 0.5) / (AUC of the oracle - 0.5)."""
    return (auc_model - 0.5) / (auc_oracle - 0.5)


def can_leave_within(states: pd.DataFrame, horizon_days: int) -> npt.NDArray[np.bool_]:
    """Say which accounts can leave within a horizon: monthly ones, or a term that ends in it.

    Parameters
    ----------
    states
        Rows of `features.spine.account_states`: as_of, term_ends_at, term_months.

    Returns
    -------
    numpy.ndarray
        Shape (rows,); an account without a signed term can leave at any time.
    """
    no_term = states["term_ends_at"].isna().to_numpy()
    monthly = (states["term_months"] <= 1).to_numpy(dtype=bool, na_value=False)
    ends = states["term_ends_at"] < states["as_of"] + timedelta(days=horizon_days)
    return np.asarray(no_term | monthly | ends.to_numpy())


def _midnights(dates: Iterable[date | datetime]) -> Iterator[datetime]:
    for day in dates:
        yield datetime(day.year, day.month, day.day)  # noqa: DTZ001 - times are naive UTC


def _at_date(
    truth: Truth, as_of: datetime, question: str, horizons: Sequence[int], plays: int, seed: int
) -> pd.DataFrame:
    month, rows = _month(truth, as_of)
    days, _ = _played(truth, rows, month, question, horizons, plays, seed)
    parts = [
        _told(rows, as_of, horizon, {"probability": (days < horizon).mean(axis=0)})
        for horizon in horizons
    ]
    return pd.concat(parts, ignore_index=True)


def _month(truth: Truth, as_of: datetime) -> tuple[int, pd.DataFrame]:
    """Give the month that starts at a date, and who pays at its start."""
    month = truth.calendar.month_at(as_of)
    if month is None or month > truth.calendar.months:
        raise SourceError(
            f"The oracle knows the first days of the months from {FIRST_DAY:%Y-%m-%d}, not "
            f"{as_of:%Y-%m-%d}. Ask for one of those."
        )
    return month, truth.states[truth.states["month"] == month]


def _told(
    rows: pd.DataFrame, as_of: datetime, horizon: int, told: dict[str, Floats]
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "account_id": rows["account_id"].to_numpy(),
            "as_of": np.datetime64(as_of, "us"),
            "horizon_days": horizon,
            **told,
        }
    )


def _played(
    truth: Truth,
    rows: pd.DataFrame,
    month: int,
    question: str,
    horizons: Sequence[int],
    plays: int,
    seed: int,
) -> tuple[Floats, Floats]:
    """Play accounts forward.

    Returns
    -------
    The day of each play's first event from the month's start, shape (plays, rows), inf where none
    comes by the last horizon; and of expansion the MRR just before each horizon, shape (horizons,
    plays, rows).
    """
    traits = truth.traits.set_index("account_id").loc[rows["account_id"]]
    accounts = Accounts(**{f.name: _single(traits[f.name]) for f in fields(Accounts)})
    state = State(**{f.name: _single(rows[f.name]) for f in fields(State)})
    size = max(1, CELLS_AT_ONCE // max(len(rows), 1))
    rng = np.random.default_rng([seed, month, OUTCOMES.index(question)])
    chunks = [min(size, plays - done) for done in range(0, plays, size)]
    parts = [
        _play(truth, state, accounts, month, question, horizons, chunk, rng) for chunk in chunks
    ]
    days, levels = zip(*parts, strict=True)
    return np.concatenate(days), np.concatenate(levels, axis=1)


def _single(column: pd.Series) -> Any:  # noqa: ANN401 - floats, whole numbers or truth values
    values = column.to_numpy()
    return values.astype(np.float32) if values.dtype == np.float64 else values


def _play(
    truth: Truth,
    state: State,
    accounts: Accounts,
    month: int,
    question: str,
    horizons: Sequence[int],
    plays: int,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    cal, shape = truth.calendar, (plays, len(accounts))
    start = int(cal.starts[month])
    until = start + max(horizons) + (0 if question == "churn" else GRACE_DAYS)
    watch = _Watch.begin(question, state.mrr, shape, horizons)
    state = replace(
        state,
        **{f.name: np.broadcast_to(getattr(state, f.name), shape) for f in fields(State)},
    )
    bad_year = np.full((plays, 1), truth.bad_year[month])
    while cal.starts[month] < until:
        state, happened = step(state, accounts, truth.world, cal, month, bad_year, rng)
        bad_year = next_bad_year(truth.world, bad_year, rng)
        watch = watch.see(happened, start)
        month += 1
    return watch.first(int(cal.starts[month]) - start), watch.levels


@dataclass(frozen=True)
class _Watch:
    """Looks for the first event while months pass; arrays of shape (plays, accounts).

    Parameters
    ----------
    threshold
        MRR at which the change counts, at or above it (expansion) or at or below (contraction).
    since
        Day from which MRR has stood beyond the threshold; inf while it does not.
    found
        Day of the first event; inf while there was none.
    horizons
        Days at which the MRR is kept; none but for expansion.
    levels
        The MRR just before each of them, shape (horizons, plays, accounts).
    """

    question: str
    threshold: Floats
    since: Floats
    found: Floats
    horizons: tuple[int, ...]
    levels: Floats

    @classmethod
    def begin(
        cls, question: str, mrr: Floats, shape: tuple[int, int], horizons: Sequence[int]
    ) -> "_Watch":
        sign = -1 if question == "contraction" else 1
        threshold = mrr * (1 + sign * (CHANGE - TOLERANCE))
        never = np.full(shape, np.inf, dtype=np.float32)
        kept = tuple(horizons) if question == "expansion" else ()
        levels = np.broadcast_to(mrr.astype(np.float32), (len(kept), *shape))
        return cls(question, threshold, never, never, kept, levels)

    def see(self, month: Month, start: int) -> "_Watch":
        """Take in one month's changes of MRR, in order of time."""
        lost = np.where(month.leaving.left_on < NEVER, month.leaving.left_on - start, np.inf)
        if self.question == "churn":
            return replace(self, found=np.minimum(self.found, lost))
        bought, billed = month.buying.day - start, month.billing.day - start
        bought = np.where(month.buying.day < NEVER, bought, billed)
        between = np.where(lost < np.inf, 0, month.billing.mrr_between)
        watch = self.moved(np.minimum(bought, billed), between, lost)
        return watch.moved(np.maximum(bought, billed), month.billing.mrr_after, lost)

    def moved(self, day: Floats, mrr: Floats, lost: Floats) -> "_Watch":
        """Let MRR become this on a day; an event stands when it has held for the grace."""
        is_beyond = mrr >= self.threshold
        if self.question == "contraction":
            is_beyond = (mrr <= self.threshold) & (mrr > 0)
        day = np.minimum(day, lost)
        held = day - self.since >= GRACE_DAYS
        found = np.where(held & (self.since < self.found), self.since, self.found)
        since = np.where(is_beyond, np.minimum(self.since, day), np.inf)
        then = [
            np.where(day < horizon, mrr, level)
            for horizon, level in zip(self.horizons, self.levels, strict=True)
        ]
        levels = np.stack(then) if then else self.levels
        return replace(self, since=since, found=found, levels=levels)

    def first(self, end: int) -> Floats:
        """Give the first events' days, counting what has held for the grace at the end."""
        if self.question == "churn":
            return self.found
        held = end - self.since >= GRACE_DAYS
        return np.where(held, np.minimum(self.since, self.found), self.found)
