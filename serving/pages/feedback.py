"""Feedback from the pages: one click and an optional sentence, told once, and taken back."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from serving.access.session import Session, is_marked
from serving.api import answers
from serving.api.body import read_form
from serving.api.feedback import may_withdraw, recorded_as, withdraw
from serving.api.fields import MOST_SNOOZED_DAYS
from serving.api.refusal import RefusedError, not_found
from serving.api.response import caller_of
from serving.api.schema import FeedbackAnswer, FeedbackRequest, UndoRequest
from serving.pages.cookies import session_of
from serving.pages.login import login_form, sign_in_first
from serving.pages.paths import TELL, UNDO, page_before, safe_next
from serving.pages.render import Render
from serving.parts import Caller, Parts
from serving.store import lookup

QUICK: Mapping[str, tuple[str, ...]] = {
    "risk": ("contacted", "snoozed", "not_a_risk"),
    "grow": ("contacted", "expansion_opened", "snoozed"),
    "leaving": ("contacted", "saved", "lost"),
    "watch": ("contacted", "snoozed"),
    "all": ("contacted", "snoozed"),
}
"""What a row of each tab offers in one click; *more* leads to the form with all kinds."""
MORE, UNDONE = "more", "undo"
KINDS = (
    *("contacted", "snoozed", "not_a_risk", "saved", "lost", "expansion_opened"),
    *("play_done", "will_renew", "will_leave", "unsure"),
)
SNOOZED_DAYS = 14
KEY_BYTES = 12
ACCOUNT_CHARACTERS = 24
NONE = dict.fromkeys(("kind", "key", "note", "until", "place", "instead"), "")
MOST_NOTED = 4000
SAID = ("said", "at")
"""Of a page's address: the number of what the click before it told, and the row it was in."""


@dataclass(frozen=True)
class Said:
    """What was said or taken back by the click before, for the page to confirm.

    Attributes
    ----------
    place
        Where its row stood in the list: it may have left it by that click.
    may_undo, may_add
        Whether the reader may take it back, and whether they may add a sentence.
    """

    feedback_id: int
    account_id: str
    called: str
    kind: str
    until: str
    is_undone: bool
    place: int
    may_undo: bool
    may_add: bool


@dataclass(frozen=True)
class Form:
    """What a form of feedback needs to know.

    Attributes
    ----------
    mark, by
        Of the session, and the id of who it is of: what they type is shown to nobody else.
    back
        The page to come back to.
    today
        In UTC, as snoozes are.
    typed
        What was typed before and is shown again.
    said
        What was told by the click before.
    undoes_all
        Whether the reader may take back what others told.
    """

    mark: str
    by: str
    back: str
    today: date
    typed: Mapping[str, str]
    said: Said | None = None
    undoes_all: bool = False
    kinds: tuple[str, ...] = KINDS
    quick: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: QUICK)
    days: int = SNOOZED_DAYS
    most: int = MOST_NOTED

    def key(self) -> str:
        """Give the key under which one form is recorded once, however often it is sent."""
        return self.typed["key"] or f"page-{secrets.token_urlsafe(KEY_BYTES)}"

    def may_undo(self, who: str) -> bool:
        """Tell whether the reader may take back what somebody told."""
        return self.undoes_all or who == self.by

    @property
    def until(self) -> str:
        """When a snooze ends, unless another day is chosen."""
        return self.typed["until"] or str(self.today + timedelta(days=SNOOZED_DAYS))

    @property
    def untils(self) -> tuple[str, str]:
        """The first and the last day on which a snooze may end."""
        first, last = (self.today + timedelta(days=days) for days in (1, MOST_SNOOZED_DAYS))
        return str(first), str(last)


def form_of(
    parts: Parts, session: Session | None, back: str, typed: Mapping[str, str] | None = None
) -> Form:
    """Give what `feedback_form.html` reads as ``tell``; it reads ``account_id`` beside it."""
    mark, by = (session.mark, session.subject) if session else ("", "")
    return Form(mark, by, back, parts.now().date(), {**NONE, **(typed or {})})


def form_on(parts: Parts, request: Request, back: str) -> Form:
    """Give the same for a page that was asked for, with what the click before it did."""
    caller, form = caller_of(request), form_of(parts, session_of(request), back)
    return replace(
        form, said=_said(parts, caller, request), undoes_all=may_withdraw(caller.principal, "")
    )


def _said(parts: Parts, caller: Caller, request: Request) -> Said | None:
    number, place = (request.query_params.get(name, "") for name in SAID)
    told = recorded_as(parts.store, int(number)) if _is_number(number) else None
    if told is None or parts.watch.look().in_service is None:
        return None
    publication, books = parts.in_service().publication, caller.principal.books
    found = lookup.account(parts.store, publication, told.account_id, books)
    if found is None or parts.erasures.has(told.account_id):
        return None
    parts.note_read(caller, f"GET {TELL}", [told.account_id])
    is_undone = told.withdrawn_at is not None
    may_undo = not is_undone and may_withdraw(caller.principal, told.who)
    return Said(
        told.feedback_id,
        told.account_id,
        found["name"] or told.account_id,
        told.kind,
        str(told.until.date()) if told.until else "",
        is_undone,
        int(place) if _is_number(place) else 0,
        may_undo,
        may_undo and told.who == caller.principal.who and not told.note,
    )


def feedback_routes(parts: Parts, render: Render) -> list[Route]:
    """Give the routes by which a page tells feedback, and takes it back."""

    async def tell(request: Request) -> Response:
        typed = await _typed(request)
        if "feedback_id" in typed:
            return await taken_back(request, typed)
        if "tenure.caller" not in request.scope:
            return sign_in_first(parts, render, typed, TELL)
        return await run_in_threadpool(_tell, parts, render, request, typed)

    async def undo(request: Request) -> Response:
        return await taken_back(request, await _typed(request))

    async def taken_back(request: Request, typed: Mapping[str, str]) -> Response:
        if "tenure.caller" not in request.scope:  # there is nothing typed to keep
            return login_form(parts, render, typed["back"], HTTPStatus.UNAUTHORIZED)
        demand_marked(request, typed)
        return await run_in_threadpool(_undo, parts, render, request, typed)

    return [Route(TELL, tell, methods=["POST"]), Route(UNDO, undo, methods=["POST"])]


async def _typed(request: Request) -> dict[str, str]:
    """Read a form; one that names no page to come back to stood on the page it came from.

    A button of a list says what and in which row, to keep the list short; its one form, which
    accounts the rows are. That form's key and the account make the key of the row.
    """
    came_from = page_before(request.headers.get("referer", ""))
    typed = {"back": came_from, **await read_form(request)}
    rows, (kind, place, number) = typed.pop("rows", ""), _pressed(typed.pop("do", ""))
    if kind == UNDONE:
        typed |= {"feedback_id": number, "place": place}
    elif (account_id := _in_row(rows, place)) is not None:
        of = hashlib.sha256(account_id.encode()).hexdigest()[:ACCOUNT_CHARACTERS]
        key = f"{typed.pop('keys', '')}-{of}"
        typed |= {"kind": kind, "place": place, "account_id": account_id, "key": key}
    return typed


def _pressed(button: str) -> tuple[str, str, str]:
    kind, place, number, *_ = [*button.split("."), "", ""]
    return kind, place, number


def _in_row(rows: str, place: str) -> str | None:
    try:
        accounts = msgspec.json.decode(rows, type=list[str])
    except msgspec.DecodeError:
        return None
    is_one = _is_number(place) and int(place) < len(accounts)
    return accounts[int(place)] if is_one else None


def demand_marked(request: Request, typed: Mapping[str, str]) -> None:
    """Refuse a form that was not sent from a page of this session."""
    session = session_of(request)
    if session is None or not is_marked(session, typed.get("mark", "")):
        raise RefusedError(
            HTTPStatus.FORBIDDEN, "forbidden", "This form was not sent from the page."
        )


def back_to(typed: Mapping[str, str], said: int | None = None) -> Response:
    """Lead back to the view that a form stood on: to load that anew sends nothing again.

    Parameters
    ----------
    said
        The number of what was told or taken back: the view confirms it, and is opened there.
    """
    back = urlsplit(safe_next(typed.get("back", "")))
    query = [pair for pair in parse_qsl(back.query) if pair[0] not in SAID]
    if said is not None:
        place = typed.get("place", "")
        query += [("said", str(said)), *([("at", place)] if _is_number(place) else [])]
    to = back._replace(query=urlencode(query), fragment="said" if said is not None else "")
    return RedirectResponse(to.geturl(), HTTPStatus.SEE_OTHER)


def is_anothers(typed: Mapping[str, str], session: Session | None) -> bool:
    """Tell whether a form was filled by somebody else than who is logged in now."""
    return session is None or typed.get("by", "") != session.subject


def ask_again(
    parts: Parts,
    render: Render,
    caller: Caller,
    session: Session | None,
    typed: Mapping[str, str],
    problem: str,
    status: int = HTTPStatus.OK,
) -> Response:
    """Show a form as it was filled, with a fresh mark: nothing is told without another click.

    Who fills it is the only one who sees it: after a login of somebody else nothing is shown.
    """
    account_id, called = typed.get("account_id", ""), ""
    form = form_of(parts, session, safe_next(typed.get("back", "")), typed)
    if is_anothers(typed, session):
        form, problem = replace(form, typed=NONE), "feedback.anothers"
    elif parts.watch.look().in_service is None:  # nobody knows whose it is, nor shows anything
        called, problem = account_id, "feedback.no_scores"
        status = HTTPStatus.CONFLICT  # it answers well: it has nothing yet to tell that of
    else:
        publication, books = parts.in_service().publication, caller.principal.books
        found = lookup.account(parts.store, publication, account_id.replace("\0", ""), books)
        if found is not None:
            parts.note_read(caller, f"POST {TELL}", [account_id])
            called = found["name"] or account_id
    return render(
        "told.html", status, tell=form, account_id=account_id, called=called, problem=problem
    )


def _tell(parts: Parts, render: Render, request: Request, typed: Mapping[str, str]) -> Response:
    caller, session = caller_of(request), session_of(request)
    if not caller.principal.may("feedback"):
        raise RefusedError(HTTPStatus.FORBIDDEN, "forbidden", "This login may tell no feedback.")
    if session is None or not is_marked(session, typed.get("mark", "")):
        status, problem = HTTPStatus.FORBIDDEN, "feedback.not_from_page"
        return ask_again(parts, render, caller, session, typed, problem, status)
    if typed.get("kind") == MORE:
        return ask_again(parts, render, caller, session, {**typed, "kind": "", "key": ""}, "")
    try:
        told = answers.feedback(parts, caller, _asked(typed, form_of(parts, session, "").until))
        _replace(parts, caller, typed.get("instead", ""), told)
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
        return back_to(typed, told.feedback_id)
    return ask_again(parts, render, caller, session, typed, problem, status)


PROBLEMS = {
    "idempotency_key_reused": "feedback.told_before",
    "invalid": "feedback.unfit",
    "not_ready": "feedback.no_scores",
}


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


def _replace(parts: Parts, caller: Caller, number: str, told: FeedbackAnswer) -> None:
    """Take back what somebody told before they added a sentence to it; a second time does no more.

    What was said is never changed: that it was said without, and then with it, is kept.
    """
    before = recorded_as(parts.store, int(number)) if _is_number(number) else None
    if before is None or before.feedback_id >= told.feedback_id:
        return
    same = (before.account_id, before.kind, before.who) == (
        *(told.account_id, told.kind),
        caller.principal.who,
    )
    if same:
        withdraw(parts.store, before.feedback_id, caller.principal.who, parts.now())


def _undo(parts: Parts, render: Render, request: Request, typed: Mapping[str, str]) -> Response:
    """Take feedback back, of an account that the caller sees; a second time changes nothing."""
    number = typed.get("feedback_id", "")
    if not _is_number(number):
        raise not_found()
    caller, session = caller_of(request), session_of(request)
    try:
        answers.undo_feedback(parts, caller, UndoRequest(int(number)))
    except RefusedError as error:
        if error.code != "not_ready":
            raise
        by = session.subject if session else ""
        status, problem, told = error.status, PROBLEMS[error.code], {**typed, "by": by}
        return ask_again(parts, render, caller, session, told, problem, status)
    return back_to(typed, int(number))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9  # noqa: PLR2004 - fits an integer
