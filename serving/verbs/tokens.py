"""The verbs about access tokens, by which programs come in."""

import os
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from serving.verbs.console import Session, as_json

if TYPE_CHECKING:
    from serving.access.tokens import ListedToken

OVERLAP_MINUTES = 15
TOKENS_EXAMPLES = """\b
Examples:
  tenure tokens add crm --scope score --scope feedback
  tenure tokens add "Ann's sheet" --scope read --book "Ann Lee" --days 90
  tenure tokens rotate crm               # the secret before it lives on for 15 minutes
  tenure tokens rotate crm --overlap 0   # ... or ends at once, as after a leak
  tenure tokens revoke crm
"""


def now() -> datetime:
    """Give the time, naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


def started_by() -> str:
    """Give how this command was called."""
    called = Path(sys.argv[0])
    return os.path.relpath(called) if called.is_file() else called.name


@click.group(epilog=TOKENS_EXAMPLES)
def tokens() -> None:
    """Make, list, rotate and revoke access tokens of the service.

    The store keeps hashes only: a token is shown once, when it is made or rotated.
    """


@tokens.command("add")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, help="May be repeated.")
@click.option("--book", metavar="CSM", help="Sees this CSM's accounts and no others.")
@click.option("--days", type=click.IntRange(1), help="Expires after so many days.")
@as_json
def add(
    session: Session, name: str, scopes: tuple[str, ...], book: str | None, days: int | None
) -> None:
    """Make a token and print it once, alone on the last line.

    Scopes: score, read, feedback, predict, admin. A book is the name of a CSM as the accounts have
    it; without one a token sees all accounts.
    """
    from serving.access.tokens import add_token

    warn_of_empty(session, book)
    expires_at = now() + timedelta(days=days) if days else None
    token = add_token(session.store, name, scopes, now(), expires_at, book)
    session.answer(token, {"name": name, "scopes": scopes, "book": book, "token": token})


@tokens.command("rotate")
@click.argument("name")
@click.option(
    "--overlap",
    default=OVERLAP_MINUTES,
    show_default=True,
    type=click.IntRange(0),
    help="Minutes that the secret before it lives on; 0: it ends now.",
)
@as_json
def rotate(session: Session, name: str, overlap: int) -> None:
    """Give the token of that name or id a new secret and print it once, alone on the last line.

    Its id, scopes, book and expiry stay.
    """
    from serving.access.tokens import rotate_token

    token = rotate_token(session.store, name, now(), timedelta(minutes=overlap))
    session.answer(token, {"name": name, "overlap_minutes": overlap, "token": token})


@tokens.command("list")
@as_json
def show(session: Session) -> None:
    """List the tokens, without their secrets."""
    from serving.access.tokens import list_tokens

    time = now()
    found = list_tokens(session.store)
    text = "\n".join(_line(token, time) for token in found)
    document = [asdict(token) | {"state": token.state(time)} for token in found]
    session.answer(text or "There is no token yet: tenure tokens add NAME", document)


@tokens.command("revoke")
@click.argument("name")
@as_json
def revoke(session: Session, name: str) -> None:
    """Revoke the token of that name or id; within a second it opens nothing any more."""
    from serving.access.tokens import revoke_token

    token_id = revoke_token(session.store, name, now())
    session.answer(f"{token_id} is revoked", {"token_id": token_id})


def _line(token: "ListedToken", time: datetime) -> str:
    state = token.state(time)
    said = [
        token.token_id,
        token.name,
        " ".join(token.scopes),
        f"book of {token.book}" if token.book else "",
        f"rotated {token.rotated_at:%Y-%m-%d}" if token.rotated_at else "",
        f"until {token.expires_at:%Y-%m-%d}" if token.expires_at and state == "live" else "",
        "" if state == "live" else state,
    ]
    return "  ".join(part for part in said if part)


def warn_of_empty(session: Session, book: str | None) -> None:
    """Say when no account of the scores in service is in a book: its name may be mistyped."""
    from serving.publishing.publication import latest
    from serving.store.lookup import choices

    publication = latest(session.store) if book else None
    if publication and book not in choices(session.store, publication, "csm", None):
        text = f"no account of the latest work list has the csm {book!r}: the book is empty."
        click.echo(f"tenure: {text}", err=True)
