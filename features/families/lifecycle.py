"""The contract: how old, how large, how it changed, and when it can be left."""

from dataclasses import replace

import narwhals as nw

from features.declare import (
    Distinct,
    Extreme,
    Facts,
    Feature,
    Formula,
    Missing,
    Text,
    Total,
    Unit,
    View,
    difference,
    over,
    ratio,
    relative_change,
)
from features.terms import signed_terms, with_term_end

TERMS = View(
    "terms",
    "subscriptions",
    uses=("started_at",),
    optional=("ended_at", "renews_at", "term_months", "notice_days", "recorded_at"),
    make=signed_terms,
)
IN_TERM = ("term_months", "start_month", "start_dom", "stored_day", "stored_from_day")
STARTED = Facts("subscriptions", at="started_at")
RUNNING = Facts("subscriptions", at="started_at", until="ended_at")
PAYING = Facts("subscriptions", at="started_at", until="ended_at", uses=("mrr",))
SEATS = Facts("subscriptions", at="started_at", until="ended_at", uses=("seats",))
OWNED = Facts("subscriptions", at="started_at", until="ended_at", uses=("product",))
SIGNED = Facts(TERMS, at="started_at", until="ended_at", uses=IN_TERM)
NOTICE = Facts(TERMS, at="started_at", until="ended_at", uses=(*IN_TERM, "notice_days"))
CANCELLING = Facts("subscriptions", at="cancel_requested_at", until="ended_at", uses=("mrr",))
USAGE_BILLED = Facts(
    "subscriptions",
    at="started_at",
    until="ended_at",
    uses=("mrr", "billing"),
    where=nw.col("billing") == "usage",
)
NOT_RENEWING = Facts(
    "subscriptions",
    at="started_at",
    until="ended_at",
    uses=("mrr", "auto_renew"),
    where=nw.col("auto_renew") == 0,
)
TERM_END = Extreme(SIGNED, nw.col("term_end_day"), "min", at_snapshot=with_term_end)
NO_MRR = "There is no MRR to compare with"

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
        text=Text("The term ends in {value} [day|days]", missing="No end of the term is known"),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "lifecycle",
        "term_months",
        Extreme(SIGNED, nw.col("term_months"), "min"),
        Unit.MONTHS,
        subject="term length",
        description="The shortest term of the running subscriptions, in months.",
        text=Text(
            "Signed for {value} [month|months] at a time", missing="The term's length is not known"
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
        text=Text(
            "Today is the last day to give notice",
            "Notice can be given for {value} more [day|days]",
            "The notice deadline passed {value} [day|days] ago",
            missing="No notice deadline is known",
            against=0.0,
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "lifecycle",
        "mrr",
        Total(PAYING, nw.col("mrr")),
        Unit.MONEY_PER_MONTH,
        subject="MRR",
        description="Monthly recurring revenue of the running subscriptions.",
        text=Text("MRR is {value}"),
    ),
    *over(
        (28, 90, 365),
        Feature(
            "lifecycle",
            "mrr_before",
            Total(PAYING, nw.col("mrr"), back=1),
            Unit.MONEY_PER_MONTH,
            subject="MRR",
            description="Monthly recurring revenue <days> days ago.",
            text=Text("<days> days ago MRR was {value}"),
        ),
    ),
    *over(
        (28, 90, 365),
        Feature(
            "lifecycle",
            "mrr_change",
            Formula(("lifecycle__mrr", "lifecycle__mrr_before__<days>d"), relative_change),
            Unit.SHARE,
            subject="MRR",
            description="Relative change of MRR over <days> days.",
            text=Text(
                "MRR is {lifecycle__mrr}, as it was <days> days ago",
                "MRR rose from {lifecycle__mrr_before__<days>d} to {lifecycle__mrr} in <days> days",
                "MRR fell from {lifecycle__mrr_before__<days>d} to {lifecycle__mrr} in <days> days",
                missing="There was no MRR <days> days ago",
                against=0.0,
            ),
            missing=Missing.UNKNOWN,
        ),
    ),
    Feature(
        "lifecycle",
        "seats",
        Total(SEATS, nw.col("seats"), per=1),
        Unit.SEATS,
        subject="seats",
        description="Seats of the running subscriptions.",
        text=Text("{value} [seat|seats]", missing="The number of seats is not known"),
        missing=Missing.UNKNOWN,
    ),
    *over(
        (90, 365),
        Feature(
            "lifecycle",
            "seats_before",
            Total(SEATS, nw.col("seats"), per=1, back=1),
            Unit.SEATS,
            subject="seats",
            description="Seats <days> days ago.",
            text=Text(
                "<days> days ago there were {value} [seat|seats]",
                missing="No seats were known <days> days ago",
            ),
            missing=Missing.UNKNOWN,
        ),
    ),
    *over(
        (90, 365),
        Feature(
            "lifecycle",
            "seats_change",
            Formula(("lifecycle__seats", "lifecycle__seats_before__<days>d"), relative_change),
            Unit.SHARE,
            subject="seats",
            description="Relative change of seats over <days> days.",
            text=Text(
                "{lifecycle__seats} seats, as <days> days ago",
                "Seats rose from {lifecycle__seats_before__<days>d} to {lifecycle__seats} in <days>"
                " days",
                "Seats fell from {lifecycle__seats_before__<days>d} to {lifecycle__seats} in <days>"
                " days",
                missing="No seats were known <days> days ago",
                against=0.0,
            ),
            missing=Missing.UNKNOWN,
        ),
    ),
    Feature(
        "lifecycle",
        "mrr_per_seat",
        Formula(("lifecycle__mrr", "lifecycle__seats"), ratio),
        Unit.MONEY_PER_MONTH,
        subject="price",
        description="MRR for each seat.",
        text=Text("A seat costs {value} a month", missing="The number of seats is not known"),
        missing=Missing.UNKNOWN,
    ),
    *over(
        (365,),
        Feature(
            "lifecycle",
            "mrr_per_seat_before",
            Formula(("lifecycle__mrr_before__<days>d", "lifecycle__seats_before__<days>d"), ratio),
            Unit.MONEY_PER_MONTH,
            subject="price",
            description="MRR for each seat <days> days ago.",
            text=Text(
                "<days> days ago a seat cost {value} a month",
                missing="No seats were known <days> days ago",
            ),
            missing=Missing.UNKNOWN,
        ),
    ),
    *over(
        (365,),
        Feature(
            "lifecycle",
            "price_change",
            Formula(
                ("lifecycle__mrr_per_seat", "lifecycle__mrr_per_seat_before__<days>d"),
                relative_change,
            ),
            Unit.SHARE,
            subject="price",
            description="Relative change of MRR per seat over <days> days.",
            text=Text(
                "A seat costs {lifecycle__mrr_per_seat} a month, as <days> days ago",
                "The price of a seat rose from {lifecycle__mrr_per_seat_before__<days>d} to"
                " {lifecycle__mrr_per_seat} in <days> days",
                "The price of a seat fell from {lifecycle__mrr_per_seat_before__<days>d} to"
                " {lifecycle__mrr_per_seat} in <days> days",
                missing="No price per seat was known <days> days ago",
                against=0.0,
            ),
            missing=Missing.UNKNOWN,
        ),
    ),
    Feature(
        "lifecycle",
        "products_owned",
        Distinct(OWNED, "product"),
        Unit.ITEMS,
        subject="products owned",
        description="Different products of the running subscriptions.",
        text=Text("{value} [product|products] owned"),
    ),
    *over(
        (365,),
        Feature(
            "lifecycle",
            "products_owned_before",
            Distinct(OWNED, "product", back=1),
            Unit.ITEMS,
            subject="products owned",
            description="Different products of the subscriptions that ran <days> days ago.",
            text=Text("<days> days ago {value} [product|products] owned"),
        ),
    ),
    *over(
        (365,),
        Feature(
            "lifecycle",
            "products_owned_change",
            Formula(
                ("lifecycle__products_owned", "lifecycle__products_owned_before__<days>d"),
                difference,
            ),
            Unit.ITEMS,
            subject="products owned",
            description="Products owned now, less those owned <days> days ago.",
            text=Text(
                "{lifecycle__products_owned} products owned, as <days> days ago",
                "Products owned rose from {lifecycle__products_owned_before__<days>d} to"
                " {lifecycle__products_owned} in <days> days",
                "Products owned fell from {lifecycle__products_owned_before__<days>d} to"
                " {lifecycle__products_owned} in <days> days",
                against=0.0,
            ),
        ),
    ),
    Feature(
        "lifecycle",
        "subscriptions",
        Total(RUNNING),
        Unit.ITEMS,
        subject="subscriptions",
        description="Running subscriptions.",
        text=Text("{value} [subscription is|subscriptions are] running"),
    ),
    *over(
        (90, 365),
        Feature(
            "lifecycle",
            "contract_changes",
            Total(STARTED),
            Unit.ITEMS,
            subject="contract changes",
            description="Subscriptions, renewals and changes of plan that began in the last <days>"
            " days.",
            text=Text("{value} contract [change|changes] in the last <days> days"),
        ),
    ),
    Feature(
        "lifecycle",
        "days_since_contract_change",
        Extreme(RUNNING, nw.col("at_day"), "max", since=True),
        Unit.DAYS,
        subject="contract changes",
        description="Days since a running subscription last began, was renewed or changed.",
        text=Text(
            "The contract last changed {value} [day|days] ago", missing="No contract is running"
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
        text=Text("{value} of MRR was asked to be cancelled"),
    ),
    Feature(
        "lifecycle",
        "cancelled_share",
        Formula(("lifecycle__mrr_cancelled", "lifecycle__mrr"), ratio),
        Unit.SHARE,
        subject="cancel requests",
        description="Share of MRR that was asked to be cancelled.",
        text=Text("{value} of the MRR was asked to be cancelled", missing=NO_MRR),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "lifecycle",
        "usage_billed_mrr",
        Total(USAGE_BILLED, nw.col("mrr")),
        Unit.MONEY_PER_MONTH,
        subject="usage billing",
        description="MRR that is billed by usage.",
        text=Text("{value} of MRR is billed by usage"),
    ),
    Feature(
        "lifecycle",
        "usage_billed_share",
        Formula(("lifecycle__usage_billed_mrr", "lifecycle__mrr"), ratio),
        Unit.SHARE,
        subject="usage billing",
        description="Share of MRR that is billed by usage.",
        text=Text("{value} of the MRR is billed by usage", missing=NO_MRR),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "lifecycle",
        "mrr_not_renewing",
        Total(NOT_RENEWING, nw.col("mrr")),
        Unit.MONEY_PER_MONTH,
        subject="automatic renewal",
        description="MRR of the running subscriptions that do not renew by themselves.",
        text=Text("{value} of MRR does not renew by itself"),
    ),
)
