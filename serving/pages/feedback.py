"""Feedback from the pages: one click and an optional sentence, told once, and taken back."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from http import HTTPStatus

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from serving.access.session import Session, is_marked
from serving.api import answers
from serving.api.body import read_form
from serving.api.feedback import recorded_as, withdraw
from serving.api.fields import MOST_SNOOZED_DAYS
from serving.api.refusal import RefusedError, not_found
from serving.api.response import caller_of
from serving.api.schema import FeedbackRequest
from serving.pages.cookies import session_of
from serving.pages.login import sign_in_first
from serving.pages.paths import TELL, UNDO, page_before, safe_next
from serving.pages.render import Render
from serving.parts import Caller, Parts
from serving.store import lookup

QUICK = ("contacted", "snoozed", "not_a_risk", "saved", "lost", "expansion_opened")
"""What a row of the list offers; a snooze from there lasts two weeks."""
KINDS = (*QUICK, "play_done", "will_renew", "will_leave", "unsure")
SNOOZED_DAYS = 14
KEY_BYTES = 12
NONE = dict.fromkeys(("kind", "key", "note", "until"), "")
MOST_NOTED = 4000


@dataclass(frozen=True)
class Form:
    """What a form of feedback needs to know.

    Attributes
    ----------
    mark
        Of the session.
    back
        The page to come back to.
    today
        In UTC, as snoozes are.
    typed
        What was typed before and is shown again.
    """

    mark: str
    back: str
    today: date
    typed: Mapping[str, str]
    kinds: tuple[str, ...] = KINDS
    quick: tuple[str, ...] = QUICK
    most: int = MOST_NOTED

    def key(self) -> str:
        """Give the key under which one form is recorded once, however often it is sent."""
        return self.typed["key"] or f"page-{secrets.token_urlsafe(KEY_BYTES)}"

    @property
    def until(self) -> str:
        """When a snooze ends, unless another day is chosen."""
        return self.typed["until"] or str(self.today + timedelta(days=SNOOZED_DAYS))

    @property
    def days(self) -> tuple[str, str]:
        """The first and the last day on which a snooze may end."""
        first, last = (self.today + timedelta(days=days) for days in (1, MOST_SNOOZED_DAYS))
        return str(first), str(last)


def form_of(
    parts: Parts, session: Session | None, back: str, typed: Mapping[str, str] | None = None
) -> Form:
    """Give what `feedback_form.html` reads as ``tell``; it reads ``account_id`` beside it."""
    return Form(
        session.mark if session else "", back, parts.now().date(), {**NONE, **(typed or {})}
    )


def feedback_routes(parts: Parts, render: Render) -> list[Route]:
    """Give the routes by which a page tells feedback, and takes it back."""

    async def tell(request: Request) -> Response:
        typed = await _typed(request)
        if "tenure.caller" not in request.scope:
            return sign_in_first(parts, render, typed, TELL)
        return await run_in_threadpool(_tell, parts, render, request, typed)

    async def undo(request: Request) -> Response:
        typed = await _typed(request)
        demand_marked(request, typed)
        await run_in_threadpool(_undo, parts, caller_of(request), typed.get("feedback_id", ""))
        return back_to(typed)

    return [Route(TELL, tell, methods=["POST"]), Route(UNDO, undo, methods=["POST"])]


async def _typed(request: Request) -> dict[str, str]:
    """Read a form; one that names no page to come back to stood on the page it came from."""
    came_from = page_before(request.headers.get("referer", ""))
    return {"back": came_from, **await read_form(request)}


def demand_marked(request: Request, typed: Mapping[str, str]) -> None:
    """Refuse a form that was not sent from a page of this session."""
    session = session_of(request)
    if session is None or not is_marked(session, typed.get("mark", "")):
        raise RefusedError(
            HTTPStatus.FORBIDDEN, "forbidden", "This form was not sent from the page."
        )


def back_to(typed: Mapping[str, str]) -> Response:
    """Lead back to the view that a form stood on: to load that anew sends nothing again."""
    return RedirectResponse(safe_next(typed.get("back", "")), HTTPStatus.SEE_OTHER)


def ask_again(
    parts: Parts,
    render: Render,
    caller: Caller,
    session: Session | None,
    typed: Mapping[str, str],
    problem: str,
    status: int = HTTPStatus.OK,
) -> Response:
    """Show a form as it was filled, with a fresh mark: nothing is told without another click."""
    account_id = typed.get("account_id", "")
    publication, books = parts.in_service().publication, caller.principal.books
    found = lookup.account(parts.store, publication, account_id.replace("\0", ""), books)
    if found is not None:
        parts.note_read(caller, f"POST {TELL}", [account_id])
    form = form_of(parts, session, safe_next(typed.get("back", "")), typed)
    return render(
        "told.html",
        status,
        tell=form,
        account_id=account_id,
        called=found and (found["name"] or account_id),
        problem=problem,
    )


def _tell(parts: Parts, render: Render, request: Request, typed: Mapping[str, str]) -> Response:
    caller, session = caller_of(request), session_of(request)
    if not caller.principal.may("feedback"):
        raise RefusedError(HTTPStatus.FORBIDDEN, "forbidden", "This login may tell no feedback.")
    if session is None or not is_marked(session, typed.get("mark", "")):
        status, problem = HTTPStatus.FORBIDDEN, "feedback.not_from_page"
        return ask_again(parts, render, caller, session, typed, problem, status)
    try:
        answers.feedback(parts, caller, _asked(typed, form_of(parts, session, "").until))
    except msgspec.ValidationError:
        status, problem = HTTPStatus.UNPROCESSABLE_ENTITY, "feedback.unfit"
    except RefusedError as error:
        status, problem = error.status, PROBLEMS.get(error.code, "")
        if not problem:
            raise
        if status == HTTPStatus.CONFLICT:
            typed = {**typed, "key": ""}
        elif typed.get("kind") == "not_a_risk":
            problem = "feedback.say_why"
    else:
        return back_to(typed)
    return ask_again(parts, render, caller, session, typed, problem, status)


PROBLEMS = {"idempotency_key_reused": "feedback.told_before", "invalid": "feedback.unfit"}


def _asked(typed: Mapping[str, str], until: str) -> FeedbackRequest:
    """Read a form as what a program would send; a day counts for a snooze only."""
    kind = typed.get("kind")
    told = {
        "account_id": typed.get("account_id"),
        "kind": kind,
        "idempotency_key": typed.get("key"),
        "note": typed.get("note", "").replace("\r\n", "\n").strip() or None,
        "until": (typed.get("until", until) or None) if kind == "snoozed" else None,
    }
    return msgspec.convert(told, FeedbackRequest)


def _undo(parts: Parts, caller: Caller, number: str) -> None:
    """Take feedback back, of an account that the caller sees; a second time changes nothing."""
    told = recorded_as(parts.store, int(number)) if _is_number(number) else None
    if told is None:
        raise not_found()
    publication, books = parts.in_service().publication, caller.principal.books
    if lookup.account(parts.store, publication, told.account_id, books) is None:
        raise not_found()
    withdraw(parts.store, told.feedback_id, caller.principal.who, parts.now())


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9  # noqa: PLR2004 - fits an integer
