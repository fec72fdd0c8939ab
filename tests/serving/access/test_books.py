"""A token with a book sees one CSM's accounts: Ann has acme and corn, Bob bolt and others."""

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import sqlalchemy as sa

from models.bundle import Bundle
from serving.api.cursor import Cursor
from serving.publishing.publish import Scored, publish

if TYPE_CHECKING:
    from tests.serving.conftest import Served

SCOPES = ("score", "read", "feedback")
ANNS, BOBS = {"acme", "corn"}, {"bolt", "gone", "newt", "quit"}
ALL = ["acme", "bolt", "corn", "dune", "evil", "gone", "newt", "quit"]


@pytest.fixture
def ann(served: "Served") -> Iterator[httpx.Client]:
    with served.client(*SCOPES, book="Ann") as client:
        yield client


@pytest.fixture
def everyone(served: "Served") -> Iterator[httpx.Client]:
    with served.client(*SCOPES) as client:
        yield client


def ids(answer: httpx.Response) -> list[str]:
    return [account["account_id"] for account in answer.json()["accounts"]]


def ranks(value: Any) -> set[int | None]:
    """Give all ranks that an answer holds, however deep."""
    if isinstance(value, dict):
        own = {value["rank"]} if "rank" in value else set()
        return own.union(*(ranks(each) for each in value.values()))
    return set().union(*(ranks(each) for each in value)) if isinstance(value, list) else set()


def test_scores_of_others_are_as_unknown_as_those_of_nobody(ann: httpx.Client) -> None:
    answer = ann.post("/v1/scores", json={"account_ids": ["none", *ALL]})
    assert ids(answer) == ["acme", "corn"]
    assert answer.json()["unknown_account_ids"] == [
        one for one in ["none", *ALL] if one not in ANNS
    ]


def test_scores_within_a_book_are_those_that_all_see_without_ranks(
    ann: httpx.Client, everyone: httpx.Client
) -> None:
    asked = {"account_ids": ["acme", "corn"]}
    own, full = (client.post("/v1/scores", json=asked) for client in (ann, everyone))
    assert ranks(full.json()) > {1}
    assert ranks(own.json()) == {None}
    assert re.sub(r'"rank":\w+', "", own.text) == re.sub(r'"rank":\w+', "", full.text)


@pytest.mark.parametrize("path", ["/v1/accounts/bolt", "/v1/accounts/dune", "/v1/accounts/gone"])
def test_an_account_of_another_is_byte_for_byte_one_that_does_not_exist(
    ann: httpx.Client, path: str
) -> None:
    def without_its_own(answer: httpx.Response) -> tuple[int, str, dict[str, str]]:
        request_id = answer.headers["x-request-id"]
        kept = {
            name: value.replace(request_id, "")
            for name, value in answer.headers.items()
            if name != "date"
        }
        return answer.status_code, answer.text.replace(request_id, ""), kept

    other, none = (without_its_own(ann.get(one)) for one in (path, "/v1/accounts/none"))
    assert other == none
    assert other[0] == 404


def test_feedback_on_an_account_of_another_is_byte_for_byte_that_on_none(
    ann: httpx.Client, everyone: httpx.Client
) -> None:
    told = {"kind": "contacted", "idempotency_key": "of Bob's", "account_id": "bolt"}
    assert everyone.post("/v1/feedback", json=told).status_code == 200
    answers = [
        ann.post("/v1/feedback", json=told | {"account_id": account}) for account in ("bolt", "no")
    ]
    bodies = {one.text.replace(one.headers["x-request-id"], "") for one in answers}
    assert [answer.status_code for answer in answers] == [404, 404]
    assert len(bodies) == 1


@contextmanager
def statements(served: "Served") -> Iterator[list[str]]:
    """Collect the SQL that answers are made by, but not what is asked or kept each so often."""
    run: list[str] = []

    def keep(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not any(table in statement for table in ("tokens", "audit_heads")):
            run.append(statement)

    sa.event.listen(served.parts.store.engine, "before_cursor_execute", keep)
    yield run
    sa.event.remove(served.parts.store.engine, "before_cursor_execute", keep)


@pytest.mark.parametrize(
    "ask",
    [
        lambda client, account: client.get(f"/v1/accounts/{account}"),
        lambda client, account: client.post(
            "/v1/feedback",
            json={"account_id": account, "kind": "other", "idempotency_key": "by the same"},
        ),
    ],
)
def test_an_account_of_another_takes_the_same_queries_as_one_that_does_not_exist(
    served: "Served", ann: httpx.Client, ask: Callable[[httpx.Client, str], httpx.Response]
) -> None:
    ran = []
    for account in ("bolt", "none"):
        with statements(served) as run:
            ask(ann, account)
        ran.append(run)
    assert ran[0] == ran[1]
    assert ran[0]


def test_scores_ask_the_store_nothing(served: "Served", ann: httpx.Client) -> None:
    with statements(served) as run:
        for account in ("acme", "bolt", "none"):
            ann.post("/v1/scores", json={"account_ids": [account]}).raise_for_status()
    assert run == []


def test_the_work_list_is_the_books_and_counts_from_one(
    ann: httpx.Client, everyone: httpx.Client
) -> None:
    full = everyone.get("/v1/worklist").json()["accounts"]
    own = ann.get("/v1/worklist").json()["accounts"]
    expected = [entry["account_id"] for entry in full if entry["csm"] == "Ann"]
    assert expected
    assert [entry["account_id"] for entry in own] == expected
    assert [entry["position"] for entry in own] == [*range(1, len(own) + 1)]


def _who(client: httpx.Client) -> str:
    return client.headers["authorization"].split("_")[1]


def test_the_pages_of_a_book_follow_each_other_and_tell_nothing_of_the_full_list(
    ann: httpx.Client,
) -> None:
    first = ann.get("/v1/worklist", params={"limit": 1})
    cursor = first.json()["next_cursor"]
    second = ann.get("/v1/worklist", params={"limit": 1, "cursor": cursor})
    assert ids(first) + ids(second) == ids(ann.get("/v1/worklist"))
    assert base64.urlsafe_b64decode(cursor).split(b".")[1] == b"1"
    assert second.json()["next_cursor"] is None


def test_a_cursor_is_good_for_whom_it_was_given_to_and_for_an_hour(
    ann: httpx.Client, everyone: httpx.Client, served: "Served"
) -> None:
    given = everyone.get("/v1/worklist", params={"limit": 1}).json()["next_cursor"]
    signer, who, now = served.parts.signer, _who(ann), served.parts.now()
    old = Cursor(1, 0).to_text(signer, who, now - timedelta(minutes=61))
    good = Cursor(1, 0).to_text(signer, who, now - timedelta(minutes=59))
    sealed = base64.urlsafe_b64decode(good)
    forged = base64.urlsafe_b64encode(b"2" + sealed[1:]).decode()
    answers = [ann.get("/v1/worklist", params={"cursor": one}) for one in (given, old, forged)]
    assert [answer.status_code for answer in answers] == [422] * 3
    assert set(ids(ann.get("/v1/worklist", params={"cursor": good}))) == ANNS


@pytest.mark.parametrize("csm", ["Bob", "nobody"])
def test_the_list_of_another_csm_is_as_empty_as_that_of_nobody(ann: httpx.Client, csm: str) -> None:
    answer = ann.get("/v1/worklist", params={"csm": csm})
    assert (answer.status_code, answer.json()["accounts"]) == (200, [])


def test_the_figures_of_all_accounts_are_not_shown_to_a_book(
    ann: httpx.Client, everyone: httpx.Client
) -> None:
    own, full = (client.get("/v1/models").json()["models"] for client in (ann, everyone))
    assert full[0]["about"]
    assert [model["about"] for model in own] == [{}, {}]


def test_the_page_of_a_book_names_no_other_csm_or_account(served: "Served") -> None:
    with served.browser("csm", book="Ann") as browser:
        page = browser.get("/", headers={"accept": "text/html"}).text
    assert "Acme Ltd" in page
    assert not [name for name in ("Bob", "Bolt", "Dune", "tech", "alert(1)") if name in page]


def test_a_lead_sees_the_books_of_the_team_and_no_others(served: "Served") -> None:
    for book in ("Ann", "Cem"):
        served.user("csm", book=book, team="north")
    served.user("csm", book="Bob", team="south")
    with served.browser("lead", team="north") as browser:
        page = browser.get("/", headers={"accept": "text/html"}).text
    assert "Acme Ltd" in page
    assert not [name for name in ("Bob", "Bolt") if name in page]
    with served.browser("lead", team="nobody's") as browser:
        alone = browser.get("/", headers={"accept": "text/html"})
    assert alone.status_code == 200
    assert not [name for name in ("Acme", "Bolt", "Dune") if name in alone.text]


# Last: it publishes anew.


def test_an_account_that_has_left_a_book_is_not_seen_by_an_old_cursor(
    served: "Served",
    bundles: dict[str, Bundle],
    scored_company: Callable[..., Scored],
) -> None:
    with served.client(*SCOPES, book="Ann") as ann:
        before = ids(ann.get("/v1/worklist"))
        number, now = served.parts.in_service().publication.number, served.parts.now()
        old = Cursor(number, 0).to_text(served.parts.signer, _who(ann), now)
        later = served.parts.in_service().publication.as_of + timedelta(days=1)
        moved = scored_company(bundles, later)
        moved.listed.loc[moved.listed["account_id"] == "acme", "csm"] = "Bob"
        publish(served.parts.store, served.parts.settings.home, moved, served.parts.now())
        served.parts.watch.take_over()
        assert set(before) == ANNS
        assert ids(ann.get("/v1/worklist", params={"cursor": old})) == ["corn"]
        assert ann.get("/v1/accounts/acme").status_code == 404
