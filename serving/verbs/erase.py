"""The verb that erases accounts."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from serving.verbs.console import Session, as_json, step

BYTE_ORDER_MARK = "\ufeff"  # editors put it first
ERASE_EXAMPLES = """\b
Examples:
  tenure erase a-17
  tenure erase --ids-from ids.txt    # one id on each line
  tenure erase --ids-from - < ids.txt
  tenure erase --lift a-17           # it may come back with the next extract
"""


@click.command(epilog=ERASE_EXAMPLES)
@click.argument("accounts", metavar="[ACCOUNT]...", nargs=-1)
@click.option(
    "--ids-from",
    "file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
    help="Ids from a file, one on each line, or - for standard input: so none is in a shell's "
    "history or a list of processes.",
)
@click.option("--lift", is_flag=True, help="Take the tombstones away again; erases nothing.")
@as_json
def erase(session: Session, accounts: tuple[str, ...], file: Path | None, lift: bool) -> None:  # noqa: FBT001 - click hands each option over as an argument
    """Erase accounts from all that Tenure keeps, for good; your source is not touched.

    Their rows leave checked tables, rows set aside, feature tables, scores, feedback and what is
    served; their keys of the audit log are destroyed. A keyed hash stays of each, so that no later
    extract brings it back. Records that were merged into an account go with it. It says what
    remains in models and backups. Killed, or ended with 1, it is finished by running it again.
    """
    from serving.erasure.erase import erase as take_out
    from serving.erasure.erase import let_back
    from serving.verbs.tokens import now

    asked = (*accounts, *_lines(file))
    if not asked:
        raise click.UsageError("Name an account, or give --ids-from.")
    if lift:
        lifted = let_back(asked, session.store, session.home, now())
        session.answer(f"{lifted} tombstones were taken away", {"lifted": lifted})
        return
    with step("Erasing") as say:
        erased = take_out(asked, session.store, session.home, now(), say)
    session.answer(erased.text(), erased.to_json())


def _lines(file: Path | None) -> Iterator[str]:
    if file is None:
        return
    text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    lines = text.removeprefix(BYTE_ORDER_MARK).split("\n")  # an id may hold other ends of lines
    yield from (line for each in lines if (line := each.removesuffix("\r")))
