"""Customer groups over time: each account's topmost parent, as it could be known.

Played day by day before the engine runs: a change of one account moves those below it and no
others, so the cost hangs on the changes, not on accounts times days.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter

import pandas as pd
import pyarrow as pa

from features.checked import CheckedSource, in_order_of_versions
from features.declare import Beside
from features.merges import Identity, identities
from features.windows import NEVER, day_numbers

RELATED = pa.schema(
    [
        ("account_id", pa.string()),
        ("enters", pa.int64()),
        ("leaves", pa.int64()),
        ("among", pa.string()),
    ]
)


@dataclass(frozen=True)
class Membership:
    """Where an account stands at the snapshots [enters, leaves): topmost and direct parent."""

    account_id: str
    enters: int
    leaves: int
    customer_group: str
    parent: str | None


@dataclass(frozen=True)
class _Change:
    """On a day, an account states a parent, or becomes another account or itself again."""

    account_id: str
    parent: str | None = None
    becomes: str | None = None


def memberships(source: CheckedSource) -> tuple[Membership, ...]:
    """Give each account's customer group, its topmost parent known, over the snapshots.

    Of a ring of parents it is the first by name. From a merge on the vanished account has none,
    until a correction undoes the merge.
    """
    alone, tied = _parted(source)
    found = [Membership(account, day, NEVER, account, None) for account, day in alone.items()]
    return tuple(sorted([*found, *_played(tied)], key=attrgetter("account_id", "enters")))


def _parted(source: CheckedSource) -> tuple[dict[str, int], dict[int, list[_Change]]]:
    """Give the accounts that never have to do with others, and from when each is known.

    Each of those is a group of its own; of all others the changes, by the first snapshot that sees
    them.
    """
    read = in_order_of_versions(source.read("accounts"))
    parents = read.get("parent_account_id", pd.Series(None, index=read.index)).astype(object)
    days = day_numbers(read["known_at"].to_numpy()) + 1
    rows = pd.DataFrame({"account": read["account_id"], "enters": days, "parent": parents})
    stated, merges = rows[parents.notna()], [m for m in identities(source) if m.becomes_on != 0]
    tied = {*stated["account"], *stated["parent"]}
    tied |= {name for merge in merges for name in (merge.account_id, merge.becomes)}
    is_tied = rows["account"].isin(tied)
    first = rows[~is_tied].groupby("account", sort=False)["enters"].min()
    return dict(zip(first.index, first.tolist(), strict=True)), _changes(rows[is_tied], merges)


def _played(changes: Mapping[int, Sequence[_Change]]) -> list[Membership]:
    """Play the changes day by day, and give where each account stood in between."""
    tree = _Tree()
    found: list[Membership] = []
    since: dict[str, Membership] = {}
    for day, together in sorted(changes.items()):
        for account in tree.change(together):
            group, parent = tree.topmost(account), tree.above.get(account)
            before = since.pop(account, None)
            if before and (before.customer_group, before.parent) == (group, parent):
                since[account] = before
                continue
            if before:
                found.append(replace(before, leaves=day))
            if group:
                since[account] = Membership(account, day, NEVER, group, parent)
    return [*found, *since.values()]


def members_over_time(source: CheckedSource) -> pa.Table:
    """Give account_id and customer_group with the span of snapshots, [enters, leaves)."""
    alone, tied = _parted(source)
    played = _played(tied)
    names = ("account_id", "enters", "leaves", "customer_group")
    columns = {name: [getattr(each, name) for each in played] for name in names}
    columns["account_id"] += alone
    columns["enters"] += alone.values()
    columns["leaves"] += [NEVER] * len(alone)
    columns["customer_group"] += alone
    whole, text = pa.int64(), pa.string()
    return pa.table(
        columns, schema=pa.schema(list(zip(names, (text, whole, whole, text), strict=True)))
    )


def members(source: CheckedSource) -> pa.Table:
    """Give the accounts of the groups that ever had two, `among` being the group."""
    every = memberships(source)
    accounts: dict[str, set[str]] = defaultdict(set)
    for each in every:
        accounts[each.customer_group].add(each.account_id)
    shared = [each for each in every if len(accounts[each.customer_group]) > 1]
    return _related([(each.account_id, each.customer_group, each) for each in shared])


def children(source: CheckedSource) -> pa.Table:
    """Give the direct parents, `among` being the child that each of them has."""
    below = [each for each in memberships(source) if each.parent not in (None, each.account_id)]
    return _related([(str(each.parent), each.account_id, each) for each in below])


def _related(rows: Sequence[tuple[str, str, Membership]]) -> pa.Table:
    columns = {
        "account_id": [account for account, _, _ in rows],
        "enters": [each.enters for _, _, each in rows],
        "leaves": [each.leaves for _, _, each in rows],
        "among": [among for _, among, _ in rows],
    }
    return pa.table(columns, schema=RELATED)


CUSTOMER_GROUP = Beside("accounts", ("parent_account_id",), made=members)
"""Which accounts belong together, for totals over the others of one's group."""

CHILDREN = Beside("accounts", ("parent_account_id",), made=children)
"""For which accounts, `among`, an account is the direct parent."""


def _changes(rows: pd.DataFrame, merges: Iterable[Identity]) -> dict[int, list[_Change]]:
    """Give by the first snapshot that sees it what each record says of its parent, and merges."""
    changes: dict[int, list[_Change]] = defaultdict(list)
    replaced: dict[str, int] = {}
    parents = rows["parent"].where(rows["parent"].notna(), None)
    known = zip(rows["account"].to_list(), rows["enters"].tolist(), parents, strict=True)
    for account, enters, parent in reversed(list(known)):
        if enters < replaced.get(account, NEVER):
            changes[enters].append(_Change(account, parent))
            replaced[account] = enters
    for each in merges:
        changes[each.becomes_on].append(_Change(each.account_id, becomes=each.becomes))
    return changes


@dataclass
class _Tree:
    """Who is whose parent on one day, while the days go by."""

    stated: dict[str, str | None] = field(default_factory=dict)
    """By known record, the parent that it states."""
    stating: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    became: dict[str, str] = field(default_factory=dict)
    above: dict[str, str] = field(default_factory=dict)
    """By account there is, its parent, as both are called now."""
    below: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def change(self, changes: Iterable[_Change]) -> Iterable[str]:
        """Make one day's changes, and give the accounts that may have moved by them."""
        moved: set[str] = set()
        for change in changes:
            account = change.account_id
            moved.add(account)
            moved.update(self.stating.get(account, ()))
            if change.becomes == account:
                self.became.pop(account, None)
            elif change.becomes:
                self.became[account] = change.becomes
            else:
                self._state(account, change.parent)
        for account in moved:
            self._hang(account)
        return self._with_all_below(moved)

    def _is_there(self, account: str) -> bool:
        return account in self.stated and account not in self.became

    def _state(self, account: str, parent: str | None) -> None:
        before = self.stated.get(account)
        if before is not None:
            self.stating[before].discard(account)
        if parent is not None:
            self.stating[parent].add(account)
        self.stated[account] = parent

    def _hang(self, account: str) -> None:
        """Put an account below its parent, if both are known."""
        if account in self.above:
            self.below[self.above.pop(account)].discard(account)
        parent = self.stated.get(account)
        if parent in self.stated and parent is not None and self._is_there(account):
            self.above[account] = self.became.get(parent, parent)
            self.below[self.above[account]].add(account)

    def _with_all_below(self, accounts: set[str]) -> Iterable[str]:
        seen, waiting = set(accounts), list(accounts)
        while waiting:
            new = self.below.get(waiting.pop(), set()) - seen
            seen |= new
            waiting += new
        return seen

    def topmost(self, account: str) -> str | None:
        """Climb to the account without a parent; of a ring of parents, the first by name.

        None of an account that is not there.
        """
        if not self._is_there(account):
            return None
        path = [account]
        while path[-1] in self.above:
            above = self.above[path[-1]]
            if above in path:
                return min(path[path.index(above) :])
            path.append(above)
        return path[-1]
