"""Parting a staged table: rows that keep the contract, rows set aside, copies that collapse."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import duckdb
import polars as pl

from features.checked import Counts
from features.ledger import Ledger
from features.sources.currency import UNRATED
from features.sources.rules import (
    FAILURES,
    Rule,
    World,
    broken,
    failing_rows,
    key_rule,
    money_rules,
    rules,
)
from features.sources.sql import frame, literal, parquet, quoted, run
from features.sources.stage import FOREIGN_KEY, FOREIGN_ROW, ROW, Staged

RECORDED_AT = "recorded_at"


@dataclass(frozen=True)
class Accepted:
    """One table after the check.

    Parameters
    ----------
    staged
        What was read.
    files
        The accepted rows as Parquet, sorted, with `known_at`; of a log a file for each week.
    counts
        Where its rows went.
    failures
        Row, column and reason of what was set aside; a row may stand there twice.
    has_versions
        Every accepted row says when it was recorded.
    ledger
        Of a log: what it was read from, and its parts.
    digests
        By name below the checked source: the SHA-256 of files of which it is known already.
    """

    staged: Staged
    files: tuple[Path, ...]
    counts: Counts
    failures: pl.DataFrame
    has_versions: bool
    ledger: Ledger | None = None
    digests: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def accept(
    connection: duckdb.DuckDBPyConnection, staged: Staged, world: World, out: Path
) -> Accepted:
    """Hold a staged table against the contract and write the rows that keep it to `out`.

    Parameters
    ----------
    connection
        The reader's connection, for what concerns rows together: copies, keys and order.
    staged, world
        The table, and what it is held against.
    out
        The folder that gets `<table>.parquet`.
    """
    failures = judge(connection, staged, world)
    rows = _final(staged, good_rows(connection, staged, failures))
    file = out / f"{staged.table.name}.parquet"
    run(connection, f"COPY ({rows}) TO {literal(file)} (FORMAT parquet)")
    return accepted_as(staged, (file,), failures, *_count(connection, staged, file))


def judge(connection: duckdb.DuckDBPyConnection, staged: Staged, world: World) -> pl.DataFrame:
    """Give row, column and reason of each staged row and rule of the contract that it breaks."""
    of_rows = judge_rows(staged, world)
    return pl.concat([of_rows, broken_keys(connection, staged, of_rows)])


def judge_rows(staged: Staged, world: World) -> pl.DataFrame:
    """Give what `judge` gives, but for rules that concern rows together."""
    return broken(staged, [*rules(staged.table, staged.columns, world), *_extra_rules(staged)])


def accepted_as(
    staged: Staged, files: tuple[Path, ...], failures: pl.DataFrame, rows: int, unversioned: int
) -> Accepted:
    """Say where a table's rows went, of which `rows` were written to `files`."""
    broken_rows = failures[ROW].n_unique()
    return Accepted(
        staged=staged,
        files=files,
        counts=Counts(
            read=staged.read + len(staged.malformed),
            accepted=rows,
            quarantined=broken_rows + len(staged.malformed),
            collapsed=staged.read - staged.erased - broken_rows - rows,
            erased=staged.erased,
        ),
        failures=_named(failures, staged),
        has_versions=RECORDED_AT in staged.columns and unversioned == 0,
    )


def known_accounts(
    connection: duckdb.DuckDBPyConnection, accounts: tuple[Path, ...], merges: tuple[Path, ...]
) -> pl.Series:
    """Give the account ids that a row may name: those there are, and those that were merged."""
    query = f"SELECT account_id FROM {parquet(accounts)}"
    if merges:
        query += f" UNION SELECT from_account_id FROM {parquet(merges)}"
    rows = run(connection, f"SELECT DISTINCT account_id FROM ({query})")
    return pl.Series("account_id", [account for (account,) in rows], dtype=pl.String)


def _extra_rules(staged: Staged) -> tuple[Rule, ...]:
    named = Rule(FOREIGN_KEY, "is missing", pl.col(FOREIGN_KEY).is_not_null())
    return (
        *(money_rules(staged.table) if UNRATED in staged.extras else ()),
        *((named,) if FOREIGN_KEY in staged.extras else ()),
    )


def _full_key(staged: Staged) -> tuple[str, ...]:
    key = staged.table.key or tuple(name for name in staged.extras if name == FOREIGN_KEY)
    return (*key, *(name for name in (RECORDED_AT,) if key and name in staged.columns))


def _distinct(staged: Staged, rows: str) -> str:
    # two rows are copies of each other when they share all of this
    names = (*staged.columns, *(e for e in staged.extras if e in {FOREIGN_KEY, FOREIGN_ROW}))
    return f"SELECT DISTINCT {', '.join(quoted(name) for name in names)} FROM ({rows})"


def good_rows(connection: duckdb.DuckDBPyConnection, staged: Staged, failures: pl.DataFrame) -> str:
    """Give SQL for the staged rows that no failure names."""
    if failures.is_empty():
        return f"SELECT * FROM {parquet(staged.files)}"
    name = f"__broken_{staged.table.name}"
    rows = failures.select(pl.col(ROW).unique()).to_arrow()
    connection.register(f"{name}_rows", rows)
    run(connection, f"CREATE OR REPLACE TABLE {name} AS SELECT {ROW} FROM {name}_rows")
    connection.unregister(f"{name}_rows")
    return f"SELECT * FROM {parquet(staged.files)} ANTI JOIN {name} USING ({ROW})"


def broken_keys(
    connection: duckdb.DuckDBPyConnection, staged: Staged, failures: pl.DataFrame
) -> pl.DataFrame:
    """Give the rows whose key a different row has too, of those that no failure names."""
    key = _full_key(staged)
    if not key:
        return FAILURES.to_frame()
    good = good_rows(connection, staged, failures)
    columns = ", ".join(quoted(name) for name in key)
    different = frame(connection, f"SELECT {columns} FROM ({_distinct(staged, good)})")
    rule = key_rule(key)
    index = failing_rows(different, [rule])["index"]
    if index.is_empty():
        return FAILURES.to_frame()
    rows = frame(connection, f"SELECT {ROW}, {columns} FROM ({good})")
    return (
        rows.join(different[index].unique(), on=list(key), nulls_equal=True, how="semi")
        .select(ROW, pl.lit(rule.column).alias("column"), pl.lit(rule.reason).alias("reason"))
        .cast(FAILURES)
    )


def known_at(staged: Staged) -> str:
    """Give SQL for the time at which a row becomes known."""
    first = quoted(staged.table.first_time)
    return f"greatest({first}, {RECORDED_AT})" if RECORDED_AT in staged.columns else first


def _final(staged: Staged, good: str) -> str:
    names = ", ".join(quoted(name) for name in staged.columns)
    return (
        f"SELECT {names}, {known_at(staged)} AS known_at FROM ({_distinct(staged, good)}) "
        f"ORDER BY {quoted(staged.table.first_time)}, {names}"
    )


def _count(connection: duckdb.DuckDBPyConnection, staged: Staged, file: Path) -> tuple[int, int]:
    unversioned = "count(*)"
    if RECORDED_AT in staged.columns:
        unversioned = f"count(*) - count({RECORDED_AT})"
    accepted, without = run(connection, f"SELECT count(*), {unversioned} FROM {literal(file)}")[0]
    return accepted, without


def _named(failures: pl.DataFrame, staged: Staged) -> pl.DataFrame:
    name = staged.foreign_key
    column = pl.col("column").cast(pl.String).replace(FOREIGN_KEY, name).cast(pl.Categorical())
    return failures.with_columns(column) if name else failures
