"""The portfolio of a team: sums over its own books, beside sums by hand-written SQL."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import sqlalchemy as sa

from serving.api.feedback import Feedback, record, withdraw
from serving.audit_log.account_keys import Pseudonyms
from serving.audit_log.check import reads_of
from serving.erasure.erase import erase
from serving.pages.portfolio import Remembered, judged
from serving.store import tables
from serving.store.portfolio import InBooks, stakes

if TYPE_CHECKING:
    from tests.serving.conftest import Served

PATH = "/portfolio"


@pytest.fixture
def lead(served: "Served") -> Iterator[httpx.Client]:
    served.user("csm", book="Ann", team="north")
    with served.browser("lead", team="north") as client:
        yield client


def texts(client: httpx.Client) -> str:
    """Give a page's words without its tags."""
    response = client.get(PATH)
    assert response.status_code == 200, response.text
    return " ".join(re.sub(r"<[^>]+>", " ", response.text).split())


def sums(served: "Served", where: str) -> dict[str, Any]:
    """Give number and ARR of scored accounts by band, in SQL written by hand."""
    text = f"""
        SELECT band, count(*) AS accounts, sum(arr) AS arr FROM listed_accounts
        WHERE publication = 1 AND status = 'scored' AND {where} GROUP BY band
    """
    with served.parts.store.reading() as connection:
        return {row["band"]: dict(row) for row in connection.execute(sa.text(text)).mappings()}


@pytest.mark.parametrize(
    ("quarter", "when"),
    [
        ("Q2 2026", "renewal_date < '2026-07-01'"),
        ("Q3 2026", "renewal_date BETWEEN '2026-07-01' AND '2026-09-30'"),
        ("Q1 2027", "renewal_date >= '2027-01-01'"),
        ("no term", "renewal_date IS NULL"),
    ],
)
def test_arr_stands_by_renewal_and_band_as_sql_sums_it(
    served: "Served", quarter: str, when: str
) -> None:
    with served.browser() as client:
        row = texts(client).partition(f"{quarter} ")[2]
    for found in sums(served, when).values():
        assert f"EUR {found['arr']:,.0f} {found['accounts']} accounts" in row[:140]


def test_a_lead_sees_the_teams_books_and_nothing_of_others(lead: httpx.Client) -> None:
    page = texts(lead)
    assert "Acme Ltd" in page
    assert not re.search(r"Bolt|Bob|Dune|60,000|no CSM|asked to cancel all they pay for", page)


def test_a_csm_sees_the_own_books_portfolio(served: "Served") -> None:
    with served.browser("csm", book="Bob") as client:
        page = texts(client)
    assert "Bolt" in page
    assert "EUR 60,000 1 accounts" in page
    assert "1 accounts that asked to cancel all they pay for, EUR 8,400" in page
    assert not re.search(r"Acme|Ann", page)


def test_load_is_in_parts_of_what_a_csm_can_look_after(lead: httpx.Client) -> None:
    # Ann has one account of the high tier and one of the mid tier: 1 of 25 and 1 of 150.
    assert "Ann 2 5 % 5 % 2 accounts 0 EUR 0" in texts(lead)


@pytest.mark.parametrize("csm", ["Ann", "Bob"])
def test_load_against_capacity_is_as_sql_sums_it(served: "Served", csm: str) -> None:
    query = """
        SELECT count(*), sum(part), sum(is_on * part), sum(is_on), sum(is_below),
            sum(is_below * loss)
        FROM (SELECT CASE tier WHEN 'high' THEN 1.0 / 25 WHEN 'mid' THEN 1.0 / 150 ELSE 0 END
                AS part, coalesce(expected_loss, 0) AS loss,
                CASE WHEN status = 'scored' AND why_not IS NULL THEN 1 ELSE 0 END AS is_on,
                CASE WHEN why_not = 'below_capacity' THEN 1 ELSE 0 END AS is_below
            FROM listed_accounts
            WHERE publication = 1 AND csm = :csm AND status <> 'inactive') AS each_one
    """
    with served.parts.store.reading() as connection:
        row = connection.execute(sa.text(query), {"csm": csm}).one()
    accounts, whole, on, listed, below, loss = map(float, row)
    with served.browser() as client:
        page = texts(client)
    shares = " ".join("< 1 %" if each < 0.01 else f"{each:.0%}" for each in (whole, on))
    shares = shares.replace("%", " %").replace("  ", " ")
    said = f"{csm} {accounts:.0f} {shares} {listed:.0f} accounts {below:.0f} EUR {loss:,.0f}"
    assert said in unescape(page)


def test_retention_is_of_the_longest_horizon_that_is_scored(served: "Served") -> None:
    with served.browser() as client:
        page = texts(client)
    query = """
        SELECT sum(a.arr), sum(a.arr * leaves.probability),
            sum(12 * coalesce(grows.expected_added_mrr, 0))
        FROM listed_accounts a
        JOIN scores leaves ON leaves.account_id = a.account_id
            AND leaves.publication = a.publication AND leaves.model = 'churn'
            AND leaves.horizon_days = 90
        LEFT JOIN scores grows ON grows.account_id = a.account_id
            AND grows.publication = a.publication AND grows.model = 'expansion'
            AND grows.horizon_days = 90
        WHERE a.publication = 1 AND a.status = 'scored'
    """
    with served.parts.store.reading() as connection:
        arr, lost, added = map(float, connection.execute(sa.text(query)).one())
    assert min(lost, added) > 0
    assert "Expected retention within 90 days" in page
    assert f"less what leaves {(1 - lost / arr) * 100:.1f} %" in page
    net = (1 - (lost - added) / arr) * 100
    assert f"less what leaves, with what is added {net:.1f} %" in page


def test_accounts_of_one_group_are_one_customer(served: "Served") -> None:
    store, accounts = served.parts.store, tables.published_accounts
    bolt = sa.update(accounts).where(accounts.c.account_id == "bolt")
    alone = stakes(store, InBooks(1, None), 90).customers
    with store.writing() as connection:
        connection.execute(bolt.values(customer_group="acme"))
    together = stakes(store, InBooks(1, None), 90).customers
    with store.writing() as connection:
        connection.execute(bolt.values(customer_group="bolt"))
    assert len(set(alone)) == len(alone) > 2
    assert len(set(together)) == len(alone) - 1
    assert together[0] == together[1]  # in order of their ids: acme, bolt


def test_whom_nobody_touched_is_listed_and_written_down(
    served: "Served", lead: httpx.Client
) -> None:
    assert "2 accounts were not touched since they were first listed" in texts(lead)
    name = Pseudonyms(served.parts.store).of(["acme"])[0]
    calls = {read.call for read in reads_of(served.parts.settings.home.audit_log, name)}
    assert f"GET {PATH}" in calls


def test_a_first_list_says_from_when_there_is_one_of_a_quarter_ago(
    served: "Served", lead: httpx.Client
) -> None:
    assert served.publication is not None
    day = served.publication.as_of + timedelta(days=77)
    assert f"There is one from {day:%Y-%m-%d} on" in texts(lead)


def test_a_team_of_nobody_and_a_first_day_say_what_to_do(
    served: "Served", unscored: "Served"
) -> None:
    with served.browser("lead", team="of nobody") as client:
        assert "You see no account" in texts(client)
    with unscored.browser() as client:
        assert "There are no scores yet" in texts(client)


def test_precision_is_the_share_that_left_or_asked_to_beside_all_that_were_scored() -> None:
    rows = [
        {"is_listed": 1, "is_worked": 1, "outcome": "left", "accounts": 1},
        {"is_listed": 1, "is_worked": 1, "outcome": "there", "accounts": 4},
        {"is_listed": 1, "is_worked": 0, "outcome": "leaving", "accounts": 2},
        {"is_listed": 1, "is_worked": 0, "outcome": "grew", "accounts": 3},
        {"is_listed": 0, "is_worked": 0, "outcome": "left", "accounts": 2},
        {"is_listed": 0, "is_worked": 0, "outcome": "there", "accounts": 18},
    ]
    found = judged(rows)
    assert (found["of_list"]["gone"], found["of_list"]["accounts"]) == (3, 10)
    assert (found["of_all"]["gone"], found["of_all"]["accounts"]) == (5, 30)
    assert found["of_list"]["low"] == pytest.approx(0.1078, abs=1e-4)  # Wilson, by hand
    assert found["of_list"]["high"] == pytest.approx(0.6032, abs=1e-4)
    worked, left_alone = found["worked"]
    assert (worked["accounts"], worked["left"], worked["there"]) == (5, 1, 4)
    assert (left_alone["accounts"], left_alone["leaving"], left_alone["grew"]) == (5, 2, 3)


def test_only_what_a_role_may_open_is_led_to(lead: httpx.Client) -> None:
    assert '<a href="/portfolio" aria-current="page">' in lead.get(PATH).text
    assert "/operations" not in lead.get(PATH).text


@pytest.mark.parametrize("kind", ["contacted", "saved", "not_a_risk", "snoozed"])
def test_what_was_just_said_counts_at_once_until_it_is_withdrawn(
    served: "Served", kind: str
) -> None:
    with served.browser("csm", book="Bob") as client:
        assert "1 accounts were not touched since" in texts(client)
        store, now = served.parts.store, served.parts.now()
        until = now + timedelta(days=7) if kind == "snoozed" else None
        told = Feedback("bolt", kind, None, f"{kind} of bolt", until)
        number = record(store, told, "a token", now).feedback_id
        page = texts(client)
        assert "Nobody on the list is untouched" in page
        assert ("1 more are snoozed until their day" in page) == (kind == "snoozed")
        assert withdraw(store, number, "a token", now)
        assert "1 accounts were not touched since" in texts(client)


def test_what_is_remembered_is_of_its_publication_and_its_books() -> None:
    remembered, found = Remembered(most=2), iter(range(10))
    asked = [(1, "ann"), (1, "ann"), (1, "bob"), (2, "ann"), (2, "ann"), (1, "ann")]
    assert [remembered.of(*each, lambda: next(found)) for each in asked] == [0, 0, 1, 2, 2, 3]


def test_who_is_erased_is_in_no_sum_that_was_remembered(served: "Served") -> None:
    # The last test of the module: it takes an account away.
    parts = served.parts
    with served.browser("csm", book="Bob") as client:
        assert "EUR 60,000 1 accounts" in texts(client)
        erase(["bolt"], parts.store, parts.settings.home, parts.now(), print)
        page = texts(client)
    assert not re.search(r"Bolt|60,000", page)
    assert "1 accounts that asked to cancel all they pay for, EUR 8,400" in page
