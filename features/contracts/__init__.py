"""The contract: one module for each source table, and all of them by name."""

from collections.abc import Mapping
from types import MappingProxyType

from features.contracts.account_merges import ACCOUNT_MERGES
from features.contracts.accounts import ACCOUNTS
from features.contracts.contacts import CONTACTS
from features.contracts.engagement import ENGAGEMENT
from features.contracts.incidents import INCIDENTS
from features.contracts.invoices import INVOICES
from features.contracts.outcomes import OUTCOMES
from features.contracts.payments import PAYMENTS
from features.contracts.projects import PROJECTS
from features.contracts.reviews import REVIEWS
from features.contracts.subscriptions import SUBSCRIPTIONS
from features.contracts.support_tickets import SUPPORT_TICKETS
from features.contracts.surveys import SURVEYS
from features.contracts.table import Column, Table, Type
from features.contracts.touches import TOUCHES
from features.contracts.trainings import TRAININGS
from features.contracts.usage_events import USAGE_EVENTS

TABLES: Mapping[str, Table] = MappingProxyType(
    {
        table.name: table
        for table in (
            ACCOUNTS,
            ACCOUNT_MERGES,
            SUBSCRIPTIONS,
            USAGE_EVENTS,
            SUPPORT_TICKETS,
            INVOICES,
            PAYMENTS,
            SURVEYS,
            CONTACTS,
            PROJECTS,
            TRAININGS,
            ENGAGEMENT,
            INCIDENTS,
            OUTCOMES,
            REVIEWS,
            TOUCHES,
        )
    }
)

__all__ = ["TABLES", "Column", "Table", "Type"]
