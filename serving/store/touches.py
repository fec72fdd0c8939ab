"""Feedback by which somebody says that an account was touched: asked for here and nowhere else."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Select

from serving.store import tables

TOUCHING = ("contacted", "play_done", "expansion_opened")
"""The kinds of feedback by which somebody says that the account was touched."""


def touches_told(until: datetime | None = None, kinds: Collection[str] = TOUCHING) -> "Select[Any]":
    """Select account_id and touched_at, the last touch that feedback tells of, naive UTC.

    Parameters
    ----------
    until
        What was told later does not count; None: all that was told.
    kinds
        What counts: of other kinds it is when one of them was told last.
    """
    feedback = tables.feedback
    last = sa.func.max(feedback.c.recorded_at).label("touched_at")
    query = sa.select(feedback.c.account_id, last).where(
        feedback.c.kind.in_(sorted(kinds)), feedback.c.withdrawn_at.is_(None)
    )
    if until is not None:
        query = query.where(feedback.c.recorded_at <= until)
    return query.group_by(feedback.c.account_id)
