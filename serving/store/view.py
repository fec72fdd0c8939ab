"""A view of the work list: which accounts, in which order, which page; its address holds it."""

from typing import Annotated, Literal, get_args
from urllib.parse import urlencode

from msgspec import Meta, Struct, structs

from serving.api.fields import NO_ZERO, Text

Tab = Literal["risk", "grow", "leaving", "watch", "all"]
State = Literal["new", "contacted", "in_progress", "snoozed", "resolved"]
WhyNot = Literal["no_data", "ended", "leaving", "too_young", "touched_lately", "below_capacity"]
Sort = Literal[
    "expected_loss",
    "name",
    "csm",
    "tier",
    "arr",
    "renewal",
    "notice",
    "probability",
    "change",
    "renews",
    "expansion",
    "added",
    "reason",
    "signal",
    "state",
    "why",
]
Order = Literal["asc", "desc"]
Days = Annotated[int, Meta(ge=1, le=3660)]

TABS: tuple[Tab, ...] = get_args(Tab)
STATES: tuple[State, ...] = get_args(State)
WHY_NOT: tuple[WhyNot, ...] = get_args(WhyNot)
SORTS: tuple[Sort, ...] = get_args(Sort)
DEFAULT_SORT: dict[Tab, Sort] = {"grow": "added", "leaving": "arr", "watch": "arr"}
RISES: frozenset[Sort] = frozenset(
    {"name", "csm", "tier", "renewal", "notice", "reason", "signal", "state", "why"}
)
"""What is ordered from its lowest on, unless somebody asks otherwise."""


class View(Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked of the work list; None is everything, or the tab's own order.

    Attributes
    ----------
    renews, notice
        The term ends, or the last day for notice lies, within so many days from today.
    q
        Words that are all in the name or the id, each anywhere in them.
    limit
        Rows a page, and no more of them than a page of 200 kB holds.
    """

    tab: Tab = "risk"
    csm: Text | None = None
    tier: Text | None = None
    segment: Text | None = None
    region: Text | None = None
    product: Annotated[str, Meta(min_length=1, max_length=400, pattern=NO_ZERO)] | None = None
    family: Text | None = None
    state: State | None = None
    why_not: WhyNot | None = None
    renews: Days | None = None
    notice: Days | None = None
    q: Text | None = None
    sort: Sort | None = None
    order: Order | None = None
    page: Annotated[int, Meta(ge=1, le=100_000)] = 1
    limit: Annotated[int, Meta(ge=1, le=80)] = 50

    @property
    def sorted_by(self) -> Sort:
        """The column that orders it."""
        return self.sort or DEFAULT_SORT.get(self.tab, "expected_loss")

    @property
    def is_rising(self) -> bool:
        """Whether the lowest comes first."""
        return self.sorted_by in RISES if self.order is None else self.order == "asc"

    @property
    def is_filtered(self) -> bool:
        """Whether anything but tab, order and page was asked for."""
        shown = ("tab", "sort", "order", "page", "limit")
        return any(name not in shown for name in self.told())

    @property
    def is_narrowed(self) -> bool:
        """Whether more than a tab and a search was asked for."""
        shown = ("tab", "q", "order", "page", "limit")
        return any(name not in shown for name in self.told())

    def told(self) -> dict[str, str]:
        """Give what differs from the default, by the names of the address."""
        return {
            field.name: str(value)
            for field in structs.fields(self)
            if (value := getattr(self, field.name)) != field.default
        }

    def query(self, **changes: str | int | None) -> str:
        """Write the view as a query string, with changes; one of them leads to the first page."""
        changed: View = structs.replace(self, **{"page": 1, **changes})
        return urlencode(changed.told())
