"""Which features a question asks for: all that are built, but touches only where it says so."""

from collections.abc import Iterable

from features.catalog import without_touches
from features.declare import Feature
from models.question import Question


def asked(question: Question, features: Iterable[Feature]) -> tuple[Feature, ...]:
    """Give those of the built features that a question asks for."""
    return tuple(features) if question.touches else without_touches(features)


def any_asks_for_touches(questions: Iterable[Question]) -> bool:
    """Tell whether features over touches have to be built for one of these questions."""
    return any(question.touches for question in questions)
