"""Sentences with an account's own numbers."""

import re
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalog import available, catalog, catalog_json, sentence

ENTRIES = {entry["column"]: entry for entry in catalog_json(catalog())}
UNITS = {column: entry["unit"] for column, entry in ENTRIES.items()}
Row = Mapping[str, float | None]

OWN_AVERAGE = "this account's own average of the year before"
NUMBER = r"(\d[\d,]*(?:\.\d+)?)"
WINDOWED = re.compile(rf"{NUMBER}.*, (up|down) from (none|{NUMBER}) ")
MOVED = re.compile(rf" (rose|fell) from {NUMBER} to {NUMBER} ")
RATED = re.compile(rf"rated {NUMBER} .*, (above|below) the {NUMBER} ")
SHARED = re.compile(r", (over )?[\d,]+% (above|below) ")
SAME = re.compile(r", as (in|\d+ days ago)|, equal to ")


def number(text: str) -> float:
    return 0.0 if text in {"none", "No"} else float(text.replace(",", ""))


def is_denied(said: str) -> bool:
    """Tell whether a sentence's own numbers deny its direction."""
    if found := MOVED.search(said):
        way, before, now = found.groups()
        rises = way == "rose"
    elif found := RATED.search(said):
        now, way, before = found.groups()
        rises = way == "above"
    elif found := WINDOWED.search(re.sub(r"^No ", "0 ", said)):
        now, way, before, _ = found.groups()
        rises = way == "up"
    else:
        return False
    return number(now) <= number(before) if rises else number(now) >= number(before)


def compared(entry: Mapping[str, object], row: Row) -> tuple[float | None, float | None]:
    text = entry["text"]
    against = text["against"]
    now = row.get(text["now"] or entry["column"])
    return now, row.get(against) if isinstance(against, str) else against


WHOLE = {"users", "items", "tickets", "invoices", "payments", "seats", "months"}
SIGNED = re.compile("_change(__|$)|against|notice|paid_after_due")


def drawn(column: str) -> st.SearchStrategy[float | None]:
    unit, lowest = UNITS[column], -400 if SIGNED.search(column) else 0
    small, whole = st.integers(lowest, 3), st.integers(lowest, 2_000_000)
    numbers = (small | whole).map(float)
    if unit not in WHOLE:
        numbers |= st.floats(lowest, 3) | st.floats(0, 1_000_000)
    return numbers | st.sampled_from([None, float("nan")])


def rows(entry: Mapping[str, object]) -> st.SearchStrategy[Row]:
    columns = sorted({entry["column"], *entry["units"]})
    return st.fixed_dictionaries({column: drawn(column) for column in columns})


@pytest.mark.parametrize("column", ENTRIES)
@settings(max_examples=30)
@given(data=st.data())
def test_a_sentence_is_one_clean_line_that_its_numbers_bear_out(
    column: str, data: st.DataObject
) -> None:
    entry = ENTRIES[column]
    row = data.draw(rows(entry))
    said = sentence(entry, row)
    assert not re.search(r"[{}\[\]|<>_\n]|nan|None|inf\b", said)
    assert said[0].isupper() or said[0].isdigit()
    assert not re.search(
        r"(?<![\d.,])1 (days|seats|tickets|users|events|payments|invoices)\b", said
    )
    assert not is_denied(said)
    now, against = compared(entry, row)
    if SAME.search(said):
        assert now == against
    if share := SHARED.search(said):
        assert now > 0 if share[2] == "above" else now < 0


@pytest.mark.parametrize("column", ENTRIES)
def test_a_sentence_is_short_in_the_numbers_of_a_large_account(column: str) -> None:
    entry = ENTRIES[column]
    for share, size in ((0.5, 100_000.0), (-0.5, 222_222.0), (12.0, 333.0)):
        row = {name: share if UNITS[name] == "share" else size for name in entry["units"]}
        said = sentence(entry, {column: share if UNITS[column] == "share" else size, **row})
        assert len(said) <= 110, said


@pytest.mark.parametrize("column", ENTRIES)
def test_a_column_that_is_compared_is_one_that_the_sentence_may_read(column: str) -> None:
    text, units = ENTRIES[column]["text"], ENTRIES[column]["units"]
    named = {text["now"], text["against"]} - {None, column, 0.0, 1.0}
    assert named <= units.keys() <= ENTRIES.keys()


@pytest.mark.parametrize("value", [None, 0.0, 1.0, -2.0, 40.0])
def test_two_subjects_never_say_the_same(value: float | None) -> None:
    subjects: dict[str, set[str]] = {}
    for column, entry in ENTRIES.items():
        if value is None and entry["missing"] == "zero":
            continue
        said = sentence(entry, dict.fromkeys((column, *entry["units"]), value))
        subjects.setdefault(said, set()).add(entry["subject"])
    assert [said for said, telling in subjects.items() if len(telling) > 1] == []


@pytest.mark.parametrize(
    "tables", ["accounts subscriptions", "accounts subscriptions usage_events support_tickets"]
)
def test_a_source_that_bears_a_feature_bears_what_it_is_compared_with(
    tables: str, company: object
) -> None:
    source = company({name: TABLES[name] for name in tables.split()})
    borne = catalog_json(available(source))
    columns = {entry["column"] for entry in borne}
    compared_with = {entry["text"]["against"] for entry in borne} | {
        entry["text"]["now"] for entry in borne
    }
    assert {name for name in compared_with if isinstance(name, str)} <= columns


TABLES = {
    "accounts": """
        account_id  created_at
        a           2024-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at
        s1              a          base    100 2024-02-01
    """,
    "usage_events": """
        account_id occurred_at event
        a          2024-03-01  open
    """,
    "support_tickets": """
        ticket_id account_id opened_at  resolved_at
        t1        a          2024-03-01 2024-03-05
    """,
}


@pytest.mark.parametrize(
    "said",
    [
        "Seats rose from 44 to 30 in 90 days",
        "MRR fell from 980 to 1,250 in 90 days",
        "Active users fell from 12 to 12 in 28 days",
        "3 tickets opened in the last 28 days, down from 1 in the 28 days before",
        "No tickets opened in the last 28 days, up from none in the 28 days before",
        "Support was rated 3.2 of 5 in the last 90 days, above the 4.0 of the last 365",
    ],
)
def test_a_direction_that_the_numbers_deny_would_be_seen(said: str) -> None:
    assert is_denied(said)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {
                "usage__active_users_change__28d": -0.7,
                "usage__active_users__28d": 12.0,
                "usage__active_users_before__28d": 41.0,
            },
            "Active users fell from 41 to 12 in 28 days",
        ),
        (
            {"usage__active_users__28d": 1.0, "usage__active_users_before__28d": 1.0},
            "1 active user in the last 28 days, as in the 28 days before",
        ),
        (
            {"lifecycle__seats_before__90d": 44.0, "lifecycle__seats": 30.0},
            "Seats fell from 44 to 30 in 90 days",
        ),
        (
            {"lifecycle__seats": 44.0, "lifecycle__seats_before__90d": 44.0},
            "44 seats, as 90 days ago",
        ),
        ({"lifecycle__seats": 1.0, "lifecycle__seats_before__90d": None}, "1 seat"),
        (
            {
                "lifecycle__mrr_change__90d": 0.25,
                "lifecycle__mrr": 12_500.0,
                "lifecycle__mrr_before__90d": 10_000.0,
            },
            "MRR rose from 10,000 to 12,500 in 90 days",
        ),
        ({"lifecycle__mrr": 1000.4, "lifecycle__mrr_before__90d": 1000.3}, "MRR is 1,000"),
        (
            {"support__tickets_opened__28d": 3.0, "support__tickets_opened_before__28d": 1.0},
            "3 tickets opened in the last 28 days, up from 1 in the 28 days before",
        ),
        (
            {"support__tickets_opened__28d": 0.0, "support__tickets_opened_before__28d": 0.0},
            "No tickets opened in the last 28 days, as in the 28 days before",
        ),
        ({"support__open_tickets": 1.0}, "1 ticket is open"),
        (
            {"support__open_tickets": 1.0, "support__oldest_open_ticket_days": 1.0},
            "1 ticket is open, for 1 day",
        ),
        (
            {"support__open_tickets": 3.0, "support__oldest_open_ticket_days": 40.0},
            "3 tickets are open, the oldest for 40 days",
        ),
        (
            {"usage__event_kinds__90d": 2.0, "usage__event_kinds__365d": 5.0},
            "2 functions used in the last 90 days, 5 in the last 365",
        ),
        (
            {"usage__week_against_month": -0.62, "usage__events__7d": 11.0},
            "11 events in the last 7 days, 62% below the average of the 3 weeks before",
        ),
        (
            {"usage__events_against_own_past": 17.333, "usage__events__28d": 2200.0},
            "2,200 events in the last 28 days, 1,733% above " + OWN_AVERAGE,
        ),
        (
            {"usage__events_against_own_past": -0.999, "usage__events__28d": 1.0},
            "1 event in the last 28 days, over 99% below " + OWN_AVERAGE,
        ),
        ({"billing__days_overdue": 21.0}, "An invoice is 21 days overdue"),
        ({"billing__days_overdue": 0.0}, "No invoice is overdue"),
        (
            {
                "billing__credited_share": 0.125,
                "billing__credited__365d": 125.0,
                "billing__invoiced__365d": 1000.0,
            },
            "125 credited of 1,000 invoiced in the last 365 days",
        ),
        (
            {"billing__days_paid_after_due__90d": -3.0},
            "Invoices were paid 3 days early on average in the last 90 days",
        ),
        (
            {"support__csat__90d": 3.25, "support__csat__365d": 4.0},
            "Support was rated 3.2 of 5 in the last 90 days, below the 4.0 of the last 365",
        ),
        (
            {"lifecycle__days_to_term_end": 0.0, "lifecycle__days_to_notice_deadline": -3.0},
            "The term ends today, the last day for notice was 3 days ago",
        ),
        (
            {"lifecycle__days_to_term_end": 20.0, "lifecycle__days_to_notice_deadline": 5.0},
            "The term ends in 20 days, notice can be given for 5 more",
        ),
        ({"lifecycle__days_to_notice_deadline": -3.0}, "The last day for notice was 3 days ago"),
        ({"usage__days_since_last_event": float("nan")}, "Never used so far"),
        ({"usage__days_since_last_event": None}, "Never used so far"),
    ],
)
def test_a_sentence_says(row: Row, said: str) -> None:
    assert sentence(ENTRIES[next(iter(row))], row) == said


def test_a_sentence_whose_other_numbers_are_missing_falls_back_on_the_value() -> None:
    entry = ENTRIES["usage__active_users_change__28d"]
    said = sentence(entry, {"usage__active_users_change__28d": -0.7})
    assert said.endswith(": -70%")


def test_a_text_of_an_older_model_is_said_as_it_was() -> None:
    text = {"level": "{value} [seat|seats]", "rising": None, "falling": None, "against": None}
    entry = {"column": "seats", "unit": "seats", "units": {}, "text": text}
    assert sentence(entry, {"seats": 3.0}) == "3 seats"
