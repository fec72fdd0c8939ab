"""The heads of the audit log's chains, kept in the store: a file that lost its end is found out."""

import sqlalchemy as sa

from serving.audit_log.trail import Head
from serving.store import tables
from serving.store.database import Store


def keep_head(store: Store, head: Head) -> None:
    """Keep where a chain stands, instead of where it stood before; raises StoreError."""
    kept = tables.audit_heads
    values = {"seq": head.seq, "digest": head.digest, "at": head.at}
    with store.writing() as connection:
        changed = sa.update(kept).where(kept.c.chain == head.chain).values(**values)
        if connection.execute(changed).rowcount == 0:
            connection.execute(sa.insert(kept).values(chain=head.chain, **values))


def heads(store: Store) -> dict[str, Head]:
    """Give the heads that are kept, by chain."""
    with store.reading() as connection:
        rows = connection.execute(sa.select(tables.audit_heads)).mappings()
        return {row["chain"]: Head(**row) for row in rows}
