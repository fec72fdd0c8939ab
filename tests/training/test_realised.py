from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from features.checked import CheckedSource
from models.questions import QUESTIONS
from training.realised import realised

CHURN = QUESTIONS["churn"]
COMPANY = {
    "accounts": """
        account_id  created_at
        stays       2024-01-01
        leaves      2024-01-01
        late        2024-01-01
        gone        2024-01-01
    """,
    "subscriptions": """
        subscription_id  account_id  product  mrr  started_at  ended_at
        s1               stays       base     100  2024-01-01  -
        s2               leaves      base     100  2024-01-01  2025-04-10T00:00
        s3               late        base     100  2024-01-01  2025-08-10T00:00
        s4               gone        base     100  2024-01-01  2025-01-10T00:00
    """,
}


def scores(*rows: tuple[str, str, int], **changes: object) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["account_id", "as_of", "horizon_days"])
    given = {"model": "churn", "status": "scored", "probability": 0.1, "model_version": "1"}
    return frame.assign(as_of=pd.to_datetime(frame["as_of"]), **(given | changes))


@pytest.fixture
def source(company: Callable[..., CheckedSource]) -> CheckedSource:
    return company(COMPANY, extracted_at="2025-09-20")


def outcomes(past: pd.DataFrame, source: CheckedSource) -> list[float]:
    return realised(past, source, CHURN)["outcome"].tolist()


def test_it_says_who_left_within_the_horizon_and_who_did_not(source: CheckedSource) -> None:
    past = scores(
        ("stays", "2025-03-01", 90),
        ("leaves", "2025-03-01", 90),
        ("leaves", "2025-03-01", 30),
        ("late", "2025-03-01", 90),
        ("late", "2025-02-15", 180),
    )
    assert outcomes(past, source) == [0.0, 1.0, 0.0, 0.0, 1.0]


def test_a_window_that_is_not_over_is_unknown_even_for_those_who_left(
    source: CheckedSource,
) -> None:
    # 2025-09-20 less 30 days of grace is 2025-08-21, the last end of a window that counts.
    past = scores(("late", "2025-05-23", 90), ("late", "2025-05-24", 90))
    assert outcomes(past, source)[0] == 1.0
    assert np.isnan(outcomes(past, source)[1])


def test_an_account_that_newer_knowledge_shows_as_lost_before_is_unknown(
    source: CheckedSource,
) -> None:
    assert np.isnan(outcomes(scores(("gone", "2025-03-01", 90)), source)[0])


def test_an_account_that_the_extract_does_not_know_is_unknown(source: CheckedSource) -> None:
    past = scores(("nobody", "2025-03-01", 90), ("stays", "2025-03-01", 90))
    assert outcomes(past, source)[1] == 0.0
    assert np.isnan(outcomes(past, source)[0])


def test_other_models_and_unscored_rows_are_left_aside(source: CheckedSource) -> None:
    other = scores(("stays", "2025-03-01", 90), model="expansion")
    leaving = scores(("stays", "2025-03-01", 90), status="leaving", probability=np.nan)
    assert realised(pd.concat([other, leaving]), source, CHURN).empty
