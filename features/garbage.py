"""How often a process of Tenure looks for garbage: seldom, for most of what it makes stays."""

import atexit
import gc

NEW_OBJECTS = 500_000
"""After so many the newest are looked through; loading the packages makes some hundred thousand."""
ROUNDS = 20


def collect_rarely() -> None:
    """Look for reference cycles seldom from now on, and at the end once in place of twice.

    What nobody refers to is freed at once all the same. For the start of a process, not a library.
    """
    gc.set_threshold(NEW_OBJECTS, ROUNDS, ROUNDS)
    atexit.register(gc.disable)
