"""The calls of the interface, each declared once: routes and OpenAPI both come from here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from serving import answers, schema
from serving.predict import predict


@dataclass(frozen=True)
class Call:
    """One call.

    Attributes
    ----------
    path:
        Route template; ``{account_id}`` is the only parameter there is.
    scope:
        What a token must be allowed; None: any live token.
    answer:
        Function of the parts, the caller and, where there is one, the request's value.
    answers_with, body, query:
        Types of the answer, of the JSON body and of the query.
    shows:
        Gives the accounts that an answer shows, for the audit log; None: it shows none.
    """

    method: str
    path: str
    summary: str
    scope: str | None
    answer: Callable[..., Any]
    answers_with: type
    body: type | None = None
    query: type | None = None
    shows: Callable[[Any], Sequence[str]] | None = None


def _listed(answer: schema.ScoresAnswer | schema.WorklistAnswer) -> list[str]:
    return [account.account_id for account in answer.accounts]


def _alone(answer: schema.AccountAnswer | schema.FeedbackAnswer) -> list[str]:
    return [answer.account_id]


CALLS = (
    Call(
        "POST",
        "/v1/scores",
        "Published scores of up to 1000 accounts",
        "score",
        answers.scores,
        schema.ScoresAnswer,
        body=schema.ScoresRequest,
        shows=_listed,
    ),
    Call(
        "POST",
        "/v1/predict",
        "What a model says of given feature rows",
        "predict",
        predict,
        schema.PredictAnswer,
        body=schema.PredictRequest,
    ),
    Call(
        "GET",
        "/v1/accounts/{account_id}",
        "All that is known of one account",
        "read",
        answers.account,
        schema.AccountAnswer,
        shows=_alone,
    ),
    Call(
        "GET",
        "/v1/worklist",
        "Accounts in order of expected loss",
        "read",
        answers.work_list,
        schema.WorklistAnswer,
        query=schema.WorklistQuery,
        shows=_listed,
    ),
    Call(
        "POST",
        "/v1/feedback",
        "Record what was done or learned, exactly once",
        "feedback",
        answers.feedback,
        schema.FeedbackAnswer,
        body=schema.FeedbackRequest,
        shows=_alone,
    ),
    Call(
        "GET",
        "/v1/models",
        "The models in service",
        None,
        answers.models,
        schema.ModelsAnswer,
    ),
)
