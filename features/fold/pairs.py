"""Pairs of an account and one of its keys, numbered as rows of a log name them."""

from dataclasses import dataclass, field

import numpy as np

from features.fold.folded import Condition, Segments
from features.fold.rows import Batch, Choice, Setting
from features.fold.texts import Codes, Texts


@dataclass
class Pairs:
    """The pairs that rows name which fulfil a condition and lie in a segment.

    Parameters
    ----------
    key
        The text column; null is no key.
    condition
        Which rows count.
    segments
        Which days do.
    setting
        What the fold is over.
    """

    key: str
    condition: Condition
    segments: Segments
    setting: Setting
    choice: Choice = field(init=False)
    texts: Texts = field(init=False)

    def __post_init__(self) -> None:
        self.choice = Choice((self.condition,))
        self.texts = Texts(self.setting.loops)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read."""
        return tuple(dict.fromkeys((self.key, *filter(None, [self.choice.column]))))

    def of(self, batch: Batch) -> Codes:
        """Give the number of each row's pair, -1 where it has none."""
        loops, of_day = self.setting.loops, self.segments.of_day
        codes = self.choice.of(batch)
        owners = np.empty(len(batch.account), np.int32)
        counts = self.choice.holds[:, 0].astype(np.uint8)
        loops.owners_of(batch.account, batch.day, of_day, codes, counts, owners)
        return batch.pairs(self.key, owners, self.texts)

    def late(self, batch: Batch, pair: Codes) -> Codes:
        """Give the rows with a pair that a snapshot would have seen, had they been known."""
        is_late = batch.bucket != self.setting.bucket_of[batch.day]
        return np.nonzero(is_late & (pair >= 0))[0].astype(np.int32)
