"""One table as the source has it: the rows to select from, and finding columns in them."""

from dataclasses import dataclass, replace
from pathlib import Path

from features.contracts import Table
from features.errors import SourceError
from features.sources.folder import FolderReader
from features.sources.mapping import ColumnMapping, TableMapping
from features.sources.sql import parquet, quoted


@dataclass(frozen=True)
class Foreign:
    """The foreign rows behind a contract table.

    Parameters
    ----------
    reader, table
        The open folder, and the contract's declaration.
    relation
        SQL to stand after FROM.
    columns
        Its columns' names and DuckDB types.
    """

    reader: FolderReader
    table: Table
    relation: str
    columns: dict[str, str]

    @property
    def mapping(self) -> TableMapping:
        """What `source.toml` says of the table."""
        return self.reader.mapping.table(self.table.name)

    def find(self, name: str) -> str | None:
        """Give a column's name as it is written in the source, whatever the case; else None."""
        return next((own for own in self.columns if own.lower() == name.lower()), None)

    def demand(self, key: str, name: str) -> str:
        """Give a column's name as it is written in the source; SourceError names the key."""
        found = self.find(name)
        if found is None:
            raise SourceError(
                f"Expected a column of the table's rows at `{key}` in source.toml, got {name!r}. "
                f"There are: {', '.join(self.columns)}."
            )
        return found

    def expression(self, given: ColumnMapping) -> tuple[str, str]:
        """Give an expression of `source.toml` and its DuckDB type; SourceError names the key."""
        sql = f"({given.sql})"
        self.reader.query(given.key, f"SELECT {sql}")
        what = f"expression at `{given.key}`"
        return sql, self.reader.columns(what, f"SELECT {sql} AS x FROM {self.relation}")["x"]

    def unknown(self, asked: set[str]) -> tuple[str, ...]:
        """Give the columns of a file that neither the contract nor `source.toml` asks for."""
        if self.mapping.sql:
            return ()
        asked |= {self.mapping.key or "", *self.mapping.left_out}
        asked |= {column.name for column in self.table if column.name not in self.mapping.columns}
        asked |= {given.column or "" for given in self.mapping.columns.values()}
        asked = {name.lower() for name in asked}
        expressions = " ".join(given.sql or "" for given in self.mapping.columns.values()).lower()
        return tuple(
            name
            for name in self.columns
            if name.lower() not in asked and name.lower() not in expressions
        )


def foreign_rows(reader: FolderReader, table: Table) -> Foreign:
    """Find what a contract table is read from; SourceError when it is not there."""
    relation = reader.relation(table.name)
    columns = reader.columns(f"table {table.name}", f"SELECT * FROM {relation}")
    return Foreign(reader, table, relation, columns)


def rows_of_part(whole: Foreign, part: Path) -> Foreign:
    """Give the rows of one of a table's Parquet files, in its own types.

    Columns that only other files have are there, and empty.
    """
    rows = f"SELECT * FROM {parquet([part])}"
    own = {name.lower() for name in whole.reader.columns(f"file {part}", rows)}
    lacking = [
        f", CAST(NULL AS {native}) AS {quoted(name)}"
        for name, native in whole.columns.items()
        if name.lower() not in own
    ]
    query = rows.replace("*", f"*{''.join(lacking)}", 1)
    columns = whole.reader.columns(f"file {part}", query)
    return replace(whole, relation=f"({query})", columns=columns)


def column_of(foreign: Foreign, name: str, default: str) -> str | None:
    """Give SQL for a mapped column, or for the foreign column `default` if there is one."""
    given = foreign.mapping.columns.get(name)
    if given is None:
        own = foreign.find(default)
        return quoted(own) if own else None
    if given.sql:
        return foreign.expression(given)[0]
    return quoted(foreign.demand(given.key, given.column or default))
