"""What a command takes: the processes that it leaves behind, such as Spark's, are charged to it."""

import ctypes
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_SET_CHILD_SUBREAPER = 36
"""As `linux/prctl.h` numbers it."""


@dataclass(frozen=True)
class Cost:
    """CPU seconds, user and system, and the largest resident set in MB.

    Where processes outlive each other, the sum of their largest.
    """

    cpu_s: float
    mb: float


def charged(command: Sequence[str], env: Mapping[str, str] = os.environ) -> Cost:
    """Run a command until nothing that it started is left; on Linux, by a process without others.

    `env` is its whole environment.

    Raises
    ------
    SystemExit
        It failed.
    """
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # whom it leaves behind becomes ours
    own = os.posix_spawnp(command[0], command, env)
    cpu_s = mb = 0.0
    while True:
        try:
            process, status, used = os.wait4(-1, 0)
        except ChildProcessError:
            return Cost(cpu_s, mb)
        if process == own and status:
            raise SystemExit(
                f"Expected {' '.join(command)} to end well, got status {status}. "
                "See its last lines."
            )
        cpu_s += used.ru_utime + used.ru_stime
        mb += used.ru_maxrss / 1024
