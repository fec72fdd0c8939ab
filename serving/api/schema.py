"""Requests and responses: the types that are checked, and that the OpenAPI document shows."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from serving.api.fields import (
    MOST_IDS,
    MOST_LISTED,
    MOST_ROWS,
    ONCE,
    AccountId,
    AddedMrr,
    AgeHours,
    AskedHorizon,
    AsOf,
    Band,
    Currency,
    Cursor,
    Date,
    Effect,
    FeatureName,
    FeedbackId,
    FeedbackKind,
    Fingerprint,
    HorizonDays,
    Key,
    ModelName,
    Money,
    NextCursor,
    Note,
    NoticeDeadline,
    Probability,
    Rank,
    ReasonCount,
    RenewalDate,
    RenewalProbability,
    Sentence,
    Share,
    SnoozedUntil,
    Stale,
    Status,
    Text,
    Time,
    Until,
    Value,
    Version,
)
from serving.api.refusal import Detail


class ScoresRequest(Struct, forbid_unknown_fields=True):
    """Ask for the published scores of accounts, by default of all models and horizons."""

    account_ids: Annotated[
        list[AccountId], Meta(min_length=1, max_length=MOST_IDS, extra_json_schema=ONCE)
    ]
    models: (
        Annotated[list[ModelName], Meta(min_length=1, max_length=10, extra_json_schema=ONCE)] | None
    ) = None
    horizons: (
        Annotated[list[AskedHorizon], Meta(min_length=1, max_length=20, extra_json_schema=ONCE)]
        | None
    ) = None
    reasons: ReasonCount = 5


class PredictRequest(Struct, forbid_unknown_fields=True):
    """Ask what a model would say of feature rows.

    Null is a feature without history; text is for features that the model knows as categories.
    """

    model: ModelName
    rows: Annotated[list[dict[str, float | str | None]], Meta(min_length=1, max_length=MOST_ROWS)]
    horizons: (
        Annotated[list[AskedHorizon], Meta(min_length=1, max_length=20, extra_json_schema=ONCE)]
        | None
    ) = None
    reasons: ReasonCount = 5


class WorklistQuery(Struct, forbid_unknown_fields=True):
    """Ask for a page of the work list, of all accounts or of one CSM's or tier's."""

    csm: Annotated[Text, Meta(description="Accounts of this CSM only.")] | None = None
    tier: Annotated[Text, Meta(description="Accounts of this tier only.")] | None = None
    limit: Annotated[int, Meta(ge=1, le=MOST_LISTED, description="How many accounts to list.")] = 50
    cursor: Cursor | None = None


class FeedbackRequest(Struct, forbid_unknown_fields=True):
    """Tell what was done or learned; the key makes a repeated request harmless.

    `snoozed` needs `until`, and `not_a_risk` a note that says why.
    """

    account_id: AccountId
    kind: FeedbackKind
    idempotency_key: Key
    note: Note | None = None
    until: Until | None = None


class UndoRequest(Struct, forbid_unknown_fields=True):
    """Take feedback back; it is kept, with who took it back and when, and counts no more."""

    feedback_id: FeedbackId


class ReasonAnswer(Struct):
    """One reason; effect is its contribution in log odds."""

    feature: FeatureName
    value: Value | None
    effect: Effect
    text: Sentence


class HorizonScore(Struct):
    """One probability; null with a status other than ``scored``, which is not a low risk."""

    horizon_days: HorizonDays
    probability: Probability | None
    band: Band | None
    rank: Rank | None
    expected_added_mrr: AddedMrr | None
    reasons: list[ReasonAnswer]


class ModelScores(Struct):
    """What one model says of one account, by horizon."""

    model: str
    model_version: Version
    features_version: Fingerprint
    horizons: list[HorizonScore]


class Renewal(Struct):
    """The next renewal of an account under a term.

    `renewal_probability` is that of no churn by the end of the day of the renewal; null where it
    lies beyond the longest horizon, for what is not scored, and by a model that does not tell.
    `notice_deadline` is the last day for notice, in the past once it is over.
    """

    renewal_date: RenewalDate
    notice_deadline: NoticeDeadline | None
    renewal_probability: RenewalProbability | None


class NextProduct(Struct):
    """The further product that an account is likeliest to take up next, if it takes up any.

    `share` is how likely it is that one, among those that the account has not; `text` says on which
    purchases that rests.
    """

    product: str
    share: Share
    text: Sentence


class AccountScores(Struct):
    """Scores of one account; `status` says why there is no probability where there is none.

    `renewal` is null where no signed term ends, `next_product` where none is known to be bought
    next: it is told of active accounts, by a model of expansion, where there are several products.
    """

    account_id: str
    status: Status
    as_of: AsOf
    age_hours: AgeHours
    models: list[ModelScores]
    renewal: Renewal | None
    next_product: NextProduct | None


class ScoresAnswer(Struct):
    """Scores of the known accounts in the order asked for, and the unknown ones by name."""

    as_of: AsOf
    age_hours: AgeHours
    stale: Stale
    scored_at: Time
    currency: Currency
    accounts: list[AccountScores]
    unknown_account_ids: list[str]


class PredictedHorizon(Struct):
    """One probability of a given row."""

    horizon_days: HorizonDays
    probability: Probability
    band: Band
    reasons: list[ReasonAnswer]


class PredictedRow(Struct):
    """Probabilities of a given row; to renew at the next end of its term by the model of churn."""

    horizons: list[PredictedHorizon]
    renewal_probability: RenewalProbability | None


class PredictAnswer(Struct):
    """What the model says of each row, in the order of the rows."""

    model: str
    model_version: Version
    features_version: Fingerprint
    rows: list[PredictedRow]


class PastScore(Struct):
    """A score as it was published for a date."""

    as_of: AsOf
    scored_at: Time
    model: str
    model_version: Version
    horizon_days: HorizonDays
    status: Status
    probability: Probability | None
    band: Band | None
    rank: Rank | None


class Signal(Struct):
    """A figure of the account's latest feature row."""

    feature: str
    description: str
    unit: str
    value: float


class Contract(Struct):
    """What the account pays and until when; renewal is null where no signed term ends."""

    arr: Money | None
    currency: Currency
    renewal_date: RenewalDate | None
    notice_deadline: NoticeDeadline | None
    renewal_probability: RenewalProbability | None


class FeedbackAnswer(Struct):
    """Feedback as it was recorded; what was withdrawn counts nowhere.

    `recorded_by` and `withdrawn_by` are names of users or tokens.
    """

    feedback_id: int
    account_id: str
    kind: str
    note: str | None
    recorded_at: Time
    recorded_by: str | None = None
    until: Until | None = None
    withdrawn_at: Time | None = None
    withdrawn_by: str | None = None


class AccountAnswer(Struct):
    """All that is known of one account.

    `growth` says what it is expected to add by the work list's horizon; null where that is unknown.
    """

    account_id: str
    name: str | None
    tier: str | None
    csm: str | None
    status: Status
    as_of: AsOf
    age_hours: AgeHours
    stale: Stale
    contract: Contract
    growth: Sentence | None
    next_product: NextProduct | None
    models: list[ModelScores]
    signals: list[Signal]
    history: list[PastScore]
    feedback: list[FeedbackAnswer]


class WorklistEntry(Struct):
    """One account of the work list; `expected_loss` is probability x ARR.

    A snoozed account keeps its place, so that the pages of one list fit together; the list in a
    browser leaves it out until its day.
    """

    position: Annotated[int, Meta(ge=1)]
    account_id: str
    name: str | None
    tier: str | None
    csm: str | None
    arr: Money
    renewal_date: RenewalDate | None
    notice_deadline: NoticeDeadline | None
    renewal_probability: RenewalProbability | None
    probability: Probability
    band: Band
    expected_loss: Money
    expansion_probability: Probability | None
    reasons: list[ReasonAnswer]
    suggested_play: str
    snoozed_until: SnoozedUntil | None


class WorklistAnswer(Struct):
    """A page of the work list; with `next_cursor` the next page is asked for."""

    as_of: AsOf
    age_hours: AgeHours
    stale: Stale
    currency: Currency
    horizon_days: HorizonDays
    model_versions: dict[str, str]
    accounts: list[WorklistEntry]
    next_cursor: NextCursor | None


class ModelAnswer(Struct):
    """A model in service."""

    model: str
    model_version: Version
    features_version: Fingerprint
    horizons_days: list[HorizonDays]
    trained_at: Time
    trained_on_from: Date
    trained_on_to: Date
    base_rates: dict[str, Probability]
    features: list[str]
    about: dict[str, Any]


class ModelsAnswer(Struct):
    """The models in service and the scores that they gave."""

    as_of: AsOf
    age_hours: AgeHours
    scored_at: Time
    models: list[ModelAnswer]


class HealthAnswer(Struct):
    """How the service is: its scores, their age, and what it could not load.

    `degraded`: scores are answered, but a part in `missing` is away.
    """

    status: Literal["ok", "stale", "not_ready", "degraded"]
    as_of: AsOf | None
    age_hours: AgeHours | None
    model_versions: dict[str, str]
    problem: str | None
    missing: list[str] = []
    workers: int = 1


class ProbeAnswer(Struct):
    """Alive or ready; `missing` names the parts that are not there."""

    status: str
    missing: list[str] = []


class ErrorBody(Struct):
    """What went wrong; `code` is for programs, `request_id` for whoever asks about it."""

    code: Annotated[str, Meta(description="One of those that the statuses show.")]
    message: Annotated[str, Meta(description="A sentence, without anything that was sent.")]
    details: Annotated[
        list[Detail], Meta(description="What is wrong, field by field, such as `account_ids[0]`.")
    ]
    request_id: str


class ErrorAnswer(Struct):
    """The one shape of errors."""

    error: ErrorBody
