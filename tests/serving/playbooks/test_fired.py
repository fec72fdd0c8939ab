"""Triggers are told when they begin to hold, and not again before their days have passed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pandas as pd
import pytest

from features.home import Home
from models.bundle import Bundle
from serving.playbooks.fired import fired_of, told_now
from serving.playbooks.trigger import COLUMNS
from serving.publishing.publish import Scored, publish
from serving.store.database import Store

START = datetime(2026, 3, 2)  # noqa: DTZ001 - times are naive UTC everywhere
Publish = Callable[..., tuple[list[int], list[int]]]


@pytest.fixture
def after(
    store: Store, home: Home, bundles: dict[str, Bundle], scored_company: Callable[..., Scored]
) -> Publish:
    """Give what publishes so many days after the start, and tells since when and last when."""

    def run(days: int, *accounts: str, every_days: int = 7) -> tuple[list[int], list[int]]:
        as_of = START + timedelta(days=days)
        rows = [(one, "t", "Told", "csm", every_days) for one in accounts]
        triggers = pd.DataFrame(rows, columns=[*COLUMNS])
        scored = replace(scored_company(bundles, as_of), triggers=triggers, rows=None)
        publication = publish(store, home, scored, as_of)
        found = fired_of(store, publication.number)
        assert [row["account_id"] for row in found] == sorted(accounts)
        now = [row["account_id"] for row in told_now(found, as_of)]
        assert now == [row["account_id"] for row in found if row["told_at"] == as_of]
        return (
            [(row["since"] - START).days for row in found],
            [(row["told_at"] - START).days for row in found],
        )

    return run


def test_nobody_is_told_again_before_the_days_have_passed(after: Publish) -> None:
    assert after(0, "acme") == ([0], [0])
    assert after(1, "acme") == ([0], [0])
    assert after(6, "acme", "bolt") == ([0, 6], [0, 6])
    assert after(7, "acme", "bolt") == ([0, 6], [7, 6])
    assert after(13, "acme", "bolt") == ([0, 6], [7, 13])


def test_what_ceases_and_begins_anew_is_not_told_too_soon_either(after: Publish) -> None:
    assert after(0, "acme") == ([0], [0])
    assert after(2) == ([], [])
    assert after(3, "acme") == ([3], [0])
    assert after(8, "acme") == ([3], [8])


def test_a_date_that_is_scored_again_tells_the_same_again(after: Publish) -> None:
    after(0, "acme")
    assert after(9, "acme") == after(9, "acme") == ([0], [9])
    assert after(10, "acme") == ([0], [9])
    assert after(-3, "acme") == ([-3], [-3])
    assert after(11, "acme") == ([0], [9])


def test_a_daily_trigger_is_told_each_day(after: Publish) -> None:
    assert [after(day, "acme", every_days=1)[1] for day in range(3)] == [[0], [1], [2]]
