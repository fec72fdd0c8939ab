"""The verbs about access tokens."""

import os
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from serving.console import Session, as_json


def now() -> datetime:
    """Give the time, naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


def how_to_open(session: Session) -> str:
    """Make a token for a person, and say in one line how to open the page with it."""
    from serving.access import add_token

    name = f"quickstart {now():%Y-%m-%d %H.%M.%S}"
    token = add_token(session.store, name, ("read", "feedback"), now())
    where = f"http://{session.settings.host}:{session.settings.port}/"
    return f"To open the page: {_command()} serve, then {where} with the token {token}"


def _command() -> str:
    called = Path(sys.argv[0])
    return os.path.relpath(called) if called.is_file() else called.name


@click.group()
def tokens() -> None:
    """Make, list and revoke access tokens of the service."""


@tokens.command("add")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, help="May be repeated.")
@click.option("--days", type=click.IntRange(1), help="Expires after so many days.")
@as_json
def add(session: Session, name: str, scopes: tuple[str, ...], days: int | None) -> None:
    """Make a token and print it once, alone on the last line.

    Scopes: score, read, feedback, predict, admin.
    """
    from serving.access import add_token

    expires_at = now() + timedelta(days=days) if days else None
    token = add_token(session.store, name, scopes, now(), expires_at)
    session.answer(token, {"name": name, "scopes": scopes, "token": token})


@tokens.command("list")
@as_json
def show(session: Session) -> None:
    """List the tokens, without their secrets."""
    from serving.access import list_tokens

    found = [asdict(token) for token in list_tokens(session.store)]
    lines = [
        f"{token['token_id']}  {token['name']}  {' '.join(token['scopes'])}"
        f"{'  revoked' if token['revoked_at'] else ''}"
        for token in found
    ]
    session.answer("\n".join(lines) or "There is no token yet: tenure tokens add NAME", found)


@tokens.command("revoke")
@click.argument("name")
@as_json
def revoke(session: Session, name: str) -> None:
    """Revoke the token of that name or id, from the next request on."""
    from serving.access import revoke_token

    token_id = revoke_token(session.store, name, now())
    session.answer(f"{token_id} is revoked", {"token_id": token_id})
