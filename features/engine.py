"""Which dataframe engine runs; nobody else asks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Protocol, TypeAlias, TypeVar

import narwhals as nw
import pandas as pd
import pyarrow as pa

from features.errors import TenureError
from features.held import held_folder
from features.windows import Rows

MEMORY_MB = 1500
"""What DuckDB may hold before it spills, beside room for joining what it gives."""
THREADS = 2
SPILL = "tenure-spill-"
"""How the folders begin into which DuckDB spills."""


Task = TypeVar("Task")
Made = TypeVar("Made")
BatchFunction: TypeAlias = Callable[[pd.DataFrame], pd.DataFrame]
"""From a batch of rows to rows, by nothing but those."""


class Engine(StrEnum):
    """The engines on which features are computed, with equal results."""

    DUCKDB = "duckdb"
    POLARS = "polars"
    SPARK = "spark"


class Session(Protocol):
    """One engine at work."""

    def scan(self, path: Path) -> Rows:
        """Read a Parquet file, or a folder of them, lazily; times as microseconds since 1970."""
        ...

    def frame(self, columns: Mapping[str, Any], schema: pa.Schema) -> Rows:
        """Hand a small table to the engine."""
        ...

    def settle(self, frame: Rows) -> Rows:
        """Compute a frame once, so that several readers share it."""
        ...

    def collect(self, frame: Rows) -> pd.DataFrame:
        """Compute a frame and give it to pandas."""
        ...


class Cluster(Session, Protocol):
    """An engine whose workers read, compute and write without this process seeing the rows."""

    def map(self, frame: Rows, function: BatchFunction, schema: pa.Schema) -> Rows:
        """Give what a function makes of each batch of rows; it travels to the workers."""
        ...

    def each(self, function: Callable[[Task], Made], tasks: Sequence[Task]) -> list[Made]:
        """Give what a function makes of each task, in their order; all of it travels."""
        ...

    def write(self, frame: Rows, folder: Path, by: str, then: Sequence[str]) -> None:
        """Write Parquet into a new folder, one folder `<by>=<value>` each, rows in this order."""
        ...


def cluster() -> AbstractContextManager[Cluster]:
    """Open Spark, for what is to be done where the rows are.

    Raises
    ------
    TenureError
        When pyspark, Java or the cluster is not there.
    """
    return _spark()


@contextmanager
def session(engine: Engine, given_mb: int = 0) -> Iterator[Session]:
    """Open an engine, and close it with all that it holds.

    Parameters
    ----------
    given_mb
        Size of the largest rows that will be collected: the many joins that put them together hold
        about as much at once, and DuckDB cannot spill all of that.

    Raises
    ------
    TenureError
        When the engine, or the Java that Spark needs, is not there.
    """
    if engine is Engine.DUCKDB:
        import duckdb  # noqa: PLC0415 - an engine is loaded when it is asked for

        spilling = held_folder(Path(gettempdir()), SPILL)
        with spilling as spill, duckdb.connect() as connection:
            connection.execute(f"SET memory_limit = '{MEMORY_MB + 2 * given_mb}MB'")
            connection.execute(f"SET threads = {THREADS}")
            connection.execute(f"SET temp_directory = '{spill}'")
            connection.execute("SET preserve_insertion_order = false")
            connection.execute("SET enable_progress_bar = false")
            yield _DuckDB(connection, count())
    elif engine is Engine.POLARS:
        yield _Polars()
    else:
        with _spark() as running:
            yield running


@dataclass(frozen=True)
class _DuckDB:
    connection: Any
    numbers: Iterator[int]

    def scan(self, path: Path) -> Rows:
        rows = self.connection.read_parquet([str(file) for file in _files(path)])
        kinds = zip(rows.columns, map(str, rows.types), strict=True)
        read = [f'{sql} AS "{name}"' for name, kind in kinds if (sql := _exact(name, kind))]
        return _lazy(rows.project(f"* REPLACE ({', '.join(read)})") if read else rows)

    def frame(self, columns: Mapping[str, Any], schema: pa.Schema) -> Rows:
        table = pa.table(dict(columns), schema=schema)
        name = f"given_{next(self.numbers)}"
        self.connection.register(name, table)  # read where it lies: a copy would cost as much again
        return _lazy(self.connection.table(name))

    def settle(self, frame: Rows) -> Rows:
        name = f"settled_{next(self.numbers)}"
        query = nw.to_native(frame).sql_query()
        self.connection.execute(f"CREATE TEMP TABLE {name} AS {query}")
        return _lazy(self.connection.table(name))

    def collect(self, frame: Rows) -> pd.DataFrame:
        table: pa.Table = nw.to_native(frame).to_arrow_table()
        return _pandas(table)


def _exact(name: str, kind: str) -> str | None:
    if kind == "TIMESTAMP":
        return f'epoch_us("{name}")'
    # DuckDB alone gives a product the width of its factors
    return f'"{name}"::DECIMAL(38, 4)' if kind == "DECIMAL(18,4)" else None


@dataclass(frozen=True)
class _Polars:
    def scan(self, path: Path) -> Rows:
        import polars as pl  # noqa: PLC0415 - an engine is loaded when it is asked for

        rows = pl.scan_parquet(_files(path))
        return _lazy(rows.with_columns(pl.selectors.datetime("us").to_physical()))

    def frame(self, columns: Mapping[str, Any], schema: pa.Schema) -> Rows:
        import polars as pl  # noqa: PLC0415 - an engine is loaded when it is asked for

        return _lazy(pl.DataFrame(pl.from_arrow(pa.table(dict(columns), schema=schema))))

    def settle(self, frame: Rows) -> Rows:
        return _lazy(nw.to_native(frame).collect(engine="streaming").lazy())

    def collect(self, frame: Rows) -> pd.DataFrame:
        return _pandas(nw.to_native(frame).collect(engine="streaming").to_arrow())


def _files(path: Path) -> list[Path]:
    return sorted(path.glob("*.parquet")) if path.is_dir() else [path]


def _lazy(native: Any) -> Rows:  # noqa: ANN401 - each engine has a frame type of its own
    rows: Rows = nw.from_native(native).lazy()
    return rows


def _pandas(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _spark() -> AbstractContextManager[Cluster]:
    try:
        from features.spark import spark_session  # noqa: PLC0415 - loaded when it is asked for
    except ModuleNotFoundError as error:
        if error.name != "pyspark":
            raise
        raise TenureError(
            "Expected pyspark for the engine spark, got no such package. "
            "Install the extra: pip install 'tenure[spark]', or choose --engine duckdb or polars."
        ) from error
    return spark_session()
