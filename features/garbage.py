"""How often a process of Tenure looks for garbage: seldom, for most of what it makes stays."""

import atexit
import gc

NEW_OBJECTS = 500_000
"""After so many the newest are looked through; loading the packages makes some hundred thousand."""
ROUNDS = 20
SHORTLY = (700, 10, 10)  # Python's own; half a million took a third of a second


def collect_rarely() -> None:
    """Look for reference cycles seldom from now on, and at the end once in place of twice.

    What nobody refers to is freed at once all the same. For the start of a process, not a library.
    """
    gc.set_threshold(NEW_OBJECTS, ROUNDS, ROUNDS)
    atexit.register(gc.disable)


def collect_shortly() -> None:
    """Look only at what is made from now on, and often: each look holds up all answers.

    For a process that answers, once all that it needs is loaded.
    """
    gc.freeze()
    gc.set_threshold(*SHORTLY)
