"""A source on its way from files to checked Parquet: what stays, what goes aside, and the sums."""

import csv
from datetime import datetime
from decimal import Decimal

import pandas as pd
import pytest

from features.checked import Finding

ACCOUNTS = """
    account_id  created_at
    a           2024-01-01
    b           2024-02-01
"""
SUBSCRIPTIONS = """
    subscription_id  account_id  product  mrr     started_at  ended_at
    s1               a           base     100.10  2024-01-01  -
    s2               b           base     50      2024-02-01  2024-12-31
"""
BASE = {"accounts": ACCOUNTS, "subscriptions": SUBSCRIPTIONS}


def quarantine(source):
    with source.quarantine.open(newline="") as file:
        return [
            (row["table"], int(row["row"]), row["column"], row["reason"], row["value"])
            for row in csv.DictReader(file)
        ]


def test_it_keeps_a_good_source_whole(company):
    source = company(BASE, extracted_at="2024-02-29")
    subscriptions = source.read("subscriptions")
    assert subscriptions["mrr"].tolist() == [Decimal("100.1000"), Decimal("50.0000")]
    assert subscriptions["ended_at"].isna().tolist() == [True, False]
    assert source.quarantine is None
    assert source.findings == ()


def test_a_date_without_a_time_is_known_at_the_end_of_its_day(company):
    accounts = company(BASE).read("accounts")
    assert accounts["created_at"][0] == pd.Timestamp("2024-01-01 23:59:59.999999")
    assert accounts["known_at"][0] == accounts["created_at"][0]


def test_a_time_with_an_offset_becomes_utc(company):
    tables = BASE | {"accounts": "account_id created_at\na 2024-01-01T10:00:00+02:00\nb 2024-01-02"}
    assert company(tables).read("accounts")["created_at"][0] == pd.Timestamp("2024-01-01 08:00")


def test_a_row_recorded_late_is_known_late(company):
    accounts = """
        account_id  created_at  recorded_at
        a           2024-01-01  2024-03-01
        b           2024-02-01  2023-12-01
    """
    known_at = company(BASE | {"accounts": accounts}).read("accounts")["known_at"]
    assert known_at.dt.date.astype(str).tolist() == ["2024-03-01", "2024-02-01"]


def test_a_quantity_that_is_not_given_is_one(company):
    events = "account_id occurred_at event\na 2024-03-01 login"
    source = company(BASE | {"usage_events": events})
    assert source.read("usage_events")["quantity"].tolist() == [1.0]
    assert "quantity" in source.columns["usage_events"]


def signed(column, cell):
    """Give the first subscription this cell, and the second a 3."""
    rows = SUBSCRIPTIONS.replace("ended_at", column, 1).replace("-\n", f"{cell}\n")
    return rows.replace("2024-12-31", "3")


BROKEN = {
    "a missing required value": (
        "payments",
        "payment_id account_id attempted_at amount succeeded\np1 a 2024-03-01 - true",
        ("amount", "is missing", ""),
    ),
    "a time that is none": (
        "support_tickets",
        "ticket_id account_id opened_at\nt1 a 2024-02-30",
        ("opened_at", "is not an ISO date or time", "2024-02-30"),
    ),
    "a fraction where a whole number belongs": (
        "subscriptions",
        signed("seats", "2.5"),
        ("seats", "is not a whole number", "2.5"),
    ),
    "a text where an amount belongs": (
        "invoices",
        "invoice_id account_id issued_at due_at amount\ni1 a 2024-03-01 2024-04-01 ten",
        ("amount", "is not an amount", "ten"),
    ),
    "a text where a number belongs": (
        "usage_events",
        "account_id occurred_at event quantity\na 2024-03-01 login many",
        ("quantity", "is not a number", "many"),
    ),
    "a text where a yes or no belongs": (
        "payments",
        "payment_id account_id attempted_at amount succeeded\np1 a 2024-03-01 5 perhaps",
        ("succeeded", "is not a yes or no", "perhaps"),
    ),
    "an unknown account": (
        "trainings",
        "account_id completed_at\nz 2024-03-01",
        ("account_id", "names an unknown account", "z"),
    ),
    "an end before its start": (
        "support_tickets",
        "ticket_id account_id opened_at resolved_at\nt1 a 2024-03-02 2024-03-01",
        ("resolved_at", "lies before opened_at", "2024-03-01"),
    ),
    "something that happened after the extract": (
        "engagement",
        "account_id occurred_at channel\na 2026-01-02 email",
        ("occurred_at", "lies after the time of the extract", "2026-01-02"),
    ),
    "a row recorded after the extract": (
        "engagement",
        "account_id occurred_at channel recorded_at\na 2025-01-02 email 2026-01-02",
        ("recorded_at", "lies after the time of the extract", "2026-01-02"),
    ),
    "a quantity that is not a number": (
        "usage_events",
        "account_id occurred_at event quantity\na 2024-03-01 login NaN",
        ("quantity", "is not a finite number", "nan"),
    ),
    "an amount without end": (
        "invoices",
        "invoice_id account_id issued_at due_at amount\ni1 a 2024-03-01 2024-04-01 -inf",
        ("amount", "is not a finite number", "-inf"),
    ),
    "a value that is not allowed": (
        "incidents",
        "incident_id account_id started_at severity\ni1 a 2024-03-01 huge",
        ("severity", "is not one of minor, major, critical", "huge"),
    ),
    "a negative MRR": (
        "subscriptions",
        SUBSCRIPTIONS.replace("100.10", "-1"),
        ("mrr", "is below 0", "-1.0000"),
    ),
    "an amount beyond what can be added up": (
        "subscriptions",
        SUBSCRIPTIONS.replace("100.10", "1000000000000.01"),
        ("mrr", "is above 1,000,000,000,000", "1000000000000.0100"),
    ),
    "an amount too long for its type": (
        "subscriptions",
        SUBSCRIPTIONS.replace("100.10", "1e15"),
        ("mrr", "is above 1,000,000,000,000", "1e15"),
    ),
    "a credit beyond what can be added up": (
        "invoices",
        "invoice_id account_id issued_at due_at amount\ni1 a 2024-03-01 2024-04-01 -1e13",
        ("amount", "is below -1,000,000,000,000", "-10000000000000.0000"),
    ),
    "an NPS of eleven": (
        "surveys",
        "account_id responded_at kind score\na 2024-03-01 nps 11",
        ("score", "is not within 0 and 10, the range of nps", "11.0"),
    ),
    "a CES of zero": (
        "surveys",
        "account_id responded_at kind score\na 2024-03-01 ces 0",
        ("score", "is not within 1 and 7, the range of ces", "0.0"),
    ),
    "a ticket's satisfaction of six": (
        "support_tickets",
        "ticket_id account_id opened_at csat\nt1 a 2024-03-02 6",
        ("csat", "is above 5", "6.0"),
    ),
    "a term of more than a hundred years": (
        "subscriptions",
        signed("term_months", "9999999"),
        ("term_months", "is above 1,200", "9999999"),
    ),
    "a notice of more than a hundred years": (
        "subscriptions",
        signed("notice_days", "36501"),
        ("notice_days", "is above 36,500", "36501"),
    ),
    "more seats than there are people": (
        "subscriptions",
        signed("seats", "1e16"),
        ("seats", "is above 1,000,000,000", "1e16"),
    ),
    "a merge into an unknown account": (
        "account_merges",
        "from_account_id into_account_id merged_at\nold z 2024-03-01",
        ("into_account_id", "names an unknown account", "z"),
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_it_sets_a_broken_row_aside_with_its_reason(company, kind):
    table, rows, (column, reason, value) = BROKEN[kind]
    source = company(BASE | {table: rows}, limit=1.0)
    assert quarantine(source) == [(table, 1, column, reason, value)]
    assert source.quarantined[table] == 1
    assert Finding(
        "error", table, column, f"{column} {reason}", 1, 1 / source.counts[table].read
    ) in (source.findings)


def test_every_row_under_one_key_is_set_aside_when_they_differ(company):
    tickets = """
        ticket_id  account_id  opened_at
        t1         a           2024-03-01
        t2         a           2024-03-01
        t1         a           2024-03-02
        t1         a           2024-03-02
    """
    source = company(BASE | {"support_tickets": tickets}, limit=1.0)
    assert [row for _, row, *_ in quarantine(source)] == [1, 3, 4]
    assert source.read("support_tickets")["ticket_id"].tolist() == ["t2"]


def test_a_renewal_under_the_same_subscription_is_a_row_of_its_own(company):
    subscriptions = """
        subscription_id  account_id  product  mrr  started_at
        s1               a           base     100  2024-01-01
        s1               a           base     100  2025-01-01
        s1               a           extra    10   2025-01-01
    """
    assert company(BASE | {"subscriptions": subscriptions}).counts["subscriptions"].accepted == 3


def test_exact_copies_collapse_into_one_and_are_counted(company):
    events = "account_id occurred_at event\n" + "a 2024-03-01 login\n" * 3 + "b 2024-03-01 login"
    source = company(BASE | {"usage_events": events})
    assert source.counts["usage_events"].accepted == 2
    assert source.counts["usage_events"].collapsed == 2
    assert [f.rows for f in source.findings if "copies" in f.message] == [2]


def test_events_with_different_foreign_ids_are_no_copies(company):
    events = "account_id occurred_at event id\na 2024-03-01 login 1\na 2024-03-01 login 2"
    assert company(BASE | {"usage_events": events}).counts["usage_events"].accepted == 2


def test_a_foreign_key_shows_broken_events(company):
    events = """
        account_id  occurred_at  event   id
        a           2024-03-01   login   1
        a           2024-03-02   export  1
        a           2024-03-02   export  2
        a           2024-03-02   export  2
    """
    toml = {"tables": {"usage_events": {"key": "id"}}}
    source = company(BASE | {"usage_events": events}, limit=1.0, **toml)
    assert [(row, column) for _, row, column, *_ in quarantine(source)] == [(1, "id"), (2, "id")]
    assert source.counts["usage_events"].collapsed == 1


def test_versions_of_a_row_are_kept_side_by_side(company):
    accounts = """
        account_id  tier  created_at  recorded_at
        a           tech  2024-01-01  2024-01-01
        a           high  2024-01-01  2024-06-01
        b           mid   2024-02-01  2024-02-01
    """
    source = company(BASE | {"accounts": accounts})
    assert source.counts["accounts"].accepted == 3
    assert source.stable_columns == {("accounts", "tier")}


def test_two_rows_recorded_at_once_under_one_key_are_broken(company):
    accounts = """
        account_id  tier  created_at  recorded_at
        a           tech  2024-01-01  2024-06-01
        a           high  2024-01-01  2024-06-01
        b           mid   2024-02-01  2024-02-01
    """
    subscriptions = "subscription_id account_id product mrr started_at\ns2 b base 50 2024-02-01"
    tables = {"accounts": accounts, "subscriptions": subscriptions}
    source = company(tables, limit=1.0)
    assert [row for _, row, *_ in quarantine(source)] == [1, 2]


def test_an_overwritten_column_without_versions_is_no_feature_and_that_is_said(company):
    accounts = "account_id tier created_at\na tech 2024-01-01\nb mid 2024-01-01"
    source = company(BASE | {"accounts": accounts})
    assert source.stable_columns == frozenset()
    assert any("tier is overwritten" in finding.message for finding in source.findings)


def test_a_version_column_with_gaps_makes_nothing_stable(company):
    accounts = (
        "account_id tier created_at recorded_at\na tech 2024-01-01 -\nb mid 2024-01-01 2024-01-01"
    )
    assert company(BASE | {"accounts": accounts}).stable_columns == frozenset()


def test_a_column_called_constant_may_be_a_feature(company):
    accounts = "account_id tier created_at\na tech 2024-01-01\nb mid 2024-01-01"
    toml = {"tables": {"accounts": {"columns": {"tier": {"constant": True}}}}}
    assert company(BASE | {"accounts": accounts}, **toml).stable_columns == {("accounts", "tier")}


def test_rows_of_a_merged_account_are_known(company):
    merges = "from_account_id into_account_id merged_at\nold a 2024-06-01\nolder old 2024-03-01"
    courses = "account_id completed_at\nold 2024-02-01\nolder 2024-02-01"
    source = company(BASE | {"account_merges": merges, "trainings": courses})
    assert source.counts["trainings"].accepted == 2


def test_rows_of_an_account_in_quarantine_follow_it(company):
    accounts = ACCOUNTS + "    c  yesterday\n"
    courses = "account_id completed_at\na 2024-02-01\nc 2024-02-01"
    source = company({**BASE, "accounts": accounts, "trainings": courses}, limit=1.0)
    assert ("trainings", 2, "account_id", "names an unknown account", "c") in quarantine(source)


def test_planned_times_may_lie_after_the_extract(company):
    subscriptions = """
        subscription_id  account_id  product  mrr  started_at  ended_at    renews_at
        s1               a           base     100  2024-01-01  2027-12-31  2027-12-31
        s2               b           base     100  2027-01-01  -           -
    """
    invoices = "invoice_id account_id issued_at due_at amount\ni1 a 2025-12-31 2026-02-01 5"
    source = company(BASE | {"subscriptions": subscriptions, "invoices": invoices})
    assert sum(source.quarantined.values()) == 0


def test_an_end_on_the_day_of_its_start_is_not_before_it(company):
    tickets = "ticket_id account_id opened_at resolved_at\nt1 a 2024-03-01 2024-03-01T10:00"
    assert company(BASE | {"support_tickets": tickets}).quarantined["support_tickets"] == 0


def test_the_day_of_the_extract_is_not_after_it(company):
    courses = "account_id completed_at\na 2024-12-31"
    source = company(BASE | {"trainings": courses}, extracted_at="2024-12-31T08:00:00")
    assert source.quarantined["trainings"] == 0


def test_the_guess_is_the_day_after_the_latest_happening(company):
    courses = "account_id completed_at\na 2024-05-01T10:00\na 2024-04-01"
    source = company(BASE | {"trainings": courses}, extracted_at=None)
    assert source.extracted_at == datetime(2024, 5, 2)  # noqa: DTZ001 - naive UTC by contract
    assert source.extracted_at_is_guess
    assert any("guess" in finding.message for finding in source.findings)


def test_a_slip_in_a_year_does_not_move_the_guess(company):
    courses = "account_id completed_at\na 2024-05-01\na 2924-04-01"
    source = company(BASE | {"trainings": courses}, extracted_at=None, limit=1.0)
    assert source.extracted_at == datetime(2024, 5, 2)  # noqa: DTZ001 - naive UTC by contract
    assert source.quarantined["trainings"] == 1


def test_implausible_rows_are_kept_and_counted(company):
    tables = BASE | {
        "usage_events": """
            account_id  occurred_at  event
            a           2023-12-01   x
            a           2024-01-01   x
            a           2024-02-01   x
        """,
        "support_tickets": "ticket_id account_id opened_at\nt1 b 2024-01-31\nt2 b 2024-02-01",
    }
    source = company(tables)
    assert source.counts["usage_events"].accepted == 3
    warned = [(f.table, f.rows, round(f.share, 3)) for f in source.findings if f.rows]
    assert warned == [("usage_events", 1, 0.333), ("support_tickets", 1, 0.5)]


def test_a_response_before_the_ticket_is_kept_with_a_warning(company):
    tickets = "ticket_id account_id opened_at first_responded_at\nt1 a 2024-03-02 2024-03-01"
    source = company(BASE | {"support_tickets": tickets}, extracted_at="2024-03-31")
    assert source.counts["support_tickets"].accepted == 1
    assert [f.column for f in source.findings] == ["first_responded_at"]
