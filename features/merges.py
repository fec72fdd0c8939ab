"""Whose rows count as whose, over the snapshots: merges, and corrections of merges, are played."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from features.checked import CheckedSource, in_order_of_versions
from features.windows import NEVER, day_number


@dataclass(frozen=True)
class Identity:
    """From which snapshot, until which, the rows of one account count as those of another."""

    account_id: str
    becomes: str
    becomes_on: int
    becomes_until: int


def identities(source: CheckedSource) -> tuple[Identity, ...]:
    """Give what the rows of every account that a merge ever concerned count as, over time.

    A correction of a merge counts from when it was known, and the version before it until then; a
    merge of an account into itself undoes it. Of a ring, the account stays whose own merge is the
    oldest. Where an account leaves another again, the spans of all that the other was end, so that
    what is summed up by account and end of a span never counts two of them twice.

    Returns
    -------
    tuple of Identity
        The spans of an account touch, from 0 to `NEVER`.
    """
    told = _told(source) if source.has("account_merges") else {}
    merged = _Merged()
    since: dict[str, tuple[str, int]] = {}
    found: list[Identity] = []
    for day in sorted(told):
        for account, becomes in merged.play(told[day]).items():
            before, begins = since.get(account, (account, 0))
            if becomes != before:
                found.append(Identity(account, before, begins, day))
                since[account] = becomes, day
    found += [Identity(account, last, begins, NEVER) for account, (last, begins) in since.items()]
    return tuple(_ending_together(found))


def _told(source: CheckedSource) -> dict[int, list[tuple[str, str]]]:
    """Give by the first snapshot that knows it which account is said to be which, by name."""
    rows = in_order_of_versions(source.read("account_merges"))
    names = ("from_account_id", "into_account_id", "known_at")
    told: dict[int, list[tuple[str, str]]] = defaultdict(list)
    replaced: dict[str, int] = {}
    for vanished, into, known_at in reversed(
        list(zip(*(rows[name] for name in names), strict=True))
    ):
        enters = day_number(known_at) + 1
        if enters < replaced.get(vanished, NEVER):
            told[enters].append((vanished, into))
            replaced[vanished] = enters
    return {day: sorted(merges) for day, merges in told.items()}


@dataclass
class _Merged:
    """Which account was merged into which, while the days go by."""

    into: dict[str, str] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)
    """By merged account the number of the merge that was told last of it."""
    number: int = 0
    below: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def play(self, merges: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Play one day's merges, and give what each account that may have moved is now."""
        moved: set[str] = set()
        for vanished, into in merges:
            before = self.into.get(vanished)
            if before == into:
                continue
            if before is not None:
                self.below[before].discard(vanished)
            self.into[vanished] = into
            self.below[into].add(vanished)
            self.number += 1
            self.told[vanished] = self.number
            moved |= {vanished, into}
        return {account: self.becomes(account) for account in self._with_all_below(moved)}

    def becomes(self, account: str) -> str:
        """Follow the merges of an account to the one that is left."""
        path = [account]
        while path[-1] in self.into:
            following = self.into[path[-1]]
            if following in path:
                return min(path[path.index(following) :], key=self.told.__getitem__)
            path.append(following)
        return path[-1]

    def _with_all_below(self, accounts: set[str]) -> set[str]:
        seen, waiting = set(accounts), list(accounts)
        while waiting:
            new = self.below[waiting.pop()] - seen
            seen |= new
            waiting += new
        return seen


def _ending_together(spans: list[Identity]) -> Iterator[Identity]:
    """Part the spans of all that one account was, where one of them ends before its time."""
    ends: dict[str, set[int]] = defaultdict(set)
    for span in spans:
        if span.becomes_until < NEVER:
            ends[span.becomes].add(span.becomes_until)
    whole = [Identity(name, name, 0, NEVER) for name in ends.keys() - {s.account_id for s in spans}]
    for span in sorted([*spans, *whole], key=lambda span: (span.account_id, span.becomes_on)):
        inside = [d for d in ends[span.becomes] if span.becomes_on < d < span.becomes_until]
        for begins, end in pairwise((span.becomes_on, *sorted(inside), span.becomes_until)):
            yield Identity(span.account_id, span.becomes, begins, end)
