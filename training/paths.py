"""MRR paths: what each customer paid from moment to moment, by the newest version of each row.

Times are microseconds since 1970 and MRR is in ten-thousandths of the currency unit, both as
int64, so that "10 % above" is decided exactly. Customers and accounts go by number.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.checked import CheckedSource
from training.steps import LONG_AGO, NEVER, Integers, Paths, paths, spans

MICROSECONDS_PER_DAY = 86_400_000_000
UNITS_PER_MRR = 10_000


@dataclass(frozen=True)
class Contracts:
    """Subscription rows as arrays of one length, each with the number of its owner.

    A row runs in [started, ended); `requested` is the cancel request, `NEVER` where there is none;
    `product` is the number of its product, `seats` are 0 where they are not told.
    """

    owners: Integers
    started: Integers
    ended: Integers
    requested: Integers
    mrr: Integers
    product: Integers
    seats: Integers
    reason: NDArray[np.object_]

    def where(self, rows: NDArray[Any]) -> "Contracts":
        """Give some of the rows, by their places or by which to keep."""
        return Contracts(*(getattr(self, column.name)[rows] for column in fields(self)))

    def paths(self) -> Paths:
        """Give each owner's MRR from moment to moment."""
        runs = self.where(self.ended > self.started)
        return paths(
            np.concatenate([runs.owners, runs.owners]),
            np.concatenate([runs.started, runs.ended]),
            np.concatenate([runs.mrr, -runs.mrr]),
        )


@dataclass(frozen=True)
class Members:
    """Accounts that are part of a customer from `joined` on, by number, each beside its customer.

    Customers come in order; of each the first member is itself, from `LONG_AGO` on.
    """

    customers: Integers
    accounts: Integers
    joined: Integers

    @property
    def others(self) -> "Members":
        """Those that are not the customer itself."""
        other = self.joined > LONG_AGO
        return Members(self.customers[other], self.accounts[other], self.joined[other])


@dataclass(frozen=True)
class Customers:
    """Everything that was, or will be, signed by each of some accounts, numbered from 0.

    Parameters
    ----------
    members
        Which accounts are, or will be, one customer with each.
    own
        The rows by the account that signed them, in the order of their accounts.
    signed
        The rows by customer, in the order of its members, from when each joined on. A row that
        ended before is there too: the reason of a loss may be its.
    paid
        Each customer's MRR; an account counts from when it joined.
    products
        The names of the products, by number.
    """

    members: Members
    own: Contracts
    signed: Contracts
    paid: Paths
    products: tuple[str, ...]

    def of_product(self, number: int) -> "Customers":
        """Give the same customers with the rows of one product alone."""
        return self._with(lambda rows: rows.where(rows.product == number))

    def in_seats(self) -> "Customers":
        """Give the same customers with seats in the place of MRR."""
        return self._with(lambda rows: replace(rows, mrr=rows.seats))

    def _with(self, changed: Callable[[Contracts], Contracts]) -> "Customers":
        signed = changed(self.signed)
        return replace(self, own=changed(self.own), signed=signed, paid=signed.paths())


def customers(source: CheckedSource, account_ids: pd.Index) -> Customers:
    """Read the newest version of every subscription row, and who became one with whom, when."""
    merges = source.newest("account_merges") if source.has("account_merges") else None
    joins = {} if merges is None else _joins(merges)
    rows = source.newest("subscriptions").sort_values("account_id", kind="stable")
    signing = pd.Index(rows["account_id"].unique())
    merged = pd.Index(list(joins), dtype=signing.dtype)
    elsewhere = signing.append(merged).difference(account_ids)
    names = account_ids.append(elsewhere)
    product, products = pd.factorize(rows["product"], sort=True)
    own = _contracts(rows, names.get_indexer(pd.Index(rows["account_id"])), product)
    own = own.where(np.argsort(own.owners, kind="stable"))
    members = _members(joins, names, len(account_ids))
    signed = _signed(own, members)
    return Customers(members, own, signed, signed.paths(), tuple(map(str, products)))


def _signed(own: Contracts, members: Members) -> Contracts:
    first, after = (np.searchsorted(own.owners, members.accounts + more) for more in (0, 1))
    member, row = spans(first, after)
    rows = own.where(row)
    since = np.maximum(rows.started, members.joined[member])
    return replace(rows, owners=members.customers[member], started=since)


def _members(
    joins: Mapping[str, Sequence[tuple[str, int]]], names: pd.Index, count: int
) -> Members:
    number = {name: at for at, name in enumerate(names)} if joins else {}
    others = [
        (number[name], number[other], joined)
        for name, each in joins.items()
        for other, joined in each
        if number[name] < count
    ]
    every = np.arange(count)
    rows = np.array(others, dtype=np.int64).reshape(-1, 3).T
    customers, accounts, joined = np.hstack([[every, every, np.full(count, LONG_AGO)], rows])
    order = np.argsort(customers, kind="stable")
    return Members(customers[order], accounts[order], joined[order])


def _contracts(
    rows: pd.DataFrame, owners: NDArray[np.intp], product: NDArray[np.intp]
) -> Contracts:
    count = len(rows)
    seats = pd.to_numeric(rows["seats"]) if "seats" in rows else pd.Series(0, index=rows.index)
    mrr = [int(value * UNITS_PER_MRR) for value in rows["mrr"]]
    reason = rows["end_reason"] if "end_reason" in rows else pd.Series(None, index=rows.index)
    return Contracts(
        owners.astype(np.int64),
        _microseconds(rows["started_at"]),
        _microseconds(rows.get("ended_at"), count),
        _microseconds(rows.get("cancel_requested_at"), count),
        np.array(mrr, dtype=np.int64),
        product.astype(np.int64),
        np.array(seats.fillna(0), dtype=np.int64),
        reason.astype(object).where(reason.notna(), None).to_numpy(),
    )


def _microseconds(times: pd.Series | None, count: int = 0) -> Integers:
    if times is None:
        return np.full(count, NEVER)
    numbers = times.to_numpy("datetime64[us]").astype(np.int64)
    return np.where(times.isna(), NEVER, numbers)


def _joins(merges: pd.DataFrame) -> Mapping[str, Sequence[tuple[str, int]]]:
    """Replay the merges in time: from merged_at on, all accounts of both sides are one."""
    ordered = merges.sort_values("merged_at", kind="stable")
    pairs: Sequence[tuple[str, str]] = list(
        zip(ordered["from_account_id"], ordered["into_account_id"], strict=True)
    )
    side: dict[str, list[str]] = {name: [name] for pair in pairs for name in pair}
    joins: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for (vanished, kept), merged in zip(pairs, _microseconds(ordered["merged_at"]), strict=True):
        ours, theirs = side[vanished], side[kept]
        if ours is theirs:
            continue
        for near, far in ((ours, theirs), (theirs, ours)):
            for name in near:
                joins[name] += [(other, int(merged)) for other in far]
        both = ours + theirs
        side.update(dict.fromkeys(both, both))
    return joins
