"""A client that a generator makes from the document of a running service, used against it."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from features.home import Home
from serving.settings import Settings

if TYPE_CHECKING:
    from tests.serving.conftest import Served

PACKAGE = "tenure_client"
ROW = {
    "usage__active_users__28d": 2.0,
    "support__open_tickets": 4.0,
    "lifecycle__days_to_term_end": 30.0,
    "lifecycle__term_months": None,
}


@pytest.fixture(scope="module")
def served_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=Home(tmp_path_factory.mktemp("home")), requests_at_once=1_000_000)


@pytest.fixture(scope="module")
def generated(served: "Served", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Fetch the document, and generate a package from it that can be imported."""
    folder = tmp_path_factory.mktemp("generated")
    with served.client("read") as client:
        (folder / "openapi.json").write_bytes(client.get("/openapi.json").content)
    (folder / "config.yaml").write_text("post_hooks: []\n")
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning"]
    command += ["--path", "openapi.json", "--config", "config.yaml", "--meta", "none"]
    command += ["--output-path", PACKAGE]
    made = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    sys.path.insert(0, str(folder))
    invalidate_caches()
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def client(served: "Served", generated: Path) -> Iterator[Any]:
    assert generated.is_dir()
    made = import_module(f"{PACKAGE}.client")
    token = served.token("score", "read", "feedback", "predict")
    with made.AuthenticatedClient(
        base_url=served.url, token=token, verify_ssl=served.tls, raise_on_unexpected_status=True
    ) as opened:
        yield opened


def call(name: str) -> Any:
    return import_module(f"{PACKAGE}.api.calls.{name}")


def models() -> Any:
    return import_module(f"{PACKAGE}.models")


def test_it_gets_scores(client: Any) -> None:
    asked = models().ScoresRequest(account_ids=["acme", "quit", "nobody"], horizons=[90])
    answer = call("get_scores").sync(client=client, body=asked)
    acme, left = answer.accounts
    assert answer.unknown_account_ids == ["nobody"]
    assert answer.as_of == datetime(2026, 3, 2, tzinfo=UTC)
    assert (acme.account_id, acme.status) == ("acme", "scored")
    assert [(model.model, len(model.horizons)) for model in acme.models] == [
        ("churn", 1),
        ("expansion", 1),
    ]
    assert 0 < acme.models[0].horizons[0].probability < 1
    assert acme.models[0].horizons[0].reasons[0].text
    assert acme.renewal.renewal_date == date(2026, 4, 1)
    assert (left.status, left.models[0].horizons[0].probability) == ("leaving", None)


def test_it_predicts(client: Any) -> None:
    rows = [models().PredictRequestRowsItem.from_dict(ROW)]
    asked = models().PredictRequest(model="churn", rows=rows, reasons=1)
    answer = call("predict").sync(client=client, body=asked)
    (row,) = answer.rows
    assert [score.horizon_days for score in row.horizons] == [30, 90]
    assert row.horizons[1].reasons[0].feature == "usage__active_users__28d"


def test_it_reads_an_account_the_work_list_and_the_models(client: Any) -> None:
    acme = call("get_account").sync(account_id="acme", client=client)
    assert (acme.name, acme.contract.notice_deadline) == ("Acme Ltd", date(2026, 3, 17))
    page = call("get_work_list").sync(client=client, tier="tech", limit=1)
    rest = call("get_work_list").sync(client=client, cursor=page.next_cursor, tier="tech")
    assert {entry.account_id for entry in page.accounts + rest.accounts} == {"dune", "evil"}
    assert [model.model for model in call("get_models").sync(client=client).models] == [
        "churn",
        "expansion",
    ]


def test_it_records_feedback_once(client: Any) -> None:
    told = models().FeedbackRequest(
        account_id="acme",
        kind=models().FeedbackRequestKind.CONTACTED,
        idempotency_key="generated",
        note="Eva",
    )
    first, again = (call("record_feedback").sync(client=client, body=told) for _ in range(2))
    assert first == again
    assert (first.note, first.recorded_at.tzinfo) == ("Eva", UTC)


def test_an_error_is_read_as_the_described_type(client: Any) -> None:
    asked = models().ScoresRequest(account_ids=["acme", "acme"])
    refused = call("get_scores").sync_detailed(client=client, body=asked)
    assert refused.status_code == 422
    assert isinstance(refused.parsed, models().ErrorAnswer)
    assert refused.parsed.error.details[0].field == "account_ids"


def test_operators_routes_are_in_it(client: Any) -> None:
    health = import_module(f"{PACKAGE}.api.operation.get_health").sync(client=client)
    assert health.as_of == datetime(2026, 3, 2, tzinfo=UTC)
    alive = import_module(f"{PACKAGE}.api.operation.is_alive").sync(client=client)
    assert alive.status == "alive"
