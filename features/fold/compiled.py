"""The loops of the fold, compiled: Numba's door.

They see whole numbers only: accounts, texts and days by number, moments in microseconds. A row that
does not count has the account -1. Compiled code is kept beside this file: a machine compiles once.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from features.fold.absent import absent

with absent("scipy.linalg.cython_blas"):  # a third of the time to load, and no loop needs it
    import numba.np.arraymath

Whole: TypeAlias = NDArray[np.int64]
Codes: TypeAlias = NDArray[np.int32]
Bytes: TypeAlias = NDArray[np.uint8]
Flags: TypeAlias = NDArray[np.bool_]
_Loop = TypeVar("_Loop", bound=Callable[..., Any])

_PRIME = np.uint64(0x9E3779B97F4A7C15)
WORD = 8
ZERO = np.iinfo(np.int64).min
"""A sum of rows that is zero; where no row was, there stands 0."""


def compiled(loop: _Loop) -> _Loop:
    """Compile a loop at its first call, or take it from the cache."""
    try:
        return cast("_Loop", numba.njit(cache=True, nogil=True)(loop))
    except RuntimeError:  # there is no folder that may be written, to keep compiled code in
        return cast("_Loop", numba.njit(nogil=True)(loop))


@compiled
def _word(data: Bytes, begin: int, end: int) -> np.int64:
    """Read up to eight bytes as one whole number; bytes from `end` on are 0."""
    at = np.uint64(begin)
    if end - begin >= WORD:
        low = (
            np.uint64(data[at])
            | np.uint64(data[at + np.uint64(1)]) << np.uint64(8)
            | np.uint64(data[at + np.uint64(2)]) << np.uint64(16)
            | np.uint64(data[at + np.uint64(3)]) << np.uint64(24)
        )
        high = (
            np.uint64(data[at + np.uint64(4)])
            | np.uint64(data[at + np.uint64(5)]) << np.uint64(8)
            | np.uint64(data[at + np.uint64(6)]) << np.uint64(16)
            | np.uint64(data[at + np.uint64(7)]) << np.uint64(24)
        )
        return np.int64(low | high << np.uint64(32))
    word = np.uint64(0)
    for byte in range(end - begin):
        word |= np.uint64(data[at + np.uint64(byte)]) << np.uint64(8 * byte)
    return np.int64(word)


@compiled
def _mixed(owner: int, data: Bytes, begin: int, end: int) -> np.int64:
    """Hash an owner and a text."""
    mixed = np.uint64(owner + 1) * _PRIME
    for at in range(begin, end, WORD):
        mixed = (mixed ^ np.uint64(_word(data, at, end))) * _PRIME
        mixed ^= mixed >> np.uint64(32)
    return np.int64(mixed >> np.uint64(1))


@compiled
def _rest_is_same(kept: Bytes, start: int, data: Bytes, begin: int, length: int) -> bool:
    """Compare two texts from the third word on."""
    for at in range(2 * WORD, length):  # noqa: SIM110 - Numba compiles no generators
        if kept[start + at] != data[begin + at]:
            return False
    return True


@compiled
def intern(
    owners: Codes,
    starts: Codes,
    data: Bytes,
    slots: Whole,
    entries: Whole,
    kept: Bytes,
    sizes: Whole,
    hashes: Whole,
    out: Codes,
) -> None:
    """Give numbers to pairs of an owner and a text, from 0 in the order in which they come.

    Parameters
    ----------
    owners
        The owner of each text; below 0: no pair, numbered -1.
    starts, data
        The texts, one byte after the other, and where each begins.
    slots, entries, kept, sizes
        The pairs so far: a hash table (number, owner and length, the text's first two words), each
        pair's owner and length and the beginning of its text, the texts, and how many pairs and
        bytes there are. All have room for these.
    hashes
        Room for a hash of each: they come first, so that the look-ups wait for memory together.
    out
        The numbers.
    """
    mask = slots.shape[0] - 1
    for row in range(owners.shape[0]):
        if owners[row] >= 0:
            hashes[row] = _mixed(owners[row], data, starts[row], starts[row + 1])
    for row in range(owners.shape[0]):
        owner = owners[row]
        if owner < 0:
            out[row] = -1
            continue
        begin, end = starts[row], starts[row + 1]
        label = np.int64(owner) << 32 | (end - begin)
        first, second = _word(data, begin, end), _word(data, min(begin + WORD, end), end)
        slot = hashes[row] & mask
        while True:
            found = slots[slot, 0]
            if found < 0:
                found = sizes[0]
                slots[slot, 0], slots[slot, 1] = found, label
                slots[slot, 2], slots[slot, 3] = first, second
                entries[found, 0], entries[found, 1] = label, sizes[1]
                for at in range(begin, end):
                    kept[sizes[1] + at - begin] = data[at]
                sizes[0] += 1
                sizes[1] += end - begin
                break
            is_same = slots[slot, 1] == label and slots[slot, 2] == first
            if is_same and slots[slot, 3] == second:
                is_short = end - begin <= 2 * WORD
                if is_short or _rest_is_same(kept, entries[found, 1], data, begin, end - begin):
                    break
            slot = (slot + 1) & mask
        out[row] = found


@compiled
def rehash(slots: Whole, entries: Whole, kept: Bytes, count: int) -> None:
    """Put the pairs into a larger, empty hash table."""
    mask = slots.shape[0] - 1
    for entry in range(count):
        label, start = entries[entry, 0], entries[entry, 1]
        end = start + (label & 0xFFFFFFFF)
        slot = _mixed(label >> 32, kept, start, end) & mask
        while slots[slot, 0] >= 0:
            slot = (slot + 1) & mask
        slots[slot, 0], slots[slot, 1] = entry, label
        slots[slot, 2] = _word(kept, start, end)
        slots[slot, 3] = _word(kept, min(start + WORD, end), end)


@compiled
def look_up(owners: Codes, codes: Codes, near: Codes, out: Codes) -> int:
    """Take the numbers of owners and codes from a table, -2 where it has none; count those."""
    unknown = 0
    for row in range(owners.shape[0]):
        owner, code = owners[row], codes[row]
        if owner < 0 or code == 0:
            out[row] = -1
        elif code < near.shape[1] and near[owner, code] >= 0:
            out[row] = near[owner, code]
        else:
            out[row] = -2
            unknown += 1
    return unknown


@compiled
def place(
    raw: Codes,
    numbers: Codes,
    moments: Whole,
    known: Whole,
    first_day: int,
    bucket_of: Codes,
    account: Codes,
    day: Codes,
    bucket: Codes,
) -> int:
    """Give each row's account, its day from the first, and the first snapshot that sees it.

    Rows of no account, and rows that no snapshot sees, get the account -1. Gives how many rows
    became known only after a snapshot that would have seen them.
    """
    length, never = bucket_of.shape[0], bucket_of[-1]
    late = 0
    for row in range(raw.shape[0]):
        number = numbers[raw[row]]
        at = min(max(moments[row] // 86_400_000_000 - first_day, 0), length - 1)
        sees = bucket_of[at]
        if known.shape[0] > 0:
            known_at = min(max(known[row] // 86_400_000_000 - first_day, 0), length - 1)
            if bucket_of[known_at] > sees:
                sees = bucket_of[known_at]
                late += sees < never and number >= 0
        account[row] = number if sees < never else -1
        day[row] = at
        bucket[row] = sees
    return late


@compiled
def add_up(
    account: Codes,
    day: Codes,
    bucket: Codes,
    bucket_of: Codes,
    segment_of: Codes,
    codes: Codes,
    firsts: Codes,
    slots: Codes,
    weighs: Bytes,
    quantity: Whole,
    total: Whole,
) -> None:
    """Add each row to the totals of its segment, account and slots; a late one is passed over.

    Parameters
    ----------
    codes, firsts, slots
        The slots of text t are slots[firsts[t]:firsts[t + 1]]; without codes, every row is of 0.
    weighs, quantity
        Whether a slot adds up the quantity, or counts.
    total
        By segment, account and slot.
    """
    for row in range(account.shape[0]):
        who, segment = account[row], segment_of[day[row]]
        if who < 0 or segment < 0 or bucket[row] != bucket_of[day[row]]:
            continue
        code = codes[row] if codes.shape[0] > 0 else 0
        for place in range(firsts[code], firsts[code + 1]):
            slot = slots[place]
            total[segment, who, slot] += quantity[row] if weighs[slot] else 1


@compiled
def reach(
    account: Codes,
    day: Codes,
    bucket: Codes,
    codes: Codes,
    firsts: Codes,
    slots: Codes,
    lowest: Codes,
    highest: Codes,
) -> None:
    """Keep the first and last day by snapshot that first sees it, account and slot."""
    for row in range(account.shape[0]):
        who, at, sees = account[row], day[row], bucket[row]
        if who < 0:
            continue
        code = codes[row] if codes.shape[0] > 0 else 0
        for place in range(firsts[code], firsts[code + 1]):
            slot = slots[place]
            if at > highest[sees, who, slot]:  # noqa: PLR1730 - a store is dearer than a look
                highest[sees, who, slot] = at
            if at < lowest[sees, who, slot]:  # noqa: PLR1730 - a store is dearer than a look
                lowest[sees, who, slot] = at


@compiled
def mark_days(account: Codes, day: Codes, bucket: Codes, from_day: int, seen: Bytes) -> None:
    """Keep for each account and day the first snapshot that sees any of its rows."""
    for row in range(account.shape[0]):
        who, at = account[row], day[row] - from_day
        if who >= 0 and at >= 0 and bucket[row] < seen[who, at]:
            seen[who, at] = bucket[row]


@compiled
def owners_of(
    account: Codes, day: Codes, segment_of: Codes, codes: Codes, counts: Bytes, owner: Codes
) -> None:
    """Give the account of each row that a set of keys counts, else -1; text 0 is null."""
    for row in range(account.shape[0]):
        is_counted = codes.shape[0] == 0 or counts[codes[row]]
        owner[row] = account[row] if segment_of[day[row]] >= 0 and is_counted else -1


@compiled
def mark_keys(
    pair: Codes,
    day: Codes,
    bucket: Codes,
    bucket_of: Codes,
    segment_of: Codes,
    seen: NDArray[np.uint64],
) -> None:
    """Set the bit of each row's segment for its pair; a late row is passed over."""
    for row in range(pair.shape[0]):
        which, segment = pair[row], segment_of[day[row]]
        if which >= 0 and segment >= 0 and bucket[row] == bucket_of[day[row]]:
            seen[which, segment >> 6] |= np.uint64(1) << np.uint64(segment & 63)


@compiled
def add_up_pairs(
    pair: Codes,
    day: Codes,
    bucket: Codes,
    bucket_of: Codes,
    segment_of: Codes,
    quantity: Whole,
    total: Whole,
) -> None:
    """Add each row to the sum of its segment and pair, by 1 without quantities; no late one."""
    for row in range(pair.shape[0]):
        which, segment = pair[row], segment_of[day[row]]
        if which < 0 or segment < 0 or bucket[row] != bucket_of[day[row]]:
            continue
        so_far = total[segment, which]
        amount = quantity[row] if quantity.shape[0] > 0 else 1
        whole = amount if so_far == ZERO else so_far + amount
        total[segment, which] = ZERO if whole == 0 else whole


@compiled
def keep_last(pair: Codes, day: Codes, bucket: Codes, last: Codes) -> None:
    """Keep the last day, counted from 1, by snapshot that first sees it and pair."""
    for row in range(pair.shape[0]):
        which, at, sees = pair[row], day[row] + 1, bucket[row]
        if which >= 0 and at > last[sees, which]:
            last[sees, which] = at


@compiled
def rank(
    owners: Codes, amount: Whole, is_there: Flags, last: Codes, best: Whole, latest: Codes
) -> None:
    """Keep by owner the largest amount, and the latest of the last days of those that have it.

    `latest` is 0 where nobody is there yet.
    """
    for pair in range(owners.shape[0]):
        owner = owners[pair]
        if owner < 0 or not is_there[pair]:
            continue
        if latest[owner] == 0 or amount[pair] > best[owner]:
            best[owner], latest[owner] = amount[pair], last[pair]
        elif amount[pair] == best[owner] and last[pair] > latest[owner]:
            latest[owner] = last[pair]


@compiled
def count_keys(
    seen: NDArray[np.uint64], owners: Codes, ranges: Codes, late: Codes, firsts: Codes, count: Codes
) -> None:
    """Count the keys that each window of each snapshot sees, by owner.

    Parameters
    ----------
    seen
        The segments of each pair, as bits.
    owners
        What each pair is counted for; below 0: nothing.
    ranges
        The first segment, and the one after the last, by window and snapshot.
    late, firsts
        Segment and snapshot of late rows; those of pair p are late[firsts[p]:firsts[p + 1]].
    count
        By window, snapshot and owner.
    """
    for pair in range(owners.shape[0]):
        owner = owners[pair]
        if owner < 0:
            continue
        for window in range(ranges.shape[0]):
            for snapshot in range(ranges.shape[1]):
                low, high = ranges[window, snapshot, 0], ranges[window, snapshot, 1]
                is_there = _any_bit(seen, pair, low, high)
                if not is_there and firsts.shape[0] > 0:
                    for at in range(firsts[pair], firsts[pair + 1]):
                        if late[at, 1] <= snapshot and low <= late[at, 0] < high:
                            is_there = True
                if is_there:
                    count[window, snapshot, owner] += 1


@compiled
def _any_bit(seen: NDArray[np.uint64], pair: int, low: int, high: int) -> bool:
    """Tell whether a bit from low up to high (not included) is set."""
    full = np.uint64(0xFFFFFFFFFFFFFFFF)
    for word in range(low >> 6, ((high - 1) >> 6) + 1):
        bits = seen[pair, word]
        if word == low >> 6:
            bits &= full << np.uint64(low & 63)
        if word == (high - 1) >> 6:
            bits &= full >> np.uint64(63 - ((high - 1) & 63))
        if bits != np.uint64(0):
            return True
    return False
