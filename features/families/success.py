"""Whether the results that were agreed on are reached, and whether anybody looks."""

from dataclasses import replace

import narwhals as nw

from features.declare import (
    Extreme,
    Facts,
    Feature,
    Formula,
    Latest,
    Missing,
    Text,
    Total,
    Unit,
    View,
    over,
    ratio,
)
from features.windows import DAY, Rows, first_day_after
from features.wording import unless_none

YEAR = 365
SOON_DAYS = 90
REVIEW_DAYS = 180


def coming(outcomes: Rows) -> Rows:
    """Give the time in which an outcome is soon due: its last 90 days, until it is achieved."""
    dated = outcomes.filter(~nw.col("due_at").is_null())
    return dated.with_columns(
        soon_from=nw.max_horizontal("agreed_at", nw.col("due_at") - SOON_DAYS * DAY),
        soon_until=nw.min_horizontal("due_at", "achieved_at"),
    )


def achieved(outcomes: Rows) -> Rows:
    """Give the achieved outcomes, each known from its achievement on."""
    reached = outcomes.filter(~nw.col("achieved_at").is_null())
    return reached.with_columns(enters=nw.max_horizontal("enters", first_day_after("achieved_at")))


DATES = ("agreed_at", "due_at", "achieved_at")
OPEN = Facts("outcomes", at="agreed_at", until="achieved_at")
OVERDUE = Facts("outcomes", at="due_at", until="achieved_at")
SOON = Facts(View("coming", "outcomes", DATES, coming), at="soon_from", until="soon_until")
DUE = Facts("outcomes", at="due_at")
MET = Facts(View("achieved", "outcomes", DATES, achieved), at="due_at")
ACHIEVED = Facts("outcomes", at="achieved_at")
REVIEWED = Facts("reviews", at="held_at")
JUDGED = Facts("reviews", at="held_at", uses=("verdict",))


def days_late(since_review: nw.Expr, tenure: nw.Expr) -> nw.Expr:
    """Give the days past the half year that the last review, or the start, lies back."""
    since = nw.coalesce(since_review, tenure)
    late = nw.max_horizontal(since - float(REVIEW_DAYS), nw.lit(0.0))
    return nw.when(~since.is_null()).then(late)


NONE_OVERDUE = "No agreed outcome is overdue"
MET_OF_DUE = (
    "Of {success__outcomes_due__365d} agreed [outcome|outcomes] due in the last 365 days,"
    " {success__outcomes_met__365d} [was|were] achieved"
)
NONE_DUE = "No agreed outcome fell due in the last 365 days"
LAST_REVIEW = (
    "The agreed outcomes were last reviewed {success__days_since_last_review} [day|days] ago"
)


def found(verdict: str) -> Text:
    """Say how many of the year's reviews came to a verdict."""
    return unless_none(
        f"No review of the last 365 days found the agreed outcomes {verdict}",
        "{value} of {success__reviews__365d} [review|reviews] in the last 365 days found the"
        f" agreed outcomes {verdict}",
    )


FEATURES = (
    Feature(
        "success",
        "outcomes_open",
        Total(OPEN),
        Unit.ITEMS,
        subject="agreed outcomes",
        description="Agreed outcomes that are not achieved.",
        text=Text(
            "{value} agreed [outcome is|outcomes are] open",
            beside="{value} agreed [outcome is|outcomes are] open,"
            " {success__outcomes_overdue} of them overdue",
        ),
    ),
    Feature(
        "success",
        "outcomes_due_soon",
        Total(SOON),
        Unit.ITEMS,
        subject="agreed outcomes",
        description="Agreed outcomes that are not achieved and fall due within 90 days.",
        text=Text(
            "{value} agreed [outcome falls|outcomes fall] due within 90 days,"
            " of {success__outcomes_open} open",
        ),
    ),
    Feature(
        "success",
        "outcomes_overdue",
        Total(OVERDUE),
        Unit.ITEMS,
        subject="overdue outcomes",
        description="Agreed outcomes that are past their due date and not achieved.",
        text=unless_none(
            NONE_OVERDUE,
            "{value} agreed [outcome is|outcomes are] overdue, [for|the oldest for]"
            " {success__days_outcome_overdue} [day|days]",
        ),
        risk="up",
    ),
    Feature(
        "success",
        "days_outcome_overdue",
        Extreme(OVERDUE, nw.col("at_day"), "min", since=True),
        Unit.DAYS,
        subject="overdue outcomes",
        description="Days since the oldest agreed outcome that is not achieved fell due; 0 when"
        " none is overdue.",
        text=unless_none(NONE_OVERDUE, "An agreed outcome is {value} [day|days] overdue"),
    ),
    *over(
        (YEAR,),
        Feature(
            "success",
            "outcomes_achieved",
            Total(ACHIEVED),
            Unit.ITEMS,
            subject="outcomes achieved",
            description="Agreed outcomes achieved in the last <days> days.",
            text=Text(
                "{value} agreed [outcome|outcomes] achieved in the last <days> days",
                beside="{value} agreed [outcome|outcomes] achieved in the last <days> days,"
                " {success__outcomes_open} open",
            ),
        ),
    ),
    *over(
        (YEAR,),
        Feature(
            "success",
            "outcomes_due",
            Total(DUE),
            Unit.ITEMS,
            subject="outcomes achieved",
            description="Agreed outcomes that fell due in the last <days> days.",
            text=unless_none(NONE_DUE, MET_OF_DUE),
        ),
    ),
    *over(
        (YEAR,),
        Feature(
            "success",
            "outcomes_met",
            Total(MET),
            Unit.ITEMS,
            subject="outcomes achieved",
            description="Agreed outcomes that fell due in the last <days> days and are achieved.",
            text=Text(MET_OF_DUE, equal=NONE_DUE, now="success__outcomes_due__365d", against=0.0),
        ),
    ),
    *over(
        (YEAR,),
        Feature(
            "success",
            "outcomes_met_share",
            Formula(("success__outcomes_met__<days>d", "success__outcomes_due__<days>d"), ratio),
            Unit.SHARE,
            subject="outcomes achieved",
            description="Share of the agreed outcomes due in the last <days> days that are"
            " achieved.",
            text=Text(MET_OF_DUE, missing=NONE_DUE),
            missing=Missing.UNKNOWN,
        ),
    ),
    Feature(
        "success",
        "days_since_last_review",
        Extreme(REVIEWED, nw.col("at_day"), "max", since=True),
        Unit.DAYS,
        subject="reviews",
        description="Days since the agreed outcomes were last reviewed with the customer.",
        text=Text(
            LAST_REVIEW,
            beside=LAST_REVIEW + ", {success__outcomes_open} [is|are] open",
            missing="The agreed outcomes were never reviewed so far",
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "success",
        "days_review_overdue",
        Formula(("success__days_since_last_review", "lifecycle__tenure_days"), days_late),
        Unit.DAYS,
        subject="reviews",
        description="Days by which the last review, or the first subscription where there was none,"
        " lies back more than 180 days; 0 when it does not.",
        text=Text(
            "The agreed outcomes were never reviewed, in {lifecycle__tenure_days} [day|days] as a"
            " customer",
            rising=LAST_REVIEW + ", {value} more than half a year",
            equal="No review of the agreed outcomes is overdue",
            against=0.0,
            missing="No subscription so far, so no review is due",
        ),
        missing=Missing.UNKNOWN,
    ),
    *over(
        (YEAR,),
        Feature(
            "success",
            "reviews",
            Total(REVIEWED),
            Unit.ITEMS,
            subject="reviews",
            description="Reviews of the agreed outcomes in the last <days> days.",
            text=Text(
                "{value} [review|reviews] of the agreed outcomes in the last <days> days",
                beside="{value} [review|reviews] of the agreed outcomes in the last <days> days,"
                " the last one {success__days_since_last_review} [day|days] ago",
            ),
        ),
    ),
    *(
        feature
        for verdict in ("met", "partly", "missed")
        for feature in over(
            (YEAR,),
            Feature(
                "success",
                f"reviews_{verdict}",
                Total(replace(JUDGED, where=nw.col("verdict") == verdict)),
                Unit.ITEMS,
                subject="verdicts of reviews",
                description=f"Reviews with the verdict '{verdict}' in the last <days> days.",
                text=found("partly met" if verdict == "partly" else verdict),
            ),
        )
    ),
    Feature(
        "success",
        "latest_verdict_missed",
        Latest(JUDGED, (nw.col("verdict") == "missed").cast(nw.Int64), "max"),
        Unit.ITEMS,
        subject="verdicts of reviews",
        description="1 when the latest verdict was 'missed', else 0.",
        text=unless_none(
            "The latest review did not find the agreed outcomes missed",
            "The latest review found the agreed outcomes missed",
            missing="No review with a verdict so far",
        ),
        missing=Missing.UNKNOWN,
        risk="up",
    ),
)
