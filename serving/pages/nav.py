"""What leads from page to page: to each reader only what their role may open."""

from collections.abc import Mapping
from types import MappingProxyType

from serving.pages.languages import Reader
from serving.pages.paths import DISAGREEMENTS, OPERATIONS, PORTFOLIO, WORK_LIST, is_page

EVERYBODY = frozenset({"csm", "lead", "admin"})
ENTRIES: Mapping[str, tuple[str, frozenset[str]]] = MappingProxyType(
    {
        WORK_LIST: ("nav.work_list", EVERYBODY),
        PORTFOLIO: ("nav.portfolio", EVERYBODY),
        DISAGREEMENTS: ("nav.disagreements", frozenset({"lead", "admin"})),
        OPERATIONS: ("nav.operations", frozenset({"admin"})),
    }
)
"""By address: the key of what it is called, and the roles that may open it."""


def may_open(role: str | None, path: str) -> bool:
    """Tell whether a role opens a page that the navigation leads to."""
    return role in ENTRIES[path][1]


def entries(reader: Reader) -> dict[str, str]:
    """Give the addresses that a reader may open, in order, each with the key of its name."""
    return {
        path: key
        for path, (key, roles) in ENTRIES.items()
        if is_page(path) and reader.role in roles
    }
