"""Feedback over a real socket: recorded exactly once, and refused when it makes no sense."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import sqlalchemy as sa

from serving.api.feedback import Feedback, record, withdraw
from serving.store import tables

if TYPE_CHECKING:
    from tests.serving.conftest import Served


def told_off(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def _told(served: "Served", key: str) -> int:
    count = sa.select(sa.func.count()).where(tables.feedback.c.idempotency_key == key)
    with served.parts.store.reading() as connection:
        return int(connection.execute(count).scalar_one())


def test_feedback_told_twice_is_recorded_once_with_one_answer(
    served: "Served", client: httpx.Client
) -> None:
    told = {"account_id": "acme", "kind": "contacted", "note": "Called", "idempotency_key": "k1"}
    first, second = (client.post("/v1/feedback", json=told) for _ in range(2))
    assert first.status_code == 200
    assert first.json() == second.json()
    assert _told(served, "k1") == 1
    assert client.get("/v1/accounts/acme").json()["feedback"] == [first.json()]


def test_feedback_told_at_the_same_time_is_recorded_once(
    served: "Served", client: httpx.Client
) -> None:
    told = {"account_id": "bolt", "kind": "will_renew", "idempotency_key": "k2"}
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: client.post("/v1/feedback", json=told), range(32)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert _told(served, "k2") == 1


def test_a_key_that_was_used_for_something_else_is_a_conflict(
    served: "Served", client: httpx.Client
) -> None:
    told = {"account_id": "acme", "kind": "contacted", "idempotency_key": "k3"}
    client.post("/v1/feedback", json=told)
    response = client.post("/v1/feedback", json={**told, "kind": "will_leave"})
    assert told_off(response) == (409, "idempotency_key_reused")
    assert [of["field"] for of in response.json()["error"]["details"]] == ["idempotency_key"]
    assert _told(served, "k3") == 1


def test_feedback_on_an_unknown_account_is_not_recorded(
    served: "Served", client: httpx.Client
) -> None:
    told = {"account_id": "nobody", "kind": "contacted", "idempotency_key": "k4"}
    response = client.post("/v1/feedback", json=told)
    assert told_off(response) == (404, "not_found")
    assert response.json()["error"]["message"] == "There is no such account."
    assert [detail["field"] for detail in response.json()["error"]["details"]] == ["account_id"]
    assert _told(served, "k4") == 0


def test_an_unknown_kind_of_feedback_is_answered_with_the_known_ones(client: httpx.Client) -> None:
    told = {"account_id": "acme", "kind": "sold", "idempotency_key": "k6"}
    (detail,) = client.post("/v1/feedback", json=told).json()["error"]["details"]
    assert detail == {
        "field": "kind",
        "problem": "expected one of contacted, play_done, will_renew, will_leave, expanding, "
        "score_wrong, other, snoozed, not_a_risk, saved, lost, expansion_opened, unsure",
    }


def test_feedback_sent_again_is_answered_alike_when_its_account_is_gone(
    served: "Served", client: httpx.Client
) -> None:
    told = {"account_id": "gone", "kind": "contacted", "note": "Called", "idempotency_key": "k5"}
    first = record(served.parts.store, Feedback(**told), "a token", served.parts.now())
    again = client.post("/v1/feedback", json=told)
    assert (again.status_code, again.json()["feedback_id"]) == (200, first.feedback_id)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "sold"},
        {"idempotency_key": ""},
        {"note": "x" * 4001},
        {"by": "me"},
        {"kind": "not_a_risk"},
        {"kind": "not_a_risk", "note": " "},
        {"kind": "snoozed"},
        {"kind": "snoozed", "until": "2026-03-03"},
        {"kind": "snoozed", "until": "2026-06-02"},
        {"kind": "snoozed", "until": "soon"},
        {"kind": "contacted", "until": "2026-03-10"},
    ],
)
def test_feedback_that_makes_no_sense_is_refused(
    client: httpx.Client, change: dict[str, Any]
) -> None:
    told = {"account_id": "acme", "kind": "contacted", "idempotency_key": "no sense"}
    assert told_off(client.post("/v1/feedback", json={**told, **change})) == (422, "invalid")


@pytest.mark.parametrize(
    "told",
    [
        {"kind": "snoozed", "until": "2026-03-04"},
        {"kind": "snoozed", "until": "2026-06-01", "note": "Away"},
        {"kind": "not_a_risk", "note": "They moved to another team's licence"},
        *({"kind": kind} for kind in ("saved", "lost", "expansion_opened", "unsure")),
    ],
)
def test_each_kind_is_recorded_with_who_told_it(client: httpx.Client, told: dict[str, str]) -> None:
    key = {"account_id": "dune", "idempotency_key": f"kind {told}"}
    answer = client.post("/v1/feedback", json=told | key)
    assert answer.status_code == 200, answer.text
    assert told.items() <= answer.json().items()
    assert answer.json()["recorded_by"].startswith("test ")


def test_what_was_withdrawn_is_shown_as_such_and_answered_alike(
    served: "Served", client: httpx.Client
) -> None:
    told = {"account_id": "evil", "kind": "contacted", "idempotency_key": "taken back"}
    number = client.post("/v1/feedback", json=told).json()["feedback_id"]
    ann = served.user("csm", book="Ann")
    with ThreadPoolExecutor(8) as pool:
        taken = pool.map(
            lambda _: withdraw(served.parts.store, number, ann.user_id, served.parts.now()),
            range(8),
        )
        assert sorted(taken) == [False] * 7 + [True]
    again = client.post("/v1/feedback", json=told).json()
    assert (again["feedback_id"], again["withdrawn_by"]) == (number, "Test")
    assert again["withdrawn_at"] == "2026-03-03T12:00:00Z"
    assert client.get("/v1/accounts/evil").json()["feedback"][0] == again


def recorded(client: httpx.Client, account_id: str, kind: str = "contacted", **more: str) -> int:
    key = {"idempotency_key": f"to undo {account_id} {kind} {more}"}
    told = client.post("/v1/feedback", json={"account_id": account_id, "kind": kind, **key, **more})
    assert told.status_code == 200, told.text
    return int(told.json()["feedback_id"])


def withdrawals(served: "Served", number: int) -> int:
    is_it = (tables.audit.c.object == str(number)) & (tables.audit.c.action == "withdraw feedback")
    with served.parts.store.reading() as connection:
        return len(connection.execute(sa.select(tables.audit).where(is_it)).all())


def test_a_program_takes_back_what_it_told_exactly_once(
    served: "Served", client: httpx.Client
) -> None:
    undo = {"feedback_id": recorded(client, "corn")}
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(client.post, "/v1/feedback/undo", json=undo) for _ in range(16)]
    answers = [each.result() for each in sent]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].json()["withdrawn_at"] == "2026-03-03T12:00:00Z"
    assert answers[0].json()["withdrawn_by"].startswith("test ")
    assert withdrawals(served, undo["feedback_id"]) == 1


def test_a_program_takes_back_nothing_of_others_and_nothing_outside_its_book(
    served: "Served", client: httpx.Client
) -> None:
    undo = {"feedback_id": recorded(client, "dune", "lost")}
    with served.client("feedback") as other, served.client("admin") as admin:
        assert told_off(other.post("/v1/feedback/undo", json=undo)) == (403, "forbidden")
        with served.client("feedback", book="Bob") as bob:
            outside, none = (
                bob.post("/v1/feedback/undo", json=asked)
                for asked in (undo, {"feedback_id": 10**9})
            )
        assert told_off(outside) == told_off(none) == (404, "not_found")
        assert withdrawals(served, undo["feedback_id"]) == 0
        assert admin.post("/v1/feedback/undo", json=undo).status_code == 200


def test_the_list_tells_a_program_who_is_snoozed_and_until_when(client: httpx.Client) -> None:
    def snoozed() -> dict[str, str | None]:
        accounts = client.get("/v1/worklist").json()["accounts"]
        return {one["account_id"]: one["snoozed_until"] for one in accounts}

    number = recorded(client, "acme", "snoozed", until="2026-03-09")
    assert (snoozed()["acme"], snoozed()["bolt"]) == ("2026-03-09", None)
    client.post("/v1/feedback/undo", json={"feedback_id": number})
    assert snoozed()["acme"] is None
