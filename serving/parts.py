"""What the service is made of: opened once, handed to every handler."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import NamedTuple

from features.tombstones import Erasures
from serving.access.kept_sessions import KeptSession, LastUses, kept_session
from serving.access.oidc import Provider, provider_of
from serving.access.recognised import Recognised
from serving.access.session import Signer, new_signer
from serving.access.tokens import KeptToken, Principal, kept_token
from serving.api.limits import Limiter, Load
from serving.api.refusal import RefusedError
from serving.audit_log.account_keys import Pseudonyms
from serving.audit_log.heads import keep_head
from serving.audit_log.rows import Read
from serving.audit_log.trail import Trail
from serving.metrics import AS_OF, BEATS, IS_UP, PUBLICATION, Metrics
from serving.playbooks.playbook import Playbook
from serving.playbooks.read import playbook_in_use
from serving.publishing.publication import Publication
from serving.settings import Settings
from serving.snapshots.loaded import InService, Watch
from serving.store.database import Store, open_store

LOGINS_PER_SECOND = 2.0  # of one address
LOGINS_AT_ONCE = 30
UNKNOWN_PER_SECOND = 20.0  # tokens and sessions that this worker has not met, of one address
UNKNOWN_AT_ONCE = 200
HASHED_AT_ONCE = 2  # passwords, each in 64 MiB of memory


def utc_now() -> datetime:
    """Give the time as naive UTC, as everything here is stored."""
    return datetime.now(UTC).replace(tzinfo=None)


def of_seconds(since_1970: float) -> datetime:
    """Give a time of the clock as naive UTC."""
    return datetime.fromtimestamp(since_1970, UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Parts:
    """The open service.

    Attributes
    ----------
    recognised, sessions, requests, logins, unknown:
        Tokens and sessions asked about lately; how many requests one of them, and logins or what
        is not known an address, may send.
    last_uses:
        When sessions were used.
    trail, pseudonyms:
        The audit log of reads, and what accounts are called in it.
    load, hashing:
        What this worker is busy with; and with passwords, of which few are looked at at once.
    provider:
        Who else vouches for people, if anybody.
    playbook:
        Which play answers what.
    erasures:
        Who was erased: what is held in memory, or was read before, may be older than an erasure.
    now:
        The clock, naive UTC.
    """

    settings: Settings
    store: Store
    watch: Watch
    signer: Signer
    metrics: Metrics
    recognised: Recognised[KeptToken]
    sessions: Recognised[KeptSession]
    last_uses: LastUses
    requests: Limiter
    logins: Limiter
    unknown: Limiter
    trail: Trail
    pseudonyms: Pseudonyms
    playbook: Playbook
    erasures: Erasures
    provider: Provider | None = None
    load: Load = field(default_factory=Load)
    hashing: Load = field(default_factory=partial(Load, places=HASHED_AT_ONCE))
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

    def scores_in_service(self) -> InService:
        """Give the set in service, for its scores: raises RefusedError where they are too old."""
        found = self.in_service()
        self.demand_fresh(found.publication)
        return found

    def demand_fresh(self, publication: Publication) -> None:
        """Raise RefusedError where a publication's scores are too old to be shown."""
        most = self.settings.refuse_after_days
        if most and self.age_hours(publication.as_of) > most * 24:
            raise RefusedError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "too_old",
                f"The scores are older than {most} days. Run `tenure score`, then ask again.",
            )

    def age_hours(self, as_of: datetime) -> float:
        """Give the hours since `as_of`; none have passed where the clock stands before it."""
        return max(0.0, round((self.now() - as_of).total_seconds() / 3600, 2))

    def is_stale(self, age_hours: float) -> bool:
        """Tell whether scores of this age are marked."""
        return age_hours > self.settings.stale_after_days * 24

    def oldest_age_hours(self) -> float | None:
        """Give the hours since the date in service, in the worker that is furthest behind."""
        oldest = self.metrics.oldest_as_of()
        return None if oldest is None else self.age_hours(of_seconds(oldest))

    def beat(self) -> None:
        """Let the other workers, and the parent, see that this one is up, and what it serves."""
        self.metrics.put(IS_UP, 1)
        self.metrics.add(BEATS)
        found = self.watch.found
        if found is not None and found.in_service is not None:
            publication = found.in_service.publication
            self.metrics.put(PUBLICATION, publication.number)
            self.metrics.put(AS_OF, publication.as_of.replace(tzinfo=UTC).timestamp())

    def note_read(self, caller: "Caller", call: str, account_ids: Sequence[str]) -> None:
        """Write down, before they leave, that a call shows data of these accounts.

        Raises
        ------
        AuditError, StoreError
            If the row, or what the accounts are called in it, cannot be kept: nothing may leave.
        """
        if account_ids:
            self.note_read_of(caller, call, self.pseudonyms.of(account_ids))

    def note_read_of(self, caller: "Caller", call: str, pseudonyms: Sequence[str]) -> None:
        """Write the same down of accounts whose names in the audit log are known.

        Raises
        ------
        AuditError
            If the row cannot be kept: nothing may leave.
        """
        if pseudonyms:
            self.trail.append(
                Read(
                    who=caller.principal.who,
                    call=call,
                    address=caller.address,
                    request_id=caller.request_id,
                    accounts=pseudonyms,
                )
            )

    def close(self) -> None:
        """Look for publications no more, end the chain of the audit log, and close the store."""
        self.watch.close()
        self.trail.close()
        self.store.close()


class Caller(NamedTuple):
    """Who sent the request being answered, the request's id, and the address it came from."""

    principal: Principal
    request_id: str
    address: str = ""


def open_parts(
    settings: Settings,
    now: Callable[[], datetime] = utc_now,
    clock: Callable[[], float] = time.monotonic,
    signer: Signer | None = None,
    metrics: Metrics | None = None,
    playbook: Playbook | None = None,
) -> Parts:
    """Open the store and get ready to serve.

    Parameters
    ----------
    now, clock:
        The time, naive UTC, and seconds that never go back.
    signer, metrics:
        What this worker shares with others; its own where there are none.
    playbook:
        Read from its file by default.

    Raises
    ------
    PlaybookError
        If the file of plays is missing or wrong.
    StoreError
        If the store cannot be opened.
    """
    playbook = playbook or playbook_in_use(settings)
    erasures = Erasures(settings.home)
    store = open_store(settings.store)
    return Parts(
        settings=settings,
        store=store,
        watch=Watch(store, settings.home),
        signer=signer or new_signer(settings.session_hours, settings.session_idle_minutes),
        metrics=metrics or Metrics(),
        recognised=Recognised(store, kept_token, clock),
        sessions=Recognised(store, kept_session, clock),
        last_uses=LastUses(store),
        requests=Limiter(settings.requests_per_second, settings.requests_at_once, clock),
        logins=Limiter(LOGINS_PER_SECOND, LOGINS_AT_ONCE, clock),
        unknown=Limiter(UNKNOWN_PER_SECOND, UNKNOWN_AT_ONCE, clock),
        trail=Trail(
            settings.home.audit_log,
            now,
            partial(keep_head, store),
            syncs_each=settings.audit == "sync",
        ),
        pseudonyms=Pseudonyms(store, is_erased=erasures.has),
        provider=provider_of(settings, clock),
        playbook=playbook,
        erasures=erasures,
        now=now,
    )
