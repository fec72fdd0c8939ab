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


LEVELS = st.sampled_from([0, 80, 100, 105, 110, 150])
LIVES = st.lists(st.tuples(st.integers(5, 50), LEVELS), min_size=3, max_size=6)


def signed(life: list[tuple[int, int]], account_id: str) -> list[tuple[datetime, ...]]:
    """Give the subscription rows of an account that pays one level after the other."""
    ends = np.cumsum([0, *(length for length, _ in life)])
    days = [START + timedelta(days=int(end)) for end in ends]
    return [(days[k], days[k + 1], mrr, account_id) for k, (_, mrr) in enumerate(life)]


@settings(max_examples=25, deadline=None)
@given(lives=st.lists(LIVES, min_size=1, max_size=3))
@pytest.mark.parametrize("question", [CHURN, EXPANSION, CONTRACTION], ids=lambda q: q.name)
def test_it_agrees_with_a_day_by_day_reading_of_each_account(
    checked_rows: Callable[..., CheckedSource],
    question: Question,
    lives: list[list[tuple[int, int]]],
) -> None:
    paying = {f"a{at}": life for at, life in enumerate(lives) if life[0][1] > 0}
    if not paying:
        return
    rows = [row for name, life in paying.items() for row in signed(life, name)]
    source = checked_rows(rows, extracted_at=START + timedelta(days=1000))
    as_of = {name: life[0][0] - 2 for name, life in paying.items()}
    dates = [START + timedelta(days=day) for day in as_of.values()]
    states = pd.DataFrame({"account_id": list(paying), "as_of": dates})
    events = label(source, states, question)["event_days"]
    found = {name: int(e) if e < 90 else None for name, e in zip(paying, events, strict=True)}
    levels = {
        name: [mrr for days, mrr in life for _ in range(days)] for name, life in paying.items()
    }
    assert found == {
        name: literal([*levels[name], 0], as_of[name], question.outcome) for name in paying
    }
