"""Feedback from a browser: told once, seen at once, taken back, and never lost or sent unasked."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from html import escape, unescape
from typing import TYPE_CHECKING

import httpx
import pytest
import sqlalchemy as sa

from serving.access.kept_sessions import kept_session, session_id, session_of_secret
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
        rf'<form [^>]*method="post" action="{to}"[^>]*>(.*?)</form>', page.text, re.DOTALL
    )
    hidden = r'<(?:input type="hidden"|button[^>]*?) name="([\w.]+)" value="([^"]*)"'
    kinds = {"kind", "sides_with"}  # of buttons, of which one is pressed
    fields = [re.findall(hidden, form) for form in found]
    return [{name: unescape(value) for name, value in form if name not in kinds} for form in fields]


def buttons(page: httpx.Response) -> dict[str, str]:
    """Give what the buttons of the list's rows send, by what they are called."""
    return {
        unescape(called): value
        for value, called in re.findall(
            r'<button form=tell name=do value=([\w.]+) aria-label="([^"]+)"', page.text
        )
    }


def press(
    client: httpx.Client, called: str, path: str = "/?tab=all", page: httpx.Response | None = None
) -> httpx.Response:
    """Press a button of the list."""
    page = page or client.get(path)
    (form,) = [form for form in forms(page) if "keys" in form]
    return client.post("/feedback", data=form | {"do": buttons(page)[called]})


def form_of(client: httpx.Client, account_id: str, path: str = "/?tab=all") -> Fields:
    """Give the form with all kinds, which *More* leads to."""
    page = client.get(path)
    found = buttons(page).items()
    place = json.loads(forms(page)[0]["rows"]).index(account_id)
    more = next(called for called, value in found if value == f"more.{place}")
    (form,) = forms(press(client, more, page=page))
    return form


def undo_of(client: httpx.Client, account_id: str) -> Fields:
    """Give what the button that takes back what was said last in a row of the list sends."""
    page = client.get("/?tab=all")
    (form,) = [form for form in forms(page) if "keys" in form]
    row = page.text[page.text.index(f'href="/accounts/{account_id}"') :]
    button = re.search(r"name=do value=(undo\.\d+\.\d+)", row)
    assert button is not None
    return form | {"do": button[1]}


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
    answer = press(ann, "Contacted: Acme Ltd", "/?tab=all&sort=name")
    (row,) = told(served)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        f"/?tab=all&sort=name&said={row['feedback_id']}&at=0#said",
    )
    assert (row["account_id"], row["kind"], row["note"]) == ("acme", "contacted", None)
    with served.browser("lead", team="ours", book="Ann") as lead, served.client("read") as program:
        assert "Acme" in lead.get("/?state=contacted").text
        (shown,) = program.get("/v1/accounts/acme").json()["feedback"]
    assert (shown["recorded_by"], shown["recorded_at"]) == ("Test", "2026-03-03T12:00:00Z")


@pytest.mark.parametrize("rows", ["", "no list", '["acme"]'])
def test_a_button_of_a_row_that_is_not_there_records_nothing(
    served: "Served", ann: httpx.Client, rows: str
) -> None:
    (form,) = forms(ann.get("/"))
    pressed = form | {"do": "contacted.1", "rows": rows}
    assert ann.post("/feedback", data=pressed).status_code == 422
    assert told(served) == []


@pytest.mark.parametrize("tab", QUICK)
def test_each_button_of_a_tab_is_one_click_and_named_with_its_account(
    served: "Served", tab: str
) -> None:
    with served.browser() as admin:
        found = buttons(admin.get(f"/?tab={tab}"))
    told_kinds = {value.partition(".")[0] for value in found.values()}
    assert told_kinds == {*QUICK[tab], "more"} or (tab in {"grow", "watch"} and not found)
    assert len(found) == len(set(found.values()))


def test_a_double_click_and_a_retry_are_recorded_once(served: "Served", ann: httpx.Client) -> None:
    page = ann.get("/?tab=all")
    with ThreadPoolExecutor(8) as pool:
        clicked = list(pool.map(lambda _: press(ann, "Contacted: Corn", page=page), range(16)))
    form = {**form_of(ann, "corn"), "kind": "saved", "note": "They signed"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ann.post("/feedback", data=form), range(16)))
    assert {answer.status_code for answer in (*answers, *clicked)} == {303}
    assert [row["note"] for row in told(served)] == [None, "They signed"]
    press(ann, "Contacted: Acme Ltd", page=page)
    assert [row["account_id"] for row in told(served)] == ["corn", "corn", "acme"]


def test_each_form_that_is_shown_has_a_key_of_its_own(ann: httpx.Client) -> None:
    keys = [form["keys"] for _ in range(2) for form in forms(ann.get("/"))]
    keys += [form_of(ann, account_id)["key"] for account_id in ("acme", "acme", "corn")]
    assert len(set(keys)) == len(keys) == 5


def test_a_row_says_who_said_what_and_when_and_cuts_a_long_sentence(
    served: "Served", ann: httpx.Client
) -> None:
    say_of(ann, "acme", "contacted", "They call back. " * 20)
    with served.browser("lead", team="ours", book="Ann") as lead:
        page = lead.get("/?tab=all").text
    when = r"Contacted\s+<span [^>]+>Test, <time>2026-03-03</time>: "
    assert re.search(when + r"“They call back\. [^<]{50,70}…”</span>", page)
    assert "They call back. " * 19 in ann.get("/accounts/acme").text


def test_a_click_is_confirmed_where_its_row_was_and_takes_a_sentence(
    served: "Served", ann: httpx.Client
) -> None:
    page = ann.get(press(ann, "Contacted: Corn").headers["location"])
    shown = page.text[page.text.index('id="said"') :]
    assert "Recorded: Contacted, Corn." in shown
    assert page.text.index(">Corn</a>") < page.text.index('id="said"')
    (add,) = (form for form in forms(page) if "instead" in form)
    sentence = {**add, "kind": "contacted", "note": "Eva is away"}
    for _ in range(2):
        added = ann.post("/feedback", data=sentence)
    before, after = told(served)
    assert (before["withdrawn_by"], after["withdrawn_at"]) == (before["token_id"], None)
    assert (after["kind"], after["note"]) == ("contacted", "Eva is away")
    page = ann.get(added.headers["location"])
    assert not [form for form in forms(page) if "instead" in form]
    undo = next(form for form in forms(page, "/feedback/undo") if "place" in form)
    page = ann.get(ann.post("/feedback/undo", data=undo).headers["location"])
    assert "Taken back: Contacted, Corn." in page.text
    assert not [form for form in forms(page, "/feedback/undo") if "place" in form]


def test_nobody_else_adds_to_what_was_said_and_another_book_reads_no_confirmation(
    served: "Served", ann: httpx.Client
) -> None:
    where = press(ann, "Contacted: Acme Ltd").headers["location"]
    with served.browser("csm", book="Ann") as colleague, served.browser("csm", book="Bob") as bob:
        shown = colleague.get(where)
        assert "Recorded: Contacted, Acme Ltd." in shown.text
        assert len(forms(shown)) == 1
        assert 'id="said"' not in bob.get(where).text
        assert 'id="said"' not in ann.get("/?said=x&at=x").text
        forged = form_of(colleague, "acme") | {"kind": "contacted", "note": "Mine"}
        number = str(told(served)[0]["feedback_id"])
        assert colleague.post("/feedback", data=forged | {"instead": number}).is_redirect
    assert [row["withdrawn_at"] for row in told(served)] == [None, None]


def test_a_colleagues_mark_stays_and_a_lead_is_told_whose_it_takes_back(
    served: "Served", ann: httpx.Client
) -> None:
    press(ann, "Contacted: Acme Ltd")
    number = str(told(served)[0]["feedback_id"])
    with served.browser("csm", book="Ann") as colleague:
        page = colleague.get("/?tab=all")
        assert "value=undo" not in page.text
        undo = {**forms(page)[0], "feedback_id": number}
        assert colleague.post("/feedback/undo", data=undo).status_code == 403
        assert "/feedback/undo" not in colleague.get("/accounts/acme").text
    assert 'aria-label="Undo: Contacted, Acme Ltd">Undo<' in ann.get("/").text
    with served.browser("lead", team="ours", book="Ann") as lead:
        for path in ("/", "/accounts/acme"):
            page = lead.get(path)
            assert ">Undo: Contacted, by Test</button>" in page.text
        undo = {**forms(page)[0], "feedback_id": number}
        assert lead.post("/feedback/undo", data=undo).status_code == 303
    assert told(served)[0]["withdrawn_at"] is not None


def test_who_is_unsure_is_shown_in_the_row_and_may_take_it_back(ann: httpx.Client) -> None:
    say_of(ann, "acme", "unsure", "Nobody answers")
    page = ann.get("/").text
    assert re.search(r"New\s+<span class=\"quiet\">Unsure · Test, [^“]+“Nobody answers”", page)
    assert 'aria-label="Undo: Unsure, Acme Ltd"' in page
    where = ann.post("/feedback", data=undo_of(ann, "acme")).headers["location"]
    assert "Taken back: Unsure, Acme Ltd." in ann.get(where).text
    assert "Unsure ·" not in ann.get("/").text


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
    undo = undo_of(ann, "acme")
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
    assert re.search(
        r"Snoozed\s+<span[^>]*>until <time>2026-03-17</time><", ann.get("/?tab=all").text
    )
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
    assert ann.post("/feedback", data=filled).headers["location"].startswith("/?csm=Ann&said=")
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
    assert re.fullmatch(r"/accounts/acme\?said=\d+#said", answer.headers["location"])
    page = ann.get("/accounts/acme")
    assert all(said in page.text for said in ("Says Eva", "told by Test"))
    (undo,) = forms(page, "/feedback/undo")
    assert ann.post("/feedback/undo", data=undo).is_redirect
    page = ann.get("/accounts/acme")
    assert "Says Eva" not in page.text
    assert forms(page, "/feedback/undo") == []
    assert [row["kind"] for row in told(served)] == ["will_renew"]


# A session that ends while somebody types


def ended(served: "Served", client: httpx.Client) -> None:
    user = served.user("csm", book="Ann")
    client.cookies.set(SESSION, served.session(user, before=timedelta(days=2)))


@pytest.mark.parametrize(("book", "is_same"), [("Ann", True), ("Bob", True), ("Ann", False)])
def test_what_was_typed_outlives_the_session_and_waits_for_a_click_of_the_same_person(
    served: "Served",
    ann: httpx.Client,
    book: str,
    is_same: bool,  # noqa: FBT001 - of the table above
) -> None:
    user = served.user("csm", book=book, password=PASSWORD)
    form = {**form_of(ann, "acme"), "kind": "saved", "note": 'She said "yes" & <signed>'}
    form |= {"by": user.user_id} if is_same else {}
    with served.client() as browser:
        ended(served, browser)
        back = HTML | {"referer": f"{served.url}/?tab=all&csm=Ann"}
        asked = browser.post("/feedback", data=form, headers=back)
        assert asked.status_code == 401
        assert "signed" not in str(asked.url) + asked.headers.get("location", "")
        (login,) = forms(asked, "/login")
        wrong = browser.post("/login", data=login | {"login": "x", "password": "x"})
        (login,) = forms(wrong, "/login")
        entered = {"login": user.login, "password": PASSWORD}
        shown = browser.post("/login", data=login | entered)
        assert shown.status_code == 200
        assert told(served) == []
        if not is_same:
            assert "typed by somebody else" in shown.text
            assert not any(word in shown.text for word in ("signed>", "signed&gt;", "Acme"))
            return
        assert "She said &#34;yes&#34; &amp; &lt;signed&gt;</textarea>" in shown.text
        if book == "Bob":
            assert "Acme" not in shown.text
            assert forms(shown) == []
            return
        (again,) = forms(shown)
        assert again["mark"] != form["mark"]
        click = again | {"kind": "saved", "note": form["note"]}
        answer = browser.post("/feedback", data=click, headers=HTML)
        assert answer.headers["location"].startswith("/?tab=all&said=")
        browser.post("/feedback", data=click, headers=HTML)
    assert [(row["note"], row["token_id"]) for row in told(served)] == [
        (form["note"], user.user_id)
    ]


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
        ann.post("/feedback/undo", data=undo_of(ann, "acme"))
        assert shown_to(admin) == []


@pytest.mark.usefixtures("banded")
def test_a_decision_is_shown_to_the_csm_and_outlives_the_mark(
    served: "Served", ann: httpx.Client
) -> None:
    say_of(ann, "acme", "will_renew", "They signed by hand")
    with served.browser("lead", team="ours", book="Ann") as lead:
        (form,) = forms(lead.get("/disagreements"), "/disagreements")
        lead.post("/disagreements", data=form | {"sides_with": "model", "note": "No paper"})
        side = "The lead sides with the model"
        row, page = ann.get("/").text, ann.get("/accounts/acme").text
        assert re.search(rf"{side} · Test, <time>2026-03-03</time>: “No paper”", row)
        assert all(said in page for said in (side, "No paper", "On: Will renew, by Test"))
        ann.post("/feedback/undo", data=undo_of(ann, "acme"))
        assert side not in ann.get("/").text
        for client, path in ((ann, "/accounts/acme"), (lead, "/disagreements")):
            page = client.get(path).text
            assert "No paper" in page
            assert "Taken back since" in page


def test_on_a_first_day_without_scores_a_page_says_so_and_keeps_the_sentence(
    unscored: "Served",
) -> None:
    user = unscored.user("admin")
    secret = unscored.session(user)
    kept = kept_session(unscored.parts.store, session_id(secret))
    assert kept is not None
    mark = session_of_secret(secret, kept).mark
    with unscored.client() as client:
        client.cookies.set(SESSION, secret)
        form = {"mark": mark, "by": user.user_id, "account_id": "acme", "key": "k", "kind": "lost"}
        answer = client.post("/feedback", data=form | {"note": "Sold"}, headers=HTML)
        undo = client.post("/feedback/undo", data=form | {"feedback_id": "1"}, headers=HTML)
    assert (answer.status_code, undo.status_code) == (409, 409)
    assert "Sold</textarea>" in answer.text
    assert all("There are no scores yet" in page.text for page in (answer, undo))
    (again,) = forms(answer)
    assert (again["key"], again["account_id"]) == ("k", "acme")


def test_a_mark_is_told_by_names_also_where_a_program_made_it(
    served: "Served", ann: httpx.Client
) -> None:
    with served.client("feedback") as program:
        told_by = {"account_id": "acme", "kind": "contacted", "idempotency_key": "by name"}
        name = program.post("/v1/feedback", json=told_by).json()["recorded_by"]
    row = told(served)[0]
    for path in ("/?tab=all", "/accounts/acme"):
        page = ann.get(path).text
        assert escape(name) in page
        assert row["token_id"] not in page


@pytest.mark.usefixtures("banded")
def test_a_lead_whose_session_ended_finds_the_sentence_again_and_nobody_else_does(
    served: "Served", ann: httpx.Client
) -> None:
    say_of(ann, "acme", "will_renew")
    user = served.user("admin", password=PASSWORD)
    with served.browser() as before, served.client() as browser:
        (form,) = forms(before.get("/disagreements"), "/disagreements")
        typed = {**form, "sides_with": "model", "note": "No paper yet"}
        shown = []
        for by in (user.user_id, form["by"]):
            asked = browser.post("/disagreements", data=typed | {"by": by}, headers=HTML)
            (login,) = forms(asked, "/login")
            entered = {"login": user.login, "password": PASSWORD}
            shown.append(browser.post("/login", data=login | entered).text)
            browser.cookies.clear()
    assert "No paper yet</textarea>" in shown[0]
    assert "No paper" not in shown[1]
    with served.parts.store.reading() as connection:
        assert connection.execute(sa.select(tables.decisions)).all() == []
