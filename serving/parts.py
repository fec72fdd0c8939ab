"""What the service is made of: opened once, handed to every handler."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from serving.access import Principal
from serving.loaded import InService, Watch
from serving.metrics import Metrics
from serving.refusal import RefusedError
from serving.session import Signer, new_signer
from serving.settings import Settings
from serving.store import Store, open_store


def utc_now() -> datetime:
    """Give the time as naive UTC, as everything here is stored."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Parts:
    """The open service.

    Attributes
    ----------
    now:
        The clock, naive UTC.
    """

    settings: Settings
    store: Store
    watch: Watch
    signer: Signer
    metrics: Metrics
    now: Callable[[], datetime] = utc_now

    def in_service(self) -> InService:
        """Give the scores and models in service; raises RefusedError before the first."""
        found = self.watch.look().in_service
        if found is None:
            raise RefusedError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "not_ready",
                "There are no scores yet. Run `tenure score`, then ask again.",
            )
        return found

    def age_hours(self, as_of: datetime) -> float:
        """Give the hours since `as_of`."""
        return round((self.now() - as_of).total_seconds() / 3600, 2)


@dataclass(frozen=True)
class Caller:
    """Who sent the request being answered, and the request's id."""

    principal: Principal
    request_id: str


def open_parts(settings: Settings, now: Callable[[], datetime] = utc_now) -> Parts:
    """Open the store and get ready to serve; raises StoreError when that fails."""
    store = open_store(settings.store)
    return Parts(
        settings=settings,
        store=store,
        watch=Watch(store, settings.home),
        signer=new_signer(settings.session_hours),
        metrics=Metrics(),
        now=now,
    )
