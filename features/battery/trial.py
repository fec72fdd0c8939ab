"""The trial: many drawn companies at once, each in the worlds that its features cannot tell apart.

An engine plans a table of features anew for each source, whatever its size, so all companies of a
trial lie in two sources: one with what really followed, one with the other worlds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.battery.drawn import ACCOUNTS, NO_HISTORY, Draw, Row, Tables, draw_company
from features.battery.futures import told_again, with_other_future
from features.battery.known import as_known
from features.battery.written import write_checked
from features.build import feature_table
from features.checked import CheckedSource
from features.declare import Feature
from features.engine import Engine
from features.spine import account_states

World = Callable[[Tables, Draw], Tables]
Write = Callable[[Path, Tables], CheckedSource]
Same = Callable[[pd.Series, pd.Series], NDArray[np.bool_]]
TRUE = "what really followed"
NINE_DIGITS = 1e-9


def without_future(tables: Tables, draw: Draw) -> Tables:
    """Delete all that became known at the draw's date or after it."""
    return as_known(tables, draw.as_of)


WORLDS: Mapping[str, World] = MappingProxyType(
    {
        "all that followed deleted": without_future,
        "another future": with_other_future,
        "the past told again": told_again,
    }
)
"""Worlds whose past is the true one's; the last one only where the source has versions."""


@dataclass(frozen=True, order=True)
class Difference:
    """A number that hangs on what was not known.

    Attributes
    ----------
    column
        The feature's, or the state's.
    world
        In which world it differs from what really followed.
    draw
        The company and date, as text that draws it again.
    account_id
        The account, as that company calls it.
    """

    column: str
    world: str
    draw: str
    account_id: str


def differences(
    draws: Sequence[Draw],
    folder: Path,
    *,
    features: Sequence[Feature] | None = None,
    engine: Engine = Engine.DUCKDB,
    true_engine: Engine | None = None,
    fold: bool | None = None,
    write: Write = write_checked,
) -> tuple[Difference, ...]:
    """Give every number that differs between the worlds of companies drawn at random.

    Parameters
    ----------
    draws
        The companies and dates; all with versions, or none.
    folder
        A new folder, which gets two checked sources.
    features
        By default all that such a source can bear, and the states of the accounts; of no
        features, the states alone.
    engine
        Who computes.
    true_engine
        Who computes what really followed: by default the same, and numbers are held together to
        the bit. Another's agree to nine digits.
    fold
        Whether the compiled pass over logs gives what it can, as `features.build` takes it.
    write
        Writes tables as a checked source.
    """
    drawn = [(draw, draw_company(draw)) for draw in draws]
    return differences_of(
        drawn,
        worlds_of(draws),
        folder,
        features=features,
        engine=engine,
        true_engine=true_engine,
        fold=fold,
        write=write,
    )


def differences_of(
    drawn: Sequence[tuple[Draw, Tables]],
    worlds: Iterable[str],
    folder: Path,
    *,
    features: Sequence[Feature] | None,
    engine: Engine,
    true_engine: Engine | None = None,
    fold: bool | None = None,
    write: Write = write_checked,
) -> tuple[Difference, ...]:
    """Give the differences of companies between what really followed and these worlds."""
    draws = [draw for draw, _ in drawn]
    true = {(TRUE, number): tables for number, (_, tables) in enumerate(drawn)}
    others = {
        (name, number): WORLDS[name](tables, draw)
        for name in worlds
        for number, (draw, tables) in enumerate(drawn)
    }
    build = partial(_rows, draws=draws, features=features, fold=fold)
    seen = build(write(folder / "true", together(true)), true, engine=true_engine or engine)
    told = build(write(folder / "others", together(others)), others, engine=engine)
    same = _same if true_engine in (None, engine) else _close
    return tuple(
        sorted(
            Difference(column, name, str(draws[number]), account)
            for (name, number) in others
            for account, column in _unequal(_of(seen, TRUE, number), _of(told, name, number), same)
        )
    )


def worlds_of(draws: Sequence[Draw]) -> tuple[str, ...]:
    """Name the worlds that these draws have, and raise ValueError if some have versions."""
    is_versioned = {draw.is_versioned for draw in draws}
    if len(is_versioned) != 1:
        raise ValueError("Expected draws that all have versions, or none that has, got both.")
    return tuple(WORLDS) if is_versioned == {True} else tuple(WORLDS)[:2]


def together(worlds: Mapping[tuple[str, int], Tables]) -> Tables:
    """Put companies into one, their ids told apart."""
    whole: Tables = {}
    for (name, number), tables in worlds.items():
        mark = prefix(name, number)
        for table, rows in tables.items():
            whole.setdefault(table, []).extend(_marked(row, mark) for row in rows)
    return whole


def prefix(world: str, number: int) -> str:
    """Give what the ids of one company in one world begin with."""
    return f"{world}/{number}/"


def _marked(row: Row, mark: str) -> Row:
    return {
        column: mark + cell if column.endswith("_id") and cell is not None else cell
        for column, cell in row.items()
    }


def _rows(
    source: CheckedSource,
    worlds: Mapping[tuple[str, int], Tables],
    *,
    draws: Sequence[Draw],
    features: Sequence[Feature] | None,
    engine: Engine,
    fold: bool | None,
) -> pd.DataFrame:
    """Give features and states by world, number of the draw, and account."""
    points = pd.DataFrame(
        [
            (name, number, account, prefix(name, number) + account, draws[number].as_of)
            for name, number in worlds
            for account in (*ACCOUNTS, NO_HISTORY)
        ],
        columns=["world", "number", "account", "account_id", "as_of"],
    ).astype({"as_of": "datetime64[us]"})
    spine = points[["account_id", "as_of"]]
    table = feature_table(source, spine, engine=engine, features=features, fold=fold)
    whole = points.merge(table, on=["account_id", "as_of"], how="left")
    if not features:
        whole = whole.merge(_states(source, draws, engine), on=["account_id", "as_of"], how="left")
    return whole.set_index(["world", "number", "account"]).drop(columns=["account_id", "as_of"])


def _states(source: CheckedSource, draws: Sequence[Draw], engine: Engine) -> pd.DataFrame:
    states = account_states(source, {draw.as_of for draw in draws}, engine=engine)
    states = states.rename(columns={name: f"state: {name}" for name in states.columns[2:]})
    group = "state: customer_group"
    states[group] = states[group].str.split("/").str[-1]
    return states


def _of(rows: pd.DataFrame, world: str, number: int) -> pd.DataFrame:
    return pd.DataFrame(rows.xs((world, number)))


def _unequal(left: pd.DataFrame, right: pd.DataFrame, same: Same) -> list[tuple[str, str]]:
    """Give account and column of each cell that is not the same."""
    right = right.loc[left.index]
    return [
        (str(account), str(column))
        for column in left
        for account in left.index[~same(left[column], right[column])]
    ]


def _same(left: pd.Series, right: pd.Series) -> NDArray[np.bool_]:
    """Tell which cells are the same to the bit."""
    both_missing = (left.isna() & right.isna()).to_numpy()
    if left.dtype == np.float64:
        equal = left.to_numpy().view(np.int64) == right.to_numpy().view(np.int64)
    else:
        equal = (left == right).fillna(value=False).to_numpy(dtype=bool)
    same: NDArray[np.bool_] = equal | both_missing
    return same


def _close(left: pd.Series, right: pd.Series) -> NDArray[np.bool_]:
    """Tell which cells are the same but for the order in which engines add."""
    if left.dtype != np.float64:
        return _same(left, right)
    near = np.isclose(left, right, rtol=NINE_DIGITS, atol=0, equal_nan=True)
    return np.asarray(near, dtype=bool)
