"""A cluster that is reached through Spark Connect gives the same log, states and features."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import polars as pl
import pyspark
import pytest

from features.build import feature_table
from features.catalog import catalog
from features.home import Home
from features.sources.check import check
from features.spine import account_states

TABLES = {
    "accounts": """
        account_id created_at
        a          2024-01-01
        b          2024-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr  started_at term_months
        s1              a          base    100  2024-01-05 12
        s2              b          base    50.5 2024-01-15 1
    """,
}
COLUMNS = (
    "lifecycle__mrr",
    "lifecycle__days_to_term_end",
    "usage__events__28d",
    "usage__active_users__90d",
    "usage__days_since_last_event",
)
DATES = (datetime(2024, 4, 1), datetime(2024, 5, 1))  # noqa: DTZ001 - naive UTC by contract
DAY = datetime(2024, 3, 1, 12)  # noqa: DTZ001 - naive UTC by contract
EVENTS = [("a", f"u{day % 3}", DAY + timedelta(days=day), "open") for day in range(40)]
ELSEWHERE = """
import json, sys
from datetime import datetime
from pathlib import Path
from features.build import feature_table
from features.catalog import catalog
from features.engine import Engine, cluster
from features.home import Home
from features.sources.check import check
from features.spine import account_states

folder, home, dates, columns = json.loads(sys.argv[1])
with cluster() as workers:
    source = check(folder, home=Home(Path(home)), limit=1.0, on=workers)
    kind = type(workers.spark).__module__
states = account_states(source, map(datetime.fromisoformat, dates), engine=Engine.SPARK)
chosen = [feature for feature in catalog() if feature.column in columns]
table = feature_table(source, states, engine=Engine.SPARK, features=chosen)
states.to_parquet(Path(home) / "states.parquet")
table.to_parquet(Path(home) / "features.parquet")
print(json.dumps([kind, source.fingerprint, sorted(source.files)]))
"""


@pytest.fixture
def address(one_spark: None, tmp_path: Path) -> Iterator[str]:  # noqa: ARG001 - held while Spark runs
    """Where a server of Spark Connect answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": port,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": tmp_path / "spark",
        "spark.sql.warehouse.dir": tmp_path / "warehouse",
        "spark.sql.shuffle.partitions": 2,
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.ui.enabled": "false",
    }
    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    settings = [word for name, value in said.items() for word in ("--conf", f"{name}={value}")]
    server = "org.apache.spark.sql.connect.service.SparkConnectServer"
    command = [str(submit), "--master", "local[2]", *settings, "--class", server, "spark-internal"]
    environment = {
        **os.environ,
        "PYSPARK_PYTHON": sys.executable,
        "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    }
    with (
        (tmp_path / "server.log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env=environment) as running,
    ):
        try:
            _wait_for(port, running)
            yield f"sc://127.0.0.1:{port}"
        finally:
            running.terminate()


def _wait_for(port: int, running: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert running.poll() is None, "the server ended"
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.5)
    raise AssertionError("the server did not answer")


def test_a_log_is_checked_and_measured_as_on_one_machine(
    address: str, source_folder: Callable[..., Path], tmp_path: Path
) -> None:
    folder, away = source_folder(TABLES, extracted_at="2024-06-01"), tmp_path / "away"
    log = folder / "usage_events"
    log.mkdir()
    names = ["account_id", "user_id", "occurred_at", "event"]
    unknown = ("nobody", "u1", DAY, "open")
    pl.DataFrame([*EVENTS, unknown], names, orient="row").write_parquet(log / "1.parquet")

    here = Home(tmp_path / "here")
    source = check(str(folder), home=here, limit=1.0)
    shutil.copytree(here.erasure, Home(away).erasure)  # the key under which persons are kept
    states = account_states(source, DATES)
    chosen = [feature for feature in catalog() if feature.column in COLUMNS]
    table = feature_table(source, states, features=chosen)

    asked = json.dumps([str(folder), str(away), [day.isoformat() for day in DATES], COLUMNS])
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, asked],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TENURE_SPARK_MASTER": address},
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    kind, fingerprint, files = json.loads(done.stdout.splitlines()[-1])
    assert kind == "pyspark.sql.connect.session"
    assert (fingerprint, files) == (source.fingerprint, sorted(source.files))
    pd.testing.assert_frame_equal(pd.read_parquet(away / "states.parquet"), states)
    pd.testing.assert_frame_equal(
        pd.read_parquet(away / "features.parquet"), table, check_exact=True
    )
    assert table["usage__events__28d"].tolist() == [28.0, 0.0, 7.0, 0.0]
