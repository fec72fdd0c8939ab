"""The outages that a customer met: for how long, when, and in what they use."""

from dataclasses import replace

import narwhals as nw

from features.daily import PRODUCT_DAYS
from features.declare import (
    Beside,
    Duration,
    Extreme,
    Facts,
    Feature,
    Missing,
    Text,
    Total,
    Unit,
    View,
    over,
)
from features.local_time import in_offsets, offsets_of_accounts, working_time
from features.rows import known_together
from features.windows import DAY, NEVER, Rows, day_of
from features.wording import in_window, unless_none

WINDOWS = (28, 90)
IN_USE_DAYS = 28
TIMES = ("started_at", "resolved_at")
STATE = ("account_id", "enters", "leaves", *TIMES)
INCIDENT = ("account_id", "incident_id")
NO_END = NEVER * DAY


def once(incidents: Rows) -> Rows:
    """Give an incident that several records of one customer met once, at every snapshot.

    It runs from where the first of them met it until it is resolved for the last.
    """
    return _once(incidents).select(*INCIDENT, *STATE[1:])


def once_by_severity(incidents: Rows) -> Rows:
    """Give incidents as `once` does, as severe as the worst of the records says."""
    return _once(incidents, "severity").select(*INCIDENT, *STATE[1:], "severity")


def _once(incidents: Rows, *worst: str) -> Rows:
    edges = [incidents.select(*INCIDENT, enters=edge) for edge in ("enters", "leaves")]
    following = nw.col("enters").shift(-1).over(*INCIDENT, order_by="enters")
    spans = nw.concat(edges, how="vertical").unique().with_columns(leaves=following)
    told = incidents.select(
        *INCIDENT,
        *worst,
        "started_at",
        resolved_at=nw.col("resolved_at").fill_null(NO_END),
        told_from="enters",
        told_until="leaves",
    )
    both = spans.join(told, on=list(INCIDENT), how="inner").filter(
        nw.col("told_from") <= nw.col("enters"), nw.col("leaves") <= nw.col("told_until")
    )
    met: Rows = both.group_by(*INCIDENT, "enters", "leaves").agg(
        nw.col("started_at").min(),
        nw.col("resolved_at").max(),
        *(nw.col(name).min() for name in worst),  # by name too, critical comes before major
    )
    ended = nw.when(nw.col("resolved_at") < NO_END).then(nw.col("resolved_at"))
    return met.with_columns(resolved_at=ended)


def in_use(days: Rows, incidents: Rows) -> Rows:
    """Give the incidents in a product that was used in the 28 days before, or in none by name."""
    used = days.with_columns(used_day=day_of("used_at"), period=day_of("used_at") // IN_USE_DAYS)
    named = known_together(
        once(incidents), incidents.select(*STATE[:3], "incident_id", "product"), on=INCIDENT
    )
    begun = named.with_columns(day=day_of("started_at"))
    # The 28 days before lie in the same period or the one before.
    periods = [begun.with_columns(period=nw.col("day") // IN_USE_DAYS - back) for back in (0, 1)]
    pairs = known_together(
        nw.concat(periods, how="vertical"), used, on=("account_id", "product", "period")
    )
    ago = nw.col("day") - nw.col("used_day")
    met = pairs.filter((ago > 0) & (ago <= IN_USE_DAYS))
    anywhere = named.filter(nw.col("product").is_null())
    found = [rows.select(*INCIDENT, *STATE[1:]) for rows in (met, anywhere)]
    each = nw.concat(found, how="vertical").group_by(*INCIDENT, "leaves", *TIMES)
    return each.agg(nw.col("enters").min()).select(*STATE)


def in_working_hours(accounts: Rows, incidents: Rows, offsets: Rows) -> Rows:
    """Give incidents in pieces of one offset, of accounts in a known zone.

    Each such account has one more row, without an offset, so that it is known to have met nothing.
    """
    zoned = accounts.join(offsets.select("time_zone").unique(), on="time_zone", how="inner")
    unending = nw.lit(None, nw.Int64)
    nothing = zoned.select(
        "account_id",
        "enters",
        "leaves",
        started_at="created_at",
        resolved_at=unending,
        offset=unending,
    )
    met = known_together(once(incidents), zoned.drop("created_at"))
    pieces = in_offsets(met, offsets, *TIMES).select(*STATE, "offset")
    return nw.concat([nothing, pieces], how="vertical")


def beside_contacts(incidents: Rows, engagement: Rows, tickets: Rows, reviews: Rows) -> Rows:
    """Give incidents, and the moments at which the customer was in contact with us."""
    contacts = (
        rows.select(
            "account_id",
            "enters",
            "leaves",
            started_at=time,
            resolved_at=nw.lit(None, nw.Int64),
            is_contact=nw.lit(1, nw.Int64),
        )
        for rows, time in (
            (engagement, "occurred_at"),
            (tickets, "opened_at"),
            (reviews, "held_at"),
        )
    )
    met = incidents.select(*STATE, is_contact=nw.lit(0, nw.Int64))
    return nw.concat([met, *contacts], how="vertical")


ONCE = View("incidents_once", "incidents", ("incident_id", *TIMES), once)
BY_SEVERITY = View(
    "incidents_by_severity", "incidents", ("incident_id", "severity", *TIMES), once_by_severity
)
MET = Facts(BY_SEVERITY, *TIMES, uses=("severity",))
CRITICAL = replace(MET, where=nw.col("severity") == "critical")
MAJOR = replace(MET, where=nw.col("severity") == "major")
OPEN = Facts(ONCE, *TIMES)
BEGUN = Facts(ONCE, at="started_at")
IN_USE = Facts(
    View(
        "incidents_in_use",
        PRODUCT_DAYS,
        ("product", "used_at"),
        in_use,
        beside=(Beside("incidents", ("incident_id", "product", *TIMES)),),
    ),
    *TIMES,
)
WORKING = Facts(
    View(
        "incidents_in_working_hours",
        "accounts",
        ("time_zone", "created_at"),
        in_working_hours,
        beside=(
            Beside("incidents", ("incident_id", *TIMES)),
            Beside("accounts", ("time_zone",), made=offsets_of_accounts),
        ),
    ),
    *TIMES,
    uses=("offset",),
)
CONTACTED = Facts(
    View(
        "incidents_beside_contacts",
        ONCE,
        TIMES,
        beside_contacts,
        beside=(
            Beside("engagement", ("occurred_at",)),
            Beside("support_tickets", ("opened_at",)),
            Beside("reviews", ("held_at",)),
        ),
    ),
    *TIMES,
    uses=("is_contact",),
)

OUTAGE = "{value} [minute|minutes] of outage"
OF_ALL = "{value} of {reliability__outage_minutes__<days>d} [minute|minutes] of outage"


def part(said: str, none: str, missing: str = Text.missing) -> Text:
    """Say a part of the window's outage minutes beside all of them."""
    return unless_none(
        f"{none} in the last <days> days", f"{OF_ALL} in the last <days> days {said}", missing
    )


FEATURES = (
    *over(
        WINDOWS,
        Feature(
            "reliability",
            "outage_minutes",
            Duration(MET),
            Unit.MINUTES,
            subject="outages",
            description="Minutes of incidents in the last <days> days, added up; one that is not"
            " resolved still runs, and one that two merged records met counts once.",
            text=in_window(OUTAGE, "reliability__outage_minutes__90d"),
        ),
        {90: in_window(OUTAGE, "reliability__outage_minutes__28d")},
    ),
    *over(
        WINDOWS,
        Feature(
            "reliability",
            "critical_outage_minutes",
            Duration(CRITICAL),
            Unit.MINUTES,
            subject="outages",
            description="Minutes of critical incidents in the last <days> days.",
            text=part("[was|were] critical", "No critical outage"),
        ),
    ),
    *over(
        WINDOWS,
        Feature(
            "reliability",
            "major_outage_minutes",
            Duration(MAJOR),
            Unit.MINUTES,
            subject="outages",
            description="Minutes of major incidents in the last <days> days.",
            text=part("[was|were] major", "No major outage"),
        ),
    ),
    *over(
        WINDOWS,
        Feature(
            "reliability",
            "working_outage_minutes",
            Duration(WORKING, clock=working_time),
            Unit.MINUTES,
            subject="outages in working hours",
            description="Minutes of incidents in the last <days> days on weekdays from 9 to 17 in"
            " the account's time zone.",
            text=part(
                "fell into the customer's working hours",
                "No outage in the customer's working hours",
                missing="The customer's time zone is not known",
            ),
            missing=Missing.UNKNOWN,
        ),
    ),
    *over(
        WINDOWS,
        Feature(
            "reliability",
            "outage_minutes_in_use",
            Duration(IN_USE),
            Unit.MINUTES,
            subject="outages in products in use",
            description="Minutes of incidents in the last <days> days in products that the account"
            " used in the 28 days before, or in no product by name.",
            text=part("hit products in use", "No outage of a product in use"),
        ),
    ),
    *over(
        (90,),
        Feature(
            "reliability",
            "incidents",
            Total(BEGUN),
            Unit.ITEMS,
            subject="incidents",
            description="Incidents that began in the last <days> days.",
            text=Text(
                "{value} [incident|incidents] in the last <days> days",
                beside="{value} [incident|incidents] in the last <days> days,"
                " {reliability__outage_minutes__<days>d} [minute|minutes] of outage",
            ),
        ),
    ),
    Feature(
        "reliability",
        "open_incidents",
        Total(OPEN),
        Unit.ITEMS,
        subject="incidents",
        description="Incidents that are not resolved.",
        text=unless_none("No incident is open", "{value} [incident is|incidents are] open"),
    ),
    Feature(
        "reliability",
        "days_since_last_incident",
        Extreme(BEGUN, nw.col("at_day"), "max", since=True),
        Unit.DAYS,
        subject="incidents",
        description="Days since an incident last began.",
        text=Text(
            "The last incident began {value} [day|days] ago",
            beside="The last incident began {value} [day|days] ago;"
            " {reliability__incidents__90d} began in the last 90 days",
            missing="No incident so far",
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "reliability",
        "outage_minutes_since_contact",
        Duration(CONTACTED, since=nw.col("is_contact") == 1),
        Unit.MINUTES,
        subject="outages without contact",
        description="Minutes of incidents since the customer last opened a ticket, took part in"
        " anything, or reviewed outcomes with us.",
        text=unless_none(
            "No outage since the last contact with the customer",
            f"{OUTAGE} since the last contact with the customer",
        ),
    ),
)
