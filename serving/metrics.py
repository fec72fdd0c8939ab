"""What an operator measures: requests by route and status, never by path, account or person."""

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Metrics:
    """A registry of its own, so that nothing else's series are shown."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    requests: Counter = field(init=False)
    seconds: Histogram = field(init=False)
    scores_age: Gauge = field(init=False)

    def __post_init__(self) -> None:
        made = {
            "requests": Counter(
                "tenure_requests",
                "Requests answered.",
                ["route", "method", "status"],
                registry=self.registry,
            ),
            "seconds": Histogram(
                "tenure_request_seconds",
                "Time from request to answer.",
                ["route"],
                buckets=SECONDS,
                registry=self.registry,
            ),
            "scores_age": Gauge(
                "tenure_scores_age_hours",
                "Hours since the date of the scores in service; NaN before the first.",
                registry=self.registry,
            ),
        }
        for name, metric in made.items():
            object.__setattr__(self, name, metric)

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request; `route` is a template such as ``/v1/accounts/{id}``."""
        known = method if method in METHODS else "other"
        self.requests.labels(route, known, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Give all series in Prometheus' text format."""
        return generate_latest(self.registry)
