"""Which reasons lead, for many rows at once."""

import numpy as np
from numpy.typing import NDArray

from features.fold.compiled import compiled
from models.families import LEADING

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]

NOBODY = -1
"""Where a row has fewer reasons than were asked for."""


@compiled
def add_up_subjects(
    effects: Floats, subject_of: Whole, sums: Floats, highest: Whole, lowest: Whole
) -> None:
    """Add up the effects of the columns that measure one subject, and find who could speak for it.

    Parameters
    ----------
    effects
        Shape (n, columns).
    subject_of
        By column.
    sums, highest, lowest
        What is found, by row and subject: the sum of the effects, and the columns whose effect is
        the largest and the smallest; of equal ones the first.
    """
    sums[:] = 0.0
    highest[:] = NOBODY
    lowest[:] = NOBODY
    for row in range(effects.shape[0]):
        for column in range(effects.shape[1]):
            subject, effect = subject_of[column], effects[row, column]
            sums[row, subject] += effect
            if highest[row, subject] < 0 or effect > effects[row, highest[row, subject]]:
                highest[row, subject] = column
            if lowest[row, subject] < 0 or effect < effects[row, lowest[row, subject]]:
                lowest[row, subject] = column


@compiled
def put_in_order(sums: Floats, family_of: Whole, is_context: Flags, order: Whole) -> None:
    """Find in which order the subjects of each row speak.

    Those that raise the probability come first, the strongest ahead, then those that lower it. The
    first three are of three families, if there are so many: of the families that raise it most,
    all subjects together, the strongest subject. Where an account stands in its term is common to
    many, so that what went wrong leads before it.

    Parameters
    ----------
    sums
        Shape (n, subjects).
    family_of, is_context
        The family of each subject, and of each family whether it only says where one stands.
    order
        What is found, shape (n, reasons): the first subjects, `NOBODY` where there are no more.
    """
    families = is_context.shape[0]
    strongest, first_of = np.empty(sums.shape[1], np.int64), np.empty(families, np.int64)
    speakers, together = np.empty(families, np.int64), np.empty(families)
    for row in range(sums.shape[0]):
        there = _strongest_first(sums[row], strongest)
        first_of[:] = NOBODY
        together[:] = 0.0
        known = 0
        for subject in strongest[:there]:
            family = family_of[subject]
            if first_of[family] < 0:
                first_of[family] = subject
                speakers[known] = subject
                known += 1
            together[family] += sums[row, subject]
        _put_leading_first(sums[row], together, family_of, is_context, speakers[:known])
        leading = min(LEADING, known)
        _fill(order[row], speakers[:leading], strongest[:there])


@compiled
def _strongest_first(sums: Floats, strongest: Whole) -> int:
    """Sort the subjects with an effect: first those that raise, each by size; count them."""
    there = 0
    for subject in range(sums.shape[0]):
        own = sums[subject]
        if own == 0.0:
            continue
        place = there
        while place > 0:
            other = sums[strongest[place - 1]]
            is_ahead = own > 0.0 > other if (own < 0.0) != (other < 0.0) else abs(own) > abs(other)
            if not is_ahead:
                break
            strongest[place] = strongest[place - 1]
            place -= 1
        strongest[place] = subject
        there += 1
    return there


@compiled
def _put_leading_first(
    sums: Floats, together: Floats, family_of: Whole, is_context: Flags, speakers: Whole
) -> None:
    """Bring to the front those who lead, of families with one speaker each; equals keep order."""
    for place in range(min(LEADING, speakers.shape[0])):
        best = place
        for other in range(place + 1, speakers.shape[0]):
            if _leads(sums, together, family_of, is_context, speakers[other], speakers[best]):
                best = other
        chosen = speakers[best]
        for at in range(best, place, -1):
            speakers[at] = speakers[at - 1]
        speakers[place] = chosen


@compiled
def _leads(
    sums: Floats, together: Floats, family_of: Whole, is_context: Flags, one: int, other: int
) -> bool:
    """Tell if one speaker comes before another."""
    lowers, other_lowers = sums[one] < 0.0, sums[other] < 0.0
    if lowers != other_lowers:
        return bool(other_lowers)
    pull, other_pull = together[family_of[one]], together[family_of[other]]
    if lowers:
        pull, other_pull = -pull, -other_pull
    if (pull < 0.0) != (other_pull < 0.0):
        return bool(other_pull < 0.0)
    context, other_context = is_context[family_of[one]], is_context[family_of[other]]
    if context != other_context:
        return bool(other_context)
    return bool(pull > other_pull)


@compiled
def _fill(order: Whole, leading: Whole, strongest: Whole) -> None:
    """Write who leads, and then the others by their own effects, as far as there is room."""
    order[:] = NOBODY
    place = 0
    for subject in leading:
        if place < order.shape[0]:
            order[place] = subject
            place += 1
    for subject in strongest:
        is_leading = False
        for other in leading:
            is_leading |= other == subject
        if not is_leading and place < order.shape[0]:
            order[place] = subject
            place += 1
