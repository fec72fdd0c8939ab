"""The scores and models in service: one frozen set, swapped as a whole when a new one appears."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock

from features.errors import ModelError
from features.home import Home
from models.bundle import Bundle, load
from serving.publication import Publication, latest, latest_number
from serving.publish import bundle_folder
from serving.store import Store


@dataclass(frozen=True)
class InService:
    """A publication and the models that its scores come from, by name."""

    publication: Publication
    bundles: Mapping[str, Bundle]


@dataclass(frozen=True)
class Loaded:
    """What `Watch` found last: the set in service, and why a newer one is not."""

    in_service: InService | None = None
    seen_number: int | None = None
    problem: str | None = None


@dataclass
class Watch:
    """Looks for a new publication at each request; all threads see one set or the next.

    Attributes
    ----------
    store, home:
        Where publications are, and where their models lie.
    """

    store: Store
    home: Home
    _loaded: Loaded = field(default_factory=Loaded)
    _lock: Lock = field(default_factory=Lock)

    def look(self) -> Loaded:
        """Give the newest complete set; a new one that cannot be loaded leaves the old one."""
        number = latest_number(self.store)
        if number != self._loaded.seen_number:
            with self._lock:
                if number != self._loaded.seen_number:
                    self._loaded = self._load()
        return self._loaded

    def _load(self) -> Loaded:
        publication = latest(self.store)
        if publication is None:
            return Loaded()
        try:
            bundles = {
                model.model: load(bundle_folder(self.home, model.model, model.model_version))
                for model in publication.models
            }
        except ModelError:
            problem = f"The models of publication {publication.number} cannot be loaded."
            return Loaded(self._loaded.in_service, publication.number, problem)
        return Loaded(InService(publication, bundles), publication.number)
