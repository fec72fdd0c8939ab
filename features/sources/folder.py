"""Reading a folder of CSV and Parquet with DuckDB, which may touch no file outside of it."""

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from uuid import uuid4

import duckdb

from features.contracts import TABLES
from features.errors import SourceError
from features.sources.mapping import SourceMap
from features.sources.sql import first_line, literal, quoted, run

_DATA = frozenset(
    {".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".avro", ".orc", ".parquet", ".xlsx"}
)
_READ = frozenset({".csv", ".parquet"})
_DELIMITERS = ",;\t|"
_MEMORY_LIMIT = "1GB"  # beyond it DuckDB spills into the work folder


@dataclass(frozen=True)
class FolderReader:
    """An open folder: a locked-down connection that sees each data file as a view by its stem.

    `unread` names the files that look like data, and are of no kind that is read.
    """

    connection: duckdb.DuckDBPyConnection
    mapping: SourceMap
    files: Mapping[str, tuple[Path, ...]]
    unread: tuple[str, ...] = ()

    def tables(self) -> tuple[str, ...]:
        """Give the contract tables that the folder has, in the contract's order."""
        return tuple(name for name in TABLES if name in self.files or name in self.mapping.tables)

    def unused_files(self) -> tuple[str, ...]:
        """Give the names of data files that no contract table comes from."""
        used = {*TABLES, *self.mapping.names()}
        return (*(stem for stem in self.files if stem not in used), *self.unread)

    def relation(self, table: str) -> str:
        """Give SQL for the foreign rows of a contract table, to stand after FROM.

        Raises
        ------
        SourceError
            When the file is not there, or the query is not one SELECT.
        """
        mapping = self.mapping.table(table)
        if mapping.sql:
            return f"({self.query(f'tables.{table}.sql', mapping.sql)})"
        stem = self.stem(f"tables.{table}.file", mapping.file) if mapping.file else table
        if stem not in self.files:
            raise SourceError(
                f"Expected a file for the table {table} in {self.mapping.folder}, got none called "
                f"{table}.parquet or {table}.csv. Name it at `tables.{table}.file`."
            )
        return quoted(stem)

    def parts(self, table: str) -> tuple[Path, ...]:
        """Give a table's Parquet files, if its rows can be read file by file; else ().

        They cannot where a query gives them, or an expression that looks at more than its own row.
        """
        mapping = self.mapping.table(table)
        expressions = " ".join(column.sql or "" for column in mapping.columns.values())
        if mapping.sql or re.search(r"(?i)\b(over|select|from)\b", expressions):
            return ()
        stem = self.stem(f"tables.{table}.file", mapping.file) if mapping.file else table
        paths = self.files.get(stem, ())
        return paths if all(path.suffix == ".parquet" for path in paths) else ()

    def stem(self, key: str, file: str) -> str:
        """Give the view of a file that `source.toml` names, or raise SourceError."""
        stem = Path(file).stem if Path(file).suffix in {".csv", ".parquet"} else file.rstrip("/")
        if stem not in self.files:
            raise SourceError(
                f"Expected a .csv or .parquet file of {self.mapping.folder} at `{key}`, got "
                f"{file!r}. There are: {', '.join(self.files) or 'none'}."
            )
        return stem

    def query(self, key: str, sql: str) -> str:
        """Give a query from `source.toml` back, if it is one SELECT; else raise SourceError."""
        try:
            statements = self.connection.extract_statements(sql)
        except duckdb.Error as error:
            raise SourceError(
                f"Expected one SQL query at `{key}`, got: {first_line(error)}. Mend the query."
            ) from error
        if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
            raise SourceError(
                f"Expected one SELECT at `{key}`, got another kind of statement or several. "
                "A source is only read."
            )
        return sql.strip().rstrip(";")

    def columns(self, what: str, query: str) -> dict[str, str]:
        """Give the names and DuckDB types of a query's columns; SourceError when it does not bind.

        Parameters
        ----------
        what
            What the query stands for, for the message.
        query
            A SELECT.
        """
        try:
            described = run(self.connection, f"DESCRIBE {query}")
        except duckdb.Error as error:
            raise SourceError(
                f"Expected a readable {what}, got: {first_line(error)}. Mend it in source.toml."
            ) from error
        return {name: native for name, native, *_ in described}


def open_folder(mapping: SourceMap, work: Path) -> FolderReader:
    """Open the data files of a source folder for reading.

    Parameters
    ----------
    mapping
        What `source.toml` says; names the folder.
    work
        The only other folder that DuckDB may touch.

    Raises
    ------
    SourceError
        When a file cannot be read, or one table has two files.
    """
    reader = open_files(mapping, work)
    connection, files = reader.connection, reader.files
    for stem, paths in files.items():
        try:
            run(connection, f"CREATE VIEW {quoted(stem)} AS {_scan(paths)}")
        except duckdb.Error as error:
            raise SourceError(
                f"Expected readable CSV or Parquet in {_unreadable(connection, paths)}, "
                f"got: {first_line(error)}. "
                "Replace the file or take it out of the folder."
            ) from error
    return reader


def open_files(mapping: SourceMap, work: Path) -> FolderReader:
    """Open a source folder for who reads its files by their paths: no view is made of them."""
    files = _data_files(mapping.folder)
    connection = _locked_connection(mapping.folder, work, _links(files.values()))
    return FolderReader(connection, mapping, MappingProxyType(files), _unread(mapping.folder))


def _unreadable(connection: duckdb.DuckDBPyConnection, paths: tuple[Path, ...]) -> Path:
    """Find the part that cannot be read; the folder of all, where each alone can be."""
    for path in paths:
        try:
            run(connection, f"SELECT * FROM ({_scan((path,))}) LIMIT 0")
        except duckdb.Error:
            return path
    return paths[0].parent


def _data_files(folder: Path) -> dict[str, tuple[Path, ...]]:
    files: dict[str, tuple[Path, ...]] = {}
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and entry.name in TABLES:
            stem, paths = entry.name, _parts(entry)
        elif entry.is_file() and entry.suffix in _READ:
            stem, paths = entry.stem, (entry,)
        else:
            continue
        if stem in files and stem in TABLES:
            raise SourceError(
                f"Expected one file for the table {stem} in {folder}, got {files[stem][0].name} "
                f"and {entry.name}. Take one of them away."
            )
        if paths:
            files.setdefault(stem, paths)
    return files


def _parts(folder: Path) -> tuple[Path, ...]:
    """Give the Parquet files of a table's folder, which may hold no other data."""
    parts = sorted(folder.rglob("*.parquet"))
    others = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    # what loaders leave beside the parts begins with such a sign: _SUCCESS, _delta_log, .crc
    others = [path for path in others if not any(part[0] in "._" for part in path.parts)]
    others = [path for path in others if path.suffix != ".parquet" and _is_data(path)]
    if others:
        more = f" and {len(others) - 1:,} more" if len(others) > 1 else ""
        raise SourceError(
            f"Expected only parts called *.parquet in {folder}, got {others[0]}{more}. "
            f"Write them as Parquet, or put all rows into one file {folder.name}.csv beside it."
        )
    return tuple(parts)


def _unread(folder: Path) -> tuple[str, ...]:
    """Name the files beside the tables that look like data, and are of no kind that is read."""
    return tuple(
        path.name
        for path in sorted(folder.iterdir())
        if path.is_file() and path.suffix not in _READ and _is_data(path)
    )


def _is_data(path: Path) -> bool:
    return not _DATA.isdisjoint(suffix.lower() for suffix in path.suffixes)


def _links(files: Iterable[tuple[Path, ...]]) -> list[str]:
    # DuckDB asks whether a link's target is allowed, so a linked file is allowed by its own name
    return [str(path.resolve()) for paths in files for path in paths if path.is_symlink()]


def _locked_connection(folder: Path, work: Path, links: list[str]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    directories = ", ".join(literal(f"{path}/") for path in (folder, work))
    for setting in (
        "TimeZone = 'UTC'",
        "enable_progress_bar = false",
        f"memory_limit = '{_MEMORY_LIMIT}'",
        # two processes that spill into one folder would write the same files
        f"temp_directory = {literal(work / f'spill-{uuid4().hex}')}",
        f"VARIABLE folder = {literal(folder)}",
        f"allowed_directories = [{directories}]",
        f"allowed_paths = [{', '.join(literal(link) for link in links)}]",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        run(connection, f"SET {setting}")
    return connection


def _scan(paths: tuple[Path, ...]) -> str:
    if paths[0].suffix == ".parquet":
        names = ", ".join(literal(path) for path in paths)
        return (
            f"SELECT * FROM read_parquet([{names}], union_by_name = true, "
            "hive_partitioning = false)"
        )
    delimiter, header = _header(paths[0])
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header)
    return (
        f"SELECT * FROM read_csv({literal(paths[0])}, auto_detect = false, header = true, "
        f"delim = {literal(delimiter)}, quote = '\"', escape = '\"', columns = {{{columns}}}, "
        "store_rejects = true)"
    )


def _header(file: Path) -> tuple[str, list[str]]:
    try:
        with file.open("rb") as lines:
            first = lines.readline().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(
            f"Expected UTF-8 in {file}, got bytes that are not ({error.reason}). Save it as UTF-8."
        ) from error
    if not first:
        raise SourceError(
            f"Expected a first line of column names in {file}, got a file without a byte. "
            "Extract it again, or take it away."
        )
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
    except csv.Error as error:
        raise SourceError(
            f"Expected a first line of column names in {file}, got one that is none ({error}). "
            "Save it as CSV whose lines end in \\n or \\r\\n, with a heading of short names."
        ) from error
    if not names or "" in names or len({name.lower() for name in names}) < len(names):
        raise SourceError(
            f"Expected a first line of different column names in {file}, got {names}. "
            "Give each column a name of its own."
        )
    return delimiter, names
