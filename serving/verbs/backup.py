"""The verbs that make and restore backups."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from serving.verbs.console import Session, as_json, step

if TYPE_CHECKING:
    from serving.backup.file import Manifest


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@as_json
def backup(session: Session, file: Path) -> None:
    """Write a backup to a new FILE; the service and other verbs go on meanwhile.

    In it is what could not be computed again: the store (scores, feedback, tokens as their hashes,
    the audit trail and the keys of its accounts), the model registry and its files, the models in
    service, the audit log, which features of your own passed their check, and reports. It holds
    customers' data, and only its owner may read it.

    Not in it: your source and what is made from it (checked tables, rows set aside, features, the
    sample company), journals of tuning, tenure.toml, and models of an MLflow server that
    MLFLOW_TRACKING_URI names.
    """
    from serving.backup.write import back_up
    from serving.verbs.tokens import now

    with step(f"Writing {file}"):
        manifest = back_up(session.store, session.home, file, now())
    session.answer(
        f"{file} holds {_told(manifest)}. Try it: tenure restore --check {file}",
        _document(file, manifest),
    )


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--check", is_flag=True, help="Only hold FILE against its digests; restore nothing.")
@click.option(
    "--tombstones",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="erasure/tombstones.json of the home that FILE was made of, as it was last: accounts that "
    "were erased since are taken out again.",
)
@as_json
def restore(session: Session, file: Path, check: bool, tombstones: Path | None) -> None:  # noqa: FBT001 - click hands each option over as an argument
    """Restore a backup to TENURE_HOME, an empty folder, and to an empty store.

    Every byte is held against the SHA-256 in FILE first, and every table's rows are counted after.
    The store goes to the database of store_url, SQLite or PostgreSQL, whichever it came from. A
    backup of an older release is brought to this one; one of a newer release is refused. If it
    fails, nothing is left behind. Accounts that were erased before the backup was made are not in
    it; of those erased later only --tombstones knows.
    """
    from serving.backup.restore import check_backup
    from serving.backup.restore import restore as put_back

    home = session.settings.home
    with step(f"Checking {file}" if check else f"Restoring {file}"):
        if check:
            manifest = check_backup(file)
        else:
            manifest = put_back(file, home, session.settings.store, tombstones)
    done = "is whole" if check else f"is restored to {home.root}"
    session.answer(f"{file} {done}: {_told(manifest)}", _document(file, manifest))


def _told(manifest: "Manifest") -> str:
    rows, files = sum(manifest.rows.values()), len(manifest.members) - len(manifest.rows)
    return (
        f"{rows:,} rows of the store and {files:,} files, of {manifest.made_at:%Y-%m-%d %H:%M} UTC"
    )


def _document(file: Path, manifest: "Manifest") -> dict[str, object]:
    return {
        "file": str(file),
        "made_at": manifest.made_at.isoformat(),
        "release": manifest.release,
        "store_version": manifest.store_version,
        "rows": manifest.rows,
        "files": len(manifest.members) - len(manifest.rows),
        "bytes": sum(member.size for member in manifest.members.values()),
    }
