"""Minutes of outage, by hand; working hours by an oracle that walks the minutes."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from features.checked import CheckedSource

Company = Callable[..., CheckedSource]
Values = Callable[..., dict[str, float | None]]
BASE = {
    "accounts": """
        account_id  created_at
        a           2024-01-01
        b           2024-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at
        s1              a          base    100 2024-01-01
        s2              b          base    100 2024-01-01
    """,
}
INCIDENTS = """
    incident_id account_id product severity started_at       resolved_at
    i1          a          base    critical 2024-02-29T23:00 2024-03-01T01:30
    i2          a          plus    major    2024-03-10T10:00 2024-03-10T10:45
    i3          a          -       minor    2024-03-20T12:00 -
"""


def known(company: Company, **tables: str) -> CheckedSource:
    return company({**BASE, "incidents": INCIDENTS, **tables}, extracted_at="2026-01-01")


@pytest.mark.parametrize(
    ("as_of", "month", "quarter", "critical", "major", "still_open"),
    [
        ("2024-02-29", 0, 0, 0, 0, 0),
        ("2024-03-01", 60, 60, 60, 0, 1),  # it has run for an hour, and its end is not known
        ("2024-03-02", 150, 150, 150, 0, 0),
        ("2024-03-21", 915, 915, 150, 45, 1),
        ("2024-03-29", 90 + 45 + 8 * 1440 + 720, 195 + 8 * 1440 + 720, 150, 45, 1),
        ("2024-03-30", 45 + 9 * 1440 + 720, 195 + 9 * 1440 + 720, 150, 45, 1),
        ("2024-05-30", 28 * 1440, 45 + 70 * 1440 + 720 + 90, 90, 45, 1),
        ("2024-07-30", 28 * 1440, 90 * 1440, 0, 0, 1),
    ],
)
def test_an_outage_counts_for_its_minutes_inside_the_window(
    company: Company,
    values: Values,
    as_of: str,
    month: float,
    quarter: float,
    critical: float,
    major: float,
    still_open: int,
) -> None:
    columns = [
        "reliability__outage_minutes__28d",
        "reliability__outage_minutes__90d",
        "reliability__critical_outage_minutes__90d",
        "reliability__major_outage_minutes__90d",
        "reliability__open_incidents",
    ]
    seen = list(values(known(company), columns, as_of).values())
    assert seen == [month, quarter, critical, major, still_open]


def test_an_incident_recorded_late_is_met_from_then_on(company: Company, values: Values) -> None:
    late = """
        incident_id account_id started_at       resolved_at      recorded_at
        i1          a          2024-03-01T10:00 2024-03-01T11:00 2024-03-05T09:00
        i1          a          2024-03-01T10:00 2024-03-01T10:30 2024-03-08T09:00
    """
    source = known(company, incidents=late)
    minutes = "reliability__outage_minutes__28d"
    seen = [
        values(source, [minutes], f"2024-{day}")[minutes]
        for day in ("03-05", "03-06", "03-09", "03-29", "03-30")
    ]
    assert seen == [0, 60, 30, 30, 0]


MERGED = {
    "account_merges": """
        from_account_id into_account_id merged_at
        b               a               2024-03-15
    """,
    "incidents": """
        incident_id account_id product severity started_at       resolved_at
        i1          a          base    minor    2024-03-01T10:00 2024-03-01T11:00
        i1          b          base    critical 2024-03-01T10:30 2024-03-01T12:00
        i2          b          -       minor    2024-03-02T10:00 2024-03-02T10:30
        i3          a          -       major    2024-03-14T23:00 -
        i3          b          -       major    2024-03-14T23:00 2024-03-14T23:30
    """,
    "usage_events": """
        account_id occurred_at      event product
        a          2024-02-20T10:00 open  base
        b          2024-02-21T10:00 open  base
    """,
}


@pytest.mark.parametrize(
    ("as_of", "account", "expected"),
    [
        ("2024-03-15", "a", [60 + 60, 0, 60, 60 + 60, 2, 1]),
        ("2024-03-15", "b", [90 + 30 + 30, 90, 30, 90 + 30 + 30, 3, 0]),
        # One customer: i1 from 10:00 to 12:00, i2 of the other record, i3 open for one of the two.
        ("2024-03-16", "a", [120 + 30 + 1500, 120, 1500, 120 + 30 + 1500, 3, 1]),
    ],
)
def test_an_incident_that_both_records_of_a_customer_met_counts_once(
    company: Company,
    values: Values,
    as_of: str,
    account: str,
    expected: list[float],
) -> None:
    columns = [
        "reliability__outage_minutes__28d",
        "reliability__critical_outage_minutes__28d",
        "reliability__major_outage_minutes__28d",
        "reliability__outage_minutes_in_use__28d",
        "reliability__incidents__90d",
        "reliability__open_incidents",
    ]
    seen = values(known(company, **MERGED), columns, as_of, account)
    assert list(seen.values()) == expected


USE = """
    account_id occurred_at      event product
    a          2024-02-01T10:00 open  base
    a          2024-02-11T10:00 open  plus
    a          2024-03-10T09:00 open  plus
    b          2024-03-09T09:00 open  plus
"""


def test_only_products_used_in_the_four_weeks_before_are_in_use(
    company: Company, values: Values
) -> None:
    """Base was used 28 days before, plus 28 days before; the day itself does not count."""
    columns = ["reliability__outage_minutes_in_use__90d"]
    source = known(company, usage_events=USE)
    assert values(source, columns, "2024-03-15") == {columns[0]: 150 + 45}
    earlier = USE.replace("2024-02-01", "2024-01-31").replace("2024-02-11", "2024-02-10")
    assert values(known(company, usage_events=earlier), columns, "2024-03-15") == {columns[0]: 0}
    assert values(source, columns, "2024-03-21") == {columns[0]: 150 + 45 + 720}  # i3 hits all


def test_use_that_is_recorded_late_shows_an_outage_to_have_hit_later(
    company: Company, values: Values
) -> None:
    columns = ["reliability__outage_minutes_in_use__90d"]
    late = """
        account_id occurred_at      event product recorded_at
        a          2024-03-05T10:00 open  plus    2024-03-16T09:00
    """
    source = known(company, usage_events=late)
    assert values(source, columns, "2024-03-16") == {columns[0]: 0}
    assert values(source, columns, "2024-03-17") == {columns[0]: 45}


CONTACTS = {
    "engagement": """
        account_id occurred_at      channel
        a          2024-03-01T00:30 webinar
        b          2024-03-25T00:00 webinar
    """,
    "support_tickets": """
        ticket_id account_id opened_at
        t1        a          2024-03-10T10:15
    """,
    "reviews": """
        review_id account_id held_at
        r1        a          2024-03-21T12:00
    """,
}


@pytest.mark.parametrize(
    ("as_of", "minutes"),
    [
        ("2024-03-01", 60),  # never in contact: all so far
        ("2024-03-02", 60),  # from half past midnight to half past one
        ("2024-03-10", 60),
        ("2024-03-11", 30),
        ("2024-03-21", 30 + 720),
        ("2024-03-22", 720),
        ("2024-03-23", 720 + 1440),
    ],
)
def test_outage_adds_up_until_the_next_contact(
    company: Company, values: Values, as_of: str, minutes: float
) -> None:
    column = "reliability__outage_minutes_since_contact"
    assert values(known(company, **CONTACTS), [column], as_of) == {column: minutes}


def zoned(company: Company, zone: str, incidents: str, extracted_at: str) -> CheckedSource:
    accounts = f"""
        account_id  created_at  time_zone
        a           2020-01-01  {zone}
        b           2020-01-01  {zone}
    """
    subscriptions = BASE["subscriptions"]
    tables = {"accounts": accounts, "subscriptions": subscriptions, "incidents": incidents}
    return company(tables, extracted_at=extracted_at)


def worked(begin: datetime, end: datetime, zone: str) -> int:
    """Minutes between two UTC times that fall into local working hours, one by one."""
    minutes = int((end - begin).total_seconds() // 60)
    utc, there = ZoneInfo("UTC"), ZoneInfo(zone)
    local = (
        (begin + timedelta(minutes=minute)).replace(tzinfo=utc).astimezone(there)
        for minute in range(max(minutes, 0))
    )
    return sum(time.weekday() < 5 and 9 <= time.hour < 17 for time in local)


@pytest.mark.parametrize(
    "zone",
    [
        "Europe/Berlin",
        "America/New_York",
        "Australia/Sydney",
        "Asia/Kolkata",
        "Africa/Casablanca",
        "Pacific/Kiritimati",
    ],
)
def test_working_hours_agree_with_a_walk_through_the_minutes(
    company: Company, values: Values, zone: str
) -> None:
    """Over the changes of the clocks in spring and autumn, and the days on which they fall."""
    dice = random.Random(zone)  # noqa: S311 - drawn incidents, not a secret
    first = datetime(2024, 3, 1)  # noqa: DTZ001 - naive UTC, as sources have it
    lines, spells = [], []
    for number in range(8):
        begin = first + timedelta(minutes=dice.randrange(250 * 1440))
        end = begin + timedelta(minutes=dice.choice((30, 600, 4000, 20_000)))
        spells.append((begin, end))
        lines.append(f"i{number} a {begin.isoformat()} {end.isoformat()}")
    head = "incident_id account_id started_at resolved_at"
    source = zoned(company, zone, "\n".join((head, *lines)), "2025-06-01")
    column = "reliability__working_outage_minutes__90d"
    for as_of in (datetime(2024, 4, 2), datetime(2024, 6, 15), datetime(2024, 11, 5)):  # noqa: DTZ001 - naive UTC
        begin = as_of - timedelta(days=90)
        expected = sum(worked(max(s, begin), min(e, as_of), zone) for s, e in spells)
        assert values(source, [column], as_of.isoformat()) == {column: expected}


@pytest.mark.parametrize(
    ("zone", "account", "minutes"),
    [
        ("Europe/Berlin", "a", 90),  # 8:30 to 10:30 in Berlin
        ("Asia/Tokyo", "a", 30),  # 16:30 to 18:30 in Tokyo
        ("Europe/Berlin", "b", 0),  # met nothing, which is known
        ("-", "a", None),
        ("Nowhere/Known", "a", None),
    ],
)
def test_working_hours_are_not_known_without_a_time_zone(
    company: Company, values: Values, zone: str, account: str, minutes: float | None
) -> None:
    incidents = """
        incident_id account_id started_at       resolved_at
        i1          a          2024-03-06T07:30 2024-03-06T09:30
    """
    source = zoned(company, zone, incidents, "2025-06-01")
    column = "reliability__working_outage_minutes__28d"
    assert values(source, [column], "2024-03-10", account) == {column: minutes}
