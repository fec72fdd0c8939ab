"""Feedback as the source's table of touches, so that models learn what the team did."""

from datetime import datetime
from pathlib import Path

import pandas as pd
import sqlalchemy as sa

from features.contracts.touches import TOUCHES
from features.errors import StoreError
from serving.api.feedback import name_of
from serving.store import tables
from serving.store.database import Store
from serving.store.touches import TOUCHING

TOLD, USERS, PUBLISHED = tables.feedback, tables.users, tables.publications
COLUMNS = [column.name for column in TOUCHES.columns]


def told_touches(store: Store, before: datetime | None = None) -> pd.DataFrame:
    """Give the rows of `touches` that feedback tells of, in the order in which they were told.

    `csm` is the book of who told, as accounts name their CSM, else their name; `play` is what the
    newest publication then suggested, of a play that was done. None was held back by an experiment.

    Parameters
    ----------
    before
        Naive UTC; None: all that was told.
    """
    details = tables.listed_details
    newest = sa.select(sa.func.max(PUBLISHED.c.number))
    newest = newest.where(PUBLISHED.c.published_at <= TOLD.c.recorded_at).correlate(TOLD)
    play = (
        sa.select(details.c.play)
        .where(details.c.publication == newest.scalar_subquery(), TOLD.c.kind == "play_done")
        .where(details.c.account_id == TOLD.c.account_id)
        .correlate(TOLD)
        .scalar_subquery()
    )
    book = sa.select(USERS.c.book).where(USERS.c.user_id == TOLD.c.token_id).scalar_subquery()
    query = (
        sa.select(
            TOLD.c.feedback_id,
            TOLD.c.account_id,
            TOLD.c.recorded_at.label("occurred_at"),
            sa.func.coalesce(book, name_of(TOLD.c.token_id)).label("csm"),
            TOLD.c.kind,
            play.label("play"),
        )
        .where(TOLD.c.kind.in_(TOUCHING), TOLD.c.withdrawn_at.is_(None))
        .order_by(TOLD.c.feedback_id)
    )
    if before is not None:
        query = query.where(TOLD.c.recorded_at < before)
    with store.reading() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    named = [{**row, "touch_id": f"feedback-{row['feedback_id']}"} for row in rows]
    table = pd.DataFrame(named, columns=COLUMNS).astype(object)
    return table.assign(occurred_at=pd.to_datetime(table["occurred_at"]).astype("datetime64[us]"))


def write_touches(rows: pd.DataFrame, out: Path) -> None:
    """Write a table of touches as CSV or as Parquet, by the file's name.

    Raises
    ------
    StoreError
        If the name ends otherwise, or the file cannot be written.
    """
    texts = rows.astype({name: "string" for name in COLUMNS if name != "occurred_at"})
    try:
        if out.suffix == ".csv":
            texts.to_csv(out, index=False, date_format="%Y-%m-%dT%H:%M:%S.%f")
        elif out.suffix == ".parquet":
            texts.to_parquet(out, index=False)
        else:
            raise StoreError(f"Expected a file of .csv or .parquet, got {out.name}. Name one.")
    except OSError as error:
        raise StoreError(
            f"Expected to write {out}, got: {error.strerror}. Name a file in a folder of yours."
        ) from error
