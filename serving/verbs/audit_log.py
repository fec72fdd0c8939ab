"""The verbs about the audit log: whether it holds together, and who read an account."""

from typing import TYPE_CHECKING

import click

from serving.verbs.console import Session, as_json

if TYPE_CHECKING:
    from serving.audit_log.rows import Row

AUDIT_LOG_EXAMPLES = """\b
Examples:
  tenure audit-log verify
  tenure audit-log show --account a-17
"""


@click.group("audit-log", epilog=AUDIT_LOG_EXAMPLES)
def audit_log() -> None:
    """Check who read which accounts, by the service's audit log.

    It lies in TENURE_HOME/audit-log, one chain of rows for each serving process. Accounts stand in
    it under keys that the store keeps.
    """


@audit_log.command()
@as_json
def verify(session: Session) -> None:
    """Check that no row was changed, taken out or moved; ends with 1 where one was."""
    from serving.audit_log.check import check
    from serving.audit_log.heads import heads

    found = check(session.home.audit_log, heads(session.store))
    session.answer(found.text(), found.to_json())
    found.demand()


@audit_log.command()
@click.option("--account", required=True, metavar="ID", help="The account's id.")
@as_json
def show(session: Session, account: str) -> None:
    """Tell who read an account: when, with which token or login, by which call, from where."""
    from serving.access.tokens import list_tokens
    from serving.access.users import list_users
    from serving.audit_log.account_keys import key_of, pseudonym
    from serving.audit_log.check import reads_of

    key = key_of(session.store, account)
    rows = [] if key is None else reads_of(session.home.audit_log, pseudonym(account, key))
    names = {token.token_id: token.name for token in list_tokens(session.store)}
    names |= {user.user_id: user.name for user in list_users(session.store)}
    none = "Nobody has read it." if key else "There is no key of it: no such account, or erased."
    said = "\n".join(_line(row, names.get(row.token, "unknown")) for row in rows)
    session.answer(said or none, [_read(row, names.get(row.token)) for row in rows])


def _line(row: "Row", name: str) -> str:
    return f"{row.at}  {row.token} ({name})  {row.call}  from {row.address}  {row.request}"


def _read(row: "Row", name: str | None) -> dict[str, object]:
    return {
        "at": row.at,
        "token_id": row.token,
        "token_name": name,
        "call": row.call,
        "from": row.address,
        "request_id": row.request,
    }
