"""What the customer pays for: MRR, seats, price and products, and how they changed."""

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
from features.rows import known_together
from features.windows import Rows
from features.wording import moved, unless_none

A_NEW_PRICE = 0.005
"""Share by which a price has to move: below lies what rounding to the cent makes of few seats."""


def repriced(rows: Rows) -> Rows:
    """Give the subscriptions that began as another of the product ended, at another price.

    The price is that of a seat; of a product without seats it is the MRR. What was free had none.
    Where several of one product end and begin at once, one that finds another's price among them
    counts.
    """
    before = rows.filter(~nw.col("ended_at").is_null()).select(
        "account_id",
        "product",
        "enters",
        "leaves",
        started_at="ended_at",
        mrr_before="mrr",
        seats_before="seats",
    )
    now = rows.select("account_id", "product", "enters", "leaves", "started_at", "mrr", "seats")
    both = known_together(now, before, ("account_id", "product", "started_at"))
    both = both.filter(nw.col("seats").is_null() == nw.col("seats_before").is_null())
    # Money times the other's seats, crosswise: no seats are divided by, 0 of them least of all.
    price = _float("mrr") * _float("seats_before").fill_null(1.0)
    price_before = _float("mrr_before") * _float("seats").fill_null(1.0)
    is_new = (price_before > 0) & ((price - price_before).abs() > A_NEW_PRICE * price_before)
    return both.filter(is_new).select("account_id", "enters", "leaves", "started_at")


def _float(name: str) -> nw.Expr:
    return nw.col(name).cast(nw.Float64)


PAYING = Facts("subscriptions", at="started_at", until="ended_at", uses=("mrr",))
SEATS = Facts("subscriptions", at="started_at", until="ended_at", uses=("seats",))
OWNED = Facts("subscriptions", at="started_at", until="ended_at", uses=("product",))
REPRICED = Facts(
    View(
        "repriced",
        "subscriptions",
        ("product", "mrr", "started_at", "ended_at"),
        repriced,
        optional=("seats",),
    ),
    at="started_at",
)
USAGE_BILLED = Facts(
    "subscriptions",
    at="started_at",
    until="ended_at",
    uses=("mrr", "billing"),
    where=nw.col("billing") == "usage",
)

BY_USAGE = unless_none(
    "No MRR is billed by usage",
    "{lifecycle__usage_billed_mrr} of the MRR of {lifecycle__mrr} is billed by usage",
    missing="There is no MRR that could be billed by usage",
)
MRR_MOVED = moved(
    "MRR",
    "MRR is {lifecycle__mrr}",
    "lifecycle__mrr",
    missing="There was no MRR <days> days ago",
)
SEATS_MOVED = moved(
    "Seats",
    "{lifecycle__seats} [seat|seats]",
    "lifecycle__seats",
    missing="No seats were known <days> days ago",
)
PRICE_MOVED = moved(
    "The price of a seat",
    "A seat costs {lifecycle__mrr_per_seat} a month",
    "lifecycle__mrr_per_seat",
    missing="No price of a seat was known <days> days ago",
)
PRODUCTS_MOVED = moved(
    "Products owned",
    "{lifecycle__products_owned} [product|products] owned",
    "lifecycle__products_owned",
)

FEATURES = (
    Feature(
        "lifecycle",
        "mrr",
        Total(PAYING, nw.col("mrr")),
        Unit.MONEY_PER_MONTH,
        subject="MRR",
        description="Monthly recurring revenue of the running subscriptions.",
        text=MRR_MOVED.over(90),
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
            text=MRR_MOVED,
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
            text=MRR_MOVED,
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
        text=replace(SEATS_MOVED.over(90), missing="The number of seats is not known"),
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
            text=SEATS_MOVED,
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
            text=SEATS_MOVED,
            missing=Missing.UNKNOWN,
            risk="down",
        ),
    ),
    Feature(
        "lifecycle",
        "mrr_per_seat",
        Formula(("lifecycle__mrr", "lifecycle__seats"), ratio),
        Unit.MONEY_PER_MONTH,
        subject="price",
        description="MRR for each seat.",
        text=replace(PRICE_MOVED.over(365), missing="The price of a seat is not known"),
        missing=Missing.UNKNOWN,
    ),
    *over(
        (90, 365),
        Feature(
            "lifecycle",
            "mrr_per_seat_before",
            Formula(("lifecycle__mrr_before__<days>d", "lifecycle__seats_before__<days>d"), ratio),
            Unit.MONEY_PER_MONTH,
            subject="price",
            description="MRR for each seat <days> days ago.",
            text=PRICE_MOVED,
            missing=Missing.UNKNOWN,
        ),
    ),
    *over(
        (90, 365),
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
            text=PRICE_MOVED,
            missing=Missing.UNKNOWN,
        ),
    ),
    Feature(
        "lifecycle",
        "days_since_price_change",
        Extreme(REPRICED, nw.col("at_day"), "max", since=True),
        Unit.DAYS,
        subject="price",
        description="Days since a subscription last followed another of the same product at another"
        " price of a seat.",
        text=Text(
            "The price last changed {value} [day|days] ago",
            missing="No change of the price is known",
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "lifecycle",
        "products_owned",
        Distinct(OWNED, "product"),
        Unit.ITEMS,
        subject="products owned",
        description="Different products of the running subscriptions.",
        text=PRODUCTS_MOVED.over(365),
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
            text=PRODUCTS_MOVED,
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
            text=PRODUCTS_MOVED,
        ),
    ),
    Feature(
        "lifecycle",
        "usage_billed_mrr",
        Total(USAGE_BILLED, nw.col("mrr")),
        Unit.MONEY_PER_MONTH,
        subject="usage billing",
        description="MRR that is billed by usage.",
        text=BY_USAGE,
    ),
    Feature(
        "lifecycle",
        "usage_billed_share",
        Formula(("lifecycle__usage_billed_mrr", "lifecycle__mrr"), ratio),
        Unit.SHARE,
        subject="usage billing",
        description="Share of MRR that is billed by usage.",
        text=BY_USAGE,
        missing=Missing.UNKNOWN,
    ),
)
