"""Feedback from a browser: told once, seen at once, taken back, and never lost or sent unasked."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
import sqlalchemy as sa

from serving.pages.cookies import SESSION
from serving.pages.feedback import KINDS, QUICK
from serving.store import tables
from tests.serving.pages.test_login import HTML, PASSWORD

if TYPE_CHECKING:
    from tests.serving.conftest import Served

Fields = dict[str, str]


def forms(page: httpx.Response, to: str = "/feedback") -> list[Fields]:
    """Give the hidden fields of each form that is sent to an address."""
    found = re.findall(
        rf'<form method="post" action="{to}"[^>]*>(.*?)</form>', page.text, re.DOTALL
    )
    hidden = r'<input type="hidden" name="([^"]+)" value="([^"]*)">'
    return [dict(re.findall(hidden, form)) for form in found]


def form_of(client: httpx.Client, account_id: str, path: str = "/?tab=all") -> Fields:
    return next(form for form in forms(client.get(path)) if form["account_id"] == account_id)


def told(served: "Served") -> list[sa.RowMapping]:
    with served.parts.store.reading() as connection:
        query = sa.select(tables.feedback).order_by(tables.feedback.c.feedback_id)
        return list(connection.execute(query).mappings())


@pytest.fixture(autouse=True)
def untold(served: "Served") -> None:
    with served.parts.store.writing() as connection:
        for table in (tables.feedback, tables.decisions, tables.failed_logins):
            connection.execute(sa.delete(table))
    served.clock.ahead += 60


@pytest.fixture
def ann(served: "Served") -> Iterator[httpx.Client]:
    with served.browser("csm", book="Ann") as client:
        yield client


def test_one_click_is_recorded_and_the_team_sees_it_at_once(
    served: "Served", ann: httpx.Client
) -> None:
    form = form_of(ann, "acme")
    assert all(f'name="kind" value="{kind}"' in ann.get("/").text for kind in QUICK)
    back = {"referer": f"{served.url}/?tab=all&sort=name"}
    answer = ann.post("/feedback", data={**form, "kind": "contacted", "note": ""}, headers=back)
    assert (answer.status_code, answer.headers["location"]) == (303, "/?tab=all&sort=name")
    (row,) = told(served)
    assert (row["account_id"], row["kind"], row["note"]) == ("acme", "contacted", None)
    with served.browser("lead", team="ours", book="Ann") as lead, served.client("read") as program:
        assert "Acme" in lead.get("/?state=contacted").text
        (shown,) = program.get("/v1/accounts/acme").json()["feedback"]
    assert (shown["recorded_by"], shown["recorded_at"]) == ("Test", "2026-03-03T12:00:00Z")


def test_a_double_click_and_a_retry_are_recorded_once(served: "Served", ann: httpx.Client) -> None:
    form = {**form_of(ann, "corn"), "kind": "saved", "note": "They signed"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ann.post("/feedback", data=form), range(16)))
    assert {answer.status_code for answer in answers} == {303}
    assert [row["note"] for row in told(served)] == ["They signed"]


def test_each_form_that_is_shown_has_a_key_of_its_own(ann: httpx.Client) -> None:
    keys = [form["key"] for _ in range(2) for form in forms(ann.get("/"))]
    assert len(set(keys)) == len(keys) == 4


def test_the_same_form_with_other_content_is_shown_again_and_not_recorded(
    served: "Served", ann: httpx.Client
) -> None:
    form = form_of(ann, "acme")
    ann.post("/feedback", data={**form, "kind": "contacted"})
    other = {**form, "kind": "lost", "note": "<b>Sold</b>"}
    answer = ann.post("/feedback", data=other)
    assert answer.status_code == 409
    assert ">&lt;b&gt;Sold&lt;/b&gt;</textarea>" in answer.text
    assert [row["kind"] for row in told(served)] == ["contacted"]
    (again,) = forms(answer)
    assert ann.post("/feedback", data={**other, **again}).status_code == 303
    assert [row["kind"] for row in told(served)] == ["contacted", "lost"]


@pytest.mark.parametrize("mark", ["", "0" * 64, "é", None])
def test_a_form_from_elsewhere_is_shown_and_not_recorded(
    served: "Served", ann: httpx.Client, mark: str | None
) -> None:
    with served.browser("csm", book="Ann") as other:
        marks = form_of(other, "acme")["mark"]
    form = {**form_of(ann, "acme"), "mark": marks if mark is None else mark, "kind": "lost"}
    assert ann.post("/feedback", data=form).status_code == 403
    form["feedback_id"] = "1"
    assert ann.post("/feedback/undo", data=form).status_code == 403
    assert told(served) == []


@pytest.mark.parametrize("account_id", ["bolt", "nobody", "a\0"])
def test_an_account_of_another_is_as_one_that_is_not_there(
    served: "Served", ann: httpx.Client, account_id: str
) -> None:
    form = {**form_of(ann, "acme"), "account_id": account_id, "kind": "lost"}
    answer = ann.post("/feedback", data=form)
    assert answer.status_code in {404, 422}
    assert "Bolt" not in answer.text
    assert told(served) == []


def test_feedback_is_taken_back_once_and_its_row_is_kept(
    served: "Served", ann: httpx.Client
) -> None:
    ann.post("/feedback", data={**form_of(ann, "acme"), "kind": "contacted"})
    (undo,) = forms(ann.get("/"), "/feedback/undo")
    with served.browser("csm", book="Bob") as bob:
        mark = form_of(bob, "bolt")["mark"]
        other = bob.post("/feedback/undo", data={**undo, "mark": mark})
        none = bob.post("/feedback/undo", data={"feedback_id": "999999", "mark": mark})
    assert (other.status_code, none.status_code) == (404, 404)
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda _: ann.post("/feedback/undo", data=undo).status_code, range(8))
        assert set(answers) == {303}
    (row,) = told(served)
    assert (row["withdrawn_by"], row["withdrawn_at"]) == (row["token_id"], served.parts.now())
    assert "Acme" not in ann.get("/?state=contacted").text
    with served.parts.store.reading() as connection:
        audited = sa.select(tables.audit).where(tables.audit.c.object == str(row["feedback_id"]))
        actions = [row.action for row in connection.execute(audited)]
    assert actions == ["feedback", "withdraw feedback"]


def test_who_is_snoozed_is_off_the_list_and_says_until_when(ann: httpx.Client) -> None:
    assert ann.post("/feedback", data={**form_of(ann, "corn"), "kind": "snoozed"}).is_redirect
    assert "Corn" not in ann.get("/").text
    assert re.search(r"Snoozed\s+<span[^>]*>until 2026-03-17<", ann.get("/?tab=all").text)
    assert "Corn" in ann.get("/?state=snoozed").text
    assert "2026-03-17" in ann.get("/list.csv?tab=all").text


def test_not_a_risk_needs_its_why_and_what_was_typed_stays(
    served: "Served", ann: httpx.Client
) -> None:
    form = {**form_of(ann, "acme"), "back": "/?csm=Ann", "note": " "}
    answer = ann.post("/feedback", data={**form, "kind": "not_a_risk"})
    assert answer.status_code == 422
    assert "why it is not a risk" in answer.text
    (again,) = forms(answer)
    assert again["key"] == form["key"]
    assert again["back"] == "/?csm=Ann"
    filled = {**again, "kind": "not_a_risk", "note": "Two\r\nlines"}
    assert ann.post("/feedback", data=filled).headers["location"] == "/?csm=Ann"
    assert told(served)[0]["note"] == "Two\nlines"


@pytest.mark.parametrize(
    "change", [{"kind": "sold"}, {"kind": "snoozed", "until": "2025-01-01"}, {"note": "x" * 4001}]
)
def test_what_does_not_fit_is_shown_again(
    served: "Served", ann: httpx.Client, change: Fields
) -> None:
    answer = ann.post("/feedback", data={**form_of(ann, "acme"), "kind": "lost", **change})
    assert answer.status_code == 422
    assert all(f'value="{kind}"' in answer.text for kind in KINDS)
    assert told(served) == []


def test_the_button_after_the_day_is_the_first_one_which_enter_presses(ann: httpx.Client) -> None:
    page = ann.get("/accounts/acme").text
    form = page[page.index('class="tell"') :]
    first = re.search(r'name="kind" value="(\w+)"', form)
    assert first is not None
    assert first[1] == "snoozed"
    assert form.index('type="date"') < form.index('value="snoozed"')


def test_an_accounts_page_tells_takes_back_and_says_who(
    served: "Served", ann: httpx.Client
) -> None:
    (form,) = forms(ann.get("/accounts/acme"))
    answer = ann.post("/feedback", data={**form, "kind": "will_renew", "note": "Says Eva"})
    assert answer.headers["location"] == "/accounts/acme"
    page = ann.get("/accounts/acme")
    assert all(said in page.text for said in ("Says Eva", "told by Test"))
    (undo,) = forms(page, "/feedback/undo")
    assert ann.post("/feedback/undo", data=undo).headers["location"] == "/accounts/acme"
    page = ann.get("/accounts/acme")
    assert "Says Eva" not in page.text
    assert forms(page, "/feedback/undo") == []
    assert [row["kind"] for row in told(served)] == ["will_renew"]


# A session that ends while somebody types


def ended(served: "Served", client: httpx.Client) -> None:
    user = served.user("csm", book="Ann")
    client.cookies.set(SESSION, served.session(user, before=timedelta(days=2)))


@pytest.mark.parametrize("book", ["Ann", "Bob"])
def test_what_was_typed_outlives_the_session_and_waits_for_a_click(
    served: "Served", ann: httpx.Client, book: str
) -> None:
    form = {**form_of(ann, "acme"), "kind": "saved", "note": 'She said "yes" & <signed>'}
    user = served.user("csm", book=book, password=PASSWORD)
    with served.client() as browser:
        ended(served, browser)
        back = HTML | {"referer": f"{served.url}/?tab=all&csm=Ann"}
        asked = browser.post("/feedback", data=form, headers=back)
        assert asked.status_code == 401
        assert "signed" not in str(asked.url) + asked.headers.get("location", "")
        (login,) = forms(asked, "/login")
        wrong = browser.post("/login", data=unescaped(login) | {"login": "x", "password": "x"})
        (login,) = forms(wrong, "/login")
        entered = {"login": user.login, "password": PASSWORD}
        shown = browser.post("/login", data=unescaped(login) | entered)
        assert shown.status_code == 200
        assert "She said &#34;yes&#34; &amp; &lt;signed&gt;</textarea>" in shown.text
        assert told(served) == []
        if book == "Bob":
            assert "Acme" not in shown.text
            assert forms(shown) == []
            return
        (again,) = forms(shown)
        assert again["mark"] != form["mark"]
        click = unescaped(again) | {"kind": "saved", "note": form["note"]}
        answer = browser.post("/feedback", data=click, headers=HTML)
        assert answer.headers["location"] == "/?tab=all&csm=Ann"
        browser.post("/feedback", data=click, headers=HTML)
    assert [(row["note"], row["token_id"]) for row in told(served)] == [
        (form["note"], user.user_id)
    ]


def unescaped(fields: Fields) -> Fields:
    plain = {"&#34;": '"', "&lt;": "<", "&gt;": ">", "&amp;": "&"}
    found = dict(fields)
    for mark, sign in plain.items():
        found = {name: value.replace(mark, sign) for name, value in found.items()}
    return found


def test_a_login_carries_nothing_to_elsewhere(served: "Served") -> None:
    with served.client() as browser:
        (login,) = forms(browser.get("/login"), "/login")
        evil = {"form.to": "https://evil.example/", "form.note": "x", "login": "x", "password": "x"}
        answer = browser.post("/login", data=login | evil)
    assert answer.status_code == 401
    assert "evil" not in answer.text


# Disagreements


BANDS = {"acme": "high", "corn": "low", "bolt": "low", "dune": "medium"}


@pytest.fixture
def banded(served: "Served") -> None:
    listed = tables.listed_accounts
    with served.parts.store.writing() as connection:
        for account_id, band in BANDS.items():
            of_account = sa.update(listed).where(listed.c.account_id == account_id)
            connection.execute(of_account.values(band=band))


def say_of(client: httpx.Client, account_id: str, kind: str, note: str = "Why") -> None:
    form = {**form_of(client, account_id), "kind": kind, "note": note}
    assert client.post("/feedback", data=form).status_code == 303


def shown_to(client: httpx.Client) -> list[str]:
    page = client.get("/disagreements")
    assert page.status_code == 200, page.text
    undecided = page.text.partition("Decided in the last")[0]
    return re.findall(r"<h2><a[^>]*>(Acme Ltd|Corn|Bolt|Dune)</a></h2>", undecided)


@pytest.mark.usefixtures("banded")
@pytest.mark.parametrize(
    ("account_id", "kind", "differs"),
    [
        ("acme", "will_renew", True),
        ("acme", "not_a_risk", True),
        ("acme", "will_leave", False),
        ("acme", "unsure", False),
        ("corn", "will_leave", True),
        ("corn", "will_renew", False),
        ("dune", "will_renew", False),
        ("dune", "will_leave", False),
    ],
)
def test_only_a_judgement_that_differs_by_much_comes_to_the_lead(
    served: "Served",
    account_id: str,
    kind: str,
    differs: bool,  # noqa: FBT001 - of the table above
) -> None:
    with served.browser() as admin:
        say_of(admin, account_id, kind)
        assert len(shown_to(admin)) == int(differs)
        say_of(admin, account_id, "unsure")
        assert shown_to(admin) == []


@pytest.mark.usefixtures("banded")
def test_a_lead_decides_once_and_no_probability_moves(served: "Served", ann: httpx.Client) -> None:
    say_of(ann, "acme", "will_renew", "They signed by hand")
    before = ann.get("/list.csv?tab=all").text.partition(",state,")[0]
    assert ann.get("/disagreements").status_code == 403
    assert ann.post("/disagreements", data={"mark": "x"}).status_code == 403
    with served.browser("lead", team="other", book="Bob") as other:
        assert shown_to(other) == []
    with served.browser("lead", team="ours", book="Ann") as lead:
        assert shown_to(lead) == ["Acme Ltd"]
        (form,) = forms(lead.get("/disagreements"), "/disagreements")
        decision = {**form, "sides_with": "csm", "note": "I saw the paper"}
        forged = lead.post("/disagreements", data={**decision, "mark": "0" * 64})
        assert forged.status_code == 403
        assert "I saw the paper</textarea>" in forged.text
        assert shown_to(lead) == ["Acme Ltd"]
        for unfit in ("paper\0", "x" * 4001):
            refused = lead.post("/disagreements", data={**decision, "note": unfit})
            assert refused.status_code == 422
            assert shown_to(lead) == ["Acme Ltd"]
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(lambda _: lead.post("/disagreements", data=decision), range(8))
            assert {answer.status_code for answer in answers} == {303}
        assert (
            lead.post("/disagreements", data={**decision, "sides_with": "model"}).status_code == 409
        )
        page = lead.get("/disagreements").text
    assert "Side with the CSM</b>" in page
    assert "I saw the paper" in page
    with served.parts.store.reading() as connection:
        (row,) = connection.execute(sa.select(tables.decisions)).mappings()
    assert (row["sides_with"], row["band"]) == ("csm", "high")
    assert ann.get("/list.csv?tab=all").text.partition(",state,")[0] == before


@pytest.mark.usefixtures("banded")
def test_a_judgement_that_was_taken_back_differs_from_nothing(
    served: "Served", ann: httpx.Client
) -> None:
    say_of(ann, "acme", "not_a_risk")
    with served.browser() as admin:
        assert shown_to(admin) == ["Acme Ltd"]
        (undo,) = forms(ann.get("/"), "/feedback/undo")
        ann.post("/feedback/undo", data=undo)
        assert shown_to(admin) == []


@pytest.mark.usefixtures("banded")
def test_a_lead_whose_session_ended_finds_the_sentence_again(
    served: "Served", ann: httpx.Client
) -> None:
    say_of(ann, "acme", "will_renew")
    user = served.user("admin", password=PASSWORD)
    with served.browser() as before, served.client() as browser:
        (form,) = forms(before.get("/disagreements"), "/disagreements")
        typed = {**form, "sides_with": "model", "note": "No paper yet"}
        asked = browser.post("/disagreements", data=typed, headers=HTML)
        (login,) = forms(asked, "/login")
        entered = {"login": user.login, "password": PASSWORD}
        shown = browser.post("/login", data=login | entered)
    assert "No paper yet</textarea>" in shown.text
    with served.parts.store.reading() as connection:
        assert connection.execute(sa.select(tables.decisions)).all() == []
