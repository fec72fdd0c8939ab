"""Hides a module that another package would load, though nobody here needs it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def absent(module: str) -> Iterator[None]:
    """Let imports of a module fail for a while, as if it were not installed; not if it is loaded.

    Parameters
    ----------
    module
        Its full name. Those above it are not loaded either by an import of it.
    """
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment] # what Python documents for this
    try:
        yield
    finally:
        del sys.modules[module]
