"""What a publication was made from, and digests of it as it was made."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from models.provenance import UNKNOWN, provenance
from serving.store import tables

KEY = ("account_id", "model", "horizon_days")
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Origin:
    """What a publication was made from.

    Attributes
    ----------
    source_fingerprint:
        Of the checked source that was scored.
    extracted_at:
        When that was extracted, naive UTC.
    code:
        The commit of the code that scored, with a "+" where files differed from it.
    scores_digest, line_digest:
        SHA-256 over the rows of scores, and over the publication's own line with its models, as
        they were published.
    """

    source_fingerprint: str
    extracted_at: datetime
    code: str
    scores_digest: str
    line_digest: str


def code_here() -> str:
    """Name the code that runs."""
    code = provenance()
    return code.commit + ("+" if code.is_dirty else "") if code.commit != UNKNOWN else UNKNOWN


def key_of(row: Row) -> tuple[Any, ...]:
    """Give the key of a row of scores within its publication."""
    return tuple(row[name] for name in KEY)


def digest_of(rows: Iterable[Row]) -> str:
    """Give the SHA-256 over rows of scores, in the order of their keys."""
    return _digest(sorted(rows, key=key_of))


def digests_without(rows: Iterable[Row], account_ids: Collection[str]) -> tuple[str, str]:
    """Give what `digest_of` gives of rows, and of them without some accounts', in one pass.

    Parameters
    ----------
    rows
        In the order of their keys.
    """
    whole, left = hashlib.sha256(b"["), hashlib.sha256(b"[")
    seen, stayed = False, False
    for row in rows:
        text = _text(row).encode()
        whole.update(b", " + text if seen else text)
        seen = True
        if row["account_id"] not in account_ids:
            left.update(b", " + text if stayed else text)
            stayed = True
    for digest in (whole, left):
        digest.update(b"]")
    return whole.hexdigest(), left.hexdigest()


def line_digest(connection: Connection, number: int) -> str:
    """Give the SHA-256 over a publication's own line, and those of its models."""
    published, models = tables.publications, tables.published_models
    line = sa.select(published).where(published.c.number == number)
    of_models = sa.select(models).where(models.c.publication == number).order_by(models.c.model)
    rows = [*connection.execute(line).mappings(), *connection.execute(of_models).mappings()]
    return _digest(rows)


def _digest(rows: Iterable[Row]) -> str:
    texts = ", ".join(_text(row) for row in rows)
    return hashlib.sha256(f"[{texts}]".encode()).hexdigest()


def _text(row: Row) -> str:
    return json.dumps(dict(row), sort_keys=True, default=str)


def origin_of(connection: Connection, number: int) -> Origin | None:
    """Read what a publication was made from; None where none wrote that down."""
    kept = tables.published_origins
    columns = [column for column in kept.c if column.name != "publication"]
    query = sa.select(*columns).where(kept.c.publication == number)
    row = connection.execute(query).mappings().first()
    return None if row is None else Origin(**dict(row))
