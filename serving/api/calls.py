"""The calls of the interface, each declared once: routes and OpenAPI both come from here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from serving.api import answers, schema
from serving.api.predict import is_one, predict
from serving.api.scores import are_few, scores


@dataclass(frozen=True)
class Call:
    """One call.

    Attributes
    ----------
    path:
        Route template; ``{account_id}`` is the only parameter there is.
    name:
        What generated clients call it.
    about:
        What whoever calls it has to know besides its types.
    scope:
        What a token must be allowed; None: any live token.
    answer:
        Function of the parts, the caller and, where there is one, the request's value.
    answers_with, body, query:
        Types of the answer, of the JSON body and of the query.
    refuses:
        Statuses that it answers with, besides those that follow from what it reads.
    shows:
        Gives the accounts that an answer shows, for the audit log; None: it shows none, or says so
        itself (`serving.api.response.Written`).
    is_quick:
        Tells of a request that it takes less time than to hand it to another thread; None: none.
    """

    method: str
    path: str
    name: str
    summary: str
    about: str
    scope: str | None
    answer: Callable[..., Any]
    answers_with: type
    body: type | None = None
    query: type | None = None
    refuses: frozenset[int] = frozenset()
    shows: Callable[[Any], Sequence[str]] | None = None
    is_quick: Callable[..., bool] | None = None


def _listed(answer: schema.WorklistAnswer) -> list[str]:
    return [account.account_id for account in answer.accounts]


def _alone(answer: schema.AccountAnswer | schema.FeedbackAnswer) -> list[str]:
    return [answer.account_id]


CALLS = (
    Call(
        "POST",
        "/v1/scores",
        "get_scores",
        "Published scores of up to 1000 accounts",
        "Accounts come in the order asked for. Ids that are unknown, or that the token may not "
        "see, are listed in `unknown_account_ids`, and the rest is answered. A `status` other "
        "than `scored` comes without probabilities and is no statement: never a low risk.",
        "score",
        scores,
        schema.ScoresAnswer,
        body=schema.ScoresRequest,
        is_quick=are_few,
    ),
    Call(
        "POST",
        "/v1/predict",
        "predict",
        "What a model says of given feature rows",
        "A row has exactly the model's features, by name, in any order. No account is read.",
        "predict",
        predict,
        schema.PredictAnswer,
        body=schema.PredictRequest,
        is_quick=is_one,
    ),
    Call(
        "GET",
        "/v1/accounts/{account_id}",
        "get_account",
        "All that is known of one account",
        "An account that the token may not see is answered as one that does not exist.",
        "read",
        answers.account,
        schema.AccountAnswer,
        refuses=frozenset({404}),
        shows=_alone,
    ),
    Call(
        "GET",
        "/v1/worklist",
        "get_work_list",
        "Accounts in order of expected loss",
        "The probability of churn at the list's horizon times ARR. A new publication does not "
        "shift the pages that are being read.",
        "read",
        answers.work_list,
        schema.WorklistAnswer,
        query=schema.WorklistQuery,
        shows=_listed,
    ),
    Call(
        "POST",
        "/v1/feedback",
        "record_feedback",
        "Record what was done or learned, exactly once",
        "After a timeout send the same again: it is recorded once, and answered alike.",
        "feedback",
        answers.feedback,
        schema.FeedbackAnswer,
        body=schema.FeedbackRequest,
        refuses=frozenset({404, 409}),
        shows=_alone,
    ),
    Call(
        "POST",
        "/v1/feedback/undo",
        "undo_feedback",
        "Take feedback back",
        "A token takes back what it told itself; one with the scope `admin`, what anybody told. "
        "To send it again changes nothing, and is answered alike.",
        "feedback",
        answers.undo_feedback,
        schema.FeedbackAnswer,
        body=schema.UndoRequest,
        refuses=frozenset({404}),
        shows=_alone,
    ),
    Call(
        "GET",
        "/v1/models",
        "get_models",
        "The models in service",
        "`about` holds the figures that a model was promoted with, empty for a token with a book.",
        None,
        answers.models,
        schema.ModelsAnswer,
    ),
)
