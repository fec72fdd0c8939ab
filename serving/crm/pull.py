"""Asks a running service for the scores of many accounts, all of one publication."""

import http.client
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from urllib.parse import urlsplit

import msgspec

from features.errors import ServiceError
from serving.api import schema
from serving.api.fields import MOST_IDS

REASONS = 3
TRIES = 6
LONGEST_WAIT = 60.0
TIMEOUT_SECONDS = 90
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
LATER = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,  # this and the last are a proxy's, while the service starts anew
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


@dataclass(frozen=True)
class Pulled:
    """Scores of one publication.

    Attributes
    ----------
    accounts:
        The known ones, in the order asked for.
    unknown:
        The ids that the service does not know.
    """

    as_of: datetime
    stale: bool
    accounts: tuple[schema.AccountScores, ...]
    unknown: tuple[str, ...]


def pull(url: str, token: str, account_ids: Sequence[str], horizon_days: int) -> Pulled:
    """Ask for scores, a thousand accounts at a time; begin anew if a publication comes between.

    Raises
    ------
    ServiceError
        If the service cannot be reached or refuses.
    """
    for _ in range(TRIES):
        with _connected(url) as connection:
            answers = [
                _ask(connection, token, schema.ScoresRequest(ids, None, [horizon_days], REASONS))
                for start in range(0, len(account_ids), MOST_IDS)
                for ids in [list(account_ids[start : start + MOST_IDS])]
            ]
        first = answers[0]
        if all((one.as_of, one.scored_at) == (first.as_of, first.scored_at) for one in answers):
            return Pulled(
                as_of=first.as_of,
                stale=first.stale,
                accounts=tuple(account for answer in answers for account in answer.accounts),
                unknown=tuple(one for answer in answers for one in answer.unknown_account_ids),
            )
    raise ServiceError(
        f"Expected scores of one publication, got a newer one in between {TRIES} times. "
        "Run it again when `tenure score` is done."
    )


@contextmanager
def _connected(url: str) -> Iterator[http.client.HTTPConnection]:
    address = urlsplit(url)
    host = address.hostname or ""
    if address.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, address.port, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context()
        )
    elif address.scheme == "http" and host in LOOPBACK:
        connection = http.client.HTTPConnection(host, address.port, timeout=TIMEOUT_SECONDS)
    else:
        raise ServiceError(
            "Expected an address with https, got one that would send the token in the clear. "
            "Without TLS only this machine's own service is asked."
        )
    try:
        yield connection
    except (OSError, http.client.HTTPException) as error:
        raise ServiceError(
            f"Expected the service to answer at {host}, got: {type(error).__name__}. "
            "Is it running, and is --url right?"
        ) from error
    finally:
        connection.close()


def _ask(
    connection: http.client.HTTPConnection, token: str, asked: schema.ScoresRequest
) -> schema.ScoresAnswer:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    for attempt in range(TRIES):
        try:
            connection.request("POST", "/v1/scores", msgspec.json.encode(asked), headers)
            response = connection.getresponse()
            content = response.read()
        except (ConnectionResetError, BrokenPipeError, http.client.IncompleteRead):
            if attempt == TRIES - 1:
                raise
            connection.close()  # the next request opens another; asking twice changes nothing
            time.sleep(_seconds(None))
            continue
        if response.status == HTTPStatus.OK:
            return msgspec.json.decode(content, type=schema.ScoresAnswer)
        if response.status not in LATER or attempt == TRIES - 1:
            break
        time.sleep(_seconds(response.headers.get("retry-after")))
    raise ServiceError(_why(response.status, content))


def _seconds(said: str | None) -> float:
    """Give how long to wait: as long as the service says, within bounds."""
    asked = float(said) if said is not None and said.isdecimal() else 1.0
    return min(asked, LONGEST_WAIT)


def _why(status: int, content: bytes) -> str:
    try:
        error = msgspec.json.decode(content, type=schema.ErrorAnswer).error
    except msgspec.MsgspecError:
        return f"Expected scores, got status {status} from something that is not this service."
    details = "; ".join(f"{detail.field}: {detail.problem}" for detail in error.details)
    told = f" ({details})" if details else ""
    return f"Expected scores, got status {status}: {error.message}{told}"
