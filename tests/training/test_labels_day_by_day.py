"""The labels against a slow, literal reading of the definitions."""

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.checked import CheckedSource
from models.churn import CHURN
from models.contraction import CONTRACTION
from models.expansion import EXPANSION
from models.question import Question
from training.labels import label

START = datetime(2024, 1, 1)  # noqa: DTZ001 - all times are naive UTC here


def literal(levels: list[int], as_of: int, outcome: str) -> int | None:
    """Walk day by day: the first day of 90 on which the outcome holds for 30 days."""

    def mrr(day: int) -> int:
        return levels[day] if day < len(levels) else levels[-1]

    base = mrr(as_of - 1)
    for day in range(as_of, as_of + 90):
        ahead = [mrr(later) for later in range(day, day + 30)]
        if all(level == 0 for level in ahead):
            return day - as_of if outcome == "churn" else None
        is_kept = {
            "churn": False,
            "expansion": all(level * 10 >= base * 11 for level in ahead),
            "contraction": all(level * 10 <= base * 9 for level in ahead)
            and not any(
                all(mrr(later + more) == 0 for more in range(30)) for later in range(day, day + 30)
            ),
        }[outcome]
        if is_kept:
            return day - as_of
    return None


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(5, 50), min_size=3, max_size=6),
    mrr=st.lists(st.sampled_from([0, 80, 100, 105, 110, 150]), min_size=6, max_size=6),
)
@pytest.mark.parametrize("question", [CHURN, EXPANSION, CONTRACTION], ids=lambda q: q.name)
def test_it_agrees_with_a_day_by_day_reading(
    checked_rows: Callable[..., CheckedSource],
    question: Question,
    lengths: list[int],
    mrr: list[int],
) -> None:
    starts = np.concatenate([[0], np.cumsum(lengths)])
    rows = [
        (START + timedelta(days=int(starts[k])), START + timedelta(days=int(starts[k + 1])), mrr[k])
        for k in range(len(lengths))
    ]
    levels = [mrr[k] for k in range(len(lengths)) for _ in range(lengths[k])] + [0]
    as_of = int(starts[1]) - 2
    if mrr[0] == 0:
        return
    source = checked_rows(rows, extracted_at=START + timedelta(days=1000))
    date = START + timedelta(days=as_of)
    labels = label(source, pd.DataFrame({"account_id": ["a"], "as_of": [date]}), question)
    event = labels["event_days"].iloc[0]
    found = int(event) if event < 90 else None
    assert found == literal(levels, as_of, question.outcome)
