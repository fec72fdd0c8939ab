"""Spark as an engine: in this process's own small cluster, or on one that stands elsewhere.

It runs where `master` says: by default on two threads of this machine, with `sc://...` (or
SPARK_REMOTE) through Spark Connect, else on the cluster of that master. A session that is open
already is used, and left open.
"""

import os
import shutil
import socket
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import narwhals as nw
import pandas as pd
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.errors import PySparkException
from pyspark.serializers import CPickleSerializer
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - Spark's own short name
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.utils import is_remote

from features.engine import Made, Task
from features.errors import TenureError
from features.windows import Rows

LOCAL = "local[2]"
LOCAL_MEMORY = "2g"
REMOTE_PREFIX = "sc://"
PORT = 15002  # of Spark Connect, where an address names none
WAIT_SECONDS = 10.0
MASTER = "TENURE_SPARK_MASTER"
REMOTE = "SPARK_REMOTE"
CHECKPOINTS = "spark.checkpoint.dir"

_EVERYWHERE = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",  # a sum beyond 64 bits is an error, not another number
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
}
_OWN = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.cleaner.referenceTracking.cleanCheckpoints": "true",
    "spark.python.sql.dataFrameDebugging.enabled": "false",  # asks the JVM thrice at every call
}
_LOCAL = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": LOCAL_MEMORY,
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.adaptive.enabled": "false",  # plans anew at each shuffle, which is dear when small
}
_SOUGHT = ("org.apache.spark.sql.functions", "PythonUtils")
_QUIET = """rootLogger.level = error
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %p %c{1}: %m%n
"""


@dataclass(frozen=True)
class Spark:
    """Spark at work; see `features.engine.Cluster`."""

    spark: SparkSession
    is_reliable: bool
    """Whether settled rows are kept where the loss of a worker does not reach them."""

    def scan(self, path: Path) -> Rows:
        """Read Parquet lazily, times as microseconds since 1970."""
        parts = sorted(path.glob("*.parquet")) or [path]
        native = self.spark.read.parquet(*map(str, parts))
        times = [name for name, kind in native.dtypes if kind.startswith("timestamp")]
        whole = {name: _microseconds(name) for name in times}
        return _lazy(native.withColumns(whole) if whole else native)

    def frame(self, columns: Mapping[str, Any], schema: pa.Schema) -> Rows:
        """Hand a small table to the engine."""
        with _closing_is_left_to_pyspark():
            return _lazy(self.spark.createDataFrame(pa.table(dict(columns), schema=schema)))

    def settle(self, frame: Rows) -> Rows:
        """Compute a frame once, and forget how; it is freed when nobody refers to it."""
        native = nw.to_native(frame)
        with _closing_is_left_to_pyspark():
            if self.is_reliable:
                return _lazy(native.checkpoint(eager=True))
            return _lazy(native.localCheckpoint(eager=True, storageLevel=StorageLevel.DISK_ONLY))

    def collect(self, frame: Rows) -> pd.DataFrame:
        """Compute a frame and give it to pandas."""
        with _closing_is_left_to_pyspark():
            table: pa.Table = nw.to_native(frame).toArrow()
        rows: pd.DataFrame = table.to_pandas()
        return rows

    def map(
        self, frame: Rows, function: Callable[[pd.DataFrame], pd.DataFrame], schema: pa.Schema
    ) -> Rows:
        """Give what a function makes of each batch of rows, on the workers."""

        def made(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                rows = function(batch.to_pandas())
                yield from pa.Table.from_pandas(rows, schema, preserve_index=False).to_batches()

        return _lazy(
            nw.to_native(frame).mapInArrow(
                made, from_arrow_schema(schema, prefer_timestamp_ntz=True)
            )
        )

    def each(self, function: Callable[[Task], Made], tasks: Sequence[Task]) -> list[Made]:
        """Give what a function makes of each task, in their order, each on some worker."""
        if not tasks:
            return []
        packed = CPickleSerializer()

        def made(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                for number in batch["id"].to_pylist():
                    result = packed.dumps(function(tasks[number]))
                    yield pa.RecordBatch.from_pydict({"id": [number], "made": [result]})

        rows = self.spark.range(0, len(tasks), 1, len(tasks))
        with _closing_is_left_to_pyspark():
            found = rows.mapInArrow(made, "id long, made binary").toArrow()
        results = dict(zip(*(found[name].to_pylist() for name in ("id", "made")), strict=True))
        return [packed.loads(results[number]) for number in range(len(tasks))]

    def write(self, frame: Rows, folder: Path, by: str, then: Sequence[str]) -> None:
        """Write Parquet into a new folder, one folder `<by>=<value>` each, rows in this order."""
        order = (by, *then)
        native = nw.to_native(frame).repartitionByRange(*order).sortWithinPartitions(*order)
        native.write.partitionBy(by).parquet(str(folder))


@contextmanager
def spark_session() -> Iterator[Spark]:
    """Open Spark where it is asked for, and close what was opened.

    Raises
    ------
    TenureError
        When there is no Java to start it with, or the cluster cannot be reached.
    """
    running = SparkSession.getActiveSession()
    if running is not None:
        yield _prepared(running if is_remote() else running.newSession())
        return
    master = os.environ.get(MASTER) or os.environ.get(REMOTE) or LOCAL
    with TemporaryDirectory(prefix="tenure-spark-") as folder:
        spark = _started(master, Path(folder))
        try:
            yield _prepared(spark)
        finally:
            spark.stop()


def _started(master: str, folder: Path) -> SparkSession:
    builder = SparkSession.builder.appName("tenure")
    if master.startswith(REMOTE_PREFIX):
        _demand_answer(master)
        builder = builder.remote(master)
    else:
        _demand_java()
        is_local = master.startswith("local")
        if is_local:
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        said = _OWN | (_LOCAL | _own_folders(folder) if is_local else {})
        builder = builder.master(master).config(map=said)
    try:
        return builder.getOrCreate()
    except PySparkException as error:
        raise _unreachable(master, error) from error


def _demand_answer(remote: str) -> None:
    # Spark's own client would try again for minutes, without a word
    address = urlsplit(remote)
    place = (address.hostname or "", address.port or PORT)
    try:
        socket.create_connection(place, WAIT_SECONDS).close()
    except OSError as error:
        raise _unreachable(remote, error) from error


def _unreachable(master: str, error: Exception) -> TenureError:
    place = master.split("/;", maxsplit=1)[0]  # what follows may hold a token
    return TenureError(
        f"Expected Spark at {place}, got {str(error).splitlines()[0]}. "
        f"Check the address in --master, {MASTER} or {REMOTE}, or choose --engine duckdb."
    )


def _own_folders(folder: Path) -> dict[str, str]:
    quiet = folder / "log4j2.properties"
    quiet.write_text(_QUIET, encoding="utf-8")
    return {
        "spark.local.dir": str(folder),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={quiet.as_uri()}",
    }


def _demand_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java", path=f"{home}/bin" if home else None) is None:
        raise TenureError(
            f"Expected Java to run Spark, got none {f'in {home}' if home else 'on the path'}. "
            "Install Java 17 (on Debian or Ubuntu: apt-get install openjdk-17-jre-headless), "
            "name it in JAVA_HOME, or choose --engine duckdb."
        )


def _prepared(spark: SparkSession) -> Spark:
    for name, value in _EVERYWHERE.items():
        spark.conf.set(name, value)
    if is_remote():
        _send_deep_plans()
    else:
        _remember_classes(spark)
    return Spark(spark, is_reliable=bool(spark.conf.get(CHECKPOINTS, None)))


def _remember_classes(spark: SparkSession) -> None:
    # at each use of a column pyspark lets the JVM look through all its archives for these
    jvm = spark.sparkContext._jvm  # noqa: SLF001 - pyspark has no other way to them
    for name in _SOUGHT:
        setattr(jvm, name, getattr(jvm, name))


def _send_deep_plans() -> None:
    # each step of a plan lies in the next, and by default no message may be a hundred deep
    from google._upb import _message  # type: ignore[import-untyped]  # noqa: PLC0415 - comes with Spark Connect, has no types

    _message.SetAllowOversizeProtos(True)  # noqa: FBT003 - it takes no names


@contextmanager
def _closing_is_left_to_pyspark() -> Iterator[None]:
    # pyspark drops the sockets that bring its results without closing them
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield


def _microseconds(time: str) -> Any:  # noqa: ANN401 - a Spark column, of either kind of session
    return F.unix_micros(F.col(time).cast("timestamp"))


def _lazy(native: Any) -> Rows:  # noqa: ANN401 - a Spark frame, of either kind of session
    rows: Rows = nw.from_native(native).lazy()
    return rows
