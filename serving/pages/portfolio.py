"""A team's portfolio in a browser: sums over the books that a login sees, and no one else's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
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
from serving.pages.lacking import shown_publication
from serving.pages.nav import may_open
from serving.pages.paths import PORTFOLIO, account_address
from serving.pages.render import Render, money
from serving.pages.work_list import day
from serving.parts import Caller, Parts
from serving.publishing.publication import Publication
from serving.scoring.retention import Retention, retention
from serving.store import portfolio
from serving.store.lookup import Books, Row
from serving.store.portfolio import ABOUT_A_QUARTER, BANDS, InBooks

YEAR = 365
MOST_CSMS = 100
OUTCOMES = ("left", "leaving", "shrank", "there", "grew")
GONE = frozenset({"left", "leaving"})
FULL = 1.005  # what is written as 100 % is no more than the capacity


@dataclass(frozen=True)
class Drawn:
    """Expected retentions, remembered while a publication is in service: drawing takes a while.

    Attributes
    ----------
    most
        When so many are remembered, all are let go.
    """

    parts: Parts
    most: int = 200
    _found: dict[tuple[int, Books], Retention | None] = field(default_factory=dict, repr=False)

    def of(self, of: InBooks, horizon_days: int) -> Retention | None:
        """Give the expected retention of some books."""
        key = (of.publication, of.books)
        if key not in self._found:
            before = list(self._found)  # other threads look, and let go, at the same time
            if len(before) >= self.most or any(number != key[0] for number, _ in before):
                self._found.clear()
            drawn = retention(portfolio.stakes(self.parts.store, of, horizon_days))
            self._found[key] = drawn
            return drawn
        return self._found.get(key)


def portfolio_routes(parts: Parts, render: Render) -> list[Route]:
    """Give the route of the portfolio."""
    drawn = Drawn(parts)

    async def index(request: Request) -> Response:
        caller = caller_of(request)
        if not may_open(caller.principal.role, PORTFOLIO):
            raise RefusedError(HTTPStatus.FORBIDDEN, "forbidden", "This login may not read it.")
        session = session_of(parts, request)
        shown = await run_in_threadpool(_shown, parts, drawn, caller)
        written = {"day": day, "money": money, "address": account_address, "bands": BANDS}
        mark = session.mark if session else ""
        return render("portfolio.html", mark=mark, outcomes=OUTCOMES, **shown, **written)

    return [Route(PORTFOLIO, index)]


def _shown(parts: Parts, drawn: Drawn, caller: Caller) -> dict[str, Any]:
    publication, lacks = shown_publication(parts)
    if publication is None:
        return {"lacks": lacks}
    of = InBooks(publication.number, caller.principal.books)
    standing = portfolio.standing(parts.store, of)
    if not standing:
        return {"lacks": "nothing_all"}
    loads = portfolio.loads(parts.store, of, parts.settings.list_rules.accounts_a_csm)
    return {
        "lacks": "",
        "publication": publication,
        "standing": standing,
        "quarters": portfolio.by_quarter(parts.store, of),
        "loads": loads[:MOST_CSMS],
        "more_csms": max(0, len(loads) - MOST_CSMS),
        "full": FULL,
        **_expected(drawn, of, publication),
        **_looked_back(parts, caller, of, publication),
    }


def horizon_of(publication: Publication) -> int:
    """Give the horizon of retention: a year where churn is scored so far, else its longest."""
    days = next(each.horizons_days for each in publication.models if each.model == "churn")
    return YEAR if YEAR in days else max(days)


def _expected(drawn: Drawn, of: InBooks, publication: Publication) -> dict[str, Any]:
    days = horizon_of(publication)
    grows = any(
        each.model == "expansion" and days in each.horizons_days for each in publication.models
    )
    return {"horizon_days": days, "grows": grows, "retention": drawn.of(of, days)}


def _looked_back(
    parts: Parts, caller: Caller, of: InBooks, publication: Publication
) -> dict[str, Any]:
    """Give whom nobody touched, and what became of the list of a quarter ago."""
    store, as_of = parts.store, publication.as_of
    pasts = portfolio.pasts(store, as_of)
    count, rows = portfolio.untouched(store, of, as_of, pasts)
    parts.note_read(caller, f"GET {PORTFOLIO}", [row["account_id"] for row in rows])
    weeks = [{**row, "weeks": (as_of - row["first_listed"]).days // 7} for row in rows]
    then = portfolio.a_quarter_ago(pasts, as_of)
    shown = {"untouched": count, "rows": weeks, "then": then}
    if then is None:
        return {**shown, "there_from": _there_from(portfolio.first_kept(store))}
    return {**shown, **judged(portfolio.since_then(store, of, then, as_of, pasts))}


def _there_from(first: datetime | None) -> datetime | None:
    return None if first is None else first + ABOUT_A_QUARTER[0]


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
