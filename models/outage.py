"""A registry that cannot be spoken to, told in one sentence and its cure."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from features.errors import ModelError

_BUSY_SECONDS = 60  # another process may be writing


def damaged(database: Path, error: Exception) -> ModelError:
    """Say that the home's own database cannot be used."""
    return ModelError(
        f"Expected MLflow's database at {database}, got: {_reason(error)}. "
        "Put a copy of the file back, or move it and mlartifacts away and train again."
    )


def unreachable(address: str, error: Exception) -> ModelError:
    """Say that a server or database does not answer, without the password in its address."""
    secret = urlsplit(address).netloc.rpartition("@")[0]
    told = f"Expected MLflow to answer at {address}, got: {_reason(error)}. "
    told = told.replace(f"{secret}@", "") if secret else told
    return ModelError(f"{told}Check MLFLOW_TRACKING_URI, and that what it names is up.")


def gone(place: str, *, at_home: bool) -> ModelError:
    """Say that a model's files are not where the registry says."""
    cure = (
        "A home is bound to its path: move it back to where it was, or move its mlflow.db away and "
        "train again."
        if at_home
        else "Check that what keeps the artifacts is up, and that you may read there."
    )
    return ModelError(f"Expected the models' files at {place}, got none to read. {cure}")


def demand_folder(location: str) -> None:
    """Refuse an artifact folder of this machine that is not there; other stores pass.

    Raises
    ------
    ModelError
        When the home was moved: MLflow would make the old folder anew, and write into it.
    """
    address = urlsplit(location)
    if address.scheme == "file" and not Path(url2pathname(address.path)).is_dir():
        raise gone(location, at_home=True)


def _reason(error: Exception) -> str:
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return first.partition(" with exception ")[0].rstrip(".")


def demand_address(database: str, home: Path) -> None:
    """Refuse a database's path that MLflow would misread.

    Raises
    ------
    ModelError
        When it holds what an address gives a meaning to.
    """
    if "?" in database or "%" in database:
        raise ModelError(
            f"Expected a home without ? and % in its path, got {home}: MLflow would "
            "read them as part of an address. Set TENURE_HOME to another folder."
        )


def demand_database(database: Path, artifacts: Path) -> None:
    """Refuse a home's database that cannot be read, or is gone while models' files are there.

    MLflow would make another, which knows of no model, and try for minutes to open a broken one.

    Raises
    ------
    ModelError
        When it was removed, emptied or replaced.
    """
    if not database.exists() or database.stat().st_size == 0:
        if artifacts.is_dir() and any(artifacts.iterdir()):
            raise damaged(database, FileNotFoundError(f"none, and files of models in {artifacts}"))
        return
    try:
        with closing(sqlite3.connect(database, timeout=_BUSY_SECONDS)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error as error:
        raise damaged(database, error) from error
