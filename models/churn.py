"""Churn: an account whose MRR falls to 0 and stays there."""

from models.question import Question

CHURN = Question(name="churn", outcome="churn")
