"""A team's portfolio in a browser: sums over the books that a login sees, and no one else's."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models.shares import wilson
from serving.api.refusal import RefusedError
from serving.api.response import caller_of
from serving.pages.cookies import session_of
from serving.pages.lacking import how_old, shown_publication
from serving.pages.nav import may_open
from serving.pages.paths import PORTFOLIO, account_address
from serving.pages.render import Render, money
from serving.pages.work_list import day
from serving.parts import Caller, Parts
from serving.publishing.publication import Publication
from serving.scoring.retention import retention
from serving.store import portfolio
from serving.store.lookup import Row
from serving.store.portfolio import ABOUT_A_QUARTER, BANDS, InBooks

YEAR = 365
MOST_CSMS = 100
OUTCOMES = ("left", "leaving", "shrank", "there", "grew")
GONE = frozenset({"left", "leaving"})
FULL = 1.005  # what is written as 100 % is no more than the capacity


@dataclass(frozen=True)
class Remembered:
    """What stays as it is while nothing new is published or erased: it takes a while to be found.

    Attributes
    ----------
    most
        When so much is remembered, all is let go.
    """

    most: int = 500
    _found: dict[tuple[Hashable, Hashable], Any] = field(default_factory=dict, repr=False)

    def of(self, state: Hashable, what: Hashable, find: Callable[[], Any]) -> Any:  # noqa: ANN401 - what `find` gives
        """Give what was found in a state of the store; find it the first time.

        Parameters
        ----------
        state
            Looked at before: what is found of another one is let go.
        """
        key = (state, what)
        try:
            return self._found[key]
        except KeyError:
            found = find()
        before = list(self._found)  # other threads look, and let go, at the same time
        if len(before) >= self.most or any(of != state for of, _ in before):
            self._found.clear()
        self._found[key] = found
        return found


def portfolio_routes(parts: Parts, render: Render) -> list[Route]:
    """Give the route of the portfolio."""
    remembered = Remembered()

    async def index(request: Request) -> Response:
        caller = caller_of(request)
        if not may_open(caller.principal.role, PORTFOLIO):
            raise RefusedError(HTTPStatus.FORBIDDEN, "forbidden", "This login may not read it.")
        session = session_of(request)
        shown = await run_in_threadpool(_shown, parts, remembered, caller)
        written = {"day": day, "money": money, "address": account_address, "bands": BANDS}
        mark = session.mark if session else ""
        return render("portfolio.html", mark=mark, outcomes=OUTCOMES, **shown, **written)

    return [Route(PORTFOLIO, index)]


def _shown(parts: Parts, remembered: Remembered, caller: Caller) -> dict[str, Any]:
    publication, lacks = shown_publication(parts)
    if publication is None:
        return {"lacks": lacks}
    of = InBooks(publication.number, caller.principal.books)
    state = (of.publication, portfolio.erased(parts.store))
    find = partial(_sums, parts, of, publication)
    sums = remembered.of(state, ("sums", of.books), find)
    if not sums["standing"]:
        return {"lacks": "nothing_all"}
    as_of = publication.as_of

    def listed() -> dict[str, datetime]:
        return portfolio.first_listed(parts.store, as_of, portfolio.pasts(parts.store, as_of))

    return {
        "lacks": "",
        "publication": publication,
        **how_old(parts, publication),
        "full": FULL,
        **sums,
        **_untouched(parts, caller, of, as_of, remembered.of(state, "first listed", listed)),
    }


def horizon_of(publication: Publication) -> int:
    """Give the horizon of retention: a year where churn is scored so far, else its longest."""
    days = next(each.horizons_days for each in publication.models if each.model == "churn")
    return YEAR if YEAR in days else max(days)


def _sums(parts: Parts, of: InBooks, publication: Publication) -> dict[str, Any]:
    """Give what only a newer publication changes."""
    store, days = parts.store, horizon_of(publication)
    loads = portfolio.loads(store, of, parts.settings.list_rules.accounts_a_csm)
    return {
        "standing": portfolio.standing(store, of),
        "quarters": portfolio.by_quarter(store, of),
        "loads": loads[:MOST_CSMS],
        "more_csms": max(0, len(loads) - MOST_CSMS),
        "horizon_days": days,
        "grows": any(
            each.model == "expansion" and days in each.horizons_days for each in publication.models
        ),
        "retention": retention(portfolio.stakes(store, of, days)),
        **_a_quarter_ago(parts, of, publication.as_of),
    }


def _a_quarter_ago(parts: Parts, of: InBooks, as_of: datetime) -> dict[str, Any]:
    pasts = portfolio.pasts(parts.store, as_of)
    then = portfolio.a_quarter_ago(pasts, as_of)
    if then is None:
        first = portfolio.first_kept(parts.store)
        return {"then": None, "there_from": None if first is None else first + ABOUT_A_QUARTER[0]}
    return {"then": then, **judged(portfolio.since_then(parts.store, of, then, as_of, pasts))}


def _untouched(
    parts: Parts, caller: Caller, of: InBooks, as_of: datetime, first: Mapping[str, datetime]
) -> dict[str, Any]:
    """Give whom nobody touched, by what was told until now, and write down who reads of them.

    Parameters
    ----------
    first
        When each account was first listed.
    """
    found = portfolio.untouched(parts.store, of, first, parts.now())
    parts.note_read(caller, f"GET {PORTFOLIO}", [row["account_id"] for row in found.rows])
    weeks = [{**row, "weeks": (as_of - row["first_listed"]).days // 7} for row in found.rows]
    return {"untouched": found, "rows": weeks}


def judged(rows: Sequence[Row]) -> dict[str, Any]:
    """Give how many of a list left or asked to, beside all that were scored, and by who was worked.

    Parameters
    ----------
    rows
        As `serving.store.portfolio.since_then` gives them.
    """
    listed = [row for row in rows if row["is_listed"]]
    return {
        "of_list": _share(listed),
        "of_all": _share(rows),
        "worked": [_outcomes(listed, is_worked) for is_worked in (1, 0)],
    }


def _outcomes(rows: Sequence[Row], is_worked: int) -> dict[str, Any]:
    own = [row for row in rows if row["is_worked"] == is_worked]
    counts = {row["outcome"]: row["accounts"] for row in own}
    return {"is_worked": bool(is_worked), "accounts": sum(counts.values()), **counts}


def _share(rows: Sequence[Row]) -> Mapping[str, float] | None:
    accounts = sum(row["accounts"] for row in rows)
    gone = sum(row["accounts"] for row in rows if row["outcome"] in GONE)
    if not accounts:
        return None
    (low,), (high,) = wilson(np.array([gone / accounts]), np.array([accounts]))
    return {
        "accounts": accounts,
        "gone": gone,
        "value": gone / accounts,
        "low": max(0.0, float(low)),
        "high": min(1.0, float(high)),
    }
