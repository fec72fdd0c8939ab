"""A source table's rows, with the snapshots that know them: merges are played here."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import narwhals as nw
import pyarrow as pa

from features.checked import CheckedSource
from features.contracts import TABLES
from features.declare import Beside, Facts, Feature, View, facts_of, key_of, reads_of
from features.engine import Session
from features.merges import Identity, identities
from features.rollups import rolled_up
from features.versions import versions
from features.windows import NEVER, Rows, day_of, known_by

PLANNED = frozenset({"due_at", "renews_at"})
"""Times that a row says ahead, known with the row itself."""

IDENTITIES = pa.schema(
    [
        ("account_id", pa.string()),
        ("becomes", pa.string()),
        ("becomes_on", pa.int64()),
        ("becomes_until", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Reader:
    """Reads facts out of a checked source's rows, on one engine.

    Parameters
    ----------
    session
        The engine at work.
    rows
        By table, and by view that others are made from: account_id, enters and leaves (the days of
        the first snapshots that know the row, and that know it no more), and columns in whole
        numbers and texts.
    made
        What was made of the source before the engine ran.
    among
        Whose facts are read, and as whose: account_id, enters, leaves and `among`; None: each
        account's as its own.
    """

    session: Session
    rows: Mapping[str | View, Rows]
    made: Mapping[Beside, Rows] = field(default_factory=dict)
    among: Rows | None = None

    def facts(self, facts: Facts, extra: Iterable[str] = ()) -> Rows:
        """Give account_id, enters, leaves, at_day and the used columns.

        Of a state also until_day and until_time, in microseconds: when it ended, whether or not
        that was known. One row is one fact; rows without the fact's time are left out.
        """
        wanted = dict.fromkeys((*facts.columns, *extra))
        rows = self.of(facts.table).filter(~nw.col(facts.at).is_null())
        if self.among is not None:
            rows = known_together(rows, self.among).with_columns(account_id="among")
        until = {}
        if facts.until:
            ended = day_of(facts.until).fill_null(NEVER)
            until = {"until_day": ended, "until_time": nw.col(facts.until)}
        return rows.select(
            "account_id",
            "enters",
            "leaves",
            at_day=day_of(facts.at),
            **until,
            **{name: _as_known(facts, name) for name in wanted},
        )

    def of(self, table: str | View) -> Rows:
        """Give the rows of a table or a view: account_id, enters, leaves and its columns."""
        if isinstance(table, str) or table in self.rows:
            return self.rows[table]
        return table.make(self.of(table.table).select(*_columns(table)), *self.beside(table))

    def beside(self, table: str | View) -> Iterable[Rows]:
        """Give the rows of what a view has beside its own."""
        for other in table.beside if isinstance(table, View) else ():
            yield (
                self.made[other] if other.made else self.rows[other.table].select(*_columns(other))
            )


def _columns(of: View | Beside) -> tuple[str, ...]:
    return ("account_id", "enters", "leaves", *of.uses, *of.optional)


def known_together(left: Rows, right: Rows, on: Sequence[str] = ("account_id",)) -> Rows:
    """Join rows of two tables, each pair with the snapshots that know both.

    Parameters
    ----------
    left, right
        Rows with enters and leaves.
    on
        The columns that must be equal. Another one of `right` that `left` has too comes as
        `<name>_right`.

    Returns
    -------
    Rows
        The columns of both; enters is the later of the two, leaves the earlier. A pair that no
        snapshot knows together is left out. What the other row tells of a time after the first
        one's fact is still the caller's to mask.
    """
    spans = {"enters": "_enters", "leaves": "_leaves"}
    both = left.join(right.rename(spans), on=list(on), how="inner").with_columns(
        enters=nw.max_horizontal("enters", "_enters"),
        leaves=nw.min_horizontal("leaves", "_leaves"),
    )
    return both.filter(nw.col("enters") < nw.col("leaves")).drop("_enters", "_leaves")


def reader(source: CheckedSource, features: Iterable[Feature], session: Session) -> Reader:
    """Read what measured features need of the source's tables, each table once.

    What is rolled up of a log is read instead of the log.
    """
    chosen = tuple(features)
    merged = identities(source)
    rolled = _rolled_up(source, chosen)
    needed: dict[str, dict[str, None]] = {}
    for table, name in (read for feature in chosen for read in _read_for(feature, rolled)):
        needed.setdefault(table, {})[name] = None
    # What is said of a customer is said by the record that stays: the other ends with the merge.
    own = [identity for identity in merged if identity.becomes == identity.account_id]
    rows: dict[str | View, Rows] = {
        table: session.settle(
            counted_as(
                versions(source.path(table), table, source.columns[table], tuple(names), session),
                own if table == "accounts" else merged,
                session,
            )
        )
        for table, names in needed.items()
    }
    rows |= _of_rollups(source, rolled, merged, session)
    others = dict.fromkeys(read for each in chosen for read in reads_of(each) if read.made)
    made = {other: _made(other, source, session) for other in others}
    again = (view for view in _read_again(chosen, rolled) if view not in rolled)
    for view in sorted(again, key=lambda view: len(view.chain)):
        rows[view] = session.settle(Reader(session, rows, made).of(view))
    return Reader(session, MappingProxyType(rows), MappingProxyType(made))


def _rolled_up(source: CheckedSource, features: Iterable[Feature]) -> dict[View, Path]:
    """Give of each feature's views the topmost one that is rolled up, and where its rows lie."""
    tops = dict.fromkeys(facts_of(feature).table for feature in features)
    found: dict[View, Path] = {}
    for top in tops:
        for view in reversed(top.chain if isinstance(top, View) else ()):
            folder = rolled_up(source, view)
            if folder:
                found[view] = folder
                break
    return found


def _of_rollups(
    source: CheckedSource, rolled: Mapping[View, Path], merged: Sequence[Identity], session: Session
) -> dict[str | View, Rows]:
    """Give the rows of views as they are rolled up, but make those of merged accounts of the log.

    Two accounts' users of one day may be the same, and only the log tells.
    """
    if not rolled:
        return {}
    names = [(identity.account_id, identity.becomes) for identity in merged]
    ids = {"account_id": sorted({name for both in names for name in both})}
    moved = session.frame(ids, pa.schema([("account_id", pa.string())]))
    rows: dict[str | View, Rows] = {}
    for table in dict.fromkeys(view.source_table for view in rolled if merged):
        uses = dict.fromkeys(name for view in rolled for name in view.chain[0].uses)
        log = versions(source.path(table), table, source.columns[table], tuple(uses), session)
        log = log.join(moved, on="account_id", how="semi")
        rows[table] = session.settle(counted_as(log, merged, session))
    found: dict[str | View, Rows] = {}
    for view, folder in rolled.items():
        found[view] = session.scan(folder)
        if merged:
            alone = found[view].join(moved, on="account_id", how="anti")
            together = Reader(session, rows).of(view).select(*alone.collect_schema().names())
            found[view] = nw.concat([alone, together], how="vertical")
    return found


def _read_again(features: Iterable[Feature], rolled: Container[View]) -> Iterable[View]:
    """Give the views that are read more than once: by other views, or by recipes of two kinds."""
    kinds: dict[View, set[tuple[type, object]]] = {}
    for feature in features:
        table = facts_of(feature).table
        if isinstance(table, View):
            at_snapshot = getattr(feature.recipe, "at_snapshot", None)
            kinds.setdefault(table, set()).add((type(feature.recipe), at_snapshot))
    below: dict[View, None] = {}
    for top in kinds:
        numbers = [place for place, view in enumerate(top.chain) if view in rolled]
        below |= dict.fromkeys(top.chain[max(numbers, default=-1) + 1 : -1])
    return below | {view: None for view, of in kinds.items() if len(of) > 1}


def _made(other: Beside, source: CheckedSource, session: Session) -> Rows:
    if other.made is None:
        raise TypeError(f"Expected a table that is made at the edge, got {other}.")
    table = other.made(source)
    return session.frame(table.to_pydict(), table.schema)


def _read_for(feature: Feature, rolled: Container[View]) -> Iterable[tuple[str, str]]:
    """Name the tables and columns that a feature needs, with the times at which they are known."""
    facts = facts_of(feature)
    if isinstance(facts.table, View):
        own, *beside = facts.table.reads
        below = () if any(view in rolled for view in facts.table.chain) else (own,)
        reads = [read for read in (*below, *beside) if not read.made]
        return [(read.table, name) for read in reads for name in (*read.uses, *read.optional)]
    columns = (*facts.columns, *key_of(feature))
    own_times = (_own_time(facts, name) for name in columns)
    names = (*columns, *(time for time in own_times if time))
    return [(facts.source_table, name) for name in names]


def counted_as(rows: Rows, merged: Sequence[Identity], session: Session) -> Rows:
    """Let the rows of merged accounts count as those of the account that they became."""
    if not merged:
        return rows
    columns = {name: [getattr(identity, name) for identity in merged] for name in IDENTITIES.names}
    moved = rows.join(session.frame(columns, IDENTITIES), on="account_id", how="left")
    moved = moved.with_columns(
        account_id=nw.coalesce("becomes", "account_id"),
        enters=nw.max_horizontal("enters", "becomes_on"),
        leaves=nw.min_horizontal("leaves", "becomes_until"),
    )
    moved = moved.drop("becomes", "becomes_on", "becomes_until")
    return moved.filter(nw.col("enters") < nw.col("leaves"))


def _own_time(facts: Facts, name: str) -> str | None:
    """Name the time at which a column's value became known, if that is not the row's own."""
    columns = {column.name: column for column in TABLES[facts.source_table]}
    own = columns[name].known_at if name in columns else None
    row_time = TABLES[facts.source_table].first_time
    return None if own in (None, facts.at, row_time) or own in PLANNED else own


def _as_known(facts: Facts, name: str) -> nw.Expr:
    """Show a column as it was known at the fact's time; a view's columns are its own affair."""
    own = _own_time(facts, name)
    if own is None or isinstance(facts.table, View):
        return nw.col(name)
    return nw.when(known_by(own, facts.at)).then(nw.col(name))
