"""The charts of an account's page: probability by horizon, scores by date, and the time line."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from serving.pages.curve import Chart, Mark, Scale, top_for
from serving.store.account_page import Event
from serving.store.lookup import Row

MODELS = ("churn", "expansion")
LANES: Mapping[str, tuple[str, ...]] = {
    "tickets": ("ticket", "escalation"),
    "incidents": ("incident",),
    "invoices": ("invoice", "failed_payment"),
    "people": ("person_came", "person_left"),
    "touches": ("touch",),
}
"""What stands in a row of its own below the use."""
WEEK = timedelta(days=7)
USE_BOTTOM, LANE_TOP, LANE_STEP = 90, 112, 20
LANE_LEFT = 96


@dataclass(frozen=True)
class Lane:
    """One kind of events: its name, its height on the page, and their places from left to right."""

    name: str
    y: float
    xs: tuple[float, ...]


@dataclass(frozen=True)
class TimeLine:
    """Use by week, and events in lanes below it, on one scale of days."""

    first: date
    last: date
    use: str
    most: int
    lanes: tuple[Lane, ...]


def by_horizon(rows: Sequence[Row], renews_in_days: int | None, renewal: str) -> Chart | None:
    """Lay out the probabilities by horizon; None where nothing was scored.

    Parameters
    ----------
    rows
        Scores of one account, as the store has them.
    renews_in_days
        Where the renewal is marked; one that lies beyond the longest horizon is not.
    renewal
        What the mark says.
    """
    scored = [row for row in rows if row["probability"] is not None]
    if not scored:
        return None
    days = sorted({row["horizon_days"] for row in scored})
    scale = Scale(0, days[-1], top_for([row["probability"] for row in scored]))
    lines = []
    for model in MODELS:
        own = [(row["horizon_days"], row["probability"]) for row in scored if row["model"] == model]
        if own:
            lines.append(scale.line(model, [(0, 0), *sorted(own)]))
    is_inside = renews_in_days is not None and 0 <= renews_in_days <= days[-1]
    marks = (Mark(scale.x(renews_in_days or 0), renewal),) if is_inside else ()
    xs = tuple((scale.x(each), str(each)) for each in days)
    return Chart(tuple(lines), xs, scale.tops(), marks)


def by_date(past: Sequence[Row], changed: str) -> Chart | None:
    """Lay out past scores, the oldest first; None where fewer than two dates were scored.

    A line ends where the model's version changes: scores of two models are not joined. `changed`
    is what the mark between them says.
    """
    scored = [row for row in past if row["probability"] is not None]
    dates = sorted({row["as_of"] for row in scored})
    if len(dates) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    shares = [row["probability"] for row in scored]
    scale = Scale(_day(dates[0]), _day(dates[-1]), top_for(shares))
    lines = []
    for model in MODELS:
        for stretch in _stretches(row for row in scored if row["model"] == model):
            points = [(_day(row["as_of"]), row["probability"]) for row in stretch]
            lines.append(scale.line(model, points))
    marks = [Mark(scale.x(_day(row["as_of"])), changed) for row in version_changes(scored)]
    xs = tuple((scale.x(_day(each)), f"{each:%Y-%m-%d}") for each in (dates[0], dates[-1]))
    return Chart(tuple(lines), xs, scale.tops(), tuple(marks))


def version_changes(past: Iterable[Row]) -> list[Row]:
    """Give the first score of each model by another version than its score before."""
    kept = list(past)
    own = ([row for row in kept if row["model"] == model] for model in MODELS)
    return [
        after
        for rows in own
        for before, after in pairwise(rows)
        if before["model_version"] != after["model_version"]
    ]


def _stretches(rows: Iterable[Row]) -> list[list[Row]]:
    """Part scores, the oldest first, where the model's version changes."""
    found: list[list[Row]] = []
    for row in rows:
        if not found or found[-1][-1]["model_version"] != row["model_version"]:
            found.append([])
        found[-1].append(row)
    return found


def time_line(
    as_of: datetime, weeks: Sequence[int], events: Iterable[Event], absent: Iterable[str]
) -> TimeLine | None:
    """Lay out use by week and the events of those weeks; None where there are neither.

    Parameters
    ----------
    weeks
        Events of each week up to `as_of`, the oldest first; none where there is no log of use.
    absent
        The lanes whose tables the source lacks: they are not drawn, for nothing is known of them.
    """
    count = len(weeks) or 26
    last = as_of.date()
    first = last - count * WEEK
    inside = [event for event in events if event.at >= first]
    if not weeks and not inside:
        return None
    days, most = (last - first).days, max([*weeks, 1])
    use = Scale(0, count, most, LANE_LEFT, USE_BOTTOM)
    middles = [(place + 0.5, week) for place, week in enumerate(weeks)]
    scale = Scale(0, days, 1, LANE_LEFT)
    left = {
        name: tuple(scale.x((event.at - first).days) for event in inside if event.kind in kinds)
        for name, kinds in LANES.items()
        if name not in set(absent)
    }
    lanes = (
        Lane(name, LANE_TOP + at * LANE_STEP, xs) for at, (name, xs) in enumerate(left.items())
    )
    points = use.line("use", middles).points if weeks else ""
    return TimeLine(first, last, points, most if weeks else 0, tuple(lanes))


def _day(moment: datetime) -> int:
    return moment.toordinal()
