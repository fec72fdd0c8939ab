"""The verb that brings scores to a CRM."""

import csv
from pathlib import Path

import click

from features.errors import ServiceError
from serving.verbs.console import Session, as_json, step

LONGEST_ID = 400
EXAMPLES = """\b
Examples:
  tenure crm accounts.csv --for salesforce --token-file token --out tonight
  tenure crm companies.csv --column "Tenure account" --for hubspot --token-file token --out tonight
"""


@click.command(epilog=EXAMPLES)
@click.argument("accounts", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--for", "crm", required=True, type=click.Choice(["salesforce", "hubspot"]))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new folder.")
@click.option(
    "--token-file",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Holds a token with the scope score.",
)
@click.option("--url", help="Of the service; default: this machine's.")
@click.option("--column", help="The column of ACCOUNTS with the ids; default: the first.")
@click.option("--horizon", default=90, show_default=True, type=click.IntRange(1), help="Days.")
@as_json
def crm(
    session: Session,
    accounts: Path,
    crm: str,
    out: Path,
    token_file: Path,
    url: str | None,
    column: str | None,
    horizon: int,
) -> None:
    """Pull the scores of the CRM's ACCOUNTS, a CSV export, and write the files its importer takes.

    An account that the service does not know gets the status `unknown` and loses its old scores.
    docs/crm.md tells which fields to make, and how to push the files.
    """
    from serving.crm.columns import row_of, row_of_unknown
    from serving.crm.files import write_files
    from serving.crm.pull import pull

    settings = session.settings
    ids, left_out = read_ids(accounts, column)
    token = read_token(token_file)
    with step(f"Pulling the scores of {len(ids):,} accounts"):
        pulled = pull(url or f"http://{settings.host}:{settings.port}", token, ids, horizon)
    rows = [row_of(account, horizon) for account in pulled.accounts]
    rows += [row_of_unknown(account_id) for account_id in pulled.unknown]
    files = write_files(crm, rows, out)
    told = {
        "as_of": pulled.as_of.isoformat(),
        "stale": pulled.stale,
        "accounts": len(rows),
        "unknown": list(pulled.unknown),
        "left_out": left_out,
        "files": [str(file) for file in files],
    }
    notes = [f"{len(pulled.unknown):,} unknown to the service"] if pulled.unknown else []
    notes += [f"{len(left_out):,} left out: {', '.join(left_out[:5])}"] if left_out else []
    notes += ["the scores are stale"] if pulled.stale else []
    text = f"{out} holds {len(rows):,} accounts as of {pulled.as_of:%Y-%m-%d}"
    session.answer("; ".join([text, *notes]), told)


def read_token(file: Path) -> str:
    """Read the token that is alone in a file.

    Raises
    ------
    ServiceError
        If anything else is in it; what it is, is not said.
    """
    from serving.access.tokens import split_token

    token = file.read_bytes().decode("ascii", "replace").strip()
    if split_token(token) is None:
        raise ServiceError(
            f"Expected one token of `tenure tokens add` in {file}, and nothing else."
        )
    return token


def read_ids(file: Path, column: str | None) -> tuple[list[str], list[str]]:
    """Read the ids of a CSV file, each once, and those that cannot stand in an import's file.

    Raises
    ------
    ServiceError
        If the column or any id is missing.
    """
    from serving.crm.columns import is_formula

    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            rows = csv.DictReader(opened)
            names = list(rows.fieldnames or ())
            wanted = column or next(iter(names), "")
            if wanted not in names:
                got = ", ".join(names) or "none"
                raise ServiceError(f"Expected a column {wanted!r} in {file}, got {got}.")
            found = list(dict.fromkeys(row[wanted] for row in rows if row[wanted]))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ServiceError(f"Expected {file} to be CSV in UTF-8, got: {error}.") from error
    left_out = [one for one in found if is_formula(one) or len(one) > LONGEST_ID or "\0" in one]
    ids = [one for one in found if one not in set(left_out)]
    if not ids:
        raise ServiceError(f"Expected ids of accounts in column {wanted!r} of {file}, got none.")
    return ids, left_out
