"""What is logged: one JSON object a line, or lines for people where a terminal shows them.

Our own lines go through structlog and hold nothing of an account. Those of the packages that we
stand on come through `logging`; of them only what cannot hold data is written: who said it, where,
and uvicorn's sentences without what they are about.
"""

import logging
import os
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

OURS = "tenure"
SAYS_NO_DATA = "uvicorn"
Fields = MutableMapping[str, Any]


@dataclass(frozen=True)
class _Lines:
    """Writes lines. One that cannot be written is lost: no request fails for it."""

    write: Callable[[bytes], object]

    def msg(self, line: bytes) -> None:
        """Write a line at once, so that those of several processes do not mix."""
        with suppress(OSError):
            self.write(line + b"\n")

    debug = info = warning = error = critical = fatal = msg


class _Heard(logging.Handler):
    """Hands on what is said through `logging`."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record without what its arguments may hold, unless it is our own."""
        log = structlog.get_logger()
        if record.name.split(".")[0] == OURS:
            log.log(record.levelno, record.getMessage(), logger=record.name)
            return
        said = str(record.msg).strip() if record.name.split(".")[0] == SAYS_NO_DATA else "said"
        log.log(record.levelno, said, logger=record.name, place=f"{record.module}:{record.lineno}")


@contextmanager
def logged(write: Callable[[bytes], object], *, for_people: bool = False) -> Iterator[None]:
    """Write what is logged by ourselves and by others, until the end of the block.

    Parameters
    ----------
    write
        Takes a line; `OSError` from it is passed over.
    for_people
        Whether lines are laid out for eyes, in place of JSON.
    """
    before = structlog.get_config()
    structlog.configure(
        processors=[_for_people if for_people else _json],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: _Lines(write),
    )
    root, ours, heard = logging.getLogger(), logging.getLogger(OURS), _Heard()
    earlier = [handler for handler in root.handlers if isinstance(handler, _Heard)]
    for handler in earlier:
        root.removeHandler(handler)
    root.addHandler(heard)
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(heard)
        for handler in earlier:
            root.addHandler(handler)
        ours.setLevel(logging.INFO if earlier else logging.NOTSET)
        structlog.configure(**before)


def to_standard_error(line: bytes) -> None:
    """Write a line to standard error."""
    os.write(2, line)


def _json(_logger: object, level: str, fields: Fields) -> bytes:
    return msgspec.json.encode(_told(level, fields))


def _for_people(logger: object, level: str, fields: Fields) -> bytes:
    shown = structlog.dev.ConsoleRenderer(colors=True)(logger, level, _told(level, fields))
    return shown.encode()


def _told(level: str, fields: Fields) -> Fields:
    """Tell how much it matters and when it was said; structlog's own parts take thrice as long."""
    fields["level"] = "warning" if level == "warn" else level
    fields["timestamp"] = f"{datetime.now(UTC).replace(tzinfo=None).isoformat()}Z"
    return fields
