"""What the OpenAPI document shows as examples: values of the types, so that they cannot be wrong.

The example account is one of a made-up company; its features are features of the catalogue.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from serving.api import schema
from serving.api.refusal import Detail

AS_OF = datetime(2026, 3, 2, tzinfo=UTC)
SCORED_AT = datetime(2026, 3, 2, 1, tzinfo=UTC)
AGE_HOURS = 36.0
FINGERPRINT = "9c5c0b7e"
REQUEST_ID = "6f0c2a5be1d44f7c9a3b8e7d6c5f4a3b"

REASON = schema.ReasonAnswer(
    feature="usage__active_users__28d",
    value=2.0,
    effect=0.84,
    text="2 active users in the last 28 days",
)
RENEWAL = schema.Renewal("2026-04-01", "2026-03-17", 0.62)
NEXT_PRODUCT = schema.NextProduct("maps", 0.75, "Of 12 purchases by customers with core, 9 of maps")
CHURN = schema.ModelScores(
    "churn", "7", FINGERPRINT, [schema.HorizonScore(90, 0.31, "high", 1, None, [REASON])]
)
EXPANSION = schema.ModelScores(
    "expansion", "4", FINGERPRINT, [schema.HorizonScore(90, 0.06, "low", 3, 15.2, [])]
)
SCORED = schema.AccountScores(
    "acme", "scored", AS_OF, AGE_HOURS, [CHURN, EXPANSION], RENEWAL, NEXT_PRODUCT
)
LEAVING = schema.AccountScores(
    "quit",
    "leaving",
    AS_OF,
    AGE_HOURS,
    [
        schema.ModelScores(
            "churn", "7", FINGERPRINT, [schema.HorizonScore(90, None, None, None, None, [])]
        )
    ],
    None,
    None,
)

REQUESTS: Mapping[type, Struct] = MappingProxyType(
    {
        schema.ScoresRequest: schema.ScoresRequest(
            account_ids=["acme", "quit", "nobody"],
            models=["churn", "expansion"],
            horizons=[90],
            reasons=3,
        ),
        schema.PredictRequest: schema.PredictRequest(
            model="churn",
            rows=[
                {
                    "usage__active_users__28d": 2.0,
                    "support__open_tickets": 4.0,
                    "lifecycle__days_to_term_end": 30.0,
                    "lifecycle__term_months": None,
                }
            ],
            horizons=[90],
            reasons=3,
        ),
        schema.FeedbackRequest: schema.FeedbackRequest(
            account_id="acme",
            kind="contacted",
            idempotency_key="task-4711",
            note="Eva is the new champion.",
        ),
        schema.UndoRequest: schema.UndoRequest(feedback_id=17),
    }
)
PARAMETERS: Mapping[str, Any] = MappingProxyType(
    {"account_id": "acme", "csm": "Ann", "tier": "high", "limit": 50}
)

ANSWERS: Mapping[type, Struct] = MappingProxyType(
    {
        schema.ScoresAnswer: schema.ScoresAnswer(
            as_of=AS_OF,
            age_hours=AGE_HOURS,
            stale=False,
            scored_at=SCORED_AT,
            currency="EUR",
            accounts=[SCORED, LEAVING],
            unknown_account_ids=["nobody"],
        ),
        schema.PredictAnswer: schema.PredictAnswer(
            "churn",
            "7",
            FINGERPRINT,
            [schema.PredictedRow([schema.PredictedHorizon(90, 0.31, "high", [REASON])], 0.62)],
        ),
        schema.AccountAnswer: schema.AccountAnswer(
            account_id="acme",
            name="Acme Ltd",
            tier="high",
            csm="Ann",
            status="scored",
            as_of=AS_OF,
            age_hours=AGE_HOURS,
            stale=False,
            contract=schema.Contract(12000.0, "EUR", "2026-04-01", "2026-03-17", 0.62),
            growth="Expected to add 15 EUR of MRR within 90 days",
            next_product=NEXT_PRODUCT,
            models=[CHURN, EXPANSION],
            signals=[schema.Signal("support__open_tickets", "Open tickets", "tickets", 4.0)],
            history=[
                schema.PastScore(AS_OF, SCORED_AT, "churn", "7", 90, "scored", 0.31, "high", 1)
            ],
            feedback=[],
        ),
        schema.WorklistAnswer: schema.WorklistAnswer(
            as_of=AS_OF,
            age_hours=AGE_HOURS,
            stale=False,
            currency="EUR",
            horizon_days=90,
            model_versions={"churn": "7", "expansion": "4"},
            accounts=[
                schema.WorklistEntry(
                    position=1,
                    account_id="acme",
                    name="Acme Ltd",
                    tier="high",
                    csm="Ann",
                    arr=12000.0,
                    renewal_date="2026-04-01",
                    notice_deadline="2026-03-17",
                    renewal_probability=0.62,
                    probability=0.31,
                    band="high",
                    expected_loss=3720.0,
                    expansion_probability=0.06,
                    reasons=[REASON],
                    suggested_play="Ask the main users what they need",
                    snoozed_until=None,
                )
            ],
            next_cursor="My4x",
        ),
        schema.FeedbackAnswer: schema.FeedbackAnswer(
            17, "acme", "contacted", "Eva is the new champion.", AS_OF, "Ann Lee"
        ),
        schema.ModelsAnswer: schema.ModelsAnswer(
            AS_OF,
            AGE_HOURS,
            SCORED_AT,
            [
                schema.ModelAnswer(
                    model="churn",
                    model_version="7",
                    features_version=FINGERPRINT,
                    horizons_days=[30, 90],
                    trained_at=datetime(2026, 1, 5, tzinfo=UTC),
                    trained_on_from="2024-01-01",
                    trained_on_to="2025-09-01",
                    base_rates={"30": 0.03, "90": 0.08},
                    features=["usage__active_users__28d", "support__open_tickets"],
                    about={"metrics": {"auc": 0.71}},
                )
            ],
        ),
        schema.HealthAnswer: schema.HealthAnswer(
            status="ok",
            missing=[],
            as_of=AS_OF,
            age_hours=AGE_HOURS,
            model_versions={"churn": "7", "expansion": "4"},
            problem=None,
            workers=2,
        ),
    }
)


def error(code: str, message: str, *details: Detail) -> schema.ErrorAnswer:
    """Give an error as it is answered."""
    return schema.ErrorAnswer(schema.ErrorBody(code, message, list(details), REQUEST_ID))


ERRORS: Mapping[int, tuple[schema.ErrorAnswer, ...]] = MappingProxyType(
    {
        400: (
            error(
                "invalid_json",
                "The body is no JSON that can be read.",
                Detail("body", "no JSON at byte 17"),
            ),
        ),
        401: (
            error(
                "unauthorized",
                "Send a live token as `Authorization: Bearer …`. `tenure tokens add` makes one.",
            ),
        ),
        403: (error("forbidden", "This token lacks the scope 'score'."),),
        404: (error("not_found", "There is nothing under this address."),),
        405: (error("method_not_allowed", "This address has no such method."),),
        409: (
            error(
                "idempotency_key_reused",
                "This idempotency key was used for other feedback. Send a new key with it.",
                Detail("idempotency_key", "Was used for other feedback"),
            ),
        ),
        413: (error("too_large", "The body is larger than 1048576 bytes. Send less at a time."),),
        415: (error("unsupported_media_type", "The body has to be sent as application/json."),),
        422: (
            error(
                "invalid",
                "The request has a field that cannot be used.",
                Detail("account_ids[0]", "Expected `str`, got `int`"),
            ),
        ),
        429: (error("too_many_requests", "Too many requests. Send fewer, later."),),
        500: (error("internal", "The service failed."),),
        503: (
            error("not_ready", "There are no scores yet. Run `tenure score`, then ask again."),
            error(
                "too_old", "The scores are older than 30 days. Run `tenure score`, then ask again."
            ),
            error("store_unavailable", "The store does not answer. Try again."),
            error(
                "overloaded", "The service has more to answer than it can. Ask again in a second."
            ),
            error(
                "audit_unavailable",
                "It cannot be written down who reads this, so it is not shown. Try again.",
            ),
        ),
        504: (error("timeout", "The request took too long."),),
    }
)
