"""Tokens and users that the store told of a moment ago, so that few requests have to ask it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from features.errors import StoreError
from serving.store.database import Store

Kept = TypeVar("Kept")

FRESH_SECONDS = 1.0  # a token that is revoked opens nothing any more after that
TRUSTED_SECONDS = 300.0  # while the store is away, what it said last counts for so long


@dataclass
class Recognised(Generic[Kept]):
    """Remembers tokens, or users, that exist; what does not exist is asked for each time.

    Attributes
    ----------
    store:
        Where they are kept.
    look:
        Asks the store for one by its id.
    clock:
        Seconds that never go back.
    """

    store: Store
    look: Callable[[Store, str], Kept | None]
    clock: Callable[[], float]
    _seen: dict[str, tuple[float, Kept]] = field(default_factory=dict, repr=False)
    _away_until: float = -1.0

    def remembered(self, kept_id: str) -> Kept | None:
        """Give one without asking the store, if that told of it, or failed to, this second."""
        seen, now = self._seen.get(kept_id), self.clock()
        patience = TRUSTED_SECONDS if now < self._away_until else FRESH_SECONDS
        return seen[1] if seen and now - seen[0] < patience else None

    def ask(self, kept_id: str) -> Kept | None:
        """Ask the store for one; None when there is none of that id.

        Raises
        ------
        StoreError
            If the store does not answer, and has not said anything of it lately.
        """
        asked_at = self.clock()
        try:
            kept = self.look(self.store, kept_id)
        except StoreError:
            seen = self._seen.get(kept_id)
            if seen is None or asked_at - seen[0] >= TRUSTED_SECONDS:
                raise
            self._away_until = self.clock() + FRESH_SECONDS
            return seen[1]
        if kept is None:
            self._seen.pop(kept_id, None)
        else:
            self._seen[kept_id] = (asked_at, kept)
        return kept

    def forget(self, kept_id: str) -> None:
        """Ask the store again before the next answer: one was changed here."""
        self._seen.pop(kept_id, None)
