"""What happens at the parent and at the sister companies: those of the same topmost parent."""

from dataclasses import replace

import narwhals as nw

from features.daily import EVENT_DAYS
from features.declare import (
    Facts,
    Feature,
    Formula,
    Missing,
    Others,
    Text,
    Total,
    Unit,
    View,
    over,
    ratio,
    relative_change,
)
from features.groups import CHILDREN, CUSTOMER_GROUP
from features.rows import known_together
from features.windows import DAY, NEVER, Rows, Window, day_of
from features.wording import against_before, moved, unless_none

ALWAYS = Window(None)


def contracts(subscriptions: Rows) -> Rows:
    """Give the spans of snapshots on which an account had any running subscription."""
    ends = day_of("ended_at").fill_null(NEVER)
    rows = subscriptions.with_columns(at_day=day_of("started_at"), until_day=ends)
    rows = rows.with_columns(
        enters=ALWAYS.enters("enters", "at_day"),
        leaves=ALWAYS.leaves("leaves", "at_day", "until_day"),
    ).filter(nw.col("enters") < nw.col("leaves"))
    # Of subscriptions that run alike only one is looked at: an engine puts equal rows in any order.
    order = ("enters", "leaves")
    rows = rows.select("account_id", *order).unique()
    rows = rows.with_columns(reach=nw.col("leaves").cum_max().over("account_id", order_by=order))
    before = nw.col("reach").shift(1).over("account_id", order_by=order)
    begins = (before.is_null() | (nw.col("enters") > before)).cast(nw.Int64)
    rows = rows.with_columns(begins=begins)
    number = nw.col("begins").cum_sum().over("account_id", order_by=order)
    rows = rows.with_columns(number=number)
    spans: Rows = rows.group_by("account_id", "number").agg(
        nw.col("enters").min(), nw.col("leaves").max()
    )
    return spans.with_columns(began_at=(nw.col("enters") - 1) * DAY)


def lost(spans: Rows) -> Rows:
    """Give the spans of snapshots on which an account had no subscription any more."""
    again = nw.col("enters").shift(-1).over("account_id", order_by="enters").fill_null(NEVER)
    gone = spans.with_columns(again=again).filter(nw.col("leaves") < NEVER)
    return gone.select(
        "account_id",
        enters="leaves",
        leaves="again",
        lost_at=(nw.col("leaves") - 1) * DAY,
    )


def of_parent(rows: Rows, children: Rows) -> Rows:
    """Let what happens at a parent count for each of its children."""
    return known_together(rows, children).with_columns(account_id="among").drop("among")


CONTRACTS = View("contracts", "subscriptions", ("started_at",), contracts, ("ended_at",))
LOST = View("lost", CONTRACTS, ("began_at",), lost)
PARENT_LOST = View("parent_lost", LOST, ("lost_at",), of_parent, beside=(CHILDREN,))
PARENT_CANCELLING = View(
    "parent_cancelling",
    "subscriptions",
    ("mrr", "cancel_requested_at"),
    of_parent,
    ("ended_at",),
    beside=(CHILDREN,),
)
ACCOUNTS = Facts("accounts", at="created_at")
PAYING = Facts("subscriptions", at="started_at", until="ended_at", uses=("mrr",))
CANCELLING = replace(PAYING, at="cancel_requested_at")
USE = Facts(EVENT_DAYS, at="used_at", uses=("events",))


def among_sisters(total: Total) -> Others:
    """Add up over the other accounts of the customer group."""
    return Others(total, CUSTOMER_GROUP)


def lost_share(lost_accounts: nw.Expr, running: nw.Expr) -> nw.Expr:
    """Compare those lost with those lost or still there."""
    return ratio(lost_accounts, lost_accounts + running)


def share_of_both(own: nw.Expr, others: nw.Expr) -> nw.Expr:
    """Give the account's part of the whole group."""
    return ratio(own, own + others)


ALONE = "No other account of the same group is known"
SISTERS_LOST = unless_none(
    "No other account of the group ended its last subscription in the last <days> days",
    "{value} other [account|accounts] of the group ended the last subscription in the last <days>"
    " days, {hierarchy__sisters_in_contract} [has|have] one",
)
MRR_MOVED = moved(
    "MRR of the group's other accounts",
    "MRR of the group's other accounts is {hierarchy__sisters_mrr}",
    "hierarchy__sisters_mrr",
    missing="There was no MRR at other accounts of the group <days> days ago",
)
CANCELLED = unless_none(
    "No other account of the group asked to cancel",
    "Cancellation was requested for {hierarchy__sisters_mrr_cancelled} of the MRR of"
    " {hierarchy__sisters_mrr} at other accounts of the group",
    missing="There is no MRR at other accounts of the group",
)
EVENTS_MOVED = against_before(
    "{hierarchy__sisters_events__<days>d} [event|events] at the group's other accounts",
    "hierarchy__sisters_events__<days>d",
    "hierarchy__sisters_events_before__<days>d",
    missing="The group's other accounts had no events in the <days> days before the last <days>",
)

FEATURES = (
    Feature(
        "hierarchy",
        "sisters",
        among_sisters(Total(ACCOUNTS)),
        Unit.ITEMS,
        subject="customer group",
        description="Other accounts of the same customer group, paying or not.",
        text=unless_none(
            ALONE, "{value} other [account belongs|accounts belong] to the same group"
        ),
    ),
    Feature(
        "hierarchy",
        "sisters_in_contract",
        among_sisters(Total(Facts(CONTRACTS, at="began_at"))),
        Unit.ITEMS,
        subject="customer group",
        description="Other accounts of the customer group with a running subscription.",
        text=Text(
            "{value} of {hierarchy__sisters} other [account|accounts] of the group"
            " [has|have] a running subscription",
        ),
    ),
    *over(
        (90, 365),
        Feature(
            "hierarchy",
            "sisters_lost",
            among_sisters(Total(Facts(LOST, at="lost_at"))),
            Unit.ITEMS,
            subject="losses in the group",
            description="Other accounts of the customer group that ended their last subscription in"
            " the last <days> days and have not come back.",
            text=SISTERS_LOST,
        ),
    ),
    Feature(
        "hierarchy",
        "sisters_lost_share",
        Formula(("hierarchy__sisters_lost__365d", "hierarchy__sisters_in_contract"), lost_share),
        Unit.SHARE,
        subject="losses in the group",
        description="Other accounts of the group lost in the last 365 days as a share of those lost"
        " or still there.",
        text=Text(
            "{hierarchy__sisters_lost__365d} other [account|accounts] of the group ended the last"
            " subscription in the last 365 days, {hierarchy__sisters_in_contract} [has|have] one",
            missing="No other account of the group had a subscription",
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "hierarchy",
        "sisters_mrr",
        among_sisters(Total(PAYING, nw.col("mrr"))),
        Unit.MONEY_PER_MONTH,
        subject="MRR of the group",
        description="MRR of the other accounts of the customer group.",
        text=MRR_MOVED.over(90),
    ),
    *over(
        (90,),
        Feature(
            "hierarchy",
            "sisters_mrr_before",
            among_sisters(Total(PAYING, nw.col("mrr"), back=1)),
            Unit.MONEY_PER_MONTH,
            subject="MRR of the group",
            description="MRR <days> days ago of the accounts that are the group's others now.",
            text=MRR_MOVED,
        ),
    ),
    *over(
        (90,),
        Feature(
            "hierarchy",
            "sisters_mrr_change",
            Formula(
                ("hierarchy__sisters_mrr", "hierarchy__sisters_mrr_before__<days>d"),
                relative_change,
            ),
            Unit.SHARE,
            subject="MRR of the group",
            description="Relative change of the other accounts' MRR over <days> days.",
            text=MRR_MOVED,
            missing=Missing.UNKNOWN,
        ),
    ),
    Feature(
        "hierarchy",
        "share_of_group_mrr",
        Formula(("lifecycle__mrr", "hierarchy__sisters_mrr"), share_of_both),
        Unit.SHARE,
        subject="place in the group",
        description="The account's share of the customer group's MRR; 1 when it is alone.",
        text=Text(
            "An MRR of {lifecycle__mrr}, {hierarchy__sisters_mrr} at other accounts of the group",
            missing="Neither this account nor its group pays anything",
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "hierarchy",
        "sisters_mrr_cancelled",
        among_sisters(Total(CANCELLING, nw.col("mrr"))),
        Unit.MONEY_PER_MONTH,
        subject="cancel requests in the group",
        description="MRR of other accounts of the group that was asked to be cancelled.",
        text=CANCELLED,
    ),
    Feature(
        "hierarchy",
        "sisters_cancelled_share",
        Formula(("hierarchy__sisters_mrr_cancelled", "hierarchy__sisters_mrr"), ratio),
        Unit.SHARE,
        subject="cancel requests in the group",
        description="Share of the other accounts' MRR that was asked to be cancelled.",
        text=CANCELLED,
        missing=Missing.UNKNOWN,
    ),
    *over(
        (28,),
        Feature(
            "hierarchy",
            "sisters_events",
            among_sisters(Total(USE, nw.col("events"))),
            Unit.EVENTS,
            subject="usage of the group",
            description="Events of the other accounts of the group in the last <days> days.",
            text=EVENTS_MOVED,
        ),
    ),
    *over(
        (28,),
        Feature(
            "hierarchy",
            "sisters_events_before",
            among_sisters(Total(USE, nw.col("events"), back=1)),
            Unit.EVENTS,
            subject="usage of the group",
            description="Events of the other accounts of the group in the <days> days before the"
            " last <days>.",
            text=EVENTS_MOVED,
        ),
    ),
    *over(
        (28,),
        Feature(
            "hierarchy",
            "sisters_events_change",
            Formula(
                (
                    "hierarchy__sisters_events__<days>d",
                    "hierarchy__sisters_events_before__<days>d",
                ),
                relative_change,
            ),
            Unit.SHARE,
            subject="usage of the group",
            description="Relative change of the other accounts' events, the last <days> days"
            " against the ones before.",
            text=EVENTS_MOVED,
            missing=Missing.UNKNOWN,
        ),
    ),
    Feature(
        "hierarchy",
        "parent_mrr_cancelled",
        Total(
            Facts(
                PARENT_CANCELLING,
                at="cancel_requested_at",
                until="ended_at",
                uses=("mrr",),
            ),
            nw.col("mrr"),
        ),
        Unit.MONEY_PER_MONTH,
        subject="cancel requests in the group",
        description="MRR of the direct parent's subscriptions that was asked to be cancelled.",
        text=unless_none(
            "The parent company asked for no cancellation",
            "The parent company asked to cancel {value} of its MRR",
        ),
    ),
    *over(
        (365,),
        Feature(
            "hierarchy",
            "parent_lost",
            Total(Facts(PARENT_LOST, at="lost_at")),
            Unit.ITEMS,
            subject="losses in the group",
            description="1 when the direct parent ended its last subscription in the last <days>"
            " days and has not come back.",
            text=unless_none(
                "The parent company did not leave in the last <days> days",
                "The parent company ended its last subscription in the last <days> days",
            ),
        ),
    ),
)
