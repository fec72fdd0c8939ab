"""How long a request may take: one timer for all, for one each costs as much as a look-up."""

import asyncio
import time
from asyncio import AbstractEventLoop, Task
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Patience:
    """Cancels the tasks of requests that take too long; on the thread of the event loop only.

    Attributes
    ----------
    seconds:
        How long each may take.
    """

    seconds: float
    _due: dict[Task[Any], float] = field(default_factory=dict, repr=False)
    """When each is given up, in the order in which that will be."""
    _loop: AbstractEventLoop | None = field(default=None, repr=False)
    """Where the timer waits; None: it does not."""

    def begin(self) -> Task[Any]:
        """Give up on the task that is running now, unless it ends in time."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None  # noqa: S101 - asyncio's type knows of callbacks too
        self._due[task] = time.monotonic() + self.seconds
        if self._loop is not loop:
            self._wait(loop)
        return task

    def end(self, task: Task[Any]) -> None:
        """Wait for a task no more."""
        self._due.pop(task, None)

    def has_given_up(self, task: Task[Any]) -> bool:
        """Take back a cancellation if it was of here, and nobody else has cancelled the task."""
        return task not in self._due and task.uncancel() == 0

    def _wait(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        first = next(iter(self._due.values()))
        loop.call_later(max(0.0, first - time.monotonic()), self._look)

    def _look(self) -> None:
        loop, self._loop = self._loop, None
        now = time.monotonic()
        for task in [task for task, due in self._due.items() if due <= now]:
            del self._due[task]
            task.cancel()
        if self._due and loop is not None:
            self._wait(loop)
