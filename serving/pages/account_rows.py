"""What the tables of an account's page say, from what the store has."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, get_args

from features.sentences import written
from models.bundle import Bundle
from serving.api.feedback import Recorded
from serving.api.fields import FeedbackKind
from serving.pages.texts import say
from serving.store.account_page import Event, Outcome, Told
from serving.store.lookup import Row

OF_KIND: Mapping[str, str] = {
    "ticket": "account.ticket",
    "escalation": "account.escalation",
    "incident": "account.incident",
    "invoice": "account.invoice",
    "failed_payment": "account.failed_payment",
    "person_came": "account.person_came",
    "person_left": "account.person_left",
    "touch": "account.touch",
    "survey": "account.survey",
    "outcome_agreed": "account.outcome_agreed",
    "outcome_met": "account.outcome_met",
    "review": "account.review",
    "cancel_asked": "account.cancel_asked",
    "ended": "account.ended",
}
"""What each kind of event is called."""
OF_VERDICT: Mapping[str | None, str] = {
    "met": "account.met",
    "partly": "account.partly",
    "missed": "account.missed",
}
OVER: Mapping[str, str] = {
    "ticket": "account.resolved_at",
    "incident": "account.resolved_at",
    "invoice": "account.paid_at",
}
"""How the end of an event is told, of those kinds that have one."""
NOT_OVER: Mapping[str, str] = {
    "ticket": "account.open",
    "incident": "account.open",
    "invoice": "account.unpaid",
}
OF_FEEDBACK: Mapping[str, str] = {kind: f"feedback.{kind}" for kind in get_args(FeedbackKind)}
MONEY = frozenset({"invoice", "failed_payment"})


@dataclass(frozen=True)
class ReasonRow:
    """One reason as the page shows it; texts that are empty have nothing to say."""

    text: str
    value: str
    effect: str
    before: str
    peers: str


@dataclass(frozen=True)
class Done:
    """Something that was done, or told, and what is known to have come of it.

    Attributes
    ----------
    by
        Who told it; and until when, where it is put off.
    feedback_id, kind, who, name
        Of what can be taken back: the id of who told it, and what they are called.
    """

    at: date
    what: str
    note: str
    came: str
    by: tuple[str, ...] = ()
    feedback_id: int | None = None
    kind: str = ""
    who: str = ""
    name: str = ""


def reason_rows(
    reasons: Iterable[Mapping[str, Any]],
    bundle: Bundle | None,
    past: Sequence[Row],
    as_of: datetime,
    told: Told | None = None,
) -> list[ReasonRow]:
    """Give a model's reasons, each beside the account's own past and its peers.

    Parameters
    ----------
    bundle
        The model that gave them; None where it is another one's.
    past
        Earlier scores of the same model, the oldest first: of its reasons, the newest that told of
        the same number is the past, where `told` has none.
    told
        What the source told, with the numbers of about a month before.
    """
    entries = {entry["column"]: entry for entry in bundle.catalogue} if bundle else {}
    before = {**_told_before(past, as_of), **_kept_before(told)}
    return [
        ReasonRow(
            text=each["text"],
            value=_number(each["value"], entries.get(each["feature"])),
            effect=_effect(each["effect"]),
            before=_before(before.get(each["feature"]), entries.get(each["feature"])),
            peers=_peers(each, bundle),
        )
        for each in reasons
    ]


def _told_before(past: Sequence[Row], as_of: datetime) -> dict[str, tuple[date, float]]:
    """Give by feature the newest earlier date at which a reason told of its number."""
    return {
        reason["feature"]: (row["as_of"].date(), reason["value"])
        for row in past
        if row["as_of"] < as_of
        for reason in json.loads(row["reasons"])
        if reason["value"] is not None
    }


def _kept_before(told: Told | None) -> dict[str, tuple[date, float]]:
    """Give by feature what its number was about a month before, as the publication kept it."""
    if told is None or told.before_at is None:
        return {}
    return {name: (told.before_at, value) for name, value in told.before.items()}


def _number(value: float | None, entry: Mapping[str, Any] | None) -> str:
    if value is None:
        return ""
    return written(value, entry["unit"]) if entry and "unit" in entry else f"{value:,.6g}"


def _effect(log_odds: float) -> str:
    """Say by how much it multiplies the odds; nought adds nothing."""
    key = "account.raises" if log_odds > 0 else "account.lowers"
    return say(key, factor=f"{math.exp(min(log_odds, 50)):.2f}")


def _before(found: tuple[date, float] | None, entry: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    return say("account.before", value=_number(found[1], entry), date=found[0])


def _peers(reason: Mapping[str, Any], bundle: Bundle | None) -> str:
    """Say where the number lies among those of other accounts; nothing where nobody knows."""
    peers, value = bundle and bundle.peers, reason["value"]
    if not peers or value is None or None in peers.tails.get(reason["feature"], (None,)):
        return ""
    found = peers.standing(reason["feature"], value)
    if found is None:
        return say("account.as_most")
    is_high, tenths = found
    return say("account.more_than" if is_high else "account.less_than", tenths=tenths)


def outcome_state(outcome: Outcome, today: date) -> str:
    """Say how far an agreed outcome was at a date: met, missed, or due."""
    if outcome.met is not None:
        is_late = outcome.due is not None and outcome.met > outcome.due
        return say("account.met_late" if is_late else "account.met_at", date=outcome.met)
    if outcome.due is None:
        return say("account.agreed")
    return say("account.missed" if outcome.due < today else "account.due")


def over(event: Event) -> str:
    """Say when an event was over, of a kind that ends; that it was not, where that is so."""
    if event.kind not in OVER:
        return ""
    return say(OVER[event.kind], date=event.until) if event.until else say(NOT_OVER[event.kind])


def done_before(
    touches: Iterable[Event],
    feedback: Iterable[Recorded],
    came: "Came",
    decisions: Iterable[Row] = (),
) -> list[Done]:
    """Give what was done, told and decided before, the newest first, with what came of it."""
    found = [
        Done(each.at, say(OF_KIND["touch"]), each.detail or "", came.after(each.at))
        for each in touches
    ]
    for told in (each for each in feedback if each.withdrawn_at is None):
        key, day = OF_FEEDBACK.get(told.kind, "feedback.other"), told.recorded_at.date()
        by = [say("feedback.by", name=told.recorded_by)]
        by += [say("feedback.till", date=told.until.date())] if told.until else []
        note, number = told.note or "", told.feedback_id
        of = (told.kind, told.who, told.recorded_by)
        found.append(Done(day, say(key), note, came.after(day), tuple(by), number, *of))
    for row in decisions:
        day, what = row["decided_at"].date(), say(f"disagreements.sided_{row['sides_with']}")
        judged = say(OF_FEEDBACK.get(row["kind"], "feedback.other"))
        by = [
            say("feedback.by", name=row["decided_by"]),
            say("feedback.on", kind=judged, name=row["recorded_by"]),
        ]
        by += [say("disagreements.undone")] if row["withdrawn_at"] else []
        found.append(Done(day, what, row["note"] or "", came.after(day), tuple(by)))
    return sorted(found, key=lambda done: done.at, reverse=True)


@dataclass(frozen=True)
class Came:
    """What is known at a date to have come of what was done before.

    Attributes
    ----------
    status
        The account's then: "scored", "leaving", "inactive" or "no_data".
    terms
        When terms ended that earlier publications told of, by time.
    """

    as_of: date
    status: str
    told: Told | None
    terms: Sequence[datetime]

    def after(self, day: date) -> str:
        """Say what came after a day."""
        if day >= self.as_of:
            return say("account.not_known_yet")
        ended = self.told.ended if self.told else None
        if self.status == "inactive":
            is_later = ended is not None and ended >= day
            return say("account.left_at", date=ended) if is_later else say("account.no_customer")
        if self.status == "no_data":
            return say("account.not_known")
        if self.status == "leaving":
            return say("account.asked_since")
        known = self.told.renewed if self.told else None
        ends = [*(term.date() for term in self.terms), *([known] if known else [])]
        last = max(ends, default=None)
        if last is not None and last >= day:
            return say("account.renewed_at", date=last)
        return say("account.still_there")
