"""Single values of the interface: what each means, its unit and its bounds."""

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta

MOST_IDS = 1000
MOST_ROWS = 1000
MOST_LISTED = 200
NO_ZERO = r"^[^\x00]*$"
DATE = {"format": "date"}
ONCE = {"uniqueItems": True}  # each value once; checked where it is answered

AccountId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=400,
        pattern=NO_ZERO,
        description="The account's id as in the source, where it comes from the CRM.",
    ),
]
Text = Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_ZERO)]
Note = Annotated[
    str, Meta(max_length=4000, pattern=NO_ZERO, description="What there is to say of it.")
]
Key = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=NO_ZERO,
        description="Made by the sender, for example the id of a task: the same again is recorded "
        "once and answered alike.",
    ),
]
ModelName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=NO_ZERO,
        description="A model in service, such as `churn` or `expansion`.",
    ),
]
AskedHorizon = Annotated[
    int, Meta(ge=1, le=36500, description="Days from the scores' date; one that is scored.")
]
ReasonCount = Annotated[
    int, Meta(ge=0, le=10, description="How many reasons to give for each probability, at most.")
]
Status = Literal["scored", "leaving", "inactive", "no_data"]
BANDS = ("high", "medium", "low")
Band = Annotated[
    str,
    Meta(
        pattern=f"^({'|'.join(BANDS)})$",
        extra_json_schema={"enum": list(BANDS)},
        description="By default `high` from 3 times the base rate, `medium` from 1.5 times.",
    ),
]
FeedbackKind = Literal[
    "contacted",
    "play_done",
    "will_renew",
    "will_leave",
    "expanding",
    "score_wrong",
    "other",
    "snoozed",
    "not_a_risk",
    "saved",
    "lost",
    "expansion_opened",
    "unsure",
]
FeedbackId = Annotated[
    int, Meta(ge=1, le=2**31 - 1, description="As it was answered when the feedback was recorded.")
]
MOST_SNOOZED_DAYS = 90
Until = Annotated[
    date,
    Meta(
        extra_json_schema={"maxLength": 10},
        description="With `snoozed`, and nothing else: the day, UTC, on which the account comes "
        f"back onto the list; tomorrow at the earliest, in {MOST_SNOOZED_DAYS} days at the latest.",
    ),
]
SnoozedUntil = Annotated[
    str,
    Meta(
        extra_json_schema=DATE,
        description="The day, UTC, before which somebody wants to hear nothing of it; null: none.",
    ),
]

Time = Annotated[datetime, Meta(tz=True, description="UTC.")]
AsOf = Annotated[
    datetime,
    Meta(tz=True, description="The scores' date, UTC: they rest on what was known just before it."),
]
AgeHours = Annotated[float, Meta(description="Hours from `as_of` to the answer.")]
Stale = Annotated[
    bool, Meta(description="Whether the scores are older than the service's operator wants them.")
]
Date = Annotated[str, Meta(extra_json_schema=DATE)]
RenewalDate = Annotated[
    str, Meta(extra_json_schema=DATE, description="The end of the signed term that ends next.")
]
NoticeDeadline = Annotated[
    str, Meta(extra_json_schema=DATE, description="The last day for notice; past once it is over.")
]
Probability = Annotated[float, Meta(ge=0, le=1)]
RenewalProbability = Annotated[
    float,
    Meta(ge=0, le=1, description="That it is still a customer after the day of its renewal."),
]
Share = Annotated[float, Meta(ge=0, le=1)]
HorizonDays = Annotated[int, Meta(ge=1, description="Days from the scores' date.")]
Rank = Annotated[int, Meta(ge=1, description="1 is the highest; null for a token with a book.")]
Effect = Annotated[float, Meta(description="Its contribution, in log odds.")]
Value = Annotated[float, Meta(description="The feature's value; null: without history.")]
Sentence = Annotated[str, Meta(description="A sentence for the people who care for the account.")]
AddedMrr = Annotated[
    float,
    Meta(description="MRR that the account is expected to add by the horizon, in `currency`."),
]
Money = Annotated[float, Meta(description="In `currency`.")]
Currency = Annotated[str, Meta(description="ISO 4217 code of the company's currency.")]
Version = Annotated[str, Meta(description="The version of the model that gave the scores.")]
Fingerprint = Annotated[str, Meta(description="Fingerprint of the features that the model reads.")]
FeatureName = Annotated[str, Meta(description="The feature's column; GET /v1/models lists them.")]
Cursor = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=NO_ZERO,
        description="`next_cursor` of the page before. It belongs to that page's scores and to who "
        "asked, and is good for an hour, unless the service is started again.",
    ),
]
NextCursor = Annotated[str, Meta(description="Asks for the next page; null on the last.")]
