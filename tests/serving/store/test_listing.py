"""Every view of the work list over a company written by hand, on SQLite and PostgreSQL."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pandas as pd
import pytest
import sqlalchemy as sa

from serving.api.feedback import Feedback, record, withdraw
from serving.publishing.listing import write_listing
from serving.store import tables
from serving.store.database import Store, open_store
from serving.store.listing import Asked, Choices, choices, counts, page, whole
from serving.store.view import TABS, Sort, View

ReadTable = Callable[[str], pd.DataFrame]
NOW = datetime(2026, 3, 3, 12)  # noqa: DTZ001 - times are naive UTC everywhere
NUMBER = 1
ACCOUNTS = """
    account_id name      csm  tier segment region family  status   arr  expected_loss probability
    a          Ärzte~AG  Ann  high smb     emea   support scored   100  90            0.9
    b          bolt      Ann  mid  large   emea   usage   scored   200  80            0.4
    c          50%_off   Bob  mid  smb     apac   usage   scored   300  70            0.2
    d          -         Ann  tech -       -      -       scored   400  60            0.1
    e          quit      Ann  high smb     emea   -       leaving  500  -             -
    f          new       Ann  high smb     emea   -       no_data  -    -             -
    g          grows     Bob  high smb     emea   people  scored   50   5             0.1
    secret     Hidden    Eve  rare hidden  hidden hidden  scored   999  999           0.99
"""
MORE = """
    account_id  band    why_not         signal          expansion_band  expected_added_mrr
    a           high    -               -               high            9
    b           medium  below_capacity  drop_in_use     medium          7
    c           low     -               outage          low             8
    d           low     touched_lately  failed_payment  -               -
    e           -       leaving         -               -               -
    f           -       no_data         -               -               -
    g           low     -               -               high            50
    secret      low     -               outage          high            99
"""
DATES = """
    account_id  renewal_date  notice_deadline  change
    a           2026-03-03    -                0.3
    b           2026-06-01    2026-03-10       -0.1
    c           2026-03-02    2026-03-04       -
    d           -             -                0.0
    e           2026-04-02    2026-03-03       -
    f           -             -                -
    g           -             -                0.2
    secret      2026-03-03    2026-03-03       0.9
"""
SAID = [
    ("a", "contacted"),
    ("a", "play_done"),
    ("a", "other"),
    ("b", "contacted"),
    ("c", "will_renew"),
    ("secret", "contacted"),
]
OURS = frozenset({"Ann", "Bob"})


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def listed(
    request: pytest.FixtureRequest,
    new_store_url: Callable[..., AbstractContextManager[str]],
    tmp_path_factory: pytest.TempPathFactory,
    read_rows: list[dict[str, Any]],
) -> Iterator[Store]:
    with new_store_url(request.param, tmp_path_factory.mktemp("store")) as url:
        store = open_store(url)
        with store.writing() as connection:
            about = dict.fromkeys(("as_of", "scored_at", "published_at"), NOW)
            about |= {"list_horizon_days": 90, "currency": "EUR", "accounts": len(read_rows)}
            connection.execute(sa.insert(tables.publications), [about, about])
            bought = [("a", "core"), ("a", "maps"), ("b", "core"), ("secret", "stealth")]
            products = pd.DataFrame(bought, columns=["account_id", "product"])
            write_listing(connection, NUMBER, read_rows, products)
            other = [{**row, "account_id": f"old-{row['account_id']}"} for row in read_rows]
            write_listing(connection, NUMBER + 1, other, products)
        for place, (account_id, kind) in enumerate(SAID):
            record(store, Feedback(account_id, kind, None, f"key {place}"), "token", NOW)
        yield store
        store.close()


@pytest.fixture(scope="module")
def read_rows() -> list[dict[str, Any]]:
    """Read the two tables above: `-` is null, `~` a blank."""

    def cells(text: str) -> list[dict[str, str | None]]:
        first, *rest = [line.split() for line in text.strip().splitlines()]
        return [
            {
                name: None if cell == "-" else cell.replace("~", " ")
                for name, cell in zip(first, line, strict=True)
            }
            for line in rest
        ]

    names = {
        column.name: column.type
        for table in (tables.listed_accounts, tables.listed_details)
        for column in table.columns
        if column.name not in {"publication", "searched"}
    }
    parts = zip(cells(ACCOUNTS), cells(MORE), cells(DATES), strict=True)
    together = [{**one, **more, **dates} for one, more, dates in parts]
    return [{name: _typed(row.get(name), kind) for name, kind in names.items()} for row in together]


def _typed(cell: str | None, kind: object) -> object:
    if cell is not None and isinstance(kind, sa.Float):
        return float(cell)
    return datetime.fromisoformat(cell) if cell and isinstance(kind, sa.DateTime) else cell


def asked(books: frozenset[str] | None = OURS, **view: Any) -> Asked:
    return Asked(NUMBER, books, NOW, View(**view))


def ids(store: Store, books: frozenset[str] | None = OURS, **view: Any) -> str:
    return " ".join(row["account_id"] for row in page(store, asked(books, **view)))


@pytest.mark.parametrize(
    ("tab", "accounts"),
    [
        ("risk", "a c g"),
        ("grow", "g b"),
        ("leaving", "e"),
        ("watch", "d c"),
        ("all", "a b c d g e f"),
    ],
)
def test_each_tab_holds_its_accounts_in_its_order(listed: Store, tab: str, accounts: str) -> None:
    assert ids(listed, tab=tab) == accounts


@pytest.mark.parametrize(
    ("view", "accounts"),
    [
        ({"csm": "Ann"}, "a b d e f"),
        ({"tier": "mid"}, "b c"),
        ({"segment": "smb"}, "a c g e f"),
        ({"region": "apac"}, "c"),
        ({"product": "core"}, "a b"),
        ({"product": "maps"}, "a"),
        ({"family": "usage"}, "b c"),
        ({"state": "new"}, "d g e f"),
        ({"state": "contacted"}, "b"),
        ({"state": "in_progress"}, "a"),
        ({"state": "resolved"}, "c"),
        ({"why_not": "below_capacity"}, "b"),
        ({"why_not": "no_data"}, "f"),
        ({"renews": 1}, "a"),  # today counts, yesterday does not
        ({"renews": 30}, "a e"),
        ({"renews": 29}, "a"),
        ({"notice": 1}, "c e"),
        ({"notice": 7}, "b c e"),
        ({"tier": "mid", "family": "usage", "csm": "Bob"}, "c"),
        ({"q": "ARZTE"}, "a"),
        ({"q": "ärz"}, "a"),
        ({"q": "BOLT"}, "b"),
        ({"q": "olt B"}, "b"),
        ({"q": "bolt arzte"}, ""),
        ({"q": "50%"}, "c"),
        ({"q": "%_"}, "c"),
        ({"q": "b_lt"}, ""),
        ({"q": "\\"}, ""),
        ({"q": "'; drop"}, ""),
    ],
)
def test_each_filter_keeps_what_fits(listed: Store, view: dict[str, Any], accounts: str) -> None:
    assert ids(listed, tab="all", **view) == accounts


@pytest.mark.parametrize(
    ("sort", "rising", "falling"),
    [
        ("expected_loss", "g d c b a e f", "a b c d g e f"),
        ("name", "c a b d g f e", "e f g d b a c"),
        ("csm", "a b d e f c g", "c g a b d e f"),
        ("tier", "a e f g b c d", "d b c a e f g"),
        ("arr", "g a b c d e f", "e d c b a g f"),
        ("renewal", "c a e b d f g", "b e a c d f g"),
        ("notice", "e c b a d f g", "b c e a d f g"),
        ("probability", "d g c b a e f", "a b c d g e f"),
        ("change", "b d g a c e f", "a g d b c e f"),
        ("added", "b c a g d e f", "g a c b d e f"),
        ("reason", "g a b c d e f", "b c a g d e f"),
        ("signal", "b d c a e f g", "c d b a e f g"),
        ("state", "d e f g b a c", "c a b d e f g"),
        ("why", "b e f d a c g", "d f e b a c g"),
    ],
)
def test_each_column_orders_with_nulls_last(
    listed: Store, sort: Sort, rising: str, falling: str
) -> None:
    assert ids(listed, tab="all", sort=sort, order="asc") == rising
    assert ids(listed, tab="all", sort=sort, order="desc") == falling


def test_a_long_list_is_shown_page_by_page(listed: Store) -> None:
    pages = [ids(listed, tab="all", limit=3, page=number) for number in (1, 2, 3, 4)]
    assert pages == ["a b c", "d g e", "f", ""]
    assert len(whole(listed, asked(tab="all", limit=3, page=2))) == 7


def test_tabs_are_counted_by_the_filters(listed: Store) -> None:
    assert counts(listed, asked()) == {"risk": 3, "grow": 2, "leaving": 1, "watch": 2, "all": 7}
    of_bob = {"risk": 2, "grow": 1, "leaving": 0, "watch": 1, "all": 2}
    assert counts(listed, asked(csm="Bob", sort="state")) == of_bob
    assert counts(listed, asked(q="nobody")) == dict.fromkeys(TABS, 0)


def test_there_is_to_choose_from_what_accounts_have(listed: Store) -> None:
    assert choices(listed, asked()) == {
        "csm": ["Ann", "Bob"],
        "tier": ["high", "mid", "tech"],
        "segment": ["large", "smb"],
        "region": ["apac", "emea"],
        "family": ["people", "support", "usage"],
        "product": ["core", "maps"],
    }


def test_choices_are_remembered_for_each_book_and_publication(listed: Store) -> None:
    remembered = Choices(listed, most=2)
    views = [asked(), asked(None), asked(frozenset({"Ann"})), replace(asked(), publication=2)]
    for view in [*views, *views]:
        assert remembered.of(view) == choices(listed, view)


@pytest.mark.parametrize("books", [OURS, frozenset({"Ann"}), frozenset({"Nobody"}), frozenset()])
def test_an_account_of_another_book_is_nowhere(listed: Store, books: frozenset[str]) -> None:
    views: list[dict[str, Any]] = [{"tab": tab} for tab in TABS]
    views += [{"tab": "all", **asking} for asking in (
        {"q": "hidden"}, {"csm": "Eve"}, {"product": "stealth"}, {"tier": "rare"},
        {"family": "hidden"}, {"state": "contacted"}, {"renews": 5}, {"sort": "state"},
    )]  # fmt: skip
    for view in views:
        for rows in (page(listed, asked(books, **view)), whole(listed, asked(books, **view))):
            assert {row["csm"] for row in rows} <= books
    chosen = choices(listed, asked(books))
    told = {value for values in chosen.values() for value in values}
    assert not told & {"Eve", "rare", "hidden", "stealth"}
    assert counts(listed, asked(books, q="hidden")) == dict.fromkeys(TABS, 0)


def test_who_sees_all_accounts_finds_it(listed: Store) -> None:
    assert ids(listed, None, tab="all", q="hidden") == "secret"
    assert "Eve" in choices(listed, asked(None))["csm"]


def test_what_was_said_long_ago_is_forgotten(listed: Store) -> None:
    later = replace(asked(tab="all"), now=datetime(2026, 6, 2))  # noqa: DTZ001 - as above
    assert {row["state"] for row in page(listed, later)} == {"new"}


TILL_5TH = datetime(2026, 3, 5)  # noqa: DTZ001 - as above


@pytest.fixture
def snoozed(listed: Store) -> Iterator[int]:
    """Snooze account a, which a play was done for before, until the 5th."""
    key = f"snooze {datetime.now(UTC)}"
    told = Feedback("a", "snoozed", None, key, TILL_5TH)
    number = record(listed, told, "token", NOW).feedback_id
    yield number
    withdraw(listed, number, "token", NOW)


@pytest.mark.usefixtures("snoozed")
def test_who_is_snoozed_is_pushed_on_no_tab_until_the_day(listed: Store) -> None:
    assert [ids(listed, tab=tab) for tab in TABS] == ["c g", "g b", "e", "d c", "a b c d g e f"]
    assert counts(listed, asked()) == {"risk": 2, "grow": 2, "leaving": 1, "watch": 2, "all": 7}
    (row,) = page(listed, asked(tab="all", state="snoozed"))
    told = [row[name] for name in ("account_id", "state", "state_since", "snoozed_until")]
    assert told == ["a", "snoozed", NOW, TILL_5TH]
    assert ids(listed, tab="risk", state="snoozed") == "a"
    on_the_day = replace(asked(), now=TILL_5TH)
    assert [row["account_id"] for row in page(listed, on_the_day)] == ["a", "c", "g"]
    assert page(listed, on_the_day)[0]["state"] == "in_progress"
    assert not page(listed, replace(asked(tab="all", state="snoozed"), now=TILL_5TH))


def test_a_snooze_ends_when_it_is_withdrawn_or_something_else_is_said(
    listed: Store, snoozed: int
) -> None:
    assert ids(listed) == "c g"
    later = Feedback("a", "contacted", None, f"after {snoozed}")
    number = record(listed, later, "token", NOW).feedback_id
    assert ids(listed) == "a c g"
    withdraw(listed, number, "token", NOW)
    assert ids(listed) == "c g"
    withdraw(listed, snoozed, "token", NOW)
    assert ids(listed) == "a c g"
    assert page(listed, asked())[0]["state"] == "in_progress"


def test_a_view_is_its_address_and_back() -> None:
    view = View(tab="all", csm="Ann & Bob", q="ä%", sort="arr", order="asc", page=3)
    read = msgspec.convert(dict(parse_qsl(view.query(page=3))), View, strict=False)
    assert read == view
    assert View().query() == ""
    assert View(page=3, csm="Ann").query(csm=None, tab="grow") == "tab=grow"


@pytest.mark.parametrize(
    ("asking", "field"),
    [
        ({"tab": "other"}, "tab"),
        ({"sort": "secret_hash"}, "sort"),
        ({"page": "0"}, "page"),
        ({"limit": "81"}, "limit"),
        ({"state": "asleep"}, "state"),
        ({"renews": "soon"}, "renews"),
        ({"csm": "a\0b"}, "csm"),
        ({"unheard": "of"}, "unheard"),
    ],
)
def test_an_address_that_asks_for_what_there_is_not_is_refused(
    asking: dict[str, str], field: str
) -> None:
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.convert(asking, View, strict=False)
