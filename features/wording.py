"""Sentences of one shape that many features share; `<days>` stands for the feature's window."""

from features.declare import Text


def moved(thing: str, is_now: str, now: str, before: str = "", missing: str = Text.missing) -> Text:
    """Say a state now and so many days ago: "Seats fell from 44 to 30 in 90 days".

    Parameters
    ----------
    thing
        What has the number.
    is_now
        Says the number of today alone.
    now, before
        The feature columns of today and of so many days ago, by default `<now>_before__<days>d`.
    missing
        Says that the feature is null.
    """
    before = before or f"{now}_before__<days>d"
    span = f"from {{{before}}} to {{{now}}} in <days> days"
    return Text(
        is_now,
        rising=f"{thing} rose {span}",
        falling=f"{thing} fell {span}",
        equal=f"{is_now}, as <days> days ago",
        missing=missing,
        now=now,
        against=before,
    )


def against_before(
    said: str, now: str, before: str, *, of: str = "in", missing: str = Text.missing
) -> Text:
    """Say a window beside the one before: "3 tickets opened in the last 28 days, up from 1 in ...".

    Parameters
    ----------
    said
        Says `now`, without the window.
    now, before
        The feature columns of the last window and of the one before it.
    of
        The word between the number and the window.
    missing
        Says that the feature is null.
    """
    level = f"{said} {of} the last <days> days"
    return Text(
        level,
        rising=f"{level}, up from {{{before}}} {of} the <days> days before",
        falling=f"{level}, down from {{{before}}} {of} the <days> days before",
        equal=f"{level}, as in the <days> days before",
        missing=missing,
        now=now,
        against=before,
    )


def in_window(said: str, other: str, *, of: str = "in", missing: str = Text.missing) -> Text:
    """Say a window beside a longer or shorter one: "2 failed in the last 28 days, 3 in the ...".

    Parameters
    ----------
    said
        Says the value, without the window.
    other
        The same thing's feature column over the other window, which ends its name.
    of
        The word between the number and the window.
    missing
        Says that the feature is null.
    """
    level = f"{said} {of} the last <days> days"
    other_days = other.rpartition("__")[2].removesuffix("d")
    beside = f"{level}, {{{other}}} {of} the last {other_days}"
    return Text(level, beside=beside, missing=missing)


def against_average(said: str, average: str, *, missing: str = Text.missing) -> Text:
    """Say a number whose share above or below an average is the value: "7 events, 65% below ...".

    Parameters
    ----------
    said
        Says the number.
    average
        Names the average.
    missing
        Says that the feature is null.
    """
    return Text(
        said,
        rising=f"{said}, {{value}} above {average}",
        falling=f"{said}, {{value}} below {average}",
        equal=f"{said}, equal to {average}",
        missing=missing,
        against=0.0,
    )


def unless_none(none: str, some: str, missing: str = Text.missing) -> Text:
    """Say `none` where the value is 0, and else `some`."""
    return Text(some, equal=none, against=0.0, missing=missing)
