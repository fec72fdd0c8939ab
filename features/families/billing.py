"""What was invoiced, what is overdue, and how paying went."""

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
    over,
    ratio,
)
from features.windows import DAY
from features.wording import in_window, unless_none

WINDOWS = (90, 365)

OPEN = Facts(
    "invoices", at="issued_at", until="paid_at", uses=("amount",), where=nw.col("amount") > 0
)
OVERDUE = Facts(
    "invoices", at="due_at", until="paid_at", uses=("amount",), where=nw.col("amount") > 0
)
INVOICED = Facts("invoices", at="issued_at", uses=("amount",), where=nw.col("amount") > 0)
CREDITS = Facts("invoices", at="issued_at", uses=("amount",), where=nw.col("amount") < 0)
PAID = Facts("invoices", at="paid_at", uses=("due_at", "amount"), where=nw.col("amount") > 0)
PAID_LATE = Facts(
    "invoices",
    at="paid_at",
    uses=("due_at", "amount"),
    where=(nw.col("amount") > 0) & (nw.col("paid_at") > nw.col("due_at")),
)
TRIED = Facts("payments", at="attempted_at")
FAILED = Facts("payments", at="attempted_at", uses=("succeeded",), where=nw.col("succeeded") == 0)
SUCCEEDED = Facts(
    "payments", at="attempted_at", uses=("succeeded",), where=nw.col("succeeded") == 1
)

NOTHING_OVERDUE = "Nothing is overdue"
NO_CREDIT = "Nothing was credited in the last <days> days"
SOME_FAILED = "{value} [payment|payments] failed"
FAILED_OF_TRIED = (
    "{billing__failed_payments__365d} of {billing__payment_attempts__365d} payment"
    " [attempt|attempts] failed in the last 365 days"
)
NONE_FAILED = (
    "No payment failed in the last 365 days,"
    " of {billing__payment_attempts__365d} [attempt|attempts]"
)
NONE_TRIED = "No payment was tried in the last 365 days"

FEATURES = (
    Feature(
        "billing",
        "days_overdue",
        Extreme(OVERDUE, nw.col("at_day"), "min", since=True),
        Unit.DAYS,
        subject="overdue invoices",
        description="Days since the oldest unpaid invoice fell due; 0 when none is overdue.",
        text=unless_none("No invoice is overdue", "An invoice is {value} [day|days] overdue"),
        risk="up",
    ),
    Feature(
        "billing",
        "overdue_invoices",
        Total(OVERDUE),
        Unit.INVOICES,
        subject="overdue invoices",
        description="Unpaid invoices past their due date.",
        text=unless_none(
            "No invoice is overdue",
            "{value} [invoice is|invoices are] overdue, [for|the oldest for]"
            " {billing__days_overdue} [day|days]",
        ),
        risk="up",
    ),
    Feature(
        "billing",
        "overdue_amount",
        Total(OVERDUE, nw.col("amount")),
        Unit.MONEY,
        subject="overdue invoices",
        description="Amount of the unpaid invoices past their due date.",
        text=unless_none(
            NOTHING_OVERDUE,
            "Overdue invoices come to {value}, at an MRR of {lifecycle__mrr}",
        ),
        risk="up",
    ),
    Feature(
        "billing",
        "overdue_months_of_mrr",
        Formula(("billing__overdue_amount", "lifecycle__mrr"), ratio),
        Unit.RATIO,
        subject="overdue invoices",
        description="The overdue amount in months of MRR.",
        text=unless_none(
            NOTHING_OVERDUE,
            "Overdue invoices come to {billing__overdue_amount}, at an MRR of {lifecycle__mrr}",
            missing="There is no MRR to compare with",
        ),
        missing=Missing.UNKNOWN,
        risk="up",
    ),
    Feature(
        "billing",
        "open_amount",
        Total(OPEN, nw.col("amount")),
        Unit.MONEY,
        subject="open invoices",
        description="Amount of the invoices that are not paid, due or not.",
        text=Text(
            "Unpaid invoices come to {value}",
            rising="Unpaid invoices come to {value}, overdue ones to {billing__overdue_amount}",
            equal="Unpaid invoices come to {value}, none of them overdue",
            now="billing__overdue_amount",
            against=0.0,
        ),
    ),
    *over(
        (365,),
        Feature(
            "billing",
            "invoiced",
            Total(INVOICED, nw.col("amount")),
            Unit.MONEY,
            subject="invoiced amount",
            description="Amount invoiced in the last <days> days.",
            text=unless_none(
                "Nothing was invoiced in the last <days> days",
                "{value} invoiced in the last <days> days, MRR is {lifecycle__mrr}",
            ),
        ),
    ),
    *over(
        (90, 365),
        Feature(
            "billing",
            "credited",
            Total(CREDITS, -nw.col("amount")),
            Unit.MONEY,
            subject="credits",
            description="Amount credited in the last <days> days.",
            text=unless_none(
                NO_CREDIT,
                "{value} credited in the last <days> days, {billing__credited__365d} in the"
                " last 365",
            ),
        ),
        {
            365: unless_none(
                NO_CREDIT,
                "{value} credited of {billing__invoiced__365d} invoiced in the last <days> days",
            )
        },
    ),
    *over(
        (365,),
        Feature(
            "billing",
            "credit_notes",
            Total(CREDITS),
            Unit.INVOICES,
            subject="credits",
            description="Credit notes in the last <days> days.",
            text=unless_none(
                NO_CREDIT,
                "{value} credit [note|notes] in the last <days> days,"
                " {billing__credited__365d} in all",
            ),
        ),
    ),
    Feature(
        "billing",
        "credited_share",
        Formula(("billing__credited__365d", "billing__invoiced__365d"), ratio),
        Unit.SHARE,
        subject="credits",
        description="Credits of the last 365 days as a share of what was invoiced.",
        text=unless_none(
            "Nothing was credited in the last 365 days",
            "{billing__credited__365d} credited of {billing__invoiced__365d} invoiced in the"
            " last 365 days",
            missing="Nothing was invoiced in the last 365 days",
        ),
        missing=Missing.UNKNOWN,
    ),
    *over(
        (90, 365),
        Feature(
            "billing",
            "late_payments",
            Total(PAID_LATE),
            Unit.INVOICES,
            subject="late payments",
            description="Invoices paid after their due date in the last <days> days.",
            text=in_window("{value} [invoice|invoices] paid late", "billing__late_payments__365d"),
        ),
        {365: in_window("{value} [invoice|invoices] paid late", "billing__late_payments__90d")},
    ),
    *over(
        WINDOWS,
        Feature(
            "billing",
            "days_paid_after_due",
            Total(PAID, nw.col("paid_at") - nw.col("due_at"), per=DAY, mean=True),
            Unit.DAYS,
            subject="late payments",
            description="Mean days from the due date to payment, of the last <days> days' payments;"
            " negative when paid early.",
            text=Text(
                "Invoices were paid on average within a day of their due date in the last"
                " <days> days",
                "Invoices were paid {value} [day|days] late on average in the last <days> days",
                "Invoices were paid {value} [day|days] early on average in the last <days> days",
                missing="No invoice was paid in the last <days> days",
                against=0.0,
                equal="Invoices were paid on their due date on average in the last <days> days",
            ),
            missing=Missing.UNKNOWN,
            risk="up",
        ),
    ),
    *over(
        (28, 90, 365),
        Feature(
            "billing",
            "failed_payments",
            Total(FAILED),
            Unit.PAYMENTS,
            subject="failed payments",
            description="Payment attempts that failed in the last <days> days.",
            text=in_window(SOME_FAILED, "billing__failed_payments__90d"),
            risk="up",
        ),
        {
            90: in_window(SOME_FAILED, "billing__failed_payments__365d"),
            365: unless_none(NONE_FAILED, FAILED_OF_TRIED),
        },
    ),
    *over(
        (365,),
        Feature(
            "billing",
            "payment_attempts",
            Total(TRIED),
            Unit.PAYMENTS,
            subject="failed payments",
            description="Payment attempts in the last <days> days.",
            text=unless_none(
                NONE_TRIED,
                "{value} payment [attempt|attempts] in the last <days> days,"
                " {billing__failed_payments__365d} failed",
            ),
        ),
    ),
    Feature(
        "billing",
        "failed_payment_share",
        Formula(("billing__failed_payments__365d", "billing__payment_attempts__365d"), ratio),
        Unit.SHARE,
        subject="failed payments",
        description="Share of the last 365 days' payment attempts that failed.",
        text=unless_none(
            NONE_FAILED,
            FAILED_OF_TRIED,
            missing=NONE_TRIED,
        ),
        missing=Missing.UNKNOWN,
        risk="up",
    ),
    Feature(
        "billing",
        "days_since_failed_payment",
        Extreme(FAILED, nw.col("at_day"), "max", since=True),
        Unit.DAYS,
        subject="failed payments",
        description="Days since a payment last failed.",
        text=Text(
            "A payment last failed {value} [day|days] ago;"
            " {billing__failed_payments__365d} failed in the last 365 days",
            missing="No payment has failed so far",
        ),
        missing=Missing.UNKNOWN,
        risk="down",
    ),
    Feature(
        "billing",
        "days_since_payment",
        Extreme(SUCCEEDED, nw.col("at_day"), "max", since=True),
        Unit.DAYS,
        subject="last payment",
        description="Days since a payment last succeeded.",
        text=Text("The last payment came {value} [day|days] ago", missing="No payment came so far"),
        missing=Missing.UNKNOWN,
    ),
)
