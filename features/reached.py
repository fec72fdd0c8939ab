"""What a function's answer hangs on: its text, and all of Tenure's that it reaches by name.

Only texts and names enter, in sorted order, so that two runs, machines or patch versions of Python
give the same.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from types import CodeType, ModuleType
from typing import Any

import narwhals as nw

OURS = "features"


Named = tuple[str, Any]
"""What a value is called where it is read, and the value."""


@dataclass
class Reach:
    """What functions reach; one for all functions of a catalogue, as many share theirs."""

    known: dict[Any, tuple[str, tuple[Named, ...]]] = field(default_factory=dict)
    """By function or class, its own text and what it names directly."""

    def texts(self, function: Callable[..., Any]) -> list[str]:
        """Give, sorted, the text of a function and of each function, class and value it reaches.

        Reached are those of the `features` packages, and of the file that the function is in; of
        other packages only the names, which are in the text that calls them.
        """
        homes = {OURS, _root(function)}
        found: dict[str, None] = {}
        waiting: list[Named] = [("", function)]
        seen: set[tuple[str, int]] = set()
        while waiting:
            name, thing = waiting.pop()
            is_code = inspect.isfunction(thing) or inspect.isclass(thing)
            at = ("" if is_code else name, id(thing))
            if at in seen or (is_code and _root(thing) not in homes):
                continue
            seen.add(at)
            text, inside = self._of_code(thing) if is_code else _of_value(name, thing)
            if thing is not None:
                found[text] = None
            waiting += inside
        return sorted(found)

    def _of_code(self, thing: Any) -> tuple[str, tuple[Named, ...]]:  # noqa: ANN401 - function or class
        if thing not in self.known:
            functions = [thing] if inspect.isfunction(thing) else _methods(thing)
            reached = tuple(each for one in functions for each in _directly(one))
            self.known[thing] = inspect.getsource(thing), reached
        return self.known[thing]


def _root(thing: Any) -> str:  # noqa: ANN401 - a function or a class
    return str(thing.__module__).split(".")[0]


def _methods(of: type) -> Iterable[Any]:
    for value in vars(of).values():
        plain = getattr(value, "fget", None) or getattr(value, "__func__", value)
        if inspect.isfunction(plain) and plain.__code__.co_filename == inspect.getsourcefile(of):
            yield plain


def _directly(function: Any) -> Iterable[Named]:  # noqa: ANN401 - a function of any signature
    """Give what a function's globals, closure and defaults hold under the names in its code."""
    names, of = sorted(_names(function.__code__)), function.__qualname__
    for name in names:
        value = function.__globals__.get(name)
        is_module = isinstance(value, ModuleType)
        yield from _in_module(value, names) if is_module else [(f"{of} {name}", value)]
    free = function.__code__.co_freevars
    cells = function.__closure__ or ()
    held = zip(free, cells, strict=True)
    yield from ((f"{of} {name}", cell.cell_contents) for name, cell in held)
    yield f"{of} defaults", function.__defaults__
    yield f"{of} defaults by name", function.__kwdefaults__


def _in_module(module: ModuleType, names: Iterable[str]) -> Iterable[Named]:
    if module.__name__.split(".")[0] == OURS:
        yield from ((name, getattr(module, name)) for name in names if hasattr(module, name))


def _names(code: CodeType) -> set[str]:
    inner = (_names(each) for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*inner)


def _of_value(name: str, value: Any) -> tuple[str, Iterable[Named]]:  # noqa: ANN401 - of any type
    """Give the text of a value, and what is inside of one that holds others."""
    inside: Iterable[Named] = ()
    shown = type(value).__qualname__
    if isinstance(value, bool | int | float | str | bytes | Enum | nw.Expr):
        shown = repr(value)
    elif isinstance(value, functools.partial):
        parts = ("function", value.func), ("given", value.args), ("named", value.keywords)
        inside = [(f"{name} {part}", each) for part, each in parts]
    elif isinstance(value, tuple | list):
        inside = [(f"{name} {place}", each) for place, each in enumerate(value)]
    elif isinstance(value, set | frozenset):
        inside = [(f"{name} {each!r}", each) for each in value]
    elif isinstance(value, Mapping):
        inside = [(f"{name} {key!r}", each) for key, each in value.items()]
    elif is_dataclass(value):
        held = [(f"{name} {each.name}", getattr(value, each.name)) for each in fields(value)]
        inside = [(name, type(value)), *held]
    return f"{name} = {shown}", inside
