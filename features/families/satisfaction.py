"""What people at the customer answered when asked, and whether they still answer."""

from dataclasses import replace

import narwhals as nw

from features.declare import (
    FIXED,
    Distinct,
    Extreme,
    Facts,
    Feature,
    Formula,
    Latest,
    Missing,
    Ranked,
    Text,
    Total,
    Unit,
    difference,
    over,
)

THIRDS = 3 * FIXED
HALF_YEAR = 180
DETRACTOR = 6 * FIXED

ANSWERED = Facts("surveys", at="responded_at")
SCORED = Facts("surveys", at="responded_at", uses=("kind", "score"))
NPS = replace(SCORED, where=nw.col("kind") == "nps")
CSAT = replace(SCORED, where=nw.col("kind") == "csat")
CES = replace(SCORED, where=nw.col("kind") == "ces")
BY_ROLE = replace(SCORED, uses=("kind", "score", "respondent_role"))


def of_hundred() -> nw.Expr:
    """Put the scores of every kind on one scale from 0 to 100, in whole thirds: exactly.

    An answer to `nps` lies from 0 to 10, to `csat` from 1 to 5, to `ces` from 1 to 7.
    """
    score, above_one = nw.col("score"), nw.col("score") - FIXED
    csat = nw.when(nw.col("kind") == "csat").then(above_one * 75).otherwise(above_one * 50)
    return nw.when(nw.col("kind") == "nps").then(score * 30).otherwise(csat)


def spread(most: nw.Expr, least: nw.Expr, roles: nw.Expr) -> nw.Expr:
    """Give the distance between the roles' means; null where only one role was heard."""
    return nw.when(roles > 1).then(most - least)


def rated(kind: str, of: int) -> Text:
    """Say a kind's mean score beside the one over the other window."""
    column = f"satisfaction__{kind}"
    level = f"{kind.upper()} answers gave {{{column}__90d}} of {of} on average in the last 90 days"
    return Text(
        level,
        level + f", above the {{{column}__365d}} of the last 365",
        level + f", below the {{{column}__365d}} of the last 365",
        missing=f"No {kind.upper()} answer in the last <days> days",
        against=f"{column}__365d",
        now=f"{column}__90d",
        equal=level + ", as in the last 365",
    )


def over_year(kind: str, of: int) -> Text:
    """Say a kind's mean score of the year, where there is none of the last 90 days."""
    return replace(
        rated(kind, of),
        level=f"{kind.upper()} answers gave {{value}} of {of} on average in the last 365 days",
    )


NOW = (
    "Survey answers average {satisfaction__score__<days>d} of 100 possible points in the last"
    " <days> days"
)
MOVED = Text(
    NOW,
    NOW + ", up from {satisfaction__score_before__<days>d}",
    NOW + ", down from {satisfaction__score_before__<days>d}",
    missing="No answers in both the last <days> days and the <days> before",
    against="satisfaction__score_before__<days>d",
    now="satisfaction__score__<days>d",
    equal=NOW + ", as in the <days> before",
)
APART = Text(
    "Survey answers average {value} of 100 possible points by role in the last 365 days",
    rising="Survey answers average from {satisfaction__least_content_role__365d} to"
    " {satisfaction__most_content_role__365d} of 100 possible points, role by role, in the last"
    " 365 days",
    equal="Survey answers average {satisfaction__most_content_role__365d} of 100 possible points in"
    " every role that answered in the last 365 days",
    now="satisfaction__most_content_role__365d",
    against="satisfaction__least_content_role__365d",
    missing="No answer by a known role in the last 365 days",
)

FEATURES = (
    *over(
        (90, 365),
        Feature(
            "satisfaction",
            "nps",
            Total(NPS, nw.col("score"), mean=True),
            Unit.POINTS,
            subject="NPS",
            description="Mean NPS score (0 to 10) of the answers in the last <days> days.",
            text=rated("nps", 10),
            missing=Missing.UNKNOWN,
            risk="down",
        ),
        {365: over_year("nps", 10)},
    ),
    *over(
        (90, 365),
        Feature(
            "satisfaction",
            "csat",
            Total(CSAT, nw.col("score"), mean=True),
            Unit.POINTS,
            subject="CSAT",
            description="Mean CSAT score (1 to 5) of the surveys in the last <days> days.",
            text=rated("csat", 5),
            missing=Missing.UNKNOWN,
            risk="down",
        ),
        {365: over_year("csat", 5)},
    ),
    *over(
        (90, 365),
        Feature(
            "satisfaction",
            "ces",
            Total(CES, nw.col("score"), mean=True),
            Unit.POINTS,
            subject="CES",
            description="Mean CES score (1 to 7) of the answers in the last <days> days.",
            text=rated("ces", 7),
            missing=Missing.UNKNOWN,
        ),
        {365: over_year("ces", 7)},
    ),
    Feature(
        "satisfaction",
        "latest_nps",
        Latest(NPS, nw.col("score"), per=FIXED),
        Unit.POINTS,
        subject="NPS",
        description="The latest NPS score (0 to 10), the lowest of several at one moment.",
        text=Text(
            "The latest NPS answer gave {value} of 10",
            beside=(
                "The latest NPS answer gave {value} of 10, the last 365 days"
                " {satisfaction__nps__365d} on average"
            ),
            missing="No NPS answer so far",
        ),
        missing=Missing.UNKNOWN,
        risk="down",
    ),
    *over(
        (365,),
        Feature(
            "satisfaction",
            "detractors",
            Total(NPS, (nw.col("score") <= DETRACTOR).cast(nw.Int64), per=1, mean=True),
            Unit.SHARE,
            subject="NPS",
            description="Share of the NPS answers in the last <days> days that gave 6 or less.",
            text=Text(
                "Of the NPS answers in the last <days> days, {value} gave 6 or less",
                missing="No NPS answer in the last <days> days",
            ),
            missing=Missing.UNKNOWN,
            risk="up",
        ),
    ),
    *over(
        (HALF_YEAR,),
        Feature(
            "satisfaction",
            "score",
            Total(SCORED, of_hundred(), per=THIRDS, mean=True),
            Unit.POINTS,
            subject="satisfaction",
            description="Mean of all answers in the last <days> days, each put on a scale from 0 to"
            " 100.",
            text=replace(MOVED, missing="No answer in the last <days> days"),
            missing=Missing.UNKNOWN,
        ),
    ),
    *over(
        (HALF_YEAR,),
        Feature(
            "satisfaction",
            "score_before",
            Total(SCORED, of_hundred(), per=THIRDS, mean=True, back=1),
            Unit.POINTS,
            subject="satisfaction",
            description="Mean of all answers in the <days> days before the last <days>, from 0 to"
            " 100.",
            text=replace(
                MOVED,
                level="Survey answers averaged {value} of 100 possible points in the <days> days"
                " before the last",
                missing="No answer in the <days> days before the last <days>",
            ),
            missing=Missing.UNKNOWN,
        ),
    ),
    *over(
        (HALF_YEAR,),
        Feature(
            "satisfaction",
            "score_change",
            Formula(
                ("satisfaction__score__<days>d", "satisfaction__score_before__<days>d"), difference
            ),
            Unit.POINTS,
            subject="satisfaction",
            description="Mean of the last <days> days' answers less that of the <days> days before,"
            " on a scale from 0 to 100.",
            text=MOVED,
            missing=Missing.UNKNOWN,
        ),
    ),
    *over(
        (HALF_YEAR,),
        Feature(
            "satisfaction",
            "lowest_score",
            Extreme(SCORED, of_hundred(), "min", per=THIRDS),
            Unit.POINTS,
            subject="satisfaction",
            description="The lowest answer of the last <days> days, on a scale from 0 to 100.",
            text=Text(
                "The lowest answer of the last <days> days gave {value} of 100",
                beside=(
                    "The lowest answer of the last <days> days gave {value} of 100, the average"
                    " {satisfaction__score__<days>d}"
                ),
                missing="No answer in the last <days> days to be the lowest",
            ),
            missing=Missing.UNKNOWN,
            risk="down",
        ),
    ),
    Feature(
        "satisfaction",
        "days_since_last_answer",
        Extreme(ANSWERED, nw.col("at_day"), "max", since=True),
        Unit.DAYS,
        subject="answers to surveys",
        description="Days since the last answer to a survey.",
        text=Text(
            "The last answer to a survey came {value} [day|days] ago;"
            " {satisfaction__answers__365d} [was|were] given in the last 365 days",
            missing="No survey was answered so far",
        ),
        missing=Missing.UNKNOWN,
    ),
    *over(
        (365,),
        Feature(
            "satisfaction",
            "answers",
            Total(ANSWERED),
            Unit.ITEMS,
            subject="answers to surveys",
            description="Answers to surveys in the last <days> days.",
            text=Text("{value} [answer|answers] to surveys in the last <days> days"),
        ),
    ),
    *over(
        (365,),
        Feature(
            "satisfaction",
            "roles_heard",
            Distinct(BY_ROLE, "respondent_role"),
            Unit.ITEMS,
            subject="agreement between roles",
            description="Different roles that answered a survey in the last <days> days.",
            text=Text("{value} [role|roles] answered a survey in the last <days> days"),
        ),
    ),
    *over(
        (365,),
        Feature(
            "satisfaction",
            "most_content_role",
            Ranked(BY_ROLE, "respondent_role", of_hundred(), mean=True, per=THIRDS),
            Unit.POINTS,
            subject="agreement between roles",
            description="The largest of the roles' mean answers in the last <days> days, from 0 to"
            " 100.",
            text=replace(
                APART,
                level="The most content role's survey answers average {value} of 100 possible"
                " points in the last 365 days",
            ),
            missing=Missing.UNKNOWN,
        ),
    ),
    *over(
        (365,),
        Feature(
            "satisfaction",
            "least_content_role",
            Ranked(BY_ROLE, "respondent_role", of_hundred(), pick="min", mean=True, per=THIRDS),
            Unit.POINTS,
            subject="agreement between roles",
            description="The smallest of the roles' mean answers in the last <days> days, from 0 to"
            " 100.",
            text=replace(
                APART,
                level="The least content role's survey answers average {value} of 100 possible"
                " points in the last 365 days",
            ),
            missing=Missing.UNKNOWN,
        ),
    ),
    *over(
        (365,),
        Feature(
            "satisfaction",
            "spread_between_roles",
            Formula(
                (
                    "satisfaction__most_content_role__<days>d",
                    "satisfaction__least_content_role__<days>d",
                    "satisfaction__roles_heard__<days>d",
                ),
                spread,
            ),
            Unit.POINTS,
            subject="agreement between roles",
            description="The largest less the smallest of the roles' mean answers in the last"
            " <days> days, on a scale from 0 to 100.",
            text=replace(
                APART,
                level="The roles' mean survey answers lie {value} of 100 possible points apart",
                missing="Fewer than two roles answered in the last 365 days",
            ),
            missing=Missing.UNKNOWN,
        ),
    ),
)
