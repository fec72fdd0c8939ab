"""What customer success did: the team's answer to risk, so only a question that asks gets it.

A model that learns from them learns whom the team worried about; so they are left out by default.
"""

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
    over,
    relative_change,
)
from features.windows import Rows
from features.wording import against_before, in_window


def done(touches: Rows) -> Rows:
    """Leave out the touches that an experiment held back: nothing was done there."""
    return touches.filter(nw.col("arm").fill_null("treatment") != "control")


DONE = View("done", "touches", ("occurred_at",), done, ("arm", "csm"))
TOUCHES = Facts(DONE, at="occurred_at")
CSMS = Facts(DONE, at="occurred_at", uses=("csm",))

SOME = "{value} [touch|touches] by customer success"
TOUCHES_BEFORE = against_before(
    "{touches__touches__<days>d} [touch|touches] by customer success",
    "touches__touches__<days>d",
    "touches__touches_before__<days>d",
    missing="There was no touch in the <days> days before the last <days>",
)

FEATURES = (
    *over(
        (28, 90, 365),
        Feature(
            "touches",
            "touches",
            Total(TOUCHES),
            Unit.ITEMS,
            subject="touches",
            description="Touches by customer success in the last <days> days, without those that an"
            " experiment held back.",
            text=in_window(SOME, "touches__touches__90d"),
        ),
        {90: TOUCHES_BEFORE},
    ),
    *over(
        (90,),
        Feature(
            "touches",
            "touches_before",
            Total(TOUCHES, back=1),
            Unit.ITEMS,
            subject="touches",
            description="Touches by customer success in the <days> days before the last <days>.",
            text=TOUCHES_BEFORE,
        ),
    ),
    *over(
        (90,),
        Feature(
            "touches",
            "touches_change",
            Formula(
                ("touches__touches__<days>d", "touches__touches_before__<days>d"), relative_change
            ),
            Unit.SHARE,
            subject="touches",
            description="Relative change of touches, the last <days> days against the ones before.",
            text=TOUCHES_BEFORE,
            missing=Missing.UNKNOWN,
        ),
    ),
    Feature(
        "touches",
        "days_since_touch",
        Extreme(TOUCHES, nw.col("at_day"), "max", since=True),
        Unit.DAYS,
        subject="touches",
        description="Days since customer success last did something.",
        text=Text(
            "Customer success last did something {value} [day|days] ago",
            missing="Customer success has done nothing so far",
        ),
        missing=Missing.UNKNOWN,
    ),
    *over(
        (365,),
        Feature(
            "touches",
            "csms",
            Distinct(CSMS, "csm"),
            Unit.ITEMS,
            subject="touches",
            description="Different customer success managers who did something in the last <days>"
            " days.",
            text=Text(
                "{value} customer success [manager|managers] did something in the last <days> days"
            ),
        ),
    ),
)
