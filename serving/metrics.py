"""What an operator measures: by route template, status and code, never by path, account or person.

All workers count in memory that they share, each in a row of its own, so that any of them can
answer for all, and what a worker counted stays when it is killed.
"""

import mmap
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
OTHER = "other"
STATUSES = (
    *("200", "303", "400", "401", "403", "404", "405", "409", "413", "415", "422", "429", "499"),
    *("500", "503", "504", OTHER),
)
CODES = (
    *("invalid_json", "invalid_form", "unauthorized", "forbidden", "not_found"),
    *("method_not_allowed", "idempotency_key_reused", "too_large", "unsupported_media_type"),
    *("invalid", "too_many_requests", "overloaded", "internal", "not_ready", "too_old"),
    *("store_unavailable", "audit_unavailable", "timeout", OTHER),
)
NO_ROUTE = ("closed", "limited", "overloaded", "unmatched", OTHER)
MOST_ROUTES = 40
CELL_BYTES = 8

IS_UP, BEATS, STARTS, IN_FLIGHT, PUBLICATION, AS_OF = range(6)
OF_ONE_LIFE = (IS_UP, IN_FLIGHT, PUBLICATION, AS_OF)
REQUESTS = 6
REFUSALS = REQUESTS + MOST_ROUTES * len(STATUSES)
BUCKETS = REFUSALS + len(CODES)
OF_ROUTE = len(SECONDS) + 2  # a cell for each bucket, one for what is slower, and the sum
CELLS = BUCKETS + MOST_ROUTES * OF_ROUTE
STATUS_PLACE = MappingProxyType({status: place for place, status in enumerate(STATUSES)})
LAST_STATUS = STATUS_PLACE[OTHER]
CODE_PLACE = MappingProxyType({code: place for place, code in enumerate(CODES)})
LAST_CODE = CODE_PLACE[OTHER]


@dataclass(frozen=True)
class Now:
    """What only holds at this moment, told by the worker that is asked.

    Attributes
    ----------
    age_hours:
        Hours since the date of the scores in service, by the worker that is furthest behind.
    versions:
        Versions of the models in service, by model.
    missing:
        Parts of the service that are not there.
    """

    age_hours: float | None
    versions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    missing: Sequence[str] = ()


@dataclass
class Metrics:
    """The counts of all workers, and the row of this one; made before the workers are.

    Attributes
    ----------
    workers:
        How many rows there are.
    number:
        Which of them is this worker's, from 0.
    parts:
        The names of what can be missing.
    """

    workers: int = 1
    number: int = 0
    parts: tuple[str, ...] = ()
    _memory: mmap.mmap = field(init=False, repr=False)
    _cells: "memoryview[float]" = field(init=False, repr=False)
    _place: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._memory = mmap.mmap(-1, self.workers * CELLS * CELL_BYTES)
        self.declare(())
        self.become(self.number)

    def become(self, number: int) -> None:
        """Count in the row of a worker from now on."""
        self.number = number
        row = slice(number * CELLS, (number + 1) * CELLS)
        self._cells = memoryview(self._memory).cast("d")[row]

    def declare(self, routes: Sequence[str]) -> None:
        """Name the route templates that are told apart, in the same order in each worker."""
        told_apart = (*NO_ROUTE, *dict.fromkeys(routes))[:MOST_ROUTES]
        self._place = {route: place for place, route in enumerate(told_apart)}

    @property
    def _rows(self) -> NDArray[np.float64]:
        return np.frombuffer(self._memory).reshape(self.workers, CELLS)

    def count(self, route: str, status: int, code: str | None, seconds: float) -> None:
        """Count one answered request; `route` is a template such as ``/v1/accounts/{id}``."""
        cells = self._cells
        place = self._place.get(route, NO_ROUTE.index(OTHER))
        cells[REQUESTS + place * len(STATUSES) + STATUS_PLACE.get(str(status), LAST_STATUS)] += 1
        of_route = BUCKETS + place * OF_ROUTE
        cells[of_route + bisect_left(SECONDS, seconds)] += 1
        cells[of_route + OF_ROUTE - 1] += seconds
        if code is not None:
            cells[REFUSALS + CODE_PLACE.get(code, LAST_CODE)] += 1

    def add(self, cell: int, amount: float = 1.0) -> None:
        """Add to one of this worker's cells, such as `IN_FLIGHT`."""
        self._cells[cell] += amount

    def put(self, cell: int, value: float) -> None:
        """Set one of this worker's cells, such as `IS_UP`."""
        self._cells[cell] = value

    def of(self, number: int, cell: int) -> float:
        """Give a cell of any worker."""
        return float(self._rows[number, cell])

    def has_started(self, number: int) -> None:
        """Count a worker that was started."""
        self._rows[number, STARTS] += 1

    def has_ended(self, number: int) -> None:
        """Take back what was true only while a worker lived; what it counted stays."""
        self._rows[number, list(OF_ONE_LIFE)] = 0.0

    def alive(self) -> int:
        """Give how many workers are up."""
        return int(self._rows[:, IS_UP].sum())

    def oldest_as_of(self) -> float | None:
        """Give the oldest date in service in any worker, in seconds since 1970; None: nowhere."""
        dates = self._rows[:, AS_OF]
        found = dates[dates > 0]
        return float(found.min()) if len(found) else None

    def text(self, now: Now) -> bytes:
        """Give all series in Prometheus' text format, added up over the workers."""
        registry = CollectorRegistry()
        registry.register(_Collected([*self._counted(), *self._of_workers(), *_told(now, self)]))
        return generate_latest(registry)

    def _counted(self) -> Iterator[Metric]:
        totals = self._rows.sum(axis=0)
        requests = CounterMetricFamily(
            "tenure_requests", "Requests answered.", labels=["route", "status"]
        )
        seconds = HistogramMetricFamily(
            "tenure_request_seconds", "Time from request to answer.", labels=["route"]
        )
        for route, place in self._place.items():
            by_status = totals[REQUESTS + place * len(STATUSES) :][: len(STATUSES)]
            for status, number in zip(STATUSES, by_status, strict=True):
                if number:
                    requests.add_metric([route, status], float(number))
            cells = totals[BUCKETS + place * OF_ROUTE :][:OF_ROUTE]
            below = np.cumsum(cells[:-1])
            if below[-1]:
                edges = [*map(str, SECONDS), "+Inf"]
                seconds.add_metric(
                    [route], list(zip(edges, below.tolist(), strict=True)), float(cells[-1])
                )
        refusals = CounterMetricFamily(
            "tenure_refusals", "Requests answered with an error, by its code.", labels=["code"]
        )
        for code, number in zip(CODES, totals[REFUSALS : REFUSALS + len(CODES)], strict=True):
            refusals.add_metric([code], float(number))
        yield from (requests, seconds, refusals)

    def _of_workers(self) -> Iterator[Metric]:
        rows = self._rows
        yield GaugeMetricFamily(
            "tenure_requests_in_flight",
            "Requests being answered.",
            value=float(rows[:, IN_FLIGHT].sum()),
        )
        yield GaugeMetricFamily("tenure_workers", "Workers that are up.", value=self.alive())
        yield CounterMetricFamily(
            "tenure_worker_starts",
            "Workers started; more than there are: some had to be replaced.",
            value=float(rows[:, STARTS].sum()),
        )
        publication = GaugeMetricFamily(
            "tenure_publication",
            "Number of the publication in service, by worker; 0 before the first.",
            labels=["worker"],
        )
        for number, row in enumerate(rows):
            publication.add_metric([str(number)], float(row[PUBLICATION]))
        yield publication


def _told(now: Now, metrics: Metrics) -> Iterator[Metric]:
    """Give what holds at this moment."""
    yield GaugeMetricFamily(
        "tenure_scores_age_hours",
        "Hours since the date of the scores in service; NaN before the first.",
        value=float("nan") if now.age_hours is None else now.age_hours,
    )
    models = GaugeMetricFamily(
        "tenure_model_info",
        "1 for each model in service, with its version.",
        labels=["model", "version"],
    )
    for model, version in sorted(now.versions.items()):
        models.add_metric([model, version], 1.0)
    missing = GaugeMetricFamily(
        "tenure_part_missing",
        "1 while a part of the service is not there, 0 while it is.",
        labels=["part"],
    )
    for part in metrics.parts:
        missing.add_metric([part], float(part in now.missing))
    yield from (models, missing)


@dataclass(frozen=True, eq=False)
class _Collected:
    """What Prometheus' writer asks for metrics."""

    metrics: Sequence[Metric]

    def collect(self) -> Sequence[Metric]:
        return self.metrics
