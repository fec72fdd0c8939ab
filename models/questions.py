"""The questions that Tenure asks, by name."""

from collections.abc import Mapping
from types import MappingProxyType

from models.churn import CHURN
from models.contraction import CONTRACTION
from models.expansion import EXPANSION
from models.question import Question

QUESTIONS: Mapping[str, Question] = MappingProxyType(
    {question.name: question for question in (CHURN, EXPANSION, CONTRACTION)}
)
