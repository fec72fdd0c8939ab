"""What a mail system, or people, are to do for which accounts: as rows, and as a file."""

import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from features.home import Home
from models.bundle import load
from serving.crm.columns import harmless, is_formula
from serving.playbooks.fired import fired_of, told_now
from serving.playbooks.playbook import Playbook
from serving.publishing.bundles import bundle_folder
from serving.publishing.publication import Publication
from serving.scoring.plays import days_between, leading_family
from serving.store import lookup, tables
from serving.store.database import Store

COLUMNS = (
    "account_id",
    "name",
    "tier",
    "csm",
    "as_of",
    "kind",
    "id",
    "title",
    "owner",
    "steps",
    "renewal_date",
)
PEOPLE = frozenset({"csm", "lead"})
AT_RISK = frozenset({"high", "medium"})
ON_THE_LIST = frozenset({None, "below_capacity"})  # no person gets to these: a mail system does

Row = dict[str, Any]


def to_run(
    store: Store, home: Home, publication: Publication, playbook: Playbook, run_by: str
) -> list[Row]:
    """Give what ``mail`` or a ``person`` is to run, of one publication.

    Plays of churn are for accounts on the work list whose band is high or medium, those of
    expansion for accounts whose band of expansion is high; triggers are those that are told now.

    Returns
    -------
    list of dict
        `COLUMNS`: one row for each account and play or trigger, in order of account_id.
    """
    accounts = _accounts(store, publication.number)
    rows = [
        *_plays(store, home, publication, playbook, accounts),
        *_triggers(store, publication, accounts),
    ]
    asked = [row for row in rows if run_by in row.pop("run_by")]
    return sorted(asked, key=lambda row: (row["account_id"], row["kind"], row["id"]))


def write_csv(rows: Iterable[Row], file: Path) -> list[str]:
    """Write rows, whole or not at all, with no cell that a spreadsheet computes.

    Returns
    -------
    list of str
        Ids of accounts that were left out: as they are, they would be computed.
    """
    left_out: dict[str, None] = {}
    half = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        half.touch(mode=0o600, exist_ok=False)
        with half.open("w", encoding="utf-8", newline="") as written:
            writer = csv.writer(written, lineterminator="\n")
            writer.writerow(COLUMNS)
            for row in rows:
                if is_formula(row["account_id"]):
                    left_out[row["account_id"]] = None
                    continue
                cells = [harmless(str(row[name] or "")) for name in COLUMNS[1:]]
                writer.writerow([row["account_id"], *cells])
        half.replace(file)
    finally:
        half.unlink(missing_ok=True)
    return list(left_out)


def _accounts(store: Store, publication: int) -> dict[str, Row]:
    listed = tables.listed_accounts
    with store.reading() as connection:
        found = connection.execute(sa.select(listed).where(listed.c.publication == publication))
        return {row["account_id"]: dict(row) for row in found.mappings()}


def _plays(
    store: Store,
    home: Home,
    publication: Publication,
    playbook: Playbook,
    accounts: Mapping[str, Row],
) -> Iterator[Row]:
    listed = [each for each in accounts.values() if each["why_not"] in ON_THE_LIST]
    growing = [each["account_id"] for each in listed if each["expansion_band"] == "high"]
    families = _families(store, home, publication, "expansion", growing)
    asked = [("churn", each, each["family"]) for each in listed if each["band"] in AT_RISK]
    asked += [("expansion", accounts[one], families.get(one)) for one in growing]
    for question, account, family in asked:
        days = days_between(publication.as_of, account["renewal_date"])
        play = playbook.play_for(question, family, account["tier"], days)
        yield _row(publication, account, "play", play.id) | {
            "title": play.name,
            "owner": play.owner,
            "steps": play.text,
            "run_by": {play.run_by},
        }


def _triggers(store: Store, publication: Publication, accounts: Mapping[str, Row]) -> Iterator[Row]:
    for fired in told_now(fired_of(store, publication.number), publication.as_of):
        tell = fired["tell"].split(",")
        account = accounts.get(fired["account_id"], {"account_id": fired["account_id"]})
        runners = {name for name, of in (("mail", {"mail"}), ("person", PEOPLE)) if of & {*tell}}
        yield _row(publication, account, "trigger", fired["trigger_id"]) | {
            "title": fired["name"],
            "owner": ", ".join(tell),
            "steps": "",
            "run_by": runners,
        }


def _row(publication: Publication, account: Mapping[str, Any], kind: str, name: str) -> Row:
    renewal = account.get("renewal_date")
    return {
        **{column: account.get(column) for column in ("account_id", "name", "tier", "csm")},
        "as_of": publication.as_of.date().isoformat(),
        "kind": kind,
        "id": name,
        "renewal_date": renewal and renewal.date().isoformat(),
    }


def _families(
    store: Store, home: Home, publication: Publication, model: str, account_ids: Sequence[str]
) -> dict[str, str | None]:
    """Give the families of the leading reasons of a model at the list's horizon."""
    version = next((each for each in publication.models if each.model == model), None)
    if version is None or not account_ids:
        return {}
    bundle = load(bundle_folder(home, model, version.model_version))
    entries = {entry["column"]: entry for entry in bundle.catalogue}
    return {
        row["account_id"]: leading_family(row["reasons"], entries)
        for row in lookup.scores_of(store, publication, account_ids)
        if (row["model"], row["horizon_days"]) == (model, publication.list_horizon_days)
    }
