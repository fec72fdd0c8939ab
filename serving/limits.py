"""How many requests a token may send: a bucket that fills at a rate and holds so many at once."""

from collections.abc import Callable
from dataclasses import dataclass, field

MOST_KEYS = 10_000
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
