"""Reading one cell: SQL that gives the contract's type, or null, and the text that it read."""

from features.contracts import Column, Type

_TRUE = "'true', 't', 'yes', 'y', '1', '1.0', 'on'"
_FALSE = "'false', 'f', 'no', 'n', '0', '0.0', 'off'"
_ISO_DATE = r" *[1-9]\d{3}[-/]\d{1,2}[-/]\d{1,2}"
_FLOAT_ID = r"\d+[.]0"
_BLOCK = 64  # bytes that SHA-256 takes at a time, by which HMAC is defined
_DIGITS = 32
_LARGEST_WHOLE = "1e15"  # above it, doubles skip whole numbers
_SQL_TYPES = {
    Type.TEXT: "VARCHAR",
    Type.INTEGER: "BIGINT",
    Type.NUMBER: "DOUBLE",
    Type.MONEY: "DECIMAL(18, 4)",
    Type.BOOLEAN: "BOOLEAN",
    Type.TIME: "TIMESTAMP",
}


def sql_type(column: Column) -> str:
    """Give the DuckDB type in which a checked column is stored."""
    return _SQL_TYPES[column.dtype]


def typed(column: Column, cell: str, native: str) -> str:
    """Give SQL for the cell in the contract's type; null where it cannot be read as that.

    Parameters
    ----------
    column
        The contract's column.
    cell
        SQL for the cell as the source has it.
    native
        Its DuckDB type there: VARCHAR for CSV, any type for Parquet.
    """
    return _READERS[column.dtype](column, cell, native)


def raw(cell: str) -> str:
    """Give SQL for the cell's own text, null when it is empty."""
    return f"nullif(trim(CAST({cell} AS VARCHAR)), '')"


def keyed(cell: str, key: bytes) -> str:
    """Give SQL for the HMAC-SHA-256 of a text, in hexadecimal digits; null stays null."""
    block = key.ljust(_BLOCK, b"\0")
    inner, outer = (bytes(byte ^ pad for byte in block).hex() for pad in (0x36, 0x5C))
    inside = f"unhex(sha256(unhex('{inner}') || encode({cell})))"
    return f"left(sha256(unhex('{outer}') || {inside}), {_DIGITS})"


def became_floats(cell: str) -> str:
    """Give SQL that tells whether each of a column's texts is a whole number written as a float."""
    return f"coalesce(bool_and(regexp_full_match({raw(cell)}, '{_FLOAT_ID}')), false)"


def whole_again(cell: str) -> str:
    """Give SQL for an id that was written as a float."""
    return f"regexp_replace({raw(cell)}, '[.]0$', '')"


def is_date_only(moment: str) -> str:
    """Give SQL that tells whether a checked time came as a date: the last microsecond of a day."""
    return f"(CAST({moment} AS TIME) = TIME '23:59:59.999999')"


def _text(column: Column, cell: str, native: str) -> str:
    text = raw(cell)
    if native in {"DOUBLE", "FLOAT"}:
        # a column of whole numbers with gaps often comes as floats: 7.0 is the id 7
        whole = f"{cell} = trunc({cell}) AND abs({cell}) < {_LARGEST_WHOLE}"
        text = f"CASE WHEN {whole} THEN CAST(CAST({cell} AS BIGINT) AS VARCHAR) ELSE {text} END"
    if not column.allowed:
        return text
    allowed = ", ".join(f"'{value}'" for value in column.allowed)
    return f"CASE WHEN lower({text}) IN ({allowed}) THEN lower({text}) ELSE {text} END"


def _integer(_column: Column, cell: str, _native: str) -> str:
    number = f"try_cast({raw(cell)} AS DOUBLE)"
    is_whole = f"abs({number}) < {_LARGEST_WHOLE} AND {number} = trunc({number})"
    return f"CASE WHEN {is_whole} THEN CAST({number} AS BIGINT) END"


def _number(_column: Column, cell: str, native: str) -> str:
    return f"try_cast({raw(cell) if native == 'VARCHAR' else cell} AS DOUBLE)"


def _money(_column: Column, cell: str, native: str) -> str:
    return f"try_cast({raw(cell) if native == 'VARCHAR' else cell} AS DECIMAL(18, 4))"


def _boolean(_column: Column, cell: str, _native: str) -> str:
    text = f"lower({raw(cell)})"
    return f"CASE WHEN {text} IN ({_TRUE}) THEN true WHEN {text} IN ({_FALSE}) THEN false END"


def _time(_column: Column, cell: str, native: str) -> str:
    if native == "DATE":
        return _plain_year(_end_of_day(cell))
    if native.startswith("TIMESTAMP"):
        return _plain_year(f"CAST({cell} AS TIMESTAMP)")
    text = f"CAST({cell} AS VARCHAR)"
    return (
        f"CASE WHEN regexp_full_match({text}, '{_ISO_DATE} *') "
        f"THEN {_end_of_day(f'try_cast({text} AS DATE)')} "
        f"WHEN regexp_matches({text}, '^{_ISO_DATE}[T ]') "
        f"THEN CAST(try_cast({text} AS TIMESTAMPTZ) AS TIMESTAMP) END"
    )


def _end_of_day(day: str) -> str:
    return f"(CAST({day} AS TIMESTAMP) + INTERVAL 1 DAY - INTERVAL 1 MICROSECOND)"


def _plain_year(moment: str) -> str:
    # infinities and years that Python cannot hold are no times
    return f"CASE WHEN year({moment}) BETWEEN 1000 AND 9999 THEN {moment} END"


_READERS = {
    Type.TEXT: _text,
    Type.INTEGER: _integer,
    Type.NUMBER: _number,
    Type.MONEY: _money,
    Type.BOOLEAN: _boolean,
    Type.TIME: _time,
}
