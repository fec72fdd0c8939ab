"""What the service says of itself: its models and its health."""

from typing import TYPE_CHECKING

import httpx
import msgspec
import pytest

from serving.api import schema

if TYPE_CHECKING:
    from tests.serving.conftest import Served


def test_models_say_what_they_were_trained_on(client: httpx.Client) -> None:
    churn = client.get("/v1/models").json()["models"][0]
    assert (churn["model"], churn["model_version"]) == ("churn", "1")
    assert (churn["trained_on_from"], churn["trained_on_to"]) == ("2024-01-01", "2025-09-01")
    assert churn["base_rates"] == {"30": 0.1, "90": 0.2}
    assert churn["features"] == [
        "usage__active_users__28d",
        "support__open_tickets",
        "lifecycle__days_to_term_end",
        "lifecycle__term_months",
    ]
    assert churn["about"] == {"metrics": {"auc": 0.71}}


def test_health_says_the_age_of_the_scores(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {
        "status": "ok",
        "as_of": "2026-03-02T00:00:00Z",
        "age_hours": 36.0,
        "model_versions": {"churn": "1", "expansion": "1"},
        "problem": None,
        "missing": [],
        "workers": 1,
    }
    assert "tenure_scores_age_hours 36.0" in client.get("/metrics").text


def test_the_first_day_is_alive_and_not_ready(unscored: "Served") -> None:
    with unscored.client("admin") as client:
        assert client.get("/livez").status_code == 200
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").json()["status"] == "not_ready"
        response = client.post("/v1/scores", json={"account_ids": ["acme"]})
        assert (response.status_code, response.json()["error"]["code"]) == (503, "not_ready")
        assert "tenure score" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/worklist", schema.WorklistAnswer),
        ("/v1/accounts/acme", schema.AccountAnswer),
        ("/v1/accounts/quit", schema.AccountAnswer),
        ("/v1/models", schema.ModelsAnswer),
        ("/healthz", schema.HealthAnswer),
        ("/readyz", schema.ProbeAnswer),
        ("/nothing", schema.ErrorAnswer),
    ],
)
def test_an_answer_has_the_type_that_is_described(
    client: httpx.Client, path: str, kind: type
) -> None:
    assert isinstance(msgspec.json.decode(client.get(path).content, type=kind), kind)
