"""One company worked out by hand, on each engine: versions, merges, terms, nulls, money.

What every feature gives on drawn companies is compared in `tests/conformance/`.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import narwhals as nw
import pandas as pd
import pyarrow as pa
import pytest

from features.build import feature_table
from features.catalog import catalog
from features.checked import CheckedSource
from features.engine import Engine, session
from features.errors import TenureError
from features.spine import account_states
from features.windows import day_of

Company = Callable[..., CheckedSource]
ROOT = Path(__file__).parents[2]

TABLES = {
    "accounts": """
        account_id created_at
        a          2024-01-01
        b          2024-01-01
        c          2024-01-01
    """,
    "account_merges": """
        from_account_id into_account_id merged_at
        c               a               2024-05-01T10:00
    """,
    "subscriptions": """
        subscription_id account_id product mrr           started_at ended_at   term_months seats
        s1              a          base    100.10        2024-01-15 -          12          5
        s2              a          plus    0.0001        2024-02-01 2024-04-01 -           -
        s3              c          base    99999999.9999 2024-03-01 -          -           7
        s4              b          base    50            2024-01-31 -          1           -
    """,
    "usage_events": """
        account_id user_id occurred_at         event quantity
        a          u1      2024-03-30T10:00    open  2.5
        a          u2      2024-03-31T23:59:59 open  -
        a          -       2024-04-02          save  1
        c          u9      2024-04-20          open  4
    """,
    "support_tickets": """
        ticket_id account_id opened_at        resolved_at      recorded_at
        t1        a          2024-03-05T10:00 -                2024-03-05T10:00
        t1        a          2024-03-05T10:00 2024-03-10T10:00 2024-03-20T09:00
    """,
}
EXPECTED = """
    account_id as_of      mrr             term_end seats_of events users open_tickets
    a          2024-03-15 100.1001        306      5        0      0     1
    b          2024-03-15 50              16       nan      0      0     0
    c          2024-03-15 99999999.9999   nan      7        0      0     0
    a          2024-04-01 100.1001        289      5        3.5    2     0
    b          2024-04-01 50              29       nan      0      0     0
    c          2024-04-01 99999999.9999   nan      7        0      0     0
    a          2024-05-01 100.10          259      5        0      2     0
    b          2024-05-01 50              30       nan      0      0     0
    c          2024-05-01 99999999.9999   nan      7        4      1     0
    a          2024-05-02 100000100.0999  258      12       4      3     0
    b          2024-05-02 50              29       nan      0      0     0
    c          2024-05-02 0               nan      nan      0      0     0
"""
COLUMNS = {
    "mrr": "lifecycle__mrr",
    "term_end": "lifecycle__days_to_term_end",
    "seats_of": "lifecycle__seats",
    "events": "usage__events__28d",
    "users": "usage__active_users__90d",
    "open_tickets": "support__open_tickets",
}


def expected() -> pd.DataFrame:
    heading, *rows = (line.split() for line in EXPECTED.strip().splitlines())
    frame = pd.DataFrame(rows, columns=heading).rename(columns=COLUMNS)
    as_of = pd.to_datetime(frame["as_of"]).astype("datetime64[us]")
    return frame.assign(as_of=as_of).astype(dict.fromkeys(COLUMNS.values(), "float64"))


@pytest.fixture
def source(company: Company) -> CheckedSource:
    return company(TABLES, extracted_at="2024-06-01")


def on(engine: Engine, source: CheckedSource) -> pd.DataFrame:
    chosen = {feature.column: feature for feature in catalog()}
    features = [chosen[column] for column in COLUMNS.values()]
    points = expected()[["account_id", "as_of"]]
    return feature_table(source, points, engine=engine, features=features)


@pytest.mark.parametrize("engine", [Engine.DUCKDB, Engine.POLARS])
def test_an_engine_gives_the_numbers_worked_out_by_hand(
    source: CheckedSource, engine: Engine
) -> None:
    pd.testing.assert_frame_equal(on(engine, source), expected(), check_exact=True)


@pytest.mark.parametrize("engine", [Engine.DUCKDB, Engine.POLARS])
def test_the_largest_money_is_added_up(company: Company, engine: Engine) -> None:
    rows = TABLES["subscriptions"].replace("99999999.9999", "999999999999.999")
    rows = rows.replace("50 ", "1000000000000 ")
    source = company(TABLES | {"subscriptions": rows}, extracted_at="2024-06-01")
    states = account_states(source, [date(2024, 5, 2)], engine=engine)
    assert states["mrr"].tolist() == [1_000_000_000_100.099, 1_000_000_000_000.0]


@pytest.mark.usefixtures("spark")
def test_spark_gives_the_numbers_worked_out_by_hand(source: CheckedSource) -> None:
    pd.testing.assert_frame_equal(on(Engine.SPARK, source), expected(), check_exact=True)


@pytest.mark.usefixtures("spark")
def test_spark_gives_the_same_states(source: CheckedSource) -> None:
    dates = sorted(set(expected()["as_of"]))
    states = account_states(source, dates, engine=Engine.SPARK)
    pd.testing.assert_frame_equal(states, account_states(source, dates))
    assert set(states["status"]) == {"active"}
    assert len(states) == 11  # the merged account is gone at the last date


TIMES = pa.table({"time": [-1, 0, 253_402_300_799_999_999]})  # the last: 9999-12-31, at its end


@pytest.mark.parametrize("engine", Engine)
def test_a_time_next_to_midnight_lies_on_its_own_day(
    engine: Engine, request: pytest.FixtureRequest
) -> None:
    if engine is Engine.SPARK:
        request.getfixturevalue("spark")
    with session(engine) as running:
        times = running.frame(TIMES.to_pydict(), TIMES.schema)
        days = running.collect(times.select(day=day_of("time").cast(nw.Int64)))
    assert sorted(days["day"]) == [-1, 0, 2_932_896]


def test_what_gives_much_may_hold_more() -> None:
    limits = []
    for given_mb in (0, 1000):
        with session(Engine.DUCKDB, given_mb) as running:
            asked = running.connection.sql("SELECT current_setting('memory_limit')")
            ((told,),) = asked.fetchall()
            limits.append(float(told.removesuffix(" GiB")) * 1024**3 / 1e6)
    assert limits == pytest.approx([1500, 3500], rel=0.1)


@pytest.mark.usefixtures("spark")
def test_settling_cuts_the_plan_and_keeps_the_rows() -> None:
    with session(Engine.SPARK) as running:
        frame = running.frame(TIMES.to_pydict(), TIMES.schema)
        for _ in range(3):
            frame = running.settle(frame.with_columns(time=nw.col("time") - 1))
        plan = nw.to_native(frame)._jdf.queryExecution().optimizedPlan().toString()  # noqa: SLF001 - the plan has no public name
        assert plan.count("\n") == 1
        assert "Project" not in plan
        assert min(running.collect(frame)["time"]) == -4


def alone(code: str, **environment: str) -> str:
    """Run code in a process of its own; give its standard error."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    return done.stderr.strip().splitlines()[-1]


OPEN = "from features.engine import Engine, session\nwith session(Engine.SPARK): pass"


def test_a_missing_java_is_said_in_one_sentence(tmp_path: Path) -> None:
    said = alone(OPEN, JAVA_HOME=str(tmp_path), SPARK_REMOTE="", TENURE_SPARK_MASTER="")
    assert said.startswith(f"{TenureError.__module__}.TenureError: Expected Java to run Spark")
    assert "apt-get install openjdk-17-jre-headless" in said


def test_a_missing_pyspark_is_said_in_one_sentence() -> None:
    said = alone(f"import sys\nsys.modules['pyspark'] = None\n{OPEN}")
    assert "TenureError: Expected pyspark for the engine spark" in said
    assert "pip install 'tenure[spark]'" in said


def test_a_cluster_that_does_not_answer_is_named() -> None:
    said = alone(OPEN, TENURE_SPARK_MASTER="sc://127.0.0.1:1/;user_id=nobody")
    assert "TenureError: Expected Spark at sc://127.0.0.1:1" in said
