"""Tokens that the store was asked about a moment ago, so that few requests have to ask it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from features.errors import StoreError
from serving.access.tokens import KeptToken, kept_token
from serving.store.database import Store

FRESH_SECONDS = 1.0  # a token that is revoked opens nothing any more after that
TRUSTED_SECONDS = 300.0  # while the store is away, what it said last counts for so long


@dataclass
class Recognised:
    """Remembers tokens that exist; what does not exist is asked for each time.

    Attributes
    ----------
    store:
        Where tokens are kept.
    clock:
        Seconds that never go back.
    """

    store: Store
    clock: Callable[[], float]
    _seen: dict[str, tuple[float, KeptToken]] = field(default_factory=dict, repr=False)
    _away_until: float = -1.0

    def remembered(self, token_id: str) -> KeptToken | None:
        """Give a token without asking the store, if that told of it, or failed to, this second."""
        seen, now = self._seen.get(token_id), self.clock()
        patience = TRUSTED_SECONDS if now < self._away_until else FRESH_SECONDS
        return seen[1] if seen and now - seen[0] < patience else None

    def ask(self, token_id: str) -> KeptToken | None:
        """Ask the store for a token; None when there is none of that id.

        Raises
        ------
        StoreError
            If the store does not answer, and has not said anything of the token lately.
        """
        asked_at = self.clock()
        try:
            kept = kept_token(self.store, token_id)
        except StoreError:
            seen = self._seen.get(token_id)
            if seen is None or asked_at - seen[0] >= TRUSTED_SECONDS:
                raise
            self._away_until = self.clock() + FRESH_SECONDS
            return seen[1]
        if kept is None:
            self._seen.pop(token_id, None)
        else:
            self._seen[token_id] = (asked_at, kept)
        return kept
