"""Projects that run for the customer, whether they are late, and who was trained."""

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
    over,
    ratio,
)
from features.windows import DAY
from features.wording import in_window, unless_none

RUNNING = Facts("projects", at="started_at", until="completed_at")
LATE = Facts("projects", at="due_at", until="completed_at")
COMPLETED = Facts("projects", at="completed_at")
PROMISED = Facts("projects", at="completed_at", uses=("due_at",), where=~nw.col("due_at").is_null())
IS_ONBOARDING = nw.col("kind") == "onboarding"
ONBOARDING = replace(RUNNING, uses=("kind",), where=IS_ONBOARDING)
ONBOARDED = replace(COMPLETED, uses=("kind", "started_at"), where=IS_ONBOARDING)
TRAINED = Facts("trainings", at="completed_at")
PEOPLE = replace(TRAINED, uses=("user_id",))

SOME_TRAININGS = "{value} [training|trainings] completed"
LATE_SINCE = (
    "{services__late_projects} [project is|projects are] late, [by|the latest by]"
    " {services__days_late} [day|days]"
)

FEATURES = (
    Feature(
        "services",
        "running_projects",
        Total(RUNNING),
        Unit.ITEMS,
        subject="running projects",
        description="Projects that have started and are not completed.",
        text=Text(
            "{value} [project is|projects are] running",
            rising="{value} [project is|projects are] running, {services__late_projects}"
            " [is|are] late",
            now="services__late_projects",
            against=0.0,
        ),
    ),
    Feature(
        "services",
        "late_projects",
        Total(LATE),
        Unit.ITEMS,
        subject="late projects",
        description="Projects past their due date that are not completed.",
        text=unless_none("No project is late", LATE_SINCE),
        risk="up",
    ),
    Feature(
        "services",
        "days_late",
        Extreme(LATE, nw.col("at_day"), "min", since=True),
        Unit.DAYS,
        subject="late projects",
        description="Days since the latest of the late projects was due; 0 when none is late.",
        text=unless_none("No project is late", "A project is {value} [day|days] late"),
        risk="up",
    ),
    *over(
        (365,),
        Feature(
            "services",
            "completed_on_time",
            Total(
                PROMISED,
                (nw.col("completed_at") <= nw.col("due_at")).cast(nw.Int64),
                per=1,
                mean=True,
            ),
            Unit.SHARE,
            subject="completed projects",
            description="Share of the projects completed in the last <days> days that were not"
            " late.",
            text=Text(
                "Of the projects completed in the last <days> days, {value} were on time",
                missing="No project with a due date was completed in the last <days> days",
            ),
            missing=Missing.UNKNOWN,
        ),
    ),
    Feature(
        "services",
        "onboarding_running_days",
        Extreme(ONBOARDING, nw.col("at_day"), "min", since=True),
        Unit.DAYS,
        subject="onboarding",
        description="Days since the running onboarding began.",
        text=Text(
            "Onboarding began {value} [day|days] ago and is not completed",
            missing="No onboarding is running",
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "services",
        "days_since_onboarding",
        Extreme(ONBOARDED, nw.col("at_day"), "max", since=True),
        Unit.DAYS,
        subject="onboarding",
        description="Days since an onboarding was last completed.",
        text=Text(
            "Onboarding was completed {value} [day|days] ago",
            beside=(
                "Onboarding was completed {value} [day|days] ago, after"
                " {services__onboarding_took_days} [day|days]"
            ),
            missing="No onboarding was completed so far",
        ),
        missing=Missing.UNKNOWN,
    ),
    Feature(
        "services",
        "onboarding_took_days",
        Total(ONBOARDED, nw.col("completed_at") - nw.col("started_at"), per=DAY, mean=True),
        Unit.DAYS,
        subject="onboarding",
        description="Mean days from the start of an onboarding to its completion.",
        text=Text(
            "Onboarding took {value} [day|days]",
            missing="No onboarding was completed, so none took any time",
        ),
        missing=Missing.UNKNOWN,
    ),
    *over(
        (90, 365),
        Feature(
            "services",
            "trainings",
            Total(TRAINED),
            Unit.ITEMS,
            subject="trainings",
            description="Courses that people completed in the last <days> days.",
            text=in_window(SOME_TRAININGS, "services__trainings__365d"),
        ),
        {365: in_window(SOME_TRAININGS, "services__trainings__90d")},
    ),
    Feature(
        "services",
        "days_since_training",
        Extreme(TRAINED, nw.col("at_day"), "max", since=True),
        Unit.DAYS,
        subject="trainings",
        description="Days since someone last completed a course.",
        text=Text(
            "Someone last completed a course {value} [day|days] ago;"
            " {services__trainings__365d} [was|were] completed in the last 365 days",
            missing="Nobody has completed a course so far",
        ),
        missing=Missing.UNKNOWN,
    ),
    *over(
        (365,),
        Feature(
            "services",
            "people_trained",
            Distinct(PEOPLE, "user_id"),
            Unit.USERS,
            subject="people trained",
            description="Different people who completed a course in the last <days> days.",
            text=Text(
                "{value} [person|people] completed a course in the last <days> days",
                beside=(
                    "{value} [person|people] completed a course in the last <days> days,"
                    " {usage__active_users__90d} [was|were] active in the last 90"
                ),
            ),
        ),
    ),
    Feature(
        "services",
        "trained_share",
        Formula(("services__people_trained__365d", "usage__active_users__90d"), ratio),
        Unit.SHARE,
        subject="people trained",
        description="People trained in the last 365 days as a share of the last 90 days' users; it"
        " is above 1 where trained people stay away.",
        text=Text(
            "{services__people_trained__365d} [person was|people were] trained in the last 365"
            " days, for {usage__active_users__90d} active [user|users]",
            missing="No users in the last 90 days to be trained",
        ),
        missing=Missing.UNKNOWN,
    ),
)
