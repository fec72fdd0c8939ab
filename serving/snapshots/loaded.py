"""The scores and models in service: one frozen set, swapped as a whole when a new one appears."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Lock, Thread

import structlog

from features.errors import ModelError, SnapshotError, TenureError
from features.home import Home
from features.tombstones import at_work
from models.bundle import MANIFEST_FILE, Bundle, load
from models.lock import alone
from models.made_from import sha256_of
from serving.publishing.bundles import bundle_folder
from serving.publishing.publication import Publication, PublishedModel, latest
from serving.snapshots.lay_out import About, about, lay_out
from serving.snapshots.served import before as kept_before
from serving.snapshots.served import current, kept, put_in_service_unless_older
from serving.snapshots.snapshot import Snapshot, number_of, open_snapshot
from serving.snapshots.trial import Candidate, demand_tried
from serving.snapshots.warm import warmed
from serving.store.database import Store

LOG = structlog.get_logger("tenure.loaded")
POLL_SECONDS = 0.25
LOOK = "look at what is in service"
UNSEEN = "", 0  # what no look sees: so each next one reads anew


@dataclass(frozen=True)
class InService:
    """One publication: its scores, and the models that they come from, by name.

    Attributes
    ----------
    manifests
        SHA-256 of each model's manifest: what tells one model from another.
    """

    publication: Publication
    bundles: Mapping[str, Bundle]
    snapshot: Snapshot
    manifests: Mapping[str, str]


@dataclass(frozen=True)
class Loaded:
    """What `Watch` found last: the set in service, and why a newer one is not.

    Attributes
    ----------
    in_service
        None: there is nothing to serve.
    seen
        Name of the snapshot that was last looked at, and when it was named; None before the first.
    problem
        A sentence on the set that was refused, without names or paths; None: none was.
    refused
        What of it was: ``snapshot 12``, ``models of publication 12``, ``name in service``, or
        `LOOK`, which failed in a way that nobody foresaw.
    """

    in_service: InService | None = None
    seen: tuple[str, int] | None = None
    problem: str | None = None
    refused: str | None = None


class RefusedSetError(TenureError):
    """A new set that cannot be served; `what` names the part."""

    def __init__(self, what: str, problem: str) -> None:
        super().__init__(problem)
        self.what = what


@dataclass
class Watch:
    """Looks for a new snapshot four times a second; all threads see one set or the next.

    A request only reads what was found last. A new set is read, tried and warmed up by a thread of
    its own, while the old one serves.

    Attributes
    ----------
    store, home
        Where publications are, and where snapshots and models lie.
    seconds
        Between two looks.
    """

    store: Store
    home: Home
    seconds: float = POLL_SECONDS
    _loaded: Loaded | None = None
    _lock: Lock = field(default_factory=Lock)
    _closing: Event = field(default_factory=Event)
    _thread: tuple[int, Thread] | None = None

    @property
    def found(self) -> Loaded | None:
        """What was found last; None before this process's first look, which takes its time."""
        is_begun = self._thread is not None and self._thread[0] == os.getpid()
        return self._loaded if is_begun else None

    def look(self) -> Loaded:
        """Give what was found last; the first look finds it, and has the others begin."""
        found = self.found
        return self._begin() if found is None else found

    def take_over(self) -> Loaded:
        """Look now: a new set that cannot be loaded leaves the old one."""
        with self._lock:
            found = self._loaded or Loaded()
            seen = _named(self.home)
            if self._loaded is None or seen != found.seen:
                self._loaded = found = self._load(found, seen)
            elif _is_written_anew(found):
                self._loaded = found = _followed(self.home, found)
            return found

    def close(self) -> None:
        """Look no more."""
        self._closing.set()
        if self._thread is not None and self._thread[0] == os.getpid():
            self._thread[1].join(timeout=2 * self.seconds)

    def _begin(self) -> Loaded:
        """Look for the first time in this process: in a fork another thread has to go on."""
        self._lay_out_older()
        found = self._look_again()
        with self._lock:
            if self._thread is None or self._thread[0] != os.getpid():
                thread = Thread(target=self._keep, name="tenure-watch", daemon=True)
                self._thread = os.getpid(), thread
                thread.start()
        return found

    def _keep(self) -> None:
        while not self._closing.wait(self.seconds):
            self._look_again()

    def _look_again(self) -> Loaded:
        """Look; where that fails in a way nobody foresaw, say so once, and look again later."""
        try:
            return self.take_over()
        except Exception as error:  # noqa: BLE001 - whatever it was, the next look may be better
            found = self._loaded or Loaded()
            if found.refused != LOOK:
                LOG.error("refused", what=LOOK, problem=_said(error))  # noqa: TRY400 - as below
            problem = "It cannot be seen which publication is in service."
            self._loaded = found = Loaded(found.in_service, UNSEEN, problem, LOOK)
            return found

    def _lay_out_older(self) -> None:
        """Make the snapshot of what an older release published, which made none.

        Where any is kept and none is named, the name was lost: the newest may not be the one that
        was in service, so none is put there.
        """
        with alone(self.home.served / ".older"), at_work(self.home):
            is_older = _named(self.home) is None and not kept(self.home)
            publication = latest(self.store) if is_older else None
            if publication is not None:
                try:
                    name = lay_out(self.store, self.home, publication)
                except ModelError as error:
                    LOG.error("no snapshot can be made", problem=str(error))  # noqa: TRY400 - the sentence says it
                    return
                put_in_service_unless_older(self.home, name, publication.as_of)

    def _load(self, before: Loaded, seen: tuple[str, int] | None) -> Loaded:
        if seen is None:
            return _nothing_named(self.home, before)
        began = time.monotonic()
        try:
            new = _read(self.home, seen[0], before.in_service)
        except RefusedSetError as error:
            LOG.error("refused", what=error.what, problem=_said(error.__cause__))  # noqa: TRY400 - as above
            in_service = before.in_service or _kept_from(self.home, seen[0])
            return Loaded(in_service, seen, str(error), error.what)
        took = round(time.monotonic() - began, 1)
        LOG.info("taken over", publication=new.publication.number, seconds=took)
        return Loaded(new, seen)


def _kept_from(home: Home, name: str) -> InService | None:
    """Give what other workers still serve where a first set is refused: the one before it."""
    for folder in kept_before(home, name):
        try:
            found = _read(home, folder.name, None)
        except RefusedSetError:
            continue
        LOG.warning("serving scores before those", publication=found.publication.number)
        return found
    return None


def _is_written_anew(found: Loaded) -> bool:
    """Tell whether the set in service is held on to beyond its files, as after an erasure."""
    held = found.in_service if found.problem else None
    return held is not None and not held.snapshot.folder.is_dir()


def _followed(home: Home, found: Loaded) -> Loaded:
    """Go on with the snapshot that was written in the place of the one in service."""
    held = found.in_service
    assert held is not None  # noqa: S101 - `_is_written_anew` said so
    for folder in kept(home):
        if number_of(folder.name) == held.publication.number:
            try:
                return replace(found, in_service=_read(home, folder.name, held))
            except RefusedSetError:
                continue
    return found


def _nothing_named(home: Home, before: Loaded) -> Loaded:
    """Go on with what is in service, if anything is: nobody can tell whether it still should be."""
    if before.in_service is None and not kept(home):
        return Loaded()
    problem = "It cannot be read which publication is in service."
    LOG.error("refused", what="name in service", problem=problem)
    return Loaded(before.in_service, None, problem, "name in service")


def _said(error: BaseException | None) -> str:
    """Give our own sentence; what a package says may hold names of categories."""
    return str(error) if isinstance(error, TenureError) else type(error).__name__


def _named(home: Home) -> tuple[str, int] | None:
    """Give the name of the snapshot in service, and when it was named."""
    try:
        named_at = (home.served / "current").stat().st_mtime_ns
        name = current(home)
    except (OSError, SnapshotError):
        return None
    return None if name is None else (name, named_at)


def _read(home: Home, name: str, before: InService | None) -> InService:
    """Read a set whole; models that are in service already are kept as they are."""
    number = name.partition("-")[0]
    try:
        snapshot = open_snapshot(home.served / name)
        told = about(snapshot)
    except SnapshotError as error:
        problem = f"The snapshot of publication {number} cannot be read."
        raise RefusedSetError(f"snapshot {number}", problem) from error
    same = {} if before is None else _same(before, told)
    models = [model for model in told.publication.models if model.model not in same]
    try:
        new = _models(home, models, told.bundles, snapshot.golden())
    except Exception as error:  # whatever a model does, the set in service stays
        problem = f"The models of publication {number} cannot be loaded."
        raise RefusedSetError(f"models of publication {number}", problem) from error
    bundles = {**same, **new}
    return InService(told.publication, bundles, snapshot, told.bundles)


def _same(before: InService, told: About) -> dict[str, Bundle]:
    """Give the models of a set that are in service already, and stay as they are."""
    manifests = before.manifests
    return {
        name: before.bundles[name]
        for name, manifest in told.bundles.items()
        if manifests.get(name) == manifest
    }


def _models(
    home: Home,
    models: Sequence[PublishedModel],
    manifests: Mapping[str, str],
    golden: Mapping[str, Path],
) -> dict[str, Bundle]:
    """Read models whose every byte is as it was published, try them, and get them ready."""
    candidates, bundles = [], {}
    for model in models:
        name, folder = model.model, bundle_folder(home, model.model, model.model_version)
        _demand_manifest(folder, manifests[name])
        bundles[name] = load(folder)  # a byte that changed is seen here, and costs no child
        candidates.append(Candidate(f"{name} {model.model_version}", folder, golden[name]))
    demand_tried(home, candidates)
    return {
        name: warmed(bundle, golden[name].read_text(encoding="utf-8"))
        for name, bundle in bundles.items()
    }


def _demand_manifest(folder: Path, manifest: str) -> None:
    try:
        found = sha256_of((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            f"Expected a model in {folder}, got {error}. Restore it, or score again."
        ) from error
    if found != manifest:
        raise ModelError(
            f"Expected {folder / MANIFEST_FILE} as it was published, got other bytes. "
            "Restore the folder, or score again."
        )
