"""What the contract says of terms, versions, late rows and merges: worked out by hand."""

from collections.abc import Callable

import pandas as pd
import pytest

from features.build import feature_table
from features.catalog import available, catalog
from features.checked import CheckedSource
from features.engine import Engine

Company = Callable[..., CheckedSource]
TABLES = {
    "accounts": """
        account_id created_at
        annual     2020-01-01
        monthly    2020-01-01
        off        2020-01-01
        termless   2020-01-01
        signed     2020-01-01
        ending     2020-01-01
        priced     2020-01-01
        late       2020-01-01
        moved      2020-01-01
        old        2020-01-01
        new        2020-01-01
        newest     2020-01-01
        twin       2020-01-01
        taken      2020-01-01
        true       2020-01-01
        dearer     2020-01-01
        cheaper    2020-01-01
    """,
    "account_merges": """
        from_account_id into_account_id merged_at        recorded_at
        old             new             2024-03-10T09:00 2024-03-10T09:00
        new             newest          2024-04-01T09:00 2024-04-15T09:00
        twin            taken           2024-03-10T09:00 2024-03-10T09:00
        twin            true            2024-03-08T09:00 2024-03-20T09:00
        twin            twin            2024-03-08T09:00 2024-04-05T09:00
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at ended_at renews_at term_months recorded_at
        s1  annual   base 100 2021-01-31 -          2026-01-31 12 -
        s2  monthly  base 100 2023-01-31 -          2026-01-31 1  -
        s3  off      base 100 2021-01-01 -          2025-06-30 12 -
        s4  termless base 100 2021-01-01 -          2025-06-30 -  -
        s5  signed   base 100 2021-01-01 -          2022-01-01 -  2021-01-01
        s5  signed   base 100 2021-01-01 -          2023-01-01 -  2021-12-20
        s6  ending   base 100 2021-01-01 2024-03-10 -          -  -
        s7  priced   base 100 2024-02-01 -          -          -  2024-02-01
        s7  priced   base 140 2024-02-01 -          -          -  2024-04-05
        s8  late     base 100 2024-02-01 -          -          -  2024-02-20
        s9  old      base 5   2024-01-01 -          -          -  -
        s10 new      base 70  2024-01-01 -          -          -  -
        s11 newest   plus 900 2024-01-01 -          -          -  -
        s12 twin     base 4   2024-01-01 -          -          -  -
        s13 taken    base 20  2024-01-01 -          -          -  -
        s14 true     base 300 2024-01-01 -          -          -  -
        s15 dearer   base 50  2024-02-01 -          -          -  -
        s15 dearer   base 60  2024-02-01 -          -          -  2024-02-01
        s16 cheaper  base 60  2024-02-01 -          -          -  -
        s16 cheaper  base 50  2024-02-01 -          -          -  2024-02-01
    """,
    "usage_events": """
        account_id user_id event occurred_at      recorded_at
        late       u1      open  2024-03-01T10:00 2024-03-05T10:00
        late       u1      open  2024-03-10T10:00 2024-03-01T10:00
        old        u1      open  2024-03-01       -
        new        u1      open  2024-03-02       -
        newest     u2      open  2024-03-03       -
        twin       u1      open  2024-03-05       -
        taken      u1      open  2024-03-05       -
        true       u1      open  2024-03-04       -
    """,
    "support_tickets": """
        ticket_id account_id opened_at        resolved_at priority recorded_at
        t1        priced     2024-03-01T10:00 -           low      2024-03-01T10:00
        t1        priced     2024-03-01T10:00 -           urgent   2024-03-05T10:00
        t1        priced     2024-03-01T10:00 2024-03-07  urgent   2024-03-09T10:00
        t2        moved      2024-03-01T10:00 -           low      2024-03-01T10:00
        t2        moved      2024-03-11T10:00 -           low      2024-03-12T10:00
    """,
    "incidents": """
        incident_id account_id severity started_at       resolved_at
        i1          twin       major    2024-03-04T10:00 2024-03-04T11:00
        i1          taken      minor    2024-03-04T10:30 2024-03-04T12:00
    """,
}
EXPECTED = """
    annual   2021-02-01 lifecycle__days_to_term_end 364   the first term, from its start
    annual   2022-01-31 lifecycle__days_to_term_end 0     its last day
    annual   2022-02-01 lifecycle__days_to_term_end 364   the next one, though renews_at tells 2026
    annual   2026-03-01 lifecycle__days_to_term_end 336   past the stored end: it has rolled on
    monthly  2023-02-10 lifecycle__days_to_term_end 18    a month without a 31st
    monthly  2024-02-20 lifecycle__days_to_term_end 9     a leap day
    monthly  2023-03-01 lifecycle__days_to_term_end 30    the next month is not shortened
    off      2024-06-01 lifecycle__days_to_term_end 214   before the stored end's term: the grid
    off      2025-03-01 lifecycle__days_to_term_end 121   inside it: the stored end
    termless 2025-05-15 lifecycle__days_to_term_end nan   no term known a month before the end
    termless 2025-06-15 lifecycle__days_to_term_end 15    within that month
    signed   2021-06-01 lifecycle__days_to_term_end 214   as the first version says
    signed   2021-12-20 lifecycle__days_to_term_end 12    the second is not known yet
    signed   2021-12-21 lifecycle__days_to_term_end 376   as the second version says
    ending   2024-03-10 lifecycle__mrr              100   a scheduled end has not passed
    ending   2024-03-11 lifecycle__mrr              0     the day is over
    priced   2024-04-05 lifecycle__mrr              100   the correction is not recorded yet
    priced   2024-04-06 lifecycle__mrr              140   it is
    late     2024-02-20 lifecycle__mrr              0     started, and not recorded yet
    late     2024-02-21 lifecycle__mrr              100   recorded
    late     2024-03-05 usage__events__28d          0     happened, and not recorded yet
    late     2024-03-06 usage__events__28d          1     recorded
    late     2024-03-10 usage__events__28d          1     recorded ahead, and not happened yet
    late     2024-03-11 usage__events__28d          2     happened
    late     2024-03-29 usage__events__28d          2     the 28 days reach to 1 March
    late     2024-03-30 usage__events__28d          1     from 2 March on
    priced   2024-03-05 support__open_urgent_tickets 0    urgent in no known version
    priced   2024-03-06 support__open_urgent_tickets 1    urgent
    priced   2024-03-09 support__open_tickets       1     resolved, and not recorded yet
    priced   2024-03-10 support__open_tickets       0     recorded
    priced   2024-03-10 support__tickets_opened__28d 1    three versions are one ticket
    moved    2024-03-08 support__tickets_opened__7d 1     opened on the 1st, as was known
    moved    2024-03-12 support__tickets_opened__7d 0     out of the seven days
    moved    2024-03-13 support__tickets_opened__7d 1     opened on the 11th, as is known now
    new      2024-03-10 lifecycle__mrr              70    before the merge
    new      2024-03-11 lifecycle__mrr              75    the two are one
    new      2024-03-10 usage__active_users__28d    1     its own user
    new      2024-03-11 usage__active_users__28d    1     the same user of both is one
    new      2024-03-11 usage__events__28d          2     the events of both
    old      2024-03-11 lifecycle__mrr              0     vanished: it has no rows of its own
    newest   2024-04-15 lifecycle__mrr              900   the second merge is not recorded yet
    newest   2024-04-16 lifecycle__mrr              975   all three are one
    newest   2024-04-16 usage__active_users__90d    2     the users of all three
    newest   2024-04-16 lifecycle__products_owned   2     the products of all three
    taken    2024-03-11 lifecycle__mrr              24    merged, as the first version says
    taken    2024-03-20 lifecycle__mrr              24    the correction is not recorded yet
    taken    2024-03-21 lifecycle__mrr              20    it was another record
    true     2024-03-20 lifecycle__mrr              300   nobody knows of it yet
    dearer   2024-03-05 lifecycle__mrr              60   the version that says when it was recorded
    cheaper  2024-03-05 lifecycle__mrr              50   the version that says when it was recorded
    true     2024-03-21 lifecycle__mrr              304   merged, as the second version says
    true     2024-04-06 lifecycle__mrr              300   the merge is undone
    twin     2024-03-21 lifecycle__mrr              0     vanished, whomever it became
    twin     2024-04-06 lifecycle__mrr              4     a record of its own again
    taken    2024-03-20 usage__active_days__28d     1     the same day of both is one
    taken    2024-03-21 usage__active_days__28d     1     its own day stays
    true     2024-03-21 usage__active_days__28d     2     the days of both
    true     2024-03-21 usage__active_users__28d    1     the same user of both is one
    twin     2024-04-06 usage__active_days__90d     1     its own day is back
    taken    2024-03-20 reliability__outage_minutes__28d 120 one incident that both records met
    taken    2024-03-21 reliability__outage_minutes__28d 90  its own record alone
"""


def expected() -> pd.DataFrame:
    rows = [line.split(maxsplit=4) for line in EXPECTED.strip().splitlines()]
    frame = pd.DataFrame(rows, columns=["account_id", "as_of", "column", "value", "why"])
    as_of = pd.to_datetime(frame["as_of"]).astype("datetime64[us]")
    return frame.assign(as_of=as_of, value=frame["value"].astype(float))


def wrong(source: CheckedSource, engine: Engine) -> list[str]:
    """Say what an engine gives where it is not what was worked out."""
    cases = expected()
    features = [feature for feature in catalog() if feature.column in set(cases["column"])]
    points = cases[["account_id", "as_of"]].drop_duplicates()
    table = feature_table(source, points, engine=engine, features=features)
    values = table.melt(["account_id", "as_of"], var_name="column", value_name="given")
    both = cases.merge(values, how="left")
    differs = ~(both["given"].eq(both["value"]) | (both["given"].isna() & both["value"].isna()))
    return [
        f"{row.account_id} {row.as_of:%Y-%m-%d} {row.column}: {row.given}, not {row.value}"
        f" ({row.why})"
        for row in both[differs].itertuples()
    ]


@pytest.fixture
def source(company: Company) -> CheckedSource:
    return company(TABLES, extracted_at="2026-04-01")


@pytest.mark.parametrize("engine", [Engine.DUCKDB, Engine.POLARS])
def test_an_engine_gives_what_the_contract_says(source: CheckedSource, engine: Engine) -> None:
    assert wrong(source, engine) == []


@pytest.mark.usefixtures("spark")
def test_spark_gives_what_the_contract_says(source: CheckedSource) -> None:
    assert wrong(source, Engine.SPARK) == []


OVERWRITTEN = {
    "accounts": "account_id parent_account_id created_at\n a b 2024-01-01\n b - 2024-01-01",
    "subscriptions": "subscription_id account_id product mrr started_at auto_renew\n"
    " s1 a base 10 2024-01-01 true",
    "support_tickets": "ticket_id account_id opened_at resolved_at priority category\n"
    " t1 a 2024-02-01 - low bug",
    "contacts": "contact_id account_id joined_at left_at role\n c1 a 2024-02-01 - sponsor",
}
NEED_VERSIONS = {
    "accounts": "hierarchy__sisters",
    "subscriptions": "lifecycle__mrr_not_renewing",
    "support_tickets": "support__open_urgent_tickets",
    "contacts": "people__sponsors",
}


def versioned(table: str) -> str:
    heading, *rows = table.splitlines()
    return "\n".join([heading + " recorded_at", *(row + " 2024-02-01" for row in rows)])


@pytest.mark.parametrize("table", NEED_VERSIONS)
def test_a_column_that_is_overwritten_bears_a_feature_only_with_versions(
    table: str, company: Company
) -> None:
    needs = NEED_VERSIONS[table]
    assert needs not in {feature.column for feature in available(company(OVERWRITTEN))}
    with_versions = company({**OVERWRITTEN, table: versioned(OVERWRITTEN[table])})
    assert needs in {feature.column for feature in available(with_versions)}
