"""Triggers: what people want to be told of an account without asking a model."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from serving.playbooks.condition import Condition
from serving.playbooks.play import tier_named

COLUMNS = ("account_id", "trigger_id", "name", "tell", "every_days")
TOLD = ("csm", "lead", "mail")


@dataclass(frozen=True)
class Trigger:
    """A condition, and who is told where it holds.

    Attributes
    ----------
    tell:
        ``csm``, ``lead`` or ``mail``, at least one.
    every_days:
        Of an account nobody is told again before so many days.
    tiers:
        Empty: of any account.
    line:
        Where it stands in its file.
    """

    id: str
    name: str
    when: Condition
    tell: tuple[str, ...]
    every_days: int
    tiers: tuple[str, ...] = ()
    line: int = field(default=1, compare=False)


def none_holding() -> pd.DataFrame:
    """Give no trigger of no account."""
    return pd.DataFrame({name: pd.Series(dtype=object) for name in COLUMNS})


def holding(
    triggers: Iterable[Trigger], table: pd.DataFrame, tiers: Mapping[str, str | None]
) -> pd.DataFrame:
    """Tell which triggers' conditions hold, of which accounts.

    Parameters
    ----------
    table:
        A feature table of one date.
    tiers:
        By account_id.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`: one row for each account and trigger, in the order of the triggers and of the
        table; tell is a list of who is to be told, parted by commas.
    """
    accounts = table["account_id"].astype(str).reset_index(drop=True)
    of_account = accounts.map(lambda one: tier_named(tiers.get(one)))
    parts = [none_holding()]
    for trigger in triggers:
        is_asked = of_account.isin(trigger.tiers) if trigger.tiers else of_account.notna()
        found = accounts[trigger.when.holds(table) & is_asked.to_numpy(dtype=bool)]
        parts.append(pd.DataFrame({"account_id": found.astype(object)}).assign(**_told(trigger)))
    return pd.concat(parts, ignore_index=True)


def lacking(triggers: Iterable[Trigger], columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Give the features that a table lacks by the ids of the triggers that name them.

    Such a table's source has not what they are computed from.
    """
    found = {each.id: tuple(sorted(each.when.columns - {*columns})) for each in triggers}
    return {name: absent for name, absent in found.items() if absent}


def _told(trigger: Trigger) -> dict[str, str | int]:
    return {
        "trigger_id": trigger.id,
        "name": trigger.name,
        "tell": ",".join(trigger.tell),
        "every_days": trigger.every_days,
    }
