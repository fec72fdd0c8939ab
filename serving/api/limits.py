"""How many requests a token may send, and how many a worker takes on at once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus

from serving.api.refusal import RefusedError

MOST_KEYS = 10_000
MOST_CONNECTIONS = 1000
ANSWERED_AT_ONCE = 12  # on threads; the store's pool has 15 connections for them and the rest
MOST_WAITING = 200
WAITING_SECONDS = 2.0
ROUNDING = 1e-9  # seconds that rounding may leave of a bucket that is just full


@dataclass
class Limiter:
    """Counts in this process's memory, on the thread that asks: workers do not share it.

    Attributes
    ----------
    per_second:
        How fast a bucket fills.
    burst:
        How many requests a full bucket lets in at once.
    clock:
        Seconds that never go back.
    """

    per_second: float
    burst: int
    clock: Callable[[], float]
    _full_at: dict[str, float] = field(default_factory=dict)

    def wait(self, key: str) -> float:
        """Let a request of `key` in and give 0, or give the seconds until one would be let in."""
        now = self.clock()
        full_at = max(self._full_at.get(key, now), now) + 1 / self.per_second
        excess = full_at - now - self.burst / self.per_second
        if excess > ROUNDING:
            return excess
        if len(self._full_at) >= MOST_KEYS:
            self._full_at = {one: at for one, at in self._full_at.items() if at > now}
            if len(self._full_at) >= MOST_KEYS and key not in self._full_at:
                return 1.0
        self._full_at[key] = full_at
        return 0.0


@dataclass
class Load:
    """What this worker is busy with; on the thread of the event loop only.

    Attributes
    ----------
    connections:
        Those that are open; the server's own collection.
    is_ending:
        Whether the worker answers what it has begun, and takes on nothing else.
    places:
        How many answers are computed at once.
    """

    connections: Collection[object] = ()
    is_ending: bool = False
    places: int = ANSWERED_AT_ONCE
    waiting: int = 0

    @property
    def is_full(self) -> bool:
        """Tell whether there are more connections than are answered on."""
        return len(self.connections) > MOST_CONNECTIONS

    @cached_property
    def _places(self) -> asyncio.Semaphore:
        return asyncio.Semaphore(self.places)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait a moment for a place to compute an answer.

        Raises
        ------
        RefusedError
            If too many wait already, or none came free in time.
        """
        if self._places.locked():
            await self._wait()
        else:
            await self._places.acquire()
        try:
            yield
        finally:
            self._places.release()

    async def _wait(self) -> None:
        if self.waiting >= MOST_WAITING:
            raise overloaded()
        self.waiting += 1
        try:
            async with asyncio.timeout(WAITING_SECONDS):
                await self._places.acquire()
        except TimeoutError as error:
            raise overloaded() from error
        finally:
            self.waiting -= 1


def overloaded() -> RefusedError:
    """Refuse a request that would wait too long; `Retry-After` goes with it."""
    return RefusedError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "overloaded",
        "The service has more to answer than it can. Ask again in a second.",
    )
