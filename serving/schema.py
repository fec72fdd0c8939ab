"""Requests and responses: the types that are checked, and that the OpenAPI document shows."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from serving.refusal import Detail

MOST_IDS = 1000
MOST_ROWS = 1000
MOST_LISTED = 200

AccountId = Annotated[str, Meta(min_length=1, max_length=400, pattern="^[^\x00]*$")]
Text = Annotated[str, Meta(min_length=1, max_length=200, pattern="^[^\x00]*$")]
Note = Annotated[str, Meta(max_length=4000, pattern="^[^\x00]*$")]
Horizon = Annotated[int, Meta(ge=1, le=36500)]
ReasonCount = Annotated[int, Meta(ge=0, le=10)]
Status = Literal["scored", "leaving", "inactive", "no_data"]
FeedbackKind = Literal[
    "contacted", "play_done", "will_renew", "will_leave", "expanding", "score_wrong", "other"
]


class ScoresRequest(Struct, forbid_unknown_fields=True):
    """Ask for the published scores of accounts, by default of all models and horizons."""

    account_ids: Annotated[list[AccountId], Meta(min_length=1, max_length=MOST_IDS)]
    models: Annotated[list[Text], Meta(min_length=1, max_length=10)] | None = None
    horizons: Annotated[list[Horizon], Meta(min_length=1, max_length=20)] | None = None
    reasons: ReasonCount = 5


class PredictRequest(Struct, forbid_unknown_fields=True):
    """Ask what a model would say of feature rows.

    Null is a feature without history; text is for features that the model knows as categories.
    """

    model: Text
    rows: Annotated[list[dict[str, float | str | None]], Meta(min_length=1, max_length=MOST_ROWS)]
    horizons: Annotated[list[Horizon], Meta(min_length=1, max_length=20)] | None = None
    reasons: ReasonCount = 5


class WorklistQuery(Struct, forbid_unknown_fields=True):
    """Ask for a page of the work list, of all accounts or of one CSM's or tier's."""

    csm: Text | None = None
    tier: Text | None = None
    limit: Annotated[int, Meta(ge=1, le=MOST_LISTED)] = 50
    cursor: Text | None = None


class FeedbackRequest(Struct, forbid_unknown_fields=True):
    """Tell what was done or learned; the key makes a repeated request harmless."""

    account_id: AccountId
    kind: FeedbackKind
    idempotency_key: Text
    note: Note | None = None


class ReasonAnswer(Struct):
    """One reason; effect is its contribution in log odds."""

    feature: str
    value: float | None
    effect: float
    text: str


class HorizonScore(Struct):
    """One probability; null with a status other than ``scored``, which is not a low risk."""

    horizon_days: int
    probability: float | None
    band: str | None
    rank: int | None
    expected_added_mrr: float | None
    reasons: list[ReasonAnswer]


class ModelScores(Struct):
    """What one model says of one account, by horizon."""

    model: str
    model_version: str
    features_version: str
    horizons: list[HorizonScore]


class Renewal(Struct):
    """The next renewal of an account under a term.

    `renewal_probability` is that of no churn by the end of the day of the renewal; null where it
    lies beyond the longest horizon, for what is not scored, and by a model that does not tell.
    `notice_deadline` is the last day for notice, in the past once it is over.
    """

    renewal_date: str
    notice_deadline: str | None
    renewal_probability: float | None


class NextProduct(Struct):
    """The further product that an account is likeliest to take up next, if it takes up any.

    `share` is how likely it is that one, among those that the account has not; `text` says on which
    purchases that rests.
    """

    product: str
    share: float
    text: str


class AccountScores(Struct):
    """Scores of one account; `status` says why there is no probability where there is none.

    `renewal` is null where no signed term ends, `next_product` where none is known to be bought
    next: it is told of active accounts, by a model of expansion, where there are several products.
    """

    account_id: str
    status: Status
    as_of: datetime
    age_hours: float
    models: list[ModelScores]
    renewal: Renewal | None
    next_product: NextProduct | None


class ScoresAnswer(Struct):
    """Scores of the known accounts in the order asked for, and the unknown ones by name."""

    as_of: datetime
    age_hours: float
    scored_at: datetime
    currency: str
    accounts: list[AccountScores]
    unknown_account_ids: list[str]


class PredictedHorizon(Struct):
    """One probability of a given row."""

    horizon_days: int
    probability: float
    band: str
    reasons: list[ReasonAnswer]


class PredictedRow(Struct):
    """Probabilities of a given row; to renew at the next end of its term by the model of churn."""

    horizons: list[PredictedHorizon]
    renewal_probability: float | None


class PredictAnswer(Struct):
    """What the model says of each row, in the order of the rows."""

    model: str
    model_version: str
    features_version: str
    rows: list[PredictedRow]


class PastScore(Struct):
    """A score as it was published for a date."""

    as_of: datetime
    scored_at: datetime
    model: str
    model_version: str
    horizon_days: int
    status: Status
    probability: float | None
    band: str | None
    rank: int | None


class Signal(Struct):
    """A figure of the account's latest feature row."""

    feature: str
    description: str
    unit: str
    value: float


class Contract(Struct):
    """What the account pays and until when; renewal is null where no signed term ends."""

    arr: float | None
    currency: str
    renewal_date: str | None
    notice_deadline: str | None
    renewal_probability: float | None


class FeedbackAnswer(Struct):
    """Feedback as it was recorded."""

    feedback_id: int
    account_id: str
    kind: str
    note: str | None
    recorded_at: datetime


class AccountAnswer(Struct):
    """All that is known of one account.

    `growth` says what it is expected to add by the work list's horizon; null where that is unknown.
    """

    account_id: str
    name: str | None
    tier: str | None
    csm: str | None
    status: Status
    as_of: datetime
    age_hours: float
    contract: Contract
    growth: str | None
    next_product: NextProduct | None
    models: list[ModelScores]
    signals: list[Signal]
    history: list[PastScore]
    feedback: list[FeedbackAnswer]


class WorklistEntry(Struct):
    """One account of the work list; `expected_loss` is probability x ARR."""

    position: int
    account_id: str
    name: str | None
    tier: str | None
    csm: str | None
    arr: float
    renewal_date: str | None
    notice_deadline: str | None
    renewal_probability: float | None
    probability: float
    band: str
    expected_loss: float
    expansion_probability: float | None
    reasons: list[ReasonAnswer]
    suggested_play: str


class WorklistAnswer(Struct):
    """A page of the work list; with `next_cursor` the next page is asked for."""

    as_of: datetime
    age_hours: float
    currency: str
    horizon_days: int
    model_versions: dict[str, str]
    accounts: list[WorklistEntry]
    next_cursor: str | None


class ModelAnswer(Struct):
    """A model in service."""

    model: str
    model_version: str
    features_version: str
    horizons_days: list[int]
    trained_at: datetime
    trained_on_from: str
    trained_on_to: str
    base_rates: dict[str, float]
    features: list[str]
    about: dict[str, Any]


class ModelsAnswer(Struct):
    """The models in service and the scores that they gave."""

    as_of: datetime
    age_hours: float
    scored_at: datetime
    models: list[ModelAnswer]


class HealthAnswer(Struct):
    """How the service is: its scores, their age, and what it could not load."""

    status: Literal["ok", "stale", "not_ready", "degraded"]
    as_of: datetime | None
    age_hours: float | None
    model_versions: dict[str, str]
    problem: str | None


class ProbeAnswer(Struct):
    """Alive or ready."""

    status: str


class ErrorBody(Struct):
    """What went wrong; `code` is for programs, `request_id` for whoever asks about it."""

    code: str
    message: str
    details: list[Detail]
    request_id: str


class ErrorAnswer(Struct):
    """The one shape of errors."""

    error: ErrorBody
