"""The poison test on a company's own rows: which numbers change when rows known later are added.

A sample of customers is parted among some past dates. Of each part's rows all is deleted that
became known at its date or later, the parts lie in one source, and one pass computes every feature
again. Customers that may count for one another stay together.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.build import feature_table
from features.built import Built
from features.catalog import with_inputs
from features.checked import CheckedSource
from features.contracts import TABLES
from features.cut import cut
from features.declare import Feature
from features.engine import Engine
from features.spine import account_states

DATES = 6
ACCOUNTS = 1200
STATES = ("status", "mrr", "customer_group", "term_ends_at", "term_months")
"""What is known of an account beside its features, some of which a model reads too."""

_KEYS = ["account_id", "as_of"]
_ENGINE = Engine.POLARS  # of one machine's engines the one that plans a few rows soonest


@dataclass(frozen=True)
class Changed:
    """A column whose value at a date hangs on what became known later.

    Attributes
    ----------
    column
        A feature, or one of `STATES`.
    rows
        In how many of the rows compared.
    account_id, as_of
        The first of them.
    standing, known
        Its value from the source as it stands, and by what was known then, as text.
    """

    column: str
    rows: int
    account_id: str
    as_of: datetime
    standing: str
    known: str


@dataclass(frozen=True)
class Poisoned:
    """What was compared, one row for each account and its date, and what differs."""

    rows: int
    dates: int
    columns: tuple[str, ...]
    changed: tuple[Changed, ...]


@dataclass(frozen=True)
class _Part:
    """Accounts, and the date at which their rows are cut."""

    accounts: tuple[str, ...]
    as_of: datetime


def poison(built: Built, *, dates: int = DATES, accounts: int = ACCOUNTS) -> Poisoned:
    """Compute features of past dates from the source cut there, and compare them to the bit.

    Parameters
    ----------
    built
        The features as the source stands. A number that differs from them is computed anew from
        the sample as it stands too, so that only what became known later can tell the two apart.
    dates, accounts
        How many of each are taken; dates evenly, and none on the day of the extract.

    Returns
    -------
    Poisoned
        Of the declared features and the states; no rows where nothing was declared, or no date
        lies before the extract's.
    """
    days = _days(built, dates)
    if not days or not built.features:
        return Poisoned(0, 0, (), ())
    parts = _parts(built, days, accounts)
    with TemporaryDirectory(prefix="tenure-") as work:
        drawn = _drawn(built.source, parts, Path(work))
        cuts = [
            cut(source, part.as_of, Path(work) / f"cut-{number}")
            for number, (part, source) in enumerate(zip(parts, drawn, strict=True))
        ]
        points = _points(parts)
        known = _measured(_together(cuts, Path(work) / "known"), points, built.features)
        stood = _standing(built, points)
        changed = list(_changes(stood, known, [f.column for f in built.features]))
        doubtful = [f for f in built.features if f.column in {each.column for each in changed}]
        if doubtful:
            whole = _together(drawn, Path(work) / "standing")
            stood = _measured(whole, points, with_inputs(doubtful, among=built.features))
            names = [feature.column for feature in doubtful]
            changed = [each for each in changed if each.column in STATES]
            changed += _changes(stood, known, names, states=())
    columns = (*STATES, *(feature.column for feature in built.features))
    return Poisoned(len(stood), len(days), columns, tuple(changed))


def _days(built: Built, count: int) -> list[datetime]:
    last = built.source.extracted_at.date()
    stamps = sorted(built.table["as_of"].unique())
    days = [day for stamp in stamps if (day := pd.Timestamp(stamp).to_pydatetime()).date() < last]
    places = np.linspace(0, len(days) - 1, count) if days else np.array([])
    return [days[number] for number in np.unique(places.round().astype(int))]


def _parts(built: Built, days: Sequence[datetime], accounts: int) -> list[_Part]:
    """Draw customers, whole ones, and give them out among the dates in turn."""
    customers = _customers(built.source, built.states["account_id"].unique())
    order = np.random.default_rng(0).permutation(len(customers))
    parts: list[list[str]] = [[] for _ in days]
    taken = 0
    for place, number in enumerate(order):
        if taken >= accounts:
            break
        parts[place % len(days)] += customers[number]
        taken += len(customers[number])
    return [_Part(tuple(part), day) for part, day in zip(parts, days, strict=True) if part]


def _customers(source: CheckedSource, accounts: Iterable[str]) -> list[list[str]]:
    """Give the accounts in sets of those that ever had one parent, or were ever merged."""
    above: dict[str, str] = {}

    def top(account: str) -> str:
        while account in above:
            account = above[account]
        return account

    for one, other in _links(source):
        left, right = top(one), top(other)
        if left != right:
            above[left] = right
    found: dict[str, list[str]] = {}
    for account in sorted({*accounts, *above, *above.values()}):
        found.setdefault(top(account), []).append(account)
    return [found[name] for name in sorted(found)]


def _links(source: CheckedSource) -> Iterator[tuple[str, str]]:
    for table, one, other in (
        ("accounts", "account_id", "parent_account_id"),
        ("account_merges", "from_account_id", "into_account_id"),
    ):
        if source.has(table) and other in source.columns[table]:
            rows = source.read(table).dropna(subset=[other])
            yield from zip(rows[one], rows[other], strict=True)


def _drawn(source: CheckedSource, parts: Sequence[_Part], work: Path) -> list[CheckedSource]:
    """Write each part's rows as a source of its own; every file is read once."""
    for table in source.columns:
        name = "from_account_id" if table == "account_merges" else "account_id"
        everyone = pa.array([account for part in parts for account in part.accounts])
        rows = pa.concat_tables(
            _of(pq.read_table(file), name, everyone) for file in source.parts(table)
        )
        for number, part in enumerate(parts):
            _write(_of(rows, name, pa.array(part.accounts)), work / f"{number}", table)
    return [_at(source, work / f"{number}") for number in range(len(parts))]


def _of(rows: pa.Table, name: str, accounts: pa.Array) -> pa.Table:
    return rows.filter(pc.is_in(rows[name], value_set=accounts.cast(rows.schema.field(name).type)))


def _together(sources: Sequence[CheckedSource], folder: Path) -> CheckedSource:
    """Write the rows of all those sources as one."""
    for table in sources[0].columns:
        files = [file for source in sources for file in source.parts(table)]
        _write(pa.concat_tables(pq.read_table(file) for file in files), folder, table)
    last = max(source.extracted_at for source in sources)
    return replace(_at(sources[0], folder), extracted_at=last)


def _write(rows: pa.Table, folder: Path, table: str) -> None:
    file = folder / table / "all.parquet" if TABLES[table].is_log else folder / f"{table}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, file)


def _at(source: CheckedSource, folder: Path) -> CheckedSource:
    return replace(source, folder=folder, files=MappingProxyType({}), ledgers=MappingProxyType({}))


def _points(parts: Sequence[_Part]) -> pd.DataFrame:
    rows = [(account, part.as_of) for part in parts for account in part.accounts]
    return pd.DataFrame(rows, columns=_KEYS).astype({"as_of": "datetime64[us]"})


def _measured(
    source: CheckedSource, points: pd.DataFrame, features: Sequence[Feature]
) -> pd.DataFrame:
    days = sorted(pd.Timestamp(day).to_pydatetime() for day in points["as_of"].unique())
    states = account_states(source, days, engine=_ENGINE).merge(points, on=_KEYS)
    table = feature_table(source, states, features=features, engine=_ENGINE, fold=False)
    return states.merge(table, on=_KEYS, how="left")


def _standing(built: Built, points: pd.DataFrame) -> pd.DataFrame:
    return built.states.merge(points, on=_KEYS).merge(built.table, on=_KEYS, how="left")


def _changes(
    standing: pd.DataFrame,
    known: pd.DataFrame,
    features: Sequence[str],
    states: Sequence[str] = STATES,
) -> Iterator[Changed]:
    """Compare cells; features only where both sides have the account active."""
    both = standing.merge(known, on=_KEYS, how="outer", suffixes=("", "|known"))
    both = both.sort_values(["as_of", "account_id"], ignore_index=True)
    is_active = (both["status"] == "active") & (both["status|known"] == "active")
    for columns, rows in ((states, both), (features, both[is_active])):
        for column in columns:
            change = _change(column, rows)
            if change:
                yield change


def _change(column: str, rows: pd.DataFrame) -> Changed | None:
    left, right = rows[column], rows[f"{column}|known"]
    differs = ~((left == right) | (left.isna() & right.isna())).to_numpy(bool)
    if not differs.any():
        return None
    at = int(np.flatnonzero(differs)[0])
    as_of = pd.Timestamp(rows["as_of"].iloc[at]).to_pydatetime()
    values = (_text(value) for value in (left.iloc[at], right.iloc[at]))
    return Changed(column, int(differs.sum()), str(rows["account_id"].iloc[at]), as_of, *values)


def _text(value: object) -> str:
    if pd.isna(value):  # type: ignore[call-overload]  # a cell, never a list
        return "nothing"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
