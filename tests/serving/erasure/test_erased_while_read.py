"""An account that is erased is not answered from what was held, or read, before."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime
from http import HTTPStatus

import msgspec
import pytest
import sqlalchemy as sa

from features.errors import ErasureError
from features.home import Home
from features.tombstones import bury, lift
from models.bundle import Bundle
from serving.access.tokens import Principal
from serving.api import answers, schema
from serving.api.readiness import look
from serving.api.refusal import RefusedError
from serving.api.scores import scores
from serving.parts import Caller, Parts, open_parts
from serving.publishing.publish import Scored, publish
from serving.settings import Settings
from serving.store import tables

AT = datetime(2026, 3, 2, 2)  # noqa: DTZ001 - times are naive UTC everywhere
CALLER = Caller(Principal("a1", frozenset({"admin"}), None), "r1", "127.0.0.1")


@pytest.fixture
def parts(
    home: Home, bundles: dict[str, Bundle], scored_company: Callable[..., Scored]
) -> Iterator[Parts]:
    with closing(open_parts(Settings(home=home), now=lambda: AT)) as opened:
        publish(opened.store, home, scored_company(bundles), AT)
        opened.watch.look()
        yield opened


def shown(parts: Parts) -> dict[str, bool]:
    """Tell which calls show an account."""
    asked = schema.ScoresRequest(["acme", "bolt"])
    told = msgspec.json.decode(scores(parts, CALLER, asked).body, type=schema.ScoresAnswer)
    listed = answers.work_list(parts, CALLER, schema.WorklistQuery()).accounts
    assert "bolt" in {one.account_id for one in told.accounts}
    assert "bolt" in {one.account_id for one in listed}
    try:
        alone = answers.account(parts, CALLER, "acme").account_id == "acme"
    except RefusedError as error:
        alone = error.status != HTTPStatus.NOT_FOUND
    return {
        "scores": "acme" in {one.account_id for one in told.accounts},
        "work list": "acme" in {one.account_id for one in listed},
        "account": alone,
    }


def test_no_call_answers_an_erased_account_from_a_set_that_is_still_held(parts: Parts) -> None:
    home = parts.settings.home
    assert all(shown(parts).values())
    bury(home, ["acme"], date(2026, 3, 2))
    assert not any(shown(parts).values())
    lift(home, ["acme"])
    assert all(shown(parts).values())


def test_an_account_that_goes_between_two_reads_is_left_out_and_no_failure(parts: Parts) -> None:
    with parts.store.writing() as connection:
        connection.execute(sa.delete(tables.scores).where(tables.scores.c.account_id == "acme"))
    found = shown(parts)
    assert (found["work list"], found["account"]) == (False, False)


def test_where_nobody_can_tell_who_was_erased_nothing_is_answered(parts: Parts) -> None:
    bury(parts.settings.home, ["dune"], date(2026, 3, 2))
    parts.settings.home.tombstones.write_text("{}")
    with pytest.raises(ErasureError):
        shown(parts)
    assert look(parts).missing == ("store",)
