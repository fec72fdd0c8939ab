"""The calls of the interface over a real socket, and what each of them refuses."""

import base64
import json
from typing import Any

import httpx
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.bundle import Bundle

JSON = {"content-type": "application/json"}
ROW = {
    "usage__active_users__28d": 2.0,
    "support__open_tickets": 4.0,
    "lifecycle__days_to_term_end": 30.0,
    "lifecycle__term_months": 12.0,
}


def error_of(response: httpx.Response) -> tuple[int, str]:
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "details", "request_id"}
    assert "Traceback" not in response.text
    return response.status_code, body["error"]["code"]


# Scores


def test_scores_are_given_in_the_order_asked_for(client: httpx.Client) -> None:
    body = client.post("/v1/scores", json={"account_ids": ["dune", "acme"]}).json()
    assert [account["account_id"] for account in body["accounts"]] == ["dune", "acme"]
    assert body["as_of"] == "2026-03-02T00:00:00Z"
    assert body["age_hours"] == 36.0


def test_an_account_has_probability_band_and_reasons_of_each_model_and_horizon(
    client: httpx.Client, bundles: dict[str, Bundle], table: pd.DataFrame
) -> None:
    body = client.post("/v1/scores", json={"account_ids": ["acme"]}).json()
    churn, expansion = body["accounts"][0]["models"]
    assert (churn["model"], churn["model_version"]) == ("churn", "1")
    assert [score["horizon_days"] for score in churn["horizons"]] == [30, 90]
    expected = bundles["churn"].probabilities(table[table["account_id"] == "acme"])[0]
    assert [score["probability"] for score in churn["horizons"]] == pytest.approx(list(expected))
    assert churn["horizons"][1]["reasons"][0]["feature"] == "usage__active_users__28d"
    assert expansion["horizons"][1]["expected_added_mrr"] == pytest.approx(
        expansion["horizons"][1]["probability"] * 0.25 * 1000
    )


def test_unknown_accounts_are_listed_and_the_rest_is_answered(client: httpx.Client) -> None:
    body = client.post("/v1/scores", json={"account_ids": ["nobody", "acme", "x\n"]}).json()
    assert body["unknown_account_ids"] == ["nobody", "x\n"]
    assert [account["account_id"] for account in body["accounts"]] == ["acme"]


@pytest.mark.parametrize(
    ("account_id", "status"), [("quit", "leaving"), ("gone", "inactive"), ("newt", "no_data")]
)
def test_an_account_that_is_not_scored_says_why_and_has_no_probability(
    client: httpx.Client, account_id: str, status: str
) -> None:
    account = client.post("/v1/scores", json={"account_ids": [account_id]}).json()["accounts"][0]
    assert account["status"] == status
    given = {(s["probability"], s["band"]) for m in account["models"] for s in m["horizons"]}
    assert given == {(None, None)}


def test_models_horizons_and_reasons_can_be_chosen(client: httpx.Client) -> None:
    asked = {"account_ids": ["acme"], "models": ["churn"], "horizons": [90], "reasons": 1}
    (model,) = client.post("/v1/scores", json=asked).json()["accounts"][0]["models"]
    assert model["model"] == "churn"
    assert [(s["horizon_days"], len(s["reasons"])) for s in model["horizons"]] == [(90, 1)]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "body"),
        ({"account_ids": []}, "account_ids"),
        ({"account_ids": "acme"}, "account_ids"),
        ({"account_ids": [1]}, "account_ids[0]"),
        ({"account_ids": [""]}, "account_ids[0]"),
        ({"account_ids": ["a\u0000"]}, "account_ids[0]"),
        ({"account_ids": ["acme", "acme"]}, "account_ids"),
        ({"account_ids": [str(number) for number in range(1001)]}, "account_ids"),
        ({"account_ids": ["acme"], "extra": 1}, "extra"),
        ({"account_ids": ["acme"], "reasons": 11}, "reasons"),
        ({"account_ids": ["acme"], "reasons": True}, "reasons"),
        ({"account_ids": ["acme"], "models": ["weather"]}, "models"),
        ({"account_ids": ["acme"], "horizons": [31]}, "horizons"),
        ({"account_ids": ["acme"], "horizons": [90, 90]}, "horizons"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(
    client: httpx.Client, asked: dict[str, Any], field: str
) -> None:
    response = client.post("/v1/scores", json=asked)
    assert error_of(response) == (422, "invalid")
    assert response.json()["error"]["details"][0]["field"] == field


def test_a_thousand_accounts_are_answered_at_once(client: httpx.Client) -> None:
    asked = ["acme", *[f"nobody {number}" for number in range(999)]]
    body = client.post("/v1/scores", json={"account_ids": asked}).json()
    assert (len(body["accounts"]), len(body["unknown_account_ids"])) == (1, 999)


# Bodies


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"account_ids": ["\\ud800"]}',
        b"[" * 200_000,
        b'{"account_ids":' + b"[" * 200_000,
        b'{"account_ids": ["acme"], "reasons": NaN}',
        b'{"account_ids": ["acme"]} x',
    ],
    ids=["empty", "cut", "no text", "half a letter", "deep", "deep field", "NaN", "two values"],
)
def test_what_is_no_json_is_refused(client: httpx.Client, content: bytes) -> None:
    response = client.post("/v1/scores", content=content, headers=JSON)
    assert error_of(response) in {(400, "invalid_json"), (422, "invalid")}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1e300"])
def test_a_number_that_is_not_finite_is_refused(client: httpx.Client, number: str) -> None:
    row = json.dumps(ROW).replace("4.0", number)
    content = f'{{"model": "churn", "rows": [{row}]}}'.encode()
    response = client.post("/v1/predict", content=content, headers=JSON)
    assert response.status_code in {400, 422}
    assert error_of(response)[1] in {"invalid_json", "invalid"}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_it_says_that_nan_and_infinity_are_not_json(client: httpx.Client, number: str) -> None:
    content = f'{{"account_ids": ["acme"], "reasons": {number}}}'.encode()
    response = client.post("/v1/scores", content=content, headers=JSON)
    assert error_of(response) == (400, "invalid_json")
    assert "NaN and Infinity are not JSON" in response.json()["error"]["message"]


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_media_type_is_refused(client: httpx.Client, media_type: str) -> None:
    content = b'{"account_ids": ["acme"]}'
    response = client.post("/v1/scores", content=content, headers={"content-type": media_type})
    assert error_of(response) == (415, "unsupported_media_type")


def test_a_body_that_declares_too_much_is_refused(client: httpx.Client) -> None:
    response = client.post("/v1/scores", content=b" " * (1024 * 1024 + 1), headers=JSON)
    assert error_of(response) == (413, "too_large")


def test_a_chunked_body_that_grows_too_large_is_refused(client: httpx.Client) -> None:
    response = client.post("/v1/scores", content=(b" " * 65536 for _ in range(17)), headers=JSON)
    assert error_of(response) == (413, "too_large")


def test_a_body_of_exactly_the_limit_is_read(client: httpx.Client) -> None:
    content = b'{"account_ids": ["acme"]}'.ljust(1024 * 1024)
    assert client.post("/v1/scores", content=content, headers=JSON).status_code == 200


FIELDS = ["account_ids", "models", "horizons", "reasons", "model", "rows", "kind", "note", *ROW]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(call=st.sampled_from(["scores", "predict", "feedback"]), value=VALUES)
def test_no_json_at_all_makes_it_fail(client: httpx.Client, call: str, value: object) -> None:
    response = client.post(f"/v1/{call}", content=json.dumps(value), headers=JSON)
    assert response.status_code < 500


# Predictions


def test_a_given_row_is_scored_as_the_model_scores_it(
    client: httpx.Client, bundles: dict[str, Bundle], table: pd.DataFrame
) -> None:
    body = client.post("/v1/predict", json={"model": "churn", "rows": [ROW]}).json()
    expected = bundles["churn"].probabilities(table[table["account_id"] == "acme"])[0]
    found = body["rows"][0]["horizons"]
    assert [score["probability"] for score in found] == pytest.approx(list(expected))
    assert body["model_version"] == "1"
    assert found[1]["reasons"][0]["feature"] == "usage__active_users__28d"


def test_the_order_of_the_features_changes_nothing(client: httpx.Client) -> None:
    backwards = dict(reversed(ROW.items()))
    one, other = (
        client.post("/v1/predict", json={"model": "churn", "rows": [row]}).json()
        for row in (ROW, backwards)
    )
    assert one == other


def test_null_is_a_feature_without_history(client: httpx.Client) -> None:
    row = {**ROW, "usage__active_users__28d": None}
    body = client.post("/v1/predict", json={"model": "churn", "rows": [row], "reasons": 0}).json()
    assert 0 < body["rows"][0]["horizons"][0]["probability"] < 1
    assert body["rows"][0]["horizons"][0]["reasons"] == []


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({k: v for k, v in ROW.items() if k != "support__open_tickets"}, "support__open_tickets"),
        ({**ROW, "usage__nothing": 1.0}, "usage__nothing"),
        ({**ROW, "support__open_tickets": "many"}, "support__open_tickets"),
    ],
    ids=["missing", "unknown", "text"],
)
def test_rows_that_do_not_have_the_models_features_are_refused(
    client: httpx.Client, row: dict[str, Any], field: str
) -> None:
    response = client.post("/v1/predict", json={"model": "churn", "rows": [ROW, row]})
    assert error_of(response) == (422, "invalid")
    assert [d["field"] for d in response.json()["error"]["details"]] == [f"rows[1].{field}"]


@pytest.mark.parametrize(
    "asked",
    [
        {"model": "weather", "rows": [ROW]},
        {"model": "churn", "rows": []},
        {"model": "churn", "rows": [ROW] * 1001},
        {"model": "churn", "rows": [ROW], "horizons": [7]},
        {"model": "churn", "rows": [{**ROW, "support__open_tickets": True}]},
    ],
)
def test_a_prediction_that_makes_no_sense_is_refused(
    client: httpx.Client, asked: dict[str, Any]
) -> None:
    assert error_of(client.post("/v1/predict", json=asked)) == (422, "invalid")


# Accounts


def test_an_account_shows_contract_signals_scores_and_history(client: httpx.Client) -> None:
    body = client.get("/v1/accounts/acme").json()
    assert (body["name"], body["tier"], body["csm"]) == ("Acme Ltd", "high", "Ann")
    contract = body["contract"]
    assert (contract["arr"], contract["currency"]) == (12000.0, "EUR")
    assert (contract["renewal_date"], contract["notice_deadline"]) == ("2026-04-01", "2026-03-17")
    signals = {signal["feature"]: signal["value"] for signal in body["signals"]}
    assert signals["support__open_tickets"] == 4.0
    assert [(h["model"], h["horizon_days"]) for h in body["history"]] == [
        ("churn", 30),
        ("churn", 90),
        ("expansion", 30),
        ("expansion", 90),
    ]
    assert [model["model"] for model in body["models"]] == ["churn", "expansion"]


@pytest.mark.parametrize(
    ("account_id", "status"),
    [("acme", "scored"), ("quit", "leaving"), ("gone", "inactive"), ("newt", "no_data")],
)
def test_an_account_has_one_status_in_all_answers(
    client: httpx.Client, account_id: str, status: str
) -> None:
    listed = client.post("/v1/scores", json={"account_ids": [account_id]}).json()["accounts"][0]
    shown = client.get(f"/v1/accounts/{account_id}").json()
    assert (listed["status"], shown["status"]) == (status, status)
    assert {past["status"] for past in shown["history"]} == {status}


@pytest.mark.parametrize("account_id", ["nobody", "a/b", "..", "%00", "' OR 1=1 --", "é"])
def test_an_account_that_is_not_there_is_not_found(client: httpx.Client, account_id: str) -> None:
    response = client.get(f"/v1/accounts/{account_id}")
    assert error_of(response) == (404, "not_found")
    assert response.json()["error"]["details"] == []


# Work list


def _ids(body: dict[str, Any]) -> list[str]:
    return [account["account_id"] for account in body["accounts"]]


def test_the_work_list_is_in_order_of_expected_loss(client: httpx.Client) -> None:
    body = client.get("/v1/worklist").json()
    losses = [account["probability"] * account["arr"] for account in body["accounts"]]
    assert losses == sorted(losses, reverse=True)
    assert sorted(_ids(body)) == ["acme", "bolt", "corn", "dune", "evil"]
    assert (body["horizon_days"], body["currency"]) == (90, "EUR")
    assert body["model_versions"] == {"churn": "1", "expansion": "1"}


def test_an_entry_has_what_a_csm_needs(client: httpx.Client) -> None:
    entries = {
        account["account_id"]: account for account in client.get("/v1/worklist").json()["accounts"]
    }
    acme = entries["acme"]
    assert (acme["arr"], acme["renewal_date"]) == (12000.0, "2026-04-01")
    assert entries["bolt"]["renewal_date"] is None
    assert acme["suggested_play"].startswith("Ask the main users")
    assert acme["reasons"][0]["text"]
    assert 0 < acme["expansion_probability"] < 1


def test_pages_follow_each_other_without_gap_or_repetition(client: httpx.Client) -> None:
    whole = _ids(client.get("/v1/worklist").json())
    found, cursor = [], None
    while True:
        body = client.get(
            "/v1/worklist", params={"limit": 2, **({"cursor": cursor} if cursor else {})}
        ).json()
        found += _ids(body)
        cursor = body["next_cursor"]
        if cursor is None:
            break
    assert found == whole


def test_the_list_can_be_one_csms_or_one_tiers(client: httpx.Client) -> None:
    assert sorted(_ids(client.get("/v1/worklist?csm=Ann").json())) == ["acme", "corn"]
    assert sorted(_ids(client.get("/v1/worklist?tier=tech").json())) == ["dune", "evil"]
    assert _ids(client.get("/v1/worklist?csm=Ann&tier=tech").json()) == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=many",
        "limit=1&limit=2",
        "page=2",
        "cursor=1",
        "cursor=é",
        f"cursor={base64.urlsafe_b64encode(b'999.0').decode()}",
        f"cursor={base64.urlsafe_b64encode(b'1.-1').decode()}",
        f"cursor={base64.urlsafe_b64encode(b'9' * 30 + b'.0').decode()}",
    ],
)
def test_a_query_that_makes_no_sense_is_refused(client: httpx.Client, query: str) -> None:
    assert error_of(client.get(f"/v1/worklist?{query}")) == (422, "invalid")


def test_an_unknown_parameter_is_named(client: httpx.Client) -> None:
    response = client.get("/v1/worklist?page=2")
    assert [detail["field"] for detail in response.json()["error"]["details"]] == ["page"]
