"""The files of docs/deploy against the code: every metric, limit and time that they name."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from serving.api.body import MOST_BYTES
from serving.api.limits import MOST_CONNECTIONS
from serving.api.readiness import PARTS
from serving.metrics import CODES, STATUSES, Metrics, Now
from serving.server import KEEP_ALIVE_SECONDS
from serving.workers import PATIENCE_SECONDS

DOCS = Path(__file__).resolve().parents[2] / "docs"
DEPLOY = DOCS / "deploy"
REQUEST_SECONDS = 60  # as the guard has it


def given() -> dict[str, set[str]]:
    """Give the samples of a service that has counted something, and their labels."""
    metrics = Metrics(parts=PARTS)
    metrics.count("closed", 401, "unauthorized", 0.01)
    text = metrics.text(Now(1.0, {"churn": "1"})).decode()
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    return {one.name: set(one.labels) for one in samples}


def rules() -> list[dict[str, object]]:
    groups = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> Iterator[str]:
    yield from (str(rule["expr"]) for rule in rules())
    panels = json.loads((DEPLOY / "grafana.json").read_text())["panels"]
    yield from (target["expr"] for panel in panels for target in panel["targets"])


@pytest.mark.parametrize("expression", [*expressions()])
def test_every_metric_and_label_that_is_asked_for_is_given(expression: str) -> None:
    samples = given()
    asked = set(re.findall(r"\btenure_\w+", expression))
    labels = {one for name in asked for one in samples[name]}
    wanted = set(re.findall(r"(\w+)=~?\"", expression))
    for listed in re.findall(r"\bby \(([^)]*)\)", expression):
        wanted |= set(re.split(r",\s*", listed))
    assert wanted <= labels | {"job"}
    assert asked or expression == 'up{job="tenure"} == 0'


def test_every_metric_that_is_given_is_shown_and_described() -> None:
    names = {re.sub(r"_(bucket|count|sum)$", "", name) for name in given()}
    described = (DOCS / "deploy.md").read_text()
    shown = (DEPLOY / "grafana.json").read_text()
    assert {name for name in names if f"`{name}`" not in described} == set()
    assert {name for name in names if name not in shown} == set()


def test_the_codes_and_statuses_that_alerts_look_for_are_ours() -> None:
    asked = "\n".join(expressions())
    assert set(re.findall(r'code="(\w+)"', asked)) <= set(CODES)
    for pattern in re.findall(r'status=~"([^"]+)"', asked):
        assert set(pattern.split("|")) <= set(STATUSES)


def test_each_rule_says_what_to_do() -> None:
    assert all({"summary", "action"} <= set(rule["annotations"]) for rule in rules())
    assert len({rule["alert"] for rule in rules()}) == len(rules())


def test_a_metric_that_nobody_gives_is_found() -> None:
    with pytest.raises(KeyError):
        test_every_metric_and_label_that_is_asked_for_is_given("rate(tenure_request_total[5m])")
    with pytest.raises(AssertionError):
        test_every_metric_and_label_that_is_asked_for_is_given("sum by (path) (tenure_workers)")


def directives() -> dict[str, str]:
    text = re.sub(r"#.*", "", (DEPLOY / "nginx.conf").read_text())
    assert text.count("{") == text.count("}")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    assert all(line.endswith((";", "{", "}")) for line in lines)
    named = [line.rstrip(";").partition(" ") for line in lines if line.endswith(";")]
    return {name: value.strip() for name, _, value in named}


def test_the_proxy_fits_the_service() -> None:
    found = directives()
    assert found["client_max_body_size"] == f"{MOST_BYTES // 2**20}m"
    assert int(found["proxy_read_timeout"].rstrip("s")) > REQUEST_SECONDS
    assert "keepalive_timeout 15s;" in (DEPLOY / "nginx.conf").read_text()
    assert KEEP_ALIVE_SECONDS > 15  # or the proxy sends on a connection that is being closed
    assert int(found["keepalive"]) < MOST_CONNECTIONS
    assert found["proxy_request_buffering"] == "on"
    assert "X-Forwarded-For $remote_addr" in (DEPLOY / "nginx.conf").read_text()


def test_systemd_waits_for_what_is_being_answered() -> None:
    unit = (DEPLOY / "tenure.service").read_text()
    told = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert told is not None
    assert int(told[1]) > PATIENCE_SECONDS
    assert "KillMode=mixed" in unit
