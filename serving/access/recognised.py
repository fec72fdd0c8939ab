"""Tokens and sessions the store told of a moment ago, so that few requests have to ask it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

from features.errors import StoreError
from serving.store.database import Store

Kept = TypeVar("Kept")

FRESH_SECONDS = 1.0  # a token that is revoked opens nothing any more after that
TRUSTED_SECONDS = 60.0  # while the store is away, what it said last counts for so long
HANGING_SECONDS = 2.0  # a store that says nothing for so long is as good as away
MOST = 10_000  # more are remembered no longer than they are trusted


@dataclass
class Recognised(Generic[Kept]):
    """Remembers tokens, or sessions, that exist; what does not exist is asked for each time.

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
    _asking: dict[str, tuple[float, asyncio.Future[Kept | None]]] = field(
        default_factory=dict, repr=False
    )
    _away_until: float = -1.0

    async def told(self, kept_id: str) -> Kept | None:
        """Give one from memory, or ask on another thread: once for all requests of a moment.

        Where each of them asks, a busy token has its threads keep every answer waiting.

        Raises
        ------
        StoreError
            If the store does not answer, and has not said anything of it lately.
        """
        if (kept := self.remembered(kept_id)) is not None:
            return kept
        now = self.clock()
        asked_at, asking = self._asking.get(kept_id, (now, None))
        if asking is None or now - asked_at >= FRESH_SECONDS:
            asking = asyncio.ensure_future(run_in_threadpool(self.ask, kept_id))
            self._asking[kept_id] = now, asking
            asking.add_done_callback(partial(self._has_asked, kept_id))
        try:
            async with asyncio.timeout(HANGING_SECONDS):
                return await asyncio.shield(asking)
        except TimeoutError as error:
            kept = self._trusted(kept_id, now)
            if kept is None:
                raise StoreError(
                    f"Expected the store to answer within {HANGING_SECONDS:g} s, got nothing. "
                    "Look at its database."
                ) from error
            return kept

    def _has_asked(self, kept_id: str, done: asyncio.Future[Kept | None]) -> None:
        if self._asking.get(kept_id, (0.0, None))[1] is done:
            del self._asking[kept_id]
        if not done.cancelled():
            done.exception()  # seen to, even if whoever waited for it is gone

    def knows(self, kept_id: str) -> bool:
        """Tell whether the store has ever told of it: then it was not made up."""
        return kept_id in self._seen

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
            trusted = self._trusted(kept_id, asked_at)
            if trusted is None:
                raise
            return trusted
        if kept is None:
            self._seen.pop(kept_id, None)
        else:
            self._make_room(asked_at)
            self._seen[kept_id] = (asked_at, kept)
        return kept

    def _trusted(self, kept_id: str, asked_at: float) -> Kept | None:
        """Give what the store said last, if that was lately; it is not asked again this second."""
        seen = self._seen.get(kept_id)
        if seen is None or asked_at - seen[0] >= TRUSTED_SECONDS:
            return None
        self._away_until = self.clock() + FRESH_SECONDS
        return seen[1]

    def _make_room(self, now: float) -> None:
        """Forget what ended long ago, as sessions do; another thread may be adding to it."""
        if len(self._seen) >= MOST:
            for one, (asked_at, _) in list(self._seen.items()):
                if now - asked_at >= TRUSTED_SECONDS:
                    self._seen.pop(one, None)

    def forget(self, kept_id: str) -> None:
        """Ask the store again before the next answer: one was changed here."""
        self._asking.pop(kept_id, None)  # that answer may be older than the change
        self._seen.pop(kept_id, None)
