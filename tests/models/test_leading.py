"""The compiled order of reasons: by hand, and beside its definition for one row."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.families import CONTEXT, LEADING
from models.leading import NOBODY, add_up_subjects, put_in_order

FAMILIES = ("usage", "people", "price", "contract", "support")
EFFECTS = st.sampled_from([0.0, 0.5, -0.5, 1.0, -1.0, 0.25, -2.0])


def ordered(sums: np.ndarray, families: list[str], limit: int) -> list[list[int]]:
    is_context = np.array([family in CONTEXT for family in FAMILIES])
    family_of = np.array([FAMILIES.index(family) for family in families])
    order = np.empty((len(sums), limit), int)
    put_in_order(sums, family_of, is_context, order)
    return [[subject for subject in row if subject != NOBODY] for row in order.tolist()]


def by_definition(sums: np.ndarray, families: Sequence[str]) -> list[int]:
    """Give the order in which the subjects of one row speak, as docs/reasons.md puts it."""
    there = np.flatnonzero(sums)
    strongest: list[int] = there[np.lexsort((-np.abs(sums[there]), sums[there] < 0))].tolist()
    speakers: dict[str, int] = {}
    together: defaultdict[str, float] = defaultdict(float)
    for at in strongest:
        speakers.setdefault(families[at], at)
        together[families[at]] += sums[at]

    def place(family: str) -> tuple[bool, bool, bool, float]:
        is_lowering = bool(sums[speakers[family]] < 0)
        pull = -together[family] if is_lowering else together[family]
        return is_lowering, pull < 0, family in CONTEXT, -pull

    leading = [speakers[family] for family in sorted(speakers, key=place)[:LEADING]]
    return leading + [at for at in strongest if at not in leading]


@pytest.mark.parametrize(
    ("said", "effects", "order"),
    [
        ("each family once among the first three", "usage 5 usage 4 people 3 price 1", "0 2 3 1"),
        ("a family by all that it raises", "usage 3 usage 3 people 4 price 1", "0 2 3 1"),
        ("less what it lowers", "usage 5 usage -4 people 3 price 2", "2 3 0 1"),
        ("a family may speak again later", "usage 9 usage 8 people 3 price 2 price 1", "0 2 3 1 4"),
        ("what went wrong before the term", "contract 9 usage 1 people 2 price 3", "3 2 1 0"),
        ("the term where nothing else raises", "contract 9 usage 1 people -2", "1 0 2"),
        ("the term before a family that lowers", "contract 1 usage 2 usage -9 price 1", "3 0 1 2"),
        ("raising before lowering", "usage -5 people 1 price -2", "1 0 2"),
        ("no effect, no word", "usage 0 people 1", "1"),
        ("three families before a second word", "usage 3 usage 2 people -1 price -4", "0 3 2 1"),
    ],
)
def test_the_order_in_which_subjects_speak(said: str, effects: str, order: str) -> None:
    words = effects.split()
    sums = np.array([words[1::2]], dtype=float)
    found = ordered(sums, words[::2], len(words) // 2)
    assert found == [[int(at) for at in order.split()]], said


@given(
    families=st.lists(st.sampled_from(FAMILIES), min_size=1, max_size=9),
    limit=st.integers(1, 9),
    data=st.data(),
)
def test_every_row_is_in_the_order_of_the_definition(
    families: list[str], limit: int, data: st.DataObject
) -> None:
    row = st.lists(EFFECTS, min_size=len(families), max_size=len(families))
    sums = np.array(data.draw(st.lists(row, min_size=1, max_size=4)))
    expected = [by_definition(each, families)[:limit] for each in sums]
    assert ordered(sums, families, limit) == expected


def test_a_subject_adds_up_its_columns_and_knows_the_highest_and_the_lowest() -> None:
    effects = np.array([[1.0, -2.0, 0.5, 1.0], [-1.0, -2.0, -1.0, -3.0]])
    sums, highest, lowest = np.empty((2, 2)), np.empty((2, 2), int), np.empty((2, 2), int)
    add_up_subjects(effects, np.array([0, 1, 0, 0]), sums, highest, lowest)
    assert sums.tolist() == [[2.5, -2.0], [-5.0, -2.0]]
    assert highest.tolist() == [[0, 1], [0, 1]]
    assert lowest.tolist() == [[2, 1], [3, 1]]
