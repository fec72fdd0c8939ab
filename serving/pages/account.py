"""One account in a browser: what is expected of it, why, what happened, and what was done."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.api.feedback import feedback_of
from serving.api.refusal import RefusedError, not_found
from serving.api.response import caller_of
from serving.pages import account_charts, account_rows, curve
from serving.pages.cookies import session_of
from serving.pages.feedback import form_on
from serving.pages.lacking import how_old, today
from serving.pages.paths import ACCOUNTS, ID, account_address
from serving.pages.render import Render, money
from serving.pages.texts import say
from serving.pages.work_list import day, when
from serving.parts import Caller, Parts
from serving.snapshots.loaded import InService
from serving.store import account_page, lookup
from serving.store.account_page import Told
from serving.store.lookup import Row
from serving.store.said import decisions_of

PATH = f"{ACCOUNTS}{{account_id:path}}"
FEEDBACK_SHOWN = 50
SHORT = 6
"""Longer tables are folded, or show so many rows and fold the others."""
WHY_NOT_SCORED: Mapping[str, str] = {
    "no_data": "account.no_data",
    "leaving": "account.leaving",
    "inactive": "account.inactive",
}
LANE_NAMES: Mapping[str, str] = {
    "tickets": "account.tickets",
    "incidents": "account.incidents",
    "invoices": "account.invoices",
    "people": "account.people",
    "touches": "account.touches",
}
LANE_TABLES: Mapping[str, str] = {
    "tickets": "support_tickets",
    "incidents": "incidents",
    "invoices": "invoices",
    "people": "contacts",
    "touches": "touches",
}
TABLE_NAMES: Mapping[str, str] = {
    "support_tickets": "account.tickets",
    "incidents": "account.incidents",
    "invoices": "account.invoices",
    "payments": "account.payments",
    "contacts": "account.people",
    "touches": "account.touches",
    "usage_events": "account.use",
    "surveys": "account.surveys",
    "outcomes": "account.outcomes",
    "reviews": "account.reviews",
}
SEATS, USERS = "lifecycle__seats", "usage__active_users__28d"
WRITTEN: dict[str, Any] = {
    "day": day,
    "money": money,
    "when": when,
    "curve": curve,
    "short": SHORT,
    "address_of": account_address,
    "table_names": TABLE_NAMES,
    "lane_names": LANE_NAMES,
    "kinds": account_rows.OF_KIND,
    "verdicts": account_rows.OF_VERDICT,
    "of_money": account_rows.MONEY,
    "over": account_rows.over,
    "outcome_state": account_rows.outcome_state,
}


def account_routes(parts: Parts, render: Render) -> list[Route]:
    """Give the route of an account's page."""

    async def page(request: Request) -> Response:
        caller = caller_of(request)
        if not caller.principal.may("read"):
            raise RefusedError(
                HTTPStatus.FORBIDDEN, "forbidden", "This login may not read accounts."
            )
        session = session_of(request)
        account_id: str = request.path_params["account_id"] or request.query_params.get(ID, "")
        shown = await run_in_threadpool(_shown, parts, caller, account_id)
        values = {"account_id": account_id, "mark": session.mark if session else ""}
        tell = await run_in_threadpool(form_on, parts, request, account_address(account_id))
        return render("account.html", tell=tell, **values, **WRITTEN, **shown)

    return [Route(PATH, page)]


def _shown(parts: Parts, caller: Caller, account_id: str) -> dict[str, Any]:
    loaded = parts.watch.look()
    if loaded.in_service is None:
        return {"problem": loaded.problem, "lacks": "no_scores"}
    try:
        in_service = parts.scores_in_service()
    except RefusedError:
        return {"problem": loaded.problem, "lacks": "too_old"}
    if "\0" in account_id:  # PostgreSQL fails on a zero character instead of finding nothing
        raise not_found()
    found = lookup.account(parts.store, in_service.publication, account_id, caller.principal.books)
    if found is None:
        raise not_found()
    shown = _account(parts, caller, in_service, found)
    members = shown["group"].members if shown["group"] else ()
    if parts.erasures.has(account_id):  # it was erased while it was read
        raise not_found()
    named = dict.fromkeys([account_id, *(member["account_id"] for member in members)])
    parts.note_read(caller, f"GET {ACCOUNTS}{{account_id}}", list(named))
    return {"problem": loaded.problem, "lacks": None, "of": found, **shown}


def _account(parts: Parts, caller: Caller, in_service: InService, found: Row) -> dict[str, Any]:
    """Gather what the page shows of an account that may be seen."""
    store, publication = parts.store, in_service.publication
    account_id, number = found["account_id"], publication.number
    scores = lookup.scores_of(store, publication, [account_id])
    past = account_page.past_of(store, publication, account_id)
    told = account_page.told_of(store, number, account_id)
    listed = account_page.listed_of(store, number, account_id)
    renewal = lookup.renewals_of(store, number, [account_id]).get(account_id)
    return {
        "publication": publication,
        **how_old(parts, publication),
        "today": today(parts, publication),
        "as_of": publication.as_of.date(),
        "told": told,
        "listed": listed,
        "renewal": renewal,
        "not_scored": WHY_NOT_SCORED.get(scores[0]["status"]) if scores else None,
        "group": account_page.group_of(
            store, number, found, caller.principal.books, parts.erasures.among
        ),
        "products": account_page.products_of(store, number, account_id),
        "next_product": lookup.next_products_of(store, number, [account_id]).get(account_id),
        "signals": {signal["feature"]: signal["value"] for signal in found["signals"]},
        "seats": SEATS,
        "users": USERS,
        **_expected(in_service, scores, past, renewal, told),
        **_happened(publication.as_of, told, listed),
        "done": _done(parts, in_service, found, scores, told),
    }


def _expected(
    in_service: InService,
    scores: Sequence[Row],
    past: Sequence[Row],
    renewal: Row | None,
    told: Told | None,
) -> dict[str, Any]:
    """Lay out probabilities, their history, and the reasons at the list's horizon."""
    publication = in_service.publication
    ends = renewal["renewal_date"] if renewal else None
    days = (ends.date() - publication.as_of.date()).days if ends else None
    scored = [row for row in scores if row["probability"] is not None]
    return {
        "scores": scored,
        "horizons": sorted({row["horizon_days"] for row in scored}),
        "by_horizon": account_charts.by_horizon(scored, days, say("account.renewal")),
        "past": past[::-1],
        "by_date": account_charts.by_date(past, say("account.new_model")),
        "changes": account_charts.version_changes(past),
        "reasons": {
            row["model"]: account_rows.reason_rows(
                row["reasons"],
                in_service.bundles.get(row["model"]),
                [each for each in past if each["model"] == row["model"]],
                publication.as_of,
                told,
            )
            for row in scored
            if row["horizon_days"] == publication.list_horizon_days
        },
    }


def _happened(as_of: datetime, told: Told | None, listed: Row | None) -> dict[str, Any]:
    """Lay out the time line, and name what the source has no table of."""
    weeks = json.loads((listed and listed["weekly_use"]) or "[]")
    if told is None:
        return {"time_line": None, "weeks": weeks, "absent": []}
    absent = [name for name, table in LANE_TABLES.items() if table in told.absent]
    return {
        "time_line": account_charts.time_line(as_of, weeks, told.events, absent),
        "weeks": weeks,
        "absent": [name for name in TABLE_NAMES if name in told.absent],
    }


def _done(
    parts: Parts, in_service: InService, found: Row, scores: Sequence[Row], told: Told | None
) -> list[account_rows.Done]:
    publication, account_id = in_service.publication, found["account_id"]
    came = account_rows.Came(
        as_of=publication.as_of.date(),
        status=scores[0]["status"] if scores else found["status"],
        told=told,
        terms=account_page.terms_ended(parts.store, publication, account_id),
    )
    feedback = feedback_of(parts.store, account_id, FEEDBACK_SHOWN)
    decisions = decisions_of(parts.store, account_id)
    return account_rows.done_before(told.touches if told else (), feedback, came, decisions)
