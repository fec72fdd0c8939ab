"""Views over several tables: each pair of rows counts where a snapshot knows both."""

from collections.abc import Callable
from dataclasses import replace

import narwhals as nw
import pandas as pd
import pyarrow as pa
import pytest

from features import catalog
from features.build import feature_table
from features.checked import CheckedSource
from features.declare import Beside, Facts, Feature, Text, Total, Unit, View
from features.engine import Engine
from features.rows import known_together
from features.windows import Rows, known_by

Company = Callable[..., CheckedSource]
BASE = {
    "accounts": """
        account_id country created_at
        a          DE      2024-01-01
        b          -       2024-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at
        s1              a          base    100 2024-01-01
        s2              b          base    100 2024-01-01
    """,
    "support_tickets": """
        ticket_id account_id opened_at  resolved_at
        t1        a          2024-03-01 2024-03-20
        t2        b          2024-03-02 -
    """,
}
VERSIONS = """
    account_id segment created_at recorded_at
    a          small   2024-01-01 2024-01-01
    a          large   2024-01-01 2024-03-10
    b          large   2024-01-01 2024-01-01
"""


def tickets_of_large(tickets: Rows, accounts: Rows) -> Rows:
    return known_together(tickets, accounts.filter(nw.col("segment") == "large"))


def counted(view: View, *, column: str = "opened_at") -> Feature:
    recipe = Total(Facts(view, at=column))
    return Feature("support", "planted", recipe, Unit.ITEMS, "leak", "A count.", Text("{value}"))


OF_LARGE = counted(
    View(
        "tickets_of_large",
        "support_tickets",
        ("opened_at",),
        tickets_of_large,
        beside=(Beside("accounts", ("segment",)),),
    )
)


def values(
    source: CheckedSource, feature: Feature, as_of: str, engine: Engine = Engine.POLARS
) -> list[float]:
    days = pd.to_datetime([as_of] * 2).astype("datetime64[us]")
    spine = pd.DataFrame({"account_id": ["a", "b"], "as_of": days})
    return list(feature_table(source, spine, engine=engine, features=[feature])[feature.column])


def is_borne(source: CheckedSource, feature: Feature, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(catalog, "catalog", lambda: (feature,))
    return catalog.available(source) == (feature,)


@pytest.mark.parametrize("engine", [Engine.POLARS, Engine.DUCKDB])
@pytest.mark.parametrize(
    ("as_of", "expected"),
    [("2024-03-02", [0, 0]), ("2024-03-10", [0, 1]), ("2024-03-11", [1, 1])],
)
def test_a_version_of_the_other_table_counts_from_when_it_is_known(
    company: Company, as_of: str, expected: list[float], engine: Engine
) -> None:
    source = company({**BASE, "accounts": VERSIONS})
    assert values(source, OF_LARGE, as_of, engine) == expected


def test_rows_of_both_tables_move_with_a_merge(company: Company) -> None:
    merges = """
        from_account_id into_account_id merged_at
        b               a               2024-03-05
    """
    source = company({**BASE, "accounts": VERSIONS, "account_merges": merges})
    assert values(source, OF_LARGE, "2024-03-05") == [0, 1]
    assert values(source, OF_LARGE, "2024-03-06") == [0, 0]  # what is said of b is said no more
    assert values(source, OF_LARGE, "2024-03-11") == [2, 0]


def test_a_missing_table_or_column_beside_leaves_the_feature_out(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    def beside(*others: Beside) -> Feature:
        return counted(View("v", "support_tickets", ("opened_at",), known_together, (), others))

    borne = {
        beside(Beside("projects", ("due_at",))): False,
        beside(Beside("accounts", ("country",))): True,
        beside(Beside("accounts", ("time_zone",))): False,
        beside(Beside("accounts", (), optional=("time_zone",))): True,
    }
    source = company(BASE)
    assert {feature: is_borne(source, feature, monkeypatch) for feature in borne} == borne
    assert values(source, list(borne)[-1], "2024-04-01") == [1, 1]


def test_an_overwritten_column_beside_leaves_the_feature_out(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    overwritten = "account_id segment created_at\n a large 2024-01-01\n b small 2024-01-01"
    source = company({**BASE, "accounts": overwritten})
    assert not is_borne(source, OF_LARGE, monkeypatch)
    constant = replace(source, stable_columns=frozenset({("accounts", "segment")}))
    assert is_borne(constant, OF_LARGE, monkeypatch)


def test_the_catalogue_names_the_tables_beside_and_hangs_on_them() -> None:
    assert catalog.sources_of(OF_LARGE) == ("support_tickets", "accounts")
    view = View("v", "support_tickets", ("opened_at",), tickets_of_large)
    alone = counted(view)
    with_made = counted(replace(view, beside=(Beside("accounts", (), made=numbers),)))
    prints = {catalog.features_fingerprint([f]) for f in (OF_LARGE, alone, with_made)}
    assert len(prints) == 3


def resolved_beside(accounts: Rows, tickets: Rows, *, masked: bool) -> Rows:
    both = known_together(accounts, tickets)
    known = known_by("resolved_at", "created_at") if masked else ~nw.col("resolved_at").is_null()
    return both.filter(known)


@pytest.mark.parametrize(("masked", "change"), [(True, False), (False, True)])
def test_a_leak_through_the_table_beside_is_seen(
    company: Company, *, masked: bool, change: bool
) -> None:
    """What is filled in after the snapshot changes a feature only if its view does not mask it."""
    leak = counted(
        View(
            "leak",
            "accounts",
            ("created_at",),
            lambda *rows: resolved_beside(*rows, masked=masked),
            beside=(Beside("support_tickets", ("resolved_at",)),),
        ),
        column="created_at",
    )
    unresolved = BASE["support_tickets"].replace("2024-03-20", "-         ")
    as_of = "2024-03-10"
    later = values(company(BASE), leak, as_of)
    then = values(company({**BASE, "support_tickets": unresolved}), leak, as_of)
    assert (later != then) is change


def numbers(source: CheckedSource) -> pa.Table:
    """Give a table made of the source before the engine runs."""
    countries = source.read("accounts")["country"].dropna().unique()
    return pa.table({"country": countries, "dialling_code": [49] * len(countries)})


def calls(accounts: Rows, codes: Rows) -> Rows:
    return accounts.join(codes, on="country", how="left")


def dialled(days: Rows) -> Rows:
    return days.filter(~nw.col("dialling_code").is_null())


@pytest.mark.parametrize("engine", [Engine.POLARS, Engine.DUCKDB])
def test_a_view_reads_another_and_a_table_made_before(company: Company, engine: Engine) -> None:
    made = Beside("accounts", ("country",), made=numbers)
    lower = View("calls", "accounts", ("created_at", "country"), calls, beside=(made,))
    upper = View("dialled", lower, ("created_at", "dialling_code"), dialled)
    feature = counted(upper, column="created_at")
    assert values(company(BASE), feature, "2024-04-01", engine) == [1, 0]
    assert catalog.sources_of(feature) == ("accounts",)
