"""One table of a `playbooks.toml`: its values, each checked, wrong ones said with their line."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from features.errors import PlaybookError
from serving.playbooks.lines import WHOLE, Lines

LONGEST = 400
ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")


@dataclass(frozen=True)
class Entry:
    """One ``[[play]]`` or ``[[trigger]]``, or what stands above them all, with its place."""

    file: str
    lines: Lines
    table: str
    at: int
    values: Mapping[str, Any]

    def line(self, key: str = WHOLE) -> int:
        """Give the line of a key."""
        return self.lines.of(self.table, self.at, key)

    def where(self, key: str = WHOLE) -> str:
        """Name the file and the line."""
        return f"{self.file}, line {self.line(key)}"

    def wrong(self, key: str, wanted: str, cure: str = "Correct that line.") -> PlaybookError:
        """Make the error of a value that is not as wanted, or is not there."""
        of = f" of a [[{self.table}]]" if self.table else ""
        got = f"{self.values[key]!r:.80}" if key in self.values else "none"
        return PlaybookError(
            f"Expected {wanted} for {key}{of} in {self.where(key)}, got {got}. {cure}"
        )

    def text(self, key: str, most: int = LONGEST) -> str:
        """Give a text of printable characters."""
        value = self.values.get(key)
        if not is_text(value, most):
            raise self.wrong(key, f"a text of 1 to {most} printable characters")
        return str(value)

    def one_of(self, key: str, allowed: Sequence[str]) -> str:
        """Give one of some words."""
        value = self.values.get(key)
        if not isinstance(value, str) or value not in allowed:
            raise self.wrong(key, " or ".join(allowed), _did_you_mean(value, allowed))
        return value

    def some_of(self, key: str, allowed: Sequence[str], few: int = 0) -> tuple[str, ...]:
        """Give different ones of some words, at least so many; none where the key is absent."""
        values = self.values.get(key, [])
        if not isinstance(values, list) or ((key in self.values or few) and not values):
            raise self.wrong(key, f"a list of {', '.join(allowed)}", "Name one, or leave it out.")
        for value in values:
            if not isinstance(value, str) or value not in allowed:
                cure = _did_you_mean(value, allowed)
                raise self.wrong(key, f"only {', '.join(allowed)}", cure)
        if len(set(values)) < len(values):
            raise self.wrong(key, "each once", "Remove what stands there twice.")
        return tuple(values)

    def identity(self) -> str:
        """Give the id, which names it in files and in the store."""
        value = self.values.get("id")
        if not isinstance(value, str) or not ID.fullmatch(value):
            raise self.wrong("id", "1 to 60 of a-z, 0-9, _ and -, such as slowed-use")
        return value

    def demand_known(self, keys: Sequence[str]) -> None:
        """Refuse a key that nothing reads."""
        for key in self.values:
            if key not in keys:
                of = f"a [[{self.table}]]" if self.table else "the file"
                raise PlaybookError(
                    f"Expected only known keys of {of} in {self.where(key)}, got {key!r:.80}. "
                    f"{_did_you_mean(key, keys)}"
                )


def is_text(value: object, most: int) -> TypeGuard[str]:
    """Tell whether a value is a text that can be shown."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= most
        and value.isprintable()
        and not value.isspace()
    )


def is_whole(value: object) -> TypeGuard[int]:
    """Tell whether a value is a whole number; in Python a bool is one."""
    return isinstance(value, int) and not isinstance(value, bool)


def _did_you_mean(value: object, allowed: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(value), allowed, n=1)
    return f"Did you mean {near[0]}?" if near else f"There are {', '.join(allowed)}."
