"""The contract: how old, until when, when it can be left, and how often it changed."""

from dataclasses import replace

import narwhals as nw

from features.declare import (
    Extreme,
    Facts,
    Feature,
    Formula,
    Missing,
    Text,
    Total,
    Unit,
    View,
    over,
    ratio,
)
from features.terms import signed_terms, with_notice, with_term_end
from features.wording import in_window, unless_none

TERMS = View(
    "terms",
    "subscriptions",
    uses=("started_at",),
    optional=("ended_at", "renews_at", "term_months", "notice_days", "recorded_at"),
    make=signed_terms,
)
RENEWALS = replace(TERMS, name="renewals", uses=("started_at", "auto_renew"))
IN_TERM = ("term_months", "start_month", "start_dom", "stored_day", "stored_from_day")
STARTED = Facts("subscriptions", at="started_at")
RUNNING = Facts("subscriptions", at="started_at", until="ended_at")
SIGNED = Facts(TERMS, at="started_at", until="ended_at", uses=IN_TERM)
NOTICE = Facts(TERMS, at="started_at", until="ended_at", uses=(*IN_TERM, "notice_days"))
RENEWING = Facts(
    RENEWALS, at="started_at", until="ended_at", uses=(*IN_TERM, "notice_days", "auto_renew")
)
LAPSING = replace(RENEWING, where=nw.col("auto_renew") == 0)
CANCELLING = Facts("subscriptions", at="cancel_requested_at", until="ended_at", uses=("mrr",))
NOT_RENEWING = Facts(
    "subscriptions",
    at="started_at",
    until="ended_at",
    uses=("mrr", "auto_renew"),
    where=nw.col("auto_renew") == 0,
)
DECISION_DAY = (
    nw.when(nw.col("auto_renew") == 1)
    .then(nw.col("notice_day"))
    .otherwise(nw.when(nw.col("auto_renew") == 0).then(nw.col("term_end_day")))
)
TERM_END = Extreme(SIGNED, nw.col("term_end_day"), "min", at_snapshot=with_term_end)


ENDS = "The term ends in {lifecycle__days_to_term_end} [day|days]"
TERM_ENDS = Text(
    ENDS,
    ENDS + ", notice can be given for {lifecycle__days_to_notice_deadline} more",
    ENDS + ", the last day for notice was {lifecycle__days_to_notice_deadline} [day|days] ago",
    missing="No end of the term is known",
    against=0.0,
    now="lifecycle__days_to_notice_deadline",
    equal=ENDS + ", today is the last day for notice",
)
NOTICE_ENDS = Text(
    "The last day for notice is today, or nearly",
    "Notice can be given for {value} more [day|days]",
    "The last day for notice was {value} [day|days] ago",
    missing="No last day for notice is known",
    against=0.0,
    equal="Today is the last day for notice",
)
CANCELLED = unless_none(
    "No cancellation was requested",
    "A cancellation was requested for {lifecycle__mrr_cancelled} of the MRR of {lifecycle__mrr}",
    missing="There is no MRR that could be cancelled",
)
SOME_CHANGES = "{value} contract [start, renewal or change|starts, renewals or changes]"

FEATURES = (
    Feature(
        "lifecycle",
        "tenure_days",
        Extreme(STARTED, nw.col("at_day"), "min", since=True),
        Unit.DAYS,
        subject="tenure",
        description="Days since the first subscription started.",
        text=Text("A customer for {value} [day|days]", missing="No subscription so far"),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "lifecycle",
        "days_to_term_end",
        replace(TERM_END, ahead=True),
        Unit.DAYS,
        subject="time to renewal",
        description="Days to the next end of a signed term.",
        text=TERM_ENDS,
        missing=Missing.UNKNOWN,
        risk="down",
    ),
    Feature(
        "lifecycle",
        "term_months",
        Extreme(SIGNED, nw.col("term_months"), "min"),
        Unit.MONTHS,
        subject="term length",
        description="The shortest term of the running subscriptions, in months.",
        text=Text(
            "Signed for {value} [month|months] at a time",
            beside=(
                "Signed for {value} [month|months] at a time, the term ends in"
                " {lifecycle__days_to_term_end} [day|days]"
            ),
            missing="The term's length is not known",
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "lifecycle",
        "days_to_notice_deadline",
        Extreme(
            NOTICE,
            nw.col("term_end_day") - nw.col("notice_days"),
            "min",
            ahead=True,
            at_snapshot=with_term_end,
        ),
        Unit.DAYS,
        subject="notice deadline",
        description="Days to the last day on which notice can be given for this term; negative once"
        " it has passed.",
        text=NOTICE_ENDS,
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "lifecycle",
        "notice_days",
        Extreme(NOTICE, nw.col("notice_days"), "max"),
        Unit.DAYS,
        subject="notice deadline",
        description="The longest notice period of the running subscriptions, in days.",
        text=Text(
            "Notice has to be given {value} [day|days] before the term ends",
            missing="No notice period is known",
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "lifecycle",
        "days_to_next_notice_deadline",
        Extreme(NOTICE, nw.col("notice_day"), "min", ahead=True, at_snapshot=with_notice),
        Unit.DAYS,
        subject="notice deadline",
        description="Days to the next last day for notice that has not passed, in the terms that"
        " run.",
        text=Text(
            "Notice can be given for {value} more [day|days]",
            equal="Today is the last day for notice",
            against=0.0,
            missing="No last day for notice lies ahead in the terms that run",
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "lifecycle",
        "days_to_decision",
        Extreme(RENEWING, DECISION_DAY, "min", ahead=True, at_snapshot=with_notice),
        Unit.DAYS,
        subject="decision on renewal",
        description="Days to the next day by which the customer decides: the last day for notice of"
        " a term that renews by itself, the end of one that does not.",
        text=Text(
            "The customer decides on a renewal within {value} [day|days]",
            equal="Today is the last day to decide on a renewal",
            against=0.0,
            missing="No day by which a renewal is decided lies ahead in the terms that run",
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "lifecycle",
        "days_to_lapse",
        Extreme(LAPSING, nw.col("term_end_day"), "min", ahead=True, at_snapshot=with_term_end),
        Unit.DAYS,
        subject="automatic renewal",
        description="Days to the next end of a term that does not renew by itself.",
        text=Text(
            "A subscription lapses in {value} [day|days] unless it is renewed",
            beside="{lifecycle__mrr_not_renewing} of the MRR does not renew by itself, the next"
            " term ends in {value} [day|days]",
            missing="No subscription with a known term is marked as not renewing by itself",
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "lifecycle",
        "subscriptions",
        Total(RUNNING),
        Unit.ITEMS,
        subject="subscriptions",
        description="Running subscriptions.",
        text=Text(
            "{value} [subscription is|subscriptions are] running, at an MRR of {lifecycle__mrr}",
        ),
    ),
    *over(
        (90, 365),
        Feature(
            "lifecycle",
            "contract_changes",
            Total(STARTED),
            Unit.ITEMS,
            subject="contract changes",
            description=(
                "Subscriptions, renewals and changes of plan that began in the last <days> days."
            ),
            text=in_window(SOME_CHANGES, "lifecycle__contract_changes__365d"),
        ),
        {365: in_window(SOME_CHANGES, "lifecycle__contract_changes__90d")},
    ),
    Feature(
        "lifecycle",
        "days_since_contract_change",
        Extreme(RUNNING, nw.col("at_day"), "max", since=True),
        Unit.DAYS,
        subject="contract changes",
        description="Days since a running subscription last began, was renewed or changed.",
        text=Text(
            "A contract last began, was renewed or changed {value} [day|days] ago",
            missing="No contract is running",
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "lifecycle",
        "mrr_cancelled",
        Total(CANCELLING, nw.col("mrr")),
        Unit.MONEY_PER_MONTH,
        subject="cancel requests",
        description="MRR of the running subscriptions that were asked to be cancelled.",
        text=CANCELLED,
    ),
    Feature(
        "lifecycle",
        "cancelled_share",
        Formula(("lifecycle__mrr_cancelled", "lifecycle__mrr"), ratio),
        Unit.SHARE,
        subject="cancel requests",
        description="Share of MRR that was asked to be cancelled.",
        text=CANCELLED,
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "lifecycle",
        "mrr_not_renewing",
        Total(NOT_RENEWING, nw.col("mrr")),
        Unit.MONEY_PER_MONTH,
        subject="automatic renewal",
        description="MRR of the running subscriptions that do not renew by themselves.",
        text=unless_none(
            "No subscription is marked as not renewing by itself",
            "{value} of the MRR of {lifecycle__mrr} does not renew by itself",
        ),
    ),
)
