"""Contraction: will this account's MRR fall by a tenth, and stay there without churn?"""

from models.question import Question

CONTRACTION = Question(name="contraction", outcome="contraction")
