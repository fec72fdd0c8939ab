"""Several workers behind one listening socket, and the parent that replaces those that die.

The parent only loads packages, listens and forks: it opens no store, reads no request and starts no
thread. What the workers share, the key of sessions and the memory of metrics, they have from it by
birth, so that it is nowhere else. uvicorn's own supervisor starts workers anew from the command
line, with seconds of loading each, and leaves them serving when it is killed itself.
"""

import contextlib
import ctypes
import gc
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType

import structlog

from features.errors import ServiceError, TenureError
from serving.metrics import BEATS, IS_UP, Metrics
from serving.server import ENDING_SECONDS

TICK_SECONDS = 1.0
HUNG_TICKS = 30
SOON_SECONDS = 5.0
LONGEST_WAIT = 10.0
PATIENCE_SECONDS = ENDING_SECONDS + 5.0
PR_SET_PDEATHSIG = 1
FAILED = 3
ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # the last: its terminal is gone
SIGNALS = (*ENDS, signal.SIGCHLD)
LOG = structlog.get_logger("tenure.workers")


@dataclass
class _Place:
    """One worker's place: who has it and since when; nobody, while a start is waited for."""

    number: int
    pid: int | None = None
    started_at: float = 0.0
    due_at: float = 0.0
    failures: int = 0
    beats: float = 0.0
    silent_ticks: int = 0


@dataclass
class Supervisor:
    """Keeps a number of workers up until it is told to end.

    Attributes
    ----------
    listener:
        The listening socket, which all workers accept from.
    metrics:
        The rows of all workers.
    work:
        Serves as the worker of a number until it is told to end; called in the new process.
    """

    listener: socket.socket
    metrics: Metrics
    work: Callable[[int], None]
    _places: list[_Place] = field(init=False)
    _heard: list[int] = field(default_factory=list)
    _has_served: bool = False

    def __post_init__(self) -> None:
        self._places = [_Place(number) for number in range(self.metrics.workers)]

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises
        ------
        ServiceError
            If no worker ever came up, or this is not Linux.
        """
        if sys.platform != "linux":
            raise ServiceError(
                "Expected Linux for more than one worker, where a worker can be made to end with "
                f"its parent, got {sys.platform}. Serve with one."
            )
        gc.freeze()  # what is loaded is never looked through again, so workers go on sharing it
        with self._signals() as wake:
            try:
                while not self._is_told_to_end():
                    self._start_due()
                    if _heard_within(wake, TICK_SECONDS):
                        self._reap()
                    else:
                        self._look_at_beats()
            finally:
                self._end(wake)

    def _is_told_to_end(self) -> bool:
        return any(each in self._heard for each in ENDS)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[int]:
        """Hear signals, and give a file that can be read from once there was one."""

        def hear(number: int, _frame: FrameType | None) -> None:
            self._heard.append(number)

        wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        heard = [each for each in SIGNALS if not is_ignored(each)]
        before = {number: signal.signal(number, hear) for number in heard}
        woken_before = signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        try:
            yield wake
        finally:
            signal.set_wakeup_fd(woken_before)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(wake)
            os.close(waker)

    def _start_due(self) -> None:
        for place in self._places:
            if place.pid is None and time.monotonic() >= place.due_at:
                self._start(place)

    def _start(self, place: _Place) -> None:
        parent = os.getpid()
        # A signal to the new process before it has handlers of its own must not be lost.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                self._be_worker(place.number, parent, blocked)
        except OSError as error:
            LOG.error("worker cannot be made", worker=place.number, problem=error.strerror)  # noqa: TRY400 - it says all
            place.due_at = time.monotonic() + LONGEST_WAIT
            return
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        place.pid, place.started_at = pid, time.monotonic()
        place.beats, place.silent_ticks = 0.0, 0
        self.metrics.has_started(place.number)
        LOG.info("worker started", worker=place.number, process=pid)

    def _be_worker(self, number: int, parent: int, mask: set[int | signal.Signals]) -> None:
        """Serve, and never come back from here."""
        code = FAILED
        try:
            _end_with(parent)
            signal.set_wakeup_fd(-1)
            for each in SIGNALS:
                signal.signal(each, signal.SIG_DFL)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the parent hears it, and tells us
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            self.work(number)
            code = 0
        except TenureError as error:
            LOG.error("worker cannot serve", worker=number, problem=str(error))  # noqa: TRY400 - a sentence, no trace
        except BaseException as error:  # noqa: BLE001 - the process ends here, whatever it was
            LOG.error("worker failed", worker=number, problem=type(error).__name__)  # noqa: TRY400 - a message may hold data
        finally:
            os._exit(code)

    def _reap(self) -> None:
        for place in self._places:
            if place.pid is None or not _has_ended(place.pid):
                continue
            self._has_served |= bool(self.metrics.of(place.number, IS_UP))
            self.metrics.has_ended(place.number)
            LOG.warning("worker ended", worker=place.number, process=place.pid)
            lived = time.monotonic() - place.started_at
            place.pid = None
            place.failures = place.failures + 1 if lived < SOON_SECONDS else 0
            wait = 0.1 * 2**place.failures if place.failures else 0.0
            place.due_at = time.monotonic() + min(wait, LONGEST_WAIT)
            if not self._has_served and not self.metrics.alive():
                raise ServiceError(
                    "Expected the workers to come up, got one that ended before it served. "
                    "The log says why."
                )

    def _look_at_beats(self) -> None:
        """Kill a worker whose event loop stood still for many of our own ticks."""
        for place in self._places:
            if place.pid is None or not self.metrics.of(place.number, IS_UP):
                continue
            beats = self.metrics.of(place.number, BEATS)
            place.silent_ticks = place.silent_ticks + 1 if beats == place.beats else 0
            place.beats = beats
            if place.silent_ticks >= HUNG_TICKS:
                LOG.error("worker hangs", worker=place.number, process=place.pid)
                os.kill(place.pid, signal.SIGKILL)

    def _end(self, wake: int) -> None:
        """Let the workers answer what they have begun; a second signal ends them at once."""
        self.listener.close()  # the workers' own stay open until they have taken in who waits there
        self._heard.clear()
        self._tell(signal.SIGTERM)
        until = time.monotonic() + PATIENCE_SECONDS
        while self._left() and time.monotonic() < until and not self._is_told_to_end():
            _heard_within(wake, TICK_SECONDS)
        self._tell(signal.SIGKILL)
        for place in self._left():
            os.waitpid(place.pid or 0, 0)

    def _tell(self, number: signal.Signals) -> None:
        for place in self._left():
            os.kill(place.pid or 0, number)

    def _left(self) -> list[_Place]:
        for place in self._places:
            if place.pid is not None and _has_ended(place.pid):
                place.pid = None
        return [place for place in self._places if place.pid is not None]


def is_ignored(number: signal.Signals) -> bool:
    """Tell whether who started this process wants it to outlive a terminal, as nohup does."""
    return number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN


def _end_with(parent: int) -> None:
    """Let the kernel kill this process when its parent dies, at once: the address is free again."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "the worker cannot be made to end with its parent")
    if os.getppid() != parent:  # it died in between
        os._exit(FAILED)


def _has_ended(pid: int) -> bool:
    return os.waitpid(pid, os.WNOHANG)[0] == pid


def _heard_within(wake: int, seconds: float) -> bool:
    """Wait for a signal; tell whether one came."""
    if not select.select([wake], [], [], seconds)[0]:
        return False
    with contextlib.suppress(BlockingIOError):
        while os.read(wake, 512):
            pass
    return True
