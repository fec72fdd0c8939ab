"""What of a score a CRM keeps on its accounts: the fields, and each one's value."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from serving.api import schema

Kind = Literal["key", "text", "date", "number", "long text"]
Value = str | float | None
UNKNOWN = "unknown"  # the status of an account that the CRM has and the service does not


@dataclass(frozen=True)
class Column:
    """One field.

    Attributes
    ----------
    name:
        From which each CRM's name of it is made.
    value:
        Gives it for an account and a horizon in days.
    """

    name: str
    kind: Kind
    value: Callable[[schema.AccountScores, int], Value]

    @property
    def salesforce(self) -> str:
        """Its API name in Salesforce."""
        return f"Tenure_{'_'.join(part.capitalize() for part in self.name.split('_'))}__c"

    @property
    def hubspot(self) -> str:
        """Its internal name in HubSpot."""
        return f"tenure_{self.name}"


def _at(account: schema.AccountScores, model: str, days: int) -> schema.HorizonScore | None:
    found = [one for one in account.models if one.model == model]
    scores = [score for one in found for score in one.horizons if score.horizon_days == days]
    return scores[0] if scores else None


def _probability(model: str) -> Callable[[schema.AccountScores, int], Value]:
    def value(account: schema.AccountScores, days: int) -> Value:
        score = _at(account, model, days)
        return None if score is None else score.probability

    return value


def _band(model: str) -> Callable[[schema.AccountScores, int], Value]:
    def value(account: schema.AccountScores, days: int) -> Value:
        score = _at(account, model, days)
        return None if score is None else score.band

    return value


def _reasons(account: schema.AccountScores, days: int) -> Value:
    score = _at(account, "churn", days)
    texts = [] if score is None else [harmless(reason.text) for reason in score.reasons]
    return ". ".join(texts) or None


def _added_mrr(account: schema.AccountScores, days: int) -> Value:
    score = _at(account, "expansion", days)
    return None if score is None else score.expected_added_mrr


def _versions(account: schema.AccountScores, _days: int) -> Value:
    return ", ".join(f"{one.model} {one.model_version}" for one in account.models) or None


def _renewal(name: str) -> Callable[[schema.AccountScores, int], Value]:
    def value(account: schema.AccountScores, _days: int) -> Value:
        return None if account.renewal is None else getattr(account.renewal, name)

    return value


COLUMNS = (
    Column("account_id", "key", lambda account, _days: account.account_id),
    Column("status", "text", lambda account, _days: account.status),
    Column("as_of", "date", lambda account, _days: account.as_of.date().isoformat()),
    Column("churn_probability", "number", _probability("churn")),
    Column("churn_band", "text", _band("churn")),
    Column("churn_reasons", "long text", _reasons),
    Column("expansion_probability", "number", _probability("expansion")),
    Column("expansion_band", "text", _band("expansion")),
    Column("expected_added_mrr", "number", _added_mrr),
    Column("renewal_date", "date", _renewal("renewal_date")),
    Column("notice_deadline", "date", _renewal("notice_deadline")),
    Column("renewal_probability", "number", _renewal("renewal_probability")),
    Column("model_versions", "text", _versions),
)
KEY = COLUMNS[0]
STATUS = COLUMNS[1]

# What a spreadsheet takes for a formula, its full-width forms included, and what may hide one.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def harmless(text: str) -> str:
    """Give a text that no spreadsheet computes, whichever sign parts its cells."""
    flat = " ".join(text.replace(";", ",").split())
    return f"'{flat}" if flat.startswith(FORMULA) else flat


def is_formula(account_id: str) -> bool:
    """Tell whether an id cannot stand in a file: it would be computed, and changed it is no id."""
    return account_id.strip().startswith(FORMULA) or account_id.startswith(FORMULA)


def row_of(account: schema.AccountScores, days: int) -> dict[str, Value]:
    """Give an account's fields by the names of `COLUMNS`."""
    return {column.name: column.value(account, days) for column in COLUMNS}


def row_of_unknown(account_id: str) -> dict[str, Value]:
    """Give the fields of an account that the service does not know: its old scores go."""
    empty: dict[str, Value] = dict.fromkeys((column.name for column in COLUMNS), None)
    return empty | {KEY.name: account_id, STATUS.name: UNKNOWN}
