"""Back to an earlier publication: what was served before is served again, by one command."""

from features.errors import SnapshotError
from features.home import Home
from serving.publishing.publication import Publication, numbered, publications
from serving.snapshots.lay_out import lay_out
from serving.snapshots.served import current, kept, put_in_service
from serving.snapshots.snapshot import number_of, open_snapshot
from serving.store.database import Store


def number_in_service(home: Home) -> int | None:
    """Give the number of the publication in service, None before the first."""
    name = current(home)
    return None if name is None else number_of(name)


def serve_publication(store: Store, home: Home, number: int) -> Publication:
    """Put a publication in service; its snapshot is made again where none is kept.

    It stays there until another is put in its place, as `tenure score` does.

    Raises
    ------
    SnapshotError
        If there is no publication of that number.
    ModelError
        If one of its models is not kept any more.
    """
    publication = numbered(store, number)
    if publication is None:
        raise SnapshotError(
            f"Expected the number of a publication, got {number}. `tenure publications` lists them."
        )
    put_in_service(home, _whole(home, number) or lay_out(store, home, publication))
    return publication


def serve_model(store: Store, home: Home, model: str, version: str) -> Publication | None:
    """Put the newest publication in service that a version of a model scored.

    Returns
    -------
    The publication; None where that version has scored none, and what is served stays.

    Raises
    ------
    ModelError
        If one of its models is not kept any more.
    """
    scored = [
        publication
        for publication in publications(store)
        if (model, version) in {(each.model, each.model_version) for each in publication.models}
    ]
    if not scored:
        return None
    newest = max(scored, key=lambda publication: (publication.as_of, publication.number))
    return serve_publication(store, home, newest.number)


def _whole(home: Home, number: int) -> str | None:
    """Name the snapshot of a publication that is kept and can be read."""
    for folder in kept(home):
        if number_of(folder.name) == number:
            try:
                return open_snapshot(folder).folder.name
            except SnapshotError:
                continue
    return None
