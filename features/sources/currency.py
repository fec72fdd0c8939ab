"""Money in the company's one currency: converted at the rate of the row's own date."""

from features.contracts import Table, Type
from features.errors import SourceError
from features.sources.cells import raw
from features.sources.folder import FolderReader
from features.sources.foreign import Foreign, column_of
from features.sources.malformed import malformed_lines, newest_scan
from features.sources.mapping import CURRENCY
from features.sources.sql import literal, number, quoted, run

UNRATED = "__unrated"
ROW_CURRENCY = "__currency"
_RATES = "__rates"


def read_rates(reader: FolderReader) -> None:
    """Read the exchange rates that `source.toml` names; SourceError when they are broken."""
    if reader.mapping.rates is None:
        run(
            reader.connection,
            f'CREATE TABLE {_RATES} (currency VARCHAR, "date" DATE, rate DECIMAL(18, 10))',
        )
        return
    view = quoted(reader.stem("rates", reader.mapping.rates))
    present = reader.columns("rate table", f"SELECT * FROM {view}")
    if not {"currency", "date", "rate"} <= {name.lower() for name in present}:
        raise SourceError(
            f"Expected the columns currency, date and rate in {reader.mapping.rates}, got "
            f"{', '.join(present)}. One unit of `currency` is worth `rate` from `date` on."
        )
    earlier = newest_scan(reader.connection)
    run(
        reader.connection,
        f"CREATE TABLE {_RATES} AS SELECT {raw('currency')} AS currency, "
        'try_cast("date" AS DATE) AS "date", try_cast(rate AS DECIMAL(18, 10)) AS rate '
        f"FROM {view}",
    )
    broken = number(
        reader.connection,
        f'SELECT count(*) FROM {_RATES} WHERE currency IS NULL OR "date" IS NULL OR rate IS NULL '
        "OR rate <= 0",
    )
    broken += len(malformed_lines(reader.connection, earlier))
    if broken:
        raise SourceError(
            f"Expected a currency, a date and a positive rate in each row of "
            f"{reader.mapping.rates}, got {broken} rows without. Mend those rows."
        )


def row_currency(foreign: Foreign) -> str | None:
    """Give SQL for the currency of a row's money; None where nothing is to be converted.

    Raises
    ------
    SourceError
        When `source.toml` maps a currency and names no rates; when a column tells of several
        currencies and nobody says which is the company's.
    """
    given = foreign.mapping.columns.get(CURRENCY)
    if foreign.reader.mapping.rates is None:
        if given:
            raise SourceError(
                f"Expected `rates` beside `{given.key}` in source.toml, got none. Name the file "
                "with the exchange rates, or leave the currency out."
            )
        return _of_an_unmapped_column(foreign)
    return column_of(foreign, CURRENCY, CURRENCY) if _amounts(foreign.table) else None


def _of_an_unmapped_column(foreign: Foreign) -> str | None:
    """Without rates, only money in the company's own currency can be added up."""
    own, home = foreign.find(CURRENCY), foreign.reader.mapping.currency
    if own is None or CURRENCY in foreign.mapping.left_out or not _amounts(foreign.table):
        return None
    code = raw(quoted(own))
    if home:
        is_home = f"coalesce(upper({code}) = upper({literal(home)}), true)"
        return f"CASE WHEN {is_home} THEN {literal(home)} ELSE {code} END"
    codes = run(
        foreign.reader.connection,
        f"SELECT DISTINCT upper({code}) AS c FROM {foreign.relation} WHERE c IS NOT NULL "
        "ORDER BY c LIMIT 3",
    )
    if len(codes) > 1:
        raise SourceError(
            f"Expected money of one currency in the table {foreign.table.name}, got "
            f"{', '.join(code for (code,) in codes)} in its column {own}. Say the company's "
            "`currency` and the `rates` in source.toml."
        )
    return None


def converted(foreign: Foreign, rows: str) -> str:
    """Give SQL for the staged rows with their money converted, and `__unrated` beside it.

    Parameters
    ----------
    foreign
        Where the rows come from.
    rows
        The name of the staged rows, which have `__currency`.
    """
    home = literal(foreign.reader.mapping.currency)
    amounts = ", ".join(
        f"CASE WHEN {ROW_CURRENCY} = {home} OR __rate.rate IS NULL THEN {amount} "
        f"ELSE try_cast({amount} * __rate.rate AS DECIMAL(18, 4)) END AS {amount}"
        for amount in _amounts(foreign.table)
    )
    return (
        f"SELECT {rows}.* REPLACE ({amounts}), "
        f"(__rate.rate IS NULL AND {ROW_CURRENCY} IS DISTINCT FROM {home}) AS {UNRATED} "
        f"FROM {rows} ASOF LEFT JOIN {_RATES} AS __rate ON {ROW_CURRENCY} = __rate.currency "
        f'AND CAST({quoted(foreign.table.first_time)} AS DATE) >= __rate."date"'
    )


def _amounts(table: Table) -> list[str]:
    return [quoted(column.name) for column in table if column.dtype is Type.MONEY]
