"""`source.toml`: how foreign files, columns and currencies become the contract's."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from types import MappingProxyType
from typing import Any

from features.contracts import TABLES, Table, Type
from features.errors import SourceError

SOURCE_TOML = "source.toml"
CURRENCY = "currency"
_KEYS = ("folder", "database", "extracted_at", "currency", "rates", "tables")
_END_OF_DAY = time(23, 59, 59, 999999)


@dataclass(frozen=True)
class ColumnMapping:
    """Where one contract column comes from.

    Parameters
    ----------
    key
        The key in `source.toml`, for messages.
    column
        The foreign column, or None where an expression or a value is given.
    sql
        The expression over the foreign row, or None.
    is_constant
        The source says that the value never changes.
    """

    key: str
    column: str | None
    sql: str | None
    is_constant: bool


@dataclass(frozen=True)
class TableMapping:
    """Where one contract table comes from: a file, a query, or by default the file of its name.

    Parameters
    ----------
    file, sql
        At most one of them.
    key
        A foreign column that names a row, for tables whose rows have no name in the contract.
    columns
        By contract column; columns that are not here keep their name.
    left_out
        Contract columns that are not read even where the file has one of that name.
    """

    file: str | None = None
    sql: str | None = None
    key: str | None = None
    columns: Mapping[str, ColumnMapping] = field(default_factory=lambda: MappingProxyType({}))
    left_out: frozenset[str] = frozenset()


@dataclass(frozen=True)
class SourceMap:
    """What `source.toml` says; every field has the value of a missing file as its default.

    Parameters
    ----------
    folder
        Where the data files lie.
    database
        URL of a database to unload instead, or None.
    extracted_at
        Naive UTC, or None.
    currency, rates
        The company's currency, and the file with the exchange rates into it.
    tables
        By contract table.
    """

    folder: Path
    database: str | None = None
    extracted_at: datetime | None = None
    currency: str | None = None
    rates: str | None = None
    tables: Mapping[str, TableMapping] = field(default_factory=lambda: MappingProxyType({}))

    def table(self, name: str) -> TableMapping:
        """Give the mapping of a contract table; the plain one when `source.toml` has none."""
        return self.tables.get(name, TableMapping())

    def names(self) -> frozenset[str]:
        """Give every word by which the mapping may mean a file or table."""
        texts = [f"{table.file or ''} {table.sql or ''}" for table in self.tables.values()]
        return frozenset(re.findall(r"[\w-]+", f"{' '.join(texts)} {self.rates or ''}"))


def is_database(source: str) -> bool:
    """Tell whether a source is a database URL and not a folder."""
    return "://" in source


def read_mapping(folder: Path) -> SourceMap:
    """Read the folder's `source.toml`, if it has one.

    Raises
    ------
    SourceError
        Naming the file, the key, what was expected and what came.
    """
    file = folder / SOURCE_TOML
    if not file.is_file():
        return SourceMap(folder)
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourceError(
            f"Expected valid TOML in {file}, got: {error}. Mend that line."
        ) from error
    return _Reader(file).source(content)


@dataclass(frozen=True)
class _Reader:
    file: Path

    def source(self, content: dict[str, Any]) -> SourceMap:
        self.keys("", content, _KEYS)
        folder = self.file.parent / (self.string("folder", content.get("folder")) or ".")
        rates = self.string("rates", content.get("rates"))
        currency = self.string("currency", content.get("currency"))
        if rates and not currency:
            raise self.wrong("rates", "`currency` beside it, the currency to convert to", "none")
        database = self.string("database", content.get("database"))
        if database and "folder" in content:
            raise self.wrong("database", "`folder` or `database`", "both")
        if not folder.is_dir():
            raise self.wrong("folder", "a folder with the data files", repr(str(folder)))
        tables = self.mapping("tables", content.get("tables", {}))
        self.keys("tables", tables, tuple(TABLES))
        return SourceMap(
            folder=folder.resolve(),
            database=database,
            extracted_at=self.past(content.get("extracted_at")),
            currency=currency,
            rates=rates,
            tables=MappingProxyType(
                {name: self.table(TABLES[name], value) for name, value in tables.items()}
            ),
        )

    def table(self, table: Table, value: object) -> TableMapping:
        key = f"tables.{table.name}"
        content = self.mapping(key, value)
        self.keys(key, content, ("file", "sql", "key", "columns"))
        if "file" in content and "sql" in content:
            raise self.wrong(key, "`file` or `sql`", "both")
        if "key" in content and table.key:
            raise self.wrong(
                f"{key}.key", f"no such key, as the contract's is {', '.join(table.key)}", "one"
            )
        columns = self.mapping(f"{key}.columns", content.get("columns", {}))
        self.keys(f"{key}.columns", columns, _column_names(table))
        return TableMapping(
            file=self.string(f"{key}.file", content.get("file")),
            sql=self.string(f"{key}.sql", content.get("sql")),
            key=self.string(f"{key}.key", content.get("key")),
            columns=MappingProxyType(
                {
                    name: self.column(f"{key}.columns.{name}", name, entry)
                    for name, entry in columns.items()
                    if entry is not False
                }
            ),
            left_out=frozenset(name for name, entry in columns.items() if entry is False),
        )

    def column(self, key: str, name: str, value: object) -> ColumnMapping:
        if isinstance(value, str):
            return ColumnMapping(key, column=value, sql=None, is_constant=False)
        expected = (
            'a foreign column\'s name, { column = "…" }, { sql = "…" } or { value = … }, '
            "or false to leave it out"
        )
        if not isinstance(value, dict):
            raise self.wrong(key, expected, repr(value))
        self.keys(key, value, ("column", "sql", "value", "constant"))
        if sum(way in value for way in ("column", "sql", "value")) > 1:
            raise self.wrong(key, "only one of `column`, `sql` and `value`", repr(value))
        is_constant = value.get("constant", "value" in value)
        if not isinstance(is_constant, bool):
            raise self.wrong(
                f"{key}.constant",
                "true, if the value never changes (a fixed value is written { value = … })",
                repr(is_constant),
            )
        sql = self.string(f"{key}.sql", value.get("sql"))
        if "value" in value:
            sql = self.literal(f"{key}.value", value["value"])
        column = None if sql else self.string(f"{key}.column", value.get("column", name))
        return ColumnMapping(key, column=column, sql=sql, is_constant=is_constant)

    def literal(self, key: str, value: object) -> str:
        if isinstance(value, bool | int | float):
            return repr(value)
        if isinstance(value, str | date):
            return "'" + str(value).replace("'", "''") + "'"
        raise self.wrong(key, "a text, number, boolean, date or time", repr(value))

    def past(self, value: object) -> datetime | None:
        moment, now = self.moment(value), datetime.now(UTC).replace(tzinfo=None)
        # today's date stands for the end of the day, which is still to come
        is_today = moment == datetime.combine(now, _END_OF_DAY)
        if moment and moment > now and not is_today:
            raise SourceError(
                f"Expected a past time at `extracted_at` in {self.file}, got {value}, which is "
                f"after this machine's clock, {now:%Y-%m-%d %H:%M} UTC. Correct it; a time "
                "without an offset is UTC."
            )
        return moment

    def moment(self, value: object) -> datetime | None:
        if isinstance(value, str):
            try:
                value = (
                    date.fromisoformat(value)
                    if len(value) == len("2024-05-01")
                    else (datetime.fromisoformat(value))
                )
            except ValueError:
                value = repr(value)
        if value is None:
            return None
        if isinstance(value, datetime):
            return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        if isinstance(value, date):
            return datetime.combine(value, _END_OF_DAY)
        raise self.wrong("extracted_at", "a date or time such as 2024-12-31", str(value))

    def string(self, key: str, value: object) -> str | None:
        if value is None or (isinstance(value, str) and value.strip()):
            return value if value is None else str(value).strip()
        raise self.wrong(key, "a text", repr(value))

    def mapping(self, key: str, value: object) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        raise self.wrong(key, "a TOML table", repr(value))

    def keys(self, key: str, content: Mapping[str, Any], known: tuple[str, ...]) -> None:
        for name in content:
            if name not in known:
                path = f"{key}.{name}" if key else name
                raise self.wrong(path, f"one of {', '.join(known)}", repr(name))

    def wrong(self, key: str, expected: str, got: str) -> SourceError:
        return SourceError(
            f"Expected {expected} at `{key}` in {self.file}, got {got}. "
            "The format is described in docs/sources.md."
        )


def _column_names(table: Table) -> tuple[str, ...]:
    names = tuple(column.name for column in table)
    has_money = any(column.dtype is Type.MONEY for column in table)
    return (*names, CURRENCY) if has_money else names
