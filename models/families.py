"""Families of reasons: what one talk with a customer is about, and one play answers."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

LEADING = 3
"""Among so many first reasons each family speaks once."""

FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        "usage": "how much the product is used, by how many, and how it changes",
        "adoption": "which functions and products are used, of those there are",
        "people": "the champion, the sponsor and the main user",
        "team": "who comes and who goes among all contacts",
        "support": "tickets, how they are answered and rated",
        "reliability": "outages, incidents and defects",
        "satisfaction": "what surveys say",
        "success": "agreed outcomes and their reviews",
        "services": "onboarding, projects and trainings",
        "engagement": "community, webinars, emails and events",
        "intent": "looks at buying and at leaving, requests to cancel a part",
        "price": "what is asked for: prices, news of them, tickets on bills",
        "billing": "what is paid: late, open and failed payments, credits",
        "size": "MRR, seats and products, and how they change",
        "contract": "what was signed, how long ago it began, and where it stands in its term",
        "hierarchy": "parent and sister companies",
        "touches": "what the team did",
    }
)

CONTEXT = frozenset({"contract"})
"""Families that say where an account stands, and not what went wrong or well."""

_OF_GROUP: Mapping[str, str] = MappingProxyType(
    {"lifecycle": "contract", "rhythm": "usage", "season": "usage", "adoption": "usage"}
)
"""Of the groups of features that are no family by themselves."""

_OF_SUBJECT: Mapping[str, str] = MappingProxyType(
    {
        "breadth of use": "adoption",
        "functions dropped": "adoption",
        "products in use": "adoption",
        "products never used": "adoption",
        "products used": "adoption",
        "time to value": "contract",
        "first use": "contract",
        "contacts": "team",
        "defects reported": "reliability",
        "tickets on billing": "price",
        "news of prices": "price",
        "price": "price",
        "interest in more": "intent",
        "interest in leaving": "intent",
        "cancel requests": "intent",
        "MRR": "size",
        "seats": "size",
        "products owned": "size",
        "contract changes": "size",
        "invoiced amount": "contract",
    }
)
"""Of the subjects that another family than their group's is about."""


def family_of(entry: Mapping[str, Any]) -> str:
    """Name the family of a catalogue entry, as `features.catalog.catalog_json` gives it.

    A group of a company's own features is a family. A column of a ready table, of which nothing is
    declared, is its own.
    """
    group = str(entry.get("group", entry["column"]) if "text" in entry else entry["column"])
    return _OF_SUBJECT.get(str(entry.get("subject")), _OF_GROUP.get(group, group))
