"""The verbs about people who log in to the pages."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from features.errors import AccessError
from serving.verbs.console import Session, as_json
from serving.verbs.tokens import now, started_by, warn_of_empty

if TYPE_CHECKING:
    from serving.access.users import User

QUICKSTART = "admin@localhost"
USERS_EXAMPLES = """\b
Examples:
  tenure users add ann@example.com --name "Ann Lee" --role csm --book "Ann Lee" --team EMEA
  tenure users add bob@example.com --name Bob --role lead --team EMEA   # sees EMEA's books
  tenure users add eve@example.com --name Eve --role admin --no-password   # OpenID Connect only
  tenure users password ann@example.com                 # made at random, and shown once
  tenure users password ann@example.com --prompt        # ... or typed twice
  tenure users role ann@example.com --role lead --team EMEA
  tenure users disable ann@example.com                  # within a second she is logged out
"""


def how_to_open(session: Session) -> str:
    """Make an administrator, or give the one of before a new password, and say how to log in."""
    from serving.access.passwords import new_password
    from serving.access.users import Place, add_user, set_password, user_of

    password = new_password()
    if user_of(session.store, QUICKSTART) is None:
        add_user(session.store, QUICKSTART, "Admin", Place("admin"), now(), password)
    else:
        set_password(session.store, QUICKSTART, password, now())
    where = f"http://{session.settings.host}:{session.settings.port}/"
    return (
        f"To open the page: {started_by()} serve, then {where}\n"
        f"Log in as {QUICKSTART} with the password {password}"
    )


def _place_options(command: click.decorators.FC) -> click.decorators.FC:
    roles = click.Choice(["csm", "lead", "admin"])
    for option in (
        click.option("--team", metavar="TEAM", help="Whose books a lead sees; a CSM's own."),
        click.option("--book", metavar="CSM", help="The CSM whose accounts are the user's own."),
        click.option("--role", type=roles, required=True, help="What the user sees."),
    ):
        command = option(command)
    return command


file_option = click.option(
    "--password-file",
    metavar="FILE",
    help="Its first line is the password; - reads it from standard input.",
)


@click.group(epilog=USERS_EXAMPLES)
def users() -> None:
    """Make, list, change and disable people who log in to the pages.

    A csm sees the accounts of the own book, a lead those of the team's books, an admin all. The
    store keeps hashes only: a password that is made at random is shown once. No option takes one.
    """


@users.command("add")
@click.argument("login")
@click.option("--name", required=True, help="What the pages call the user.")
@_place_options
@click.option("--no-password", is_flag=True, help="Comes by OpenID Connect only.")
@file_option
@as_json
def add(
    session: Session,
    login: str,
    name: str,
    role: str,
    book: str | None,
    team: str | None,
    no_password: bool,  # noqa: FBT001 - click hands each option over as an argument
    password_file: str | None,
) -> None:
    """Make a user; a password that is made at random stands alone on the last line.

    LOGIN is an e-mail address. A csm needs --book, the name of a CSM as the accounts have it; a
    lead needs --team.
    """
    from serving.access.users import Place, add_user

    if no_password and password_file:
        raise click.UsageError("--no-password and --password-file exclude each other: give one.")
    warn_of_empty(session, book)
    password, shown = (None, None) if no_password else _password(password_file, prompt=False)
    user_id = add_user(session.store, login, name, Place(role, book, team), now(), password)
    _tell(session, user_id, shown, "is made")


@users.command("list")
@as_json
def show(session: Session) -> None:
    """List the users, disabled ones too."""
    from serving.access.users import list_users

    found = list_users(session.store)
    text = "\n".join(map(_line, found))
    document = [asdict(user) | {"state": user.state} for user in found]
    session.answer(text or "There is no user yet: tenure users add LOGIN", document)


@users.command("disable")
@click.argument("login")
@as_json
def disable(session: Session, login: str) -> None:
    """Let a user in no more; within a second, no session of theirs opens anything."""
    from serving.access.users import disable_user

    _tell(session, disable_user(session.store, login, now()), None, "is disabled")


@users.command("enable")
@click.argument("login")
@as_json
def enable(session: Session, login: str) -> None:
    """Let a user in again; sessions of before stay closed."""
    from serving.access.users import enable_user

    _tell(session, enable_user(session.store, login, now()), None, "is enabled")


@users.command("password")
@click.argument("login")
@click.option("--prompt", is_flag=True, help="Type it, twice and unseen.")
@file_option
@as_json
def password(
    session: Session,
    login: str,
    prompt: bool,  # noqa: FBT001 - click hands each option over as an argument
    password_file: str | None,
) -> None:
    """Give a user another password, and end their sessions.

    It is made at random and shown once, alone on the last line, unless it is typed or in a file.
    """
    from serving.access.users import set_password

    if prompt and password_file:
        raise click.UsageError("--prompt and --password-file exclude each other: give one.")
    chosen, shown = _password(password_file, prompt=prompt)
    user_id = set_password(session.store, login, chosen, now())
    _tell(session, user_id, shown, "has another password")


@users.command("role")
@click.argument("login")
@_place_options
@as_json
def role(session: Session, login: str, role: str, book: str | None, team: str | None) -> None:
    """Give a user another role, book and team, all three anew, and end their sessions."""
    from serving.access.users import Place, set_role

    warn_of_empty(session, book)
    user_id = set_role(session.store, login, Place(role, book, team), now())
    _tell(session, user_id, None, f"is {role}")


def _password(file: str | None, *, prompt: bool) -> tuple[str, str | None]:
    """Give a password, and again if it has to be shown because nobody else knows it."""
    from serving.access.passwords import new_password

    if prompt:
        return click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True), None
    if file is None:
        made = new_password()
        return made, made
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise AccessError(
            "Expected a password in UTF-8, got other bytes. Write the file anew."
        ) from error
    return text.partition("\n")[0].rstrip("\r"), None


def _tell(session: Session, user_id: str, shown: str | None, done: str) -> None:
    text = f"{user_id} {done}" + (f"; the password, shown this once:\n{shown}" if shown else "")
    session.answer(text, {"user_id": user_id} | ({"password": shown} if shown else {}))


def _line(user: "User") -> str:
    said = [
        user.user_id,
        user.login,
        user.name,
        user.role,
        f"book of {user.book}" if user.book else "",
        f"team {user.team}" if user.team else "",
        "" if user.has_password else "no password",
        "" if user.state == "enabled" else user.state,
    ]
    return "  ".join(part for part in said if part)
