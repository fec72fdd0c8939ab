"""Numbers for texts, of an owner or of nobody: equal ones get one number, exactly."""

from dataclasses import dataclass, field
from types import ModuleType

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Codes = NDArray[np.int32]
NEAR = 64
"""Codes below have their pairs in a table."""


@dataclass
class Texts:
    """Pairs of an owner and a text, numbered from 0 in the order in which they first come.

    Parameters
    ----------
    loops
        The compiled loops.
    """

    loops: ModuleType
    slots: NDArray[np.int64] = field(default_factory=lambda: np.full((1 << 12, 4), -1, np.int64))
    entries: NDArray[np.int64] = field(default_factory=lambda: np.empty((1 << 11, 2), np.int64))
    kept: NDArray[np.uint8] = field(default_factory=lambda: np.empty(1 << 15, np.uint8))
    sizes: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))
    near: Codes = field(default_factory=lambda: np.full((0, NEAR), -1, np.int32))

    def __len__(self) -> int:
        return int(self.sizes[0])

    @property
    def owners(self) -> Codes:
        """The owner of each pair."""
        return (self.entries[: len(self), 0] >> 32).astype(np.int32)

    def content(self, number: int) -> bytes:
        """Give the bytes of a pair's text."""
        length, start = self.entries[number, 0] & 0xFFFFFFFF, self.entries[number, 1]
        return self.kept[start : start + length].tobytes()

    def text(self, number: int) -> str:
        """Give the text of a pair."""
        return self.content(number).decode()

    def numbers(self, texts: pa.Array, owners: Codes) -> Codes:
        """Give numbers to the pairs of texts and owners; -1 where the owner is below 0."""
        return self._numbers(*buffers(texts), owners)

    def of_codes(self, codes: Codes, owners: Codes) -> Codes:
        """Give numbers to pairs of codes and owners; -1 where the code is 0, or the owner below 0.

        The pairs of frequent codes are looked up in a table without hashing.
        """
        most = int(owners.max(initial=-1)) + 1
        if most > len(self.near):
            larger = np.full((max(most, 2 * len(self.near)), NEAR), -1, np.int32)
            larger[: len(self.near)] = self.near
            self.near = larger
        out = np.empty(len(codes), np.int32)
        if self.loops.look_up(owners, codes, self.near, out):
            rows = np.nonzero(out < -1)[0]
            code, owner = codes[rows], owners[rows]
            starts = np.arange(0, 4 * len(rows) + 1, 4, dtype=np.int32)
            out[rows] = self._numbers(starts, code.view(np.uint8), owner)
            is_near = code < NEAR
            self.near[owner[is_near], code[is_near]] = out[rows[is_near]]
        return out

    def _numbers(self, starts: Codes, data: NDArray[np.uint8], owners: Codes) -> Codes:
        self._make_room(len(owners), int(starts[-1] - starts[0]))
        out, hashes = np.empty(len(owners), np.int32), np.empty(len(owners), np.int64)
        pairs = (self.slots, self.entries, self.kept, self.sizes)
        self.loops.intern(owners, starts, data, *pairs, hashes, out)
        return out

    def _make_room(self, pairs: int, length: int) -> None:
        """Grow for so many more pairs and bytes, at least to the double."""
        count, used = (int(size) for size in self.sizes)
        if used + length > len(self.kept):
            self.kept = _grown(self.kept, used + length)
        if count + pairs > len(self.entries):
            self.entries = _grown(self.entries, count + pairs)
        wanted = 1 << (4 * (count + pairs) // 3).bit_length()
        if wanted > len(self.slots):
            self.slots = np.full((wanted, 4), -1, np.int64)
            self.loops.rehash(self.slots, self.entries, self.kept, count)


def _grown(array: NDArray[np.generic], size: int) -> NDArray:  # type: ignore[type-arg]
    larger = np.empty((max(size, 2 * len(array)), *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger


def buffers(texts: pa.Array) -> tuple[Codes, NDArray[np.uint8]]:
    """Give where each text begins, and their bytes; a null is an empty text."""
    if texts.type != pa.string():
        texts = texts.cast(pa.string())
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    _, starts, data = texts.buffers()
    if len(texts) == 0 or starts is None:
        return np.zeros(len(texts) + 1, np.int32), np.zeros(0, np.uint8)
    offsets = np.frombuffer(starts, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return offsets, np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8)
