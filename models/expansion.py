"""Expansion: an account whose MRR rises by a tenth and stays there."""

from models.question import Question

EXPANSION = Question(name="expansion", outcome="expansion")
