"""What the service is made of: opened once, handed to every handler."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus

from serving.access import Principal
from serving.account_keys import Pseudonyms
from serving.heads import keep_head
from serving.limits import Limiter
from serving.loaded import InService, Watch
from serving.metrics import Metrics
from serving.recognised import Recognised
from serving.refusal import RefusedError
from serving.session import Signer, new_signer
from serving.settings import Settings
from serving.store import Store, open_store
from serving.trail import Trail
from serving.trail_rows import Read

LOGINS_PER_SECOND = 2.0  # of one address
LOGINS_AT_ONCE = 30


def utc_now() -> datetime:
    """Give the time as naive UTC, as everything here is stored."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Parts:
    """The open service.

    Attributes
    ----------
    recognised, requests, logins:
        Tokens asked about lately; how many requests a token, and logins an address, may send.
    trail, pseudonyms:
        The audit log of reads, and what accounts are called in it.
    now:
        The clock, naive UTC.
    """

    settings: Settings
    store: Store
    watch: Watch
    signer: Signer
    metrics: Metrics
    recognised: Recognised
    requests: Limiter
    logins: Limiter
    trail: Trail
    pseudonyms: Pseudonyms
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

    def note_read(self, caller: "Caller", call: str, account_ids: Sequence[str]) -> None:
        """Write down, before they leave, that a call shows data of these accounts.

        Raises
        ------
        AuditError, StoreError
            If the row, or what the accounts are called in it, cannot be kept: nothing may leave.
        """
        if account_ids:
            self.trail.append(
                Read(
                    token_id=caller.principal.token_id,
                    call=call,
                    address=caller.address,
                    request_id=caller.request_id,
                    accounts=self.pseudonyms.of(account_ids),
                )
            )

    def close(self) -> None:
        """End the chain of the audit log, then close the store."""
        self.trail.close()
        self.store.close()


@dataclass(frozen=True)
class Caller:
    """Who sent the request being answered, the request's id, and the address it came from."""

    principal: Principal
    request_id: str
    address: str = ""


def open_parts(
    settings: Settings,
    now: Callable[[], datetime] = utc_now,
    clock: Callable[[], float] = time.monotonic,
) -> Parts:
    """Open the store and get ready to serve.

    Parameters
    ----------
    now, clock:
        The time, naive UTC, and seconds that never go back.

    Raises
    ------
    StoreError
        If the store cannot be opened.
    """
    store = open_store(settings.store)
    return Parts(
        settings=settings,
        store=store,
        watch=Watch(store, settings.home),
        signer=new_signer(settings.session_hours),
        metrics=Metrics(),
        recognised=Recognised(store, clock),
        requests=Limiter(settings.requests_per_second, settings.requests_at_once, clock),
        logins=Limiter(LOGINS_PER_SECOND, LOGINS_AT_ONCE, clock),
        trail=Trail(
            settings.home.audit_log,
            now,
            partial(keep_head, store),
            syncs_each=settings.audit == "sync",
        ),
        pseudonyms=Pseudonyms(store),
        now=now,
    )
