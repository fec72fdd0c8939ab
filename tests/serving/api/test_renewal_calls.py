"""What each call says of an account's next renewal."""

import httpx
import pytest

ROW = {
    "usage__active_users__28d": 2.0,
    "support__open_tickets": 4.0,
    "lifecycle__days_to_term_end": 30.0,
    "lifecycle__term_months": 12.0,
}


def test_the_next_renewal_is_told_where_a_term_ends(client: httpx.Client) -> None:
    asked = {"account_ids": ["acme", "bolt", "corn", "dune", "quit"], "models": ["churn"]}
    answers = client.post("/v1/scores", json=asked).json()["accounts"]
    acme, bolt, corn, dune, leaving = (each["renewal"] for each in answers)
    soon, later = (each["probability"] for each in answers[0]["models"][0]["horizons"])
    # it ends on day 30 of 30 to 90: 0.6 of those losses, and a sixtieth of the others, come by then
    lost = soon + (0.6 + 0.4 / 60) * (later - soon)
    assert acme["renewal_probability"] == pytest.approx(1 - lost)
    assert (acme["renewal_date"], acme["notice_deadline"]) == ("2026-04-01", "2026-03-17")
    assert bolt is None
    assert corn == {
        "renewal_date": "2027-01-01",
        "notice_deadline": None,
        "renewal_probability": None,  # beyond the 90 days that the model knows
    }
    assert dune["notice_deadline"] == "2026-02-23"  # it has passed
    assert leaving is None


def test_each_answer_says_the_same_of_a_renewal(client: httpx.Client) -> None:
    asked = {"account_ids": ["acme"]}
    renewal = client.post("/v1/scores", json=asked).json()["accounts"][0]["renewal"]
    contract = client.get("/v1/accounts/acme").json()["contract"]
    entries = client.get("/v1/worklist").json()["accounts"]
    (listed,) = (entry for entry in entries if entry["account_id"] == "acme")
    row = client.post("/v1/predict", json={"model": "churn", "rows": [ROW]}).json()["rows"][0]
    assert {name: contract[name] for name in renewal} == renewal
    assert {name: listed[name] for name in renewal} == renewal
    assert row["renewal_probability"] == pytest.approx(renewal["renewal_probability"])


def test_growth_says_nothing_of_a_renewal(client: httpx.Client) -> None:
    answer = client.post("/v1/predict", json={"model": "expansion", "rows": [ROW]}).json()
    assert answer["rows"][0]["renewal_probability"] is None
