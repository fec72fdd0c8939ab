"""What is counted: added up over workers, kept of one that died, and bounded."""

import re
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.metrics import AS_OF, CODES, IN_FLIGHT, IS_UP, MOST_ROUTES, STATUSES, Metrics, Now

if TYPE_CHECKING:
    from tests.serving.conftest import Served


def samples(metrics: Metrics, now: Now | None = None) -> dict[tuple[str, str], float]:
    """Read the text as Prometheus does: value by name and labels."""
    families = text_string_to_metric_families(metrics.text(now or Now(None)).decode())
    return {
        (one.name, ",".join(f"{key}={one.labels[key]}" for key in sorted(one.labels))): one.value
        for family in families
        for one in family.samples
    }


@pytest.fixture
def two() -> Metrics:
    made = Metrics(workers=2, parts=("store", "models"))
    made.declare(["/a", "/b"])
    return made


def test_workers_are_added_up(two: Metrics) -> None:
    for number, times in ((0, 3), (1, 4)):
        two.become(number)
        two.put(IS_UP, 1)
        two.add(IN_FLIGHT, times)
        for _ in range(times):
            two.count("/a", 200, None, 0.02)
    found = samples(two)
    assert found["tenure_requests_total", "route=/a,status=200"] == 7
    assert found["tenure_requests_in_flight", ""] == 7
    assert found["tenure_workers", ""] == 2
    assert found["tenure_request_seconds_count", "route=/a"] == 7
    assert found["tenure_request_seconds_sum", "route=/a"] == pytest.approx(0.14)


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.0011, 10.0, 11.0])
def test_a_duration_is_in_every_bucket_that_is_as_long(two: Metrics, seconds: float) -> None:
    two.count("/b", 200, None, seconds)
    buckets = {
        float(labels.partition(",")[0].removeprefix("le=")): value
        for (name, labels), value in samples(two).items()
        if name == "tenure_request_seconds_bucket"
    }
    assert buckets == {edge: float(seconds <= edge) for edge in buckets}


def test_of_a_worker_that_died_only_what_it_counted_stays(two: Metrics) -> None:
    two.become(1)
    for cell in (IS_UP, IN_FLIGHT, AS_OF):
        two.put(cell, 5)
    two.count("/a", 503, "overloaded", 0.1)
    two.has_ended(1)
    found = samples(two)
    assert (two.oldest_as_of(), found["tenure_requests_in_flight", ""]) == (None, 0)
    assert found["tenure_refusals_total", "code=overloaded"] == 1


def test_the_age_is_of_the_worker_that_is_furthest_behind(two: Metrics) -> None:
    for number, as_of in ((0, 300.0), (1, 200.0)):
        two.become(number)
        two.put(AS_OF, as_of)
    assert two.oldest_as_of() == 200


def test_what_is_missing_and_in_service_is_told_by_name(two: Metrics) -> None:
    found = samples(two, Now(3.5, {"churn": "7"}, ["store"]))
    assert found["tenure_part_missing", "part=store"] == 1
    assert found["tenure_part_missing", "part=models"] == 0
    assert found["tenure_model_info", "model=churn,version=7"] == 1
    assert found["tenure_scores_age_hours", ""] == 3.5


def test_whatever_is_counted_there_are_no_more_series(two: Metrics) -> None:
    for number in range(1000):
        two.count(f"/{number}", 100 + number, f"code {number}", 1.0)
    found = samples(two)
    assert found["tenure_refusals_total", "code=other"] == 1000
    routes = {labels for name, labels in found if name == "tenure_requests_total"}
    assert len(routes) <= len(STATUSES)
    many = Metrics()
    many.declare([f"/{number}" for number in range(1000)])
    for number in range(1000):
        many.count(f"/{number}", 200, None, 1.0)
    assert len({labels for name, labels in samples(many) if "total" in name}) <= (
        MOST_ROUTES + len(CODES) + 1
    )


def test_the_interfaces_routes_are_all_told_apart(served: "Served", service: ModuleType) -> None:
    parts = served.parts
    routes = [route.path for route in service.build_app(parts).routes]
    for route in routes:
        parts.metrics.count(route, 200, None, 0.0)
    text = parts.metrics.text(Now(None)).decode()
    assert {route for route in routes if f'route="{route}"' not in text} == set()
    assert 'route="other"' not in text


def test_every_code_of_an_error_has_a_series(served: "Served") -> None:
    with served.client("admin") as client:
        described = client.get("/openapi.json").text
        found = set(re.findall(r'"code": ?"([a-z_]+)"', described))
    assert "unauthorized" in found
    assert found <= set(CODES)
