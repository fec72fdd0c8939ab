"""Where a CSM's judgement and the model's differ by much: for a lead to decide, never averaged."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.access.session import Session, is_marked
from serving.api.body import read_form
from serving.api.fields import Note
from serving.api.refusal import RefusedError, not_found
from serving.api.response import caller_of
from serving.pages.cookies import session_of
from serving.pages.feedback import MOST_NOTED, back_to, is_anothers
from serving.pages.lacking import how_old, shown_publication
from serving.pages.login import sign_in_first
from serving.pages.nav import may_open
from serving.pages.paths import DISAGREEMENTS, account_address
from serving.pages.render import Render, money
from serving.parts import Caller, Parts
from serving.store.judged import SIDES, decide, decided_ones, open_ones


def disagreement_routes(parts: Parts, render: Render) -> list[Route]:
    """Give the routes of the lead's list."""

    async def page(request: Request) -> Response:
        if request.method == "POST":
            typed = {**await read_form(request), "back": DISAGREEMENTS}
            if "tenure.caller" not in request.scope:
                return sign_in_first(parts, render, typed, DISAGREEMENTS)
            return await run_in_threadpool(_decide, parts, render, request, typed)
        caller, session = caller_of(request), session_of(request)
        return await run_in_threadpool(show, parts, render, caller, session)

    return [Route(DISAGREEMENTS, page, methods=["GET", "POST"])]


def show(
    parts: Parts,
    render: Render,
    caller: Caller,
    session: Session | None,
    typed: Mapping[str, str] | None = None,
    problem: str = "",
    status: int = HTTPStatus.OK,
) -> Response:
    """Show the list; a sentence that was typed and not taken stands in its form again."""
    _demand_lead(caller)
    if typed and is_anothers(typed, session):
        typed, problem = None, "feedback.anothers"
    return render(
        "disagreements.html",
        status,
        **_shown(parts, caller),
        mark=session.mark if session else "",
        by=session.subject if session else "",
        money=money,
        address=account_address,
        most=MOST_NOTED,
        typed={"feedback_id": "", "note": "", **(typed or {})},
        problem=problem,
    )


def _shown(parts: Parts, caller: Caller) -> dict[str, Any]:
    publication, lacks = shown_publication(parts)
    if publication is None:
        return {"lacks": lacks, "undecided": (), "decided": ()}
    asked = publication.number, caller.principal.books, parts.now()
    undecided, decided = open_ones(parts.store, *asked), decided_ones(parts.store, *asked)
    shown = [row["account_id"] for row in (*undecided, *decided)]
    parts.note_read(caller, f"GET {DISAGREEMENTS}", list(dict.fromkeys(shown)))
    told = {"publication": publication, "undecided": undecided, "decided": decided}
    return {"lacks": "", **told, **how_old(parts, publication)}


def ask_again(
    parts: Parts,
    render: Render,
    caller: Caller,
    session: Session | None,
    typed: Mapping[str, str],
) -> Response:
    """Show the list to who has just logged in, with the sentence that was typed before."""
    return show(parts, render, caller, session, typed, "disagreements.again")


def _decide(parts: Parts, render: Render, request: Request, typed: Mapping[str, str]) -> Response:
    caller, session = caller_of(request), session_of(request)
    _demand_lead(caller)
    if session is None or not is_marked(session, typed.get("mark", "")):
        status, problem = HTTPStatus.FORBIDDEN, "feedback.not_from_page"
        return show(parts, render, caller, session, typed, problem, status)
    publication, _ = shown_publication(parts)
    if publication is None:
        return show(parts, render, caller, session, typed, "", HTTPStatus.CONFLICT)
    books, now = caller.principal.books, parts.now()
    number, side = typed.get("feedback_id", ""), typed.get("sides_with", "")
    rows = open_ones(parts.store, publication.number, books, now)
    rows += decided_ones(parts.store, publication.number, books, now)
    of = next((row for row in rows if str(row["feedback_id"]) == number), None)
    if of is None or side not in SIDES:
        raise not_found()
    try:
        note = msgspec.convert(typed.get("note", "").replace("\r\n", "\n").strip(), Note) or None
    except msgspec.ValidationError:
        status, problem = HTTPStatus.UNPROCESSABLE_ENTITY, "feedback.unfit"
        return show(parts, render, caller, session, typed, problem, status)
    if decide(parts.store, of, side, note, caller.principal.who, now, parts.erasures.has):
        return back_to(typed)
    status, problem = HTTPStatus.CONFLICT, "disagreements.before"
    return show(parts, render, caller, session, typed, problem, status)


def _demand_lead(caller: Caller) -> None:
    if not may_open(caller.principal.role, DISAGREEMENTS):
        raise RefusedError(
            HTTPStatus.FORBIDDEN, "forbidden", "Leads decide on disagreements, and admins."
        )
