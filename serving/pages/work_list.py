"""The work list in a browser: tabs, filters, one table, no script; its address holds the view."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from serving.api.body import read_query
from serving.api.refusal import RefusedError
from serving.api.response import caller_of
from serving.pages import export, sparkline
from serving.pages.cookies import session_of
from serving.pages.feedback import SAID, form_on
from serving.pages.lacking import how_old, shown_publication, today
from serving.pages.paths import LIST_CSV, LIST_XLSX, WORK_LIST, account_address
from serving.pages.render import Render, money
from serving.pages.texts import say
from serving.parts import Caller, Parts
from serving.publishing.publication import Publication
from serving.scoring.plays import NO_REASON
from serving.store import listing
from serving.store.lookup import Row
from serving.store.view import SORTS, STATES, TABS, WHY_NOT, View

WITHIN = (7, 30, 60, 90, 180, 365)
FILES: dict[str, tuple[Callable[..., bytes], str]] = {
    LIST_CSV: (export.as_csv, export.CSV),
    LIST_XLSX: (export.as_xlsx, export.XLSX),
}


def work_list_routes(parts: Parts, render: Render) -> list[Route]:
    """Give the routes of the work list, and of what it shows as files."""
    choices = listing.Choices(parts.store)

    async def index(request: Request) -> Response:
        caller, view = _asked(request)
        session = session_of(request)
        shown = await run_in_threadpool(_shown, parts, choices, caller, view)
        mark = session.mark if session else ""
        values = {"mark": mark, "view": view, "when": when, **shown}
        here = f"{WORK_LIST}?{view.query(page=view.page)}"
        values["tell"] = await run_in_threadpool(form_on, parts, request, here)
        written = {
            "points": sparkline.points,
            "day": day,
            "money": money,
            "no_reason": NO_REASON,
            "address_of": account_address,
        }
        return render("worklist.html", **values, **written)

    async def file(request: Request) -> Response:
        caller, view = _asked(request)
        return await run_in_threadpool(_file, parts, caller, view, request.url.path)

    return [Route(WORK_LIST, index), *(Route(path, file) for path in FILES)]


def when(moment: datetime, today: date) -> str:
    """Say how far a day lies from today."""
    days = (moment.date() - today).days
    if days in (-1, 0, 1):
        return say(("say.a_day_ago", "say.today", "say.in_a_day")[days + 1])
    return say("say.in_days", days=days) if days > 0 else say("say.days_ago", days=-days)


def day(moment: datetime) -> str:
    """Write the day of a time."""
    return moment.date().isoformat()


def _asked(request: Request) -> tuple[Caller, View]:
    caller = caller_of(request)
    if not caller.principal.may("read"):
        raise RefusedError(HTTPStatus.FORBIDDEN, "forbidden", "This login may not read the list.")
    return caller, read_query(_without_empty(request), View)


def _without_empty(request: Request) -> Request:
    """Leave out what the search form sends for an untouched field, and what was just told."""
    asked = request.query_params.multi_items()
    kept = [(name, value) for name, value in asked if value.strip() and name not in SAID]
    return Request({**request.scope, "query_string": urlencode(kept).encode()})


def _shown(parts: Parts, choices: listing.Choices, caller: Caller, view: View) -> dict[str, Any]:
    problem = parts.watch.look().problem
    publication, lacks = shown_publication(parts)
    if publication is None:
        return {"rows": (), "problem": problem, "lacks": lacks}
    asked = _of(parts, caller, view, publication)
    chosen = {**choices.of(asked), "state": STATES, "why_not": WHY_NOT}
    shown = _listed(parts, caller, asked, publication)
    return {"problem": problem, "choices": chosen, **shown}


def _listed(
    parts: Parts, caller: Caller, asked: listing.Asked, publication: Publication
) -> dict[str, Any]:
    view = asked.view
    rows = listing.page(parts.store, asked)
    parts.note_read(caller, f"GET {WORK_LIST}", _ids(rows))
    counts = listing.counts(parts.store, asked)
    return {
        "rows": rows,
        "lacks": None,
        "counts": counts,
        "tabs": TABS,
        "pages": max(1, -(-counts[view.tab] // view.limit)),
        "within": WITHIN,
        "sorts": SORTS,
        "publication": publication,
        **how_old(parts, publication),
        "today": asked.today,
    }


def _file(parts: Parts, caller: Caller, view: View, path: str) -> Response:
    publication, _ = shown_publication(parts)
    if publication is None:
        # The list itself says what is lacking, and what to do.
        return RedirectResponse(f"{WORK_LIST}?{view.query()}", HTTPStatus.SEE_OTHER)
    rows = listing.whole(parts.store, _of(parts, caller, view, publication))
    parts.note_read(caller, f"GET {path}", _ids(rows))
    write, media_type = FILES[path]
    name = f"accounts-{day(publication.as_of)}{path[path.rindex('.') :]}"
    told = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(write(rows), media_type=media_type, headers=told)


def _of(parts: Parts, caller: Caller, view: View, publication: Publication) -> listing.Asked:
    books, from_day = caller.principal.books, today(parts, publication)
    return listing.Asked(publication.number, books, parts.now(), view, from_day)


def _ids(rows: Sequence[Row]) -> list[str]:
    return [row["account_id"] for row in rows]
