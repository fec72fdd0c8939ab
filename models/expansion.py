"""Expansion: will this account's MRR rise by a tenth and stay there?"""

from models.question import Question

EXPANSION = Question(name="expansion", outcome="expansion")
