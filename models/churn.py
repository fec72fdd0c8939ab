"""Churn: will this account's MRR fall to 0 and stay there?"""

from models.question import Question

CHURN = Question(name="churn", outcome="churn")
