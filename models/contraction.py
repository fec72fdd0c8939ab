"""Contraction: an account whose MRR falls by a tenth and stays there, without churn."""

from models.question import Question

CONTRACTION = Question(name="contraction", outcome="contraction")
