"""Gets a model ready before it is asked: its trees are read, the loops over them compiled."""

import numpy as np

from features.errors import ModelError
from models.bundle import Bundle
from models.golden import Golden, golden_from_text
from models.made_from import sha256_of
from models.reasons import explain_by_horizon

SAME = 1e-9


def demand_golden(bundle: Bundle, text: str) -> None:
    """Ask a model for its golden set; raises ModelError where it answers otherwise."""
    golden = _golden(bundle, text)
    found = bundle.probabilities(golden.rows)
    if (
        found.shape != golden.probabilities.shape
        or not (np.abs(found - golden.probabilities) <= SAME).all()
    ):
        raise ModelError(
            f"Expected {bundle.question.name} {bundle.version} to answer its golden set as it "
            "did, got other probabilities. Restore the model, or train it again."
        )


def warmed(bundle: Bundle, text: str) -> Bundle:
    """Score and explain one made-up row in each way that requests may ask for."""
    row = _golden(bundle, text).rows.iloc[:1]
    bundle.renewal_probabilities(row, bundle.probabilities(row))
    explain_by_horizon(bundle, row, 1)
    bundle.probabilities_of({str(name): row[name].iloc[0] for name in row})
    return bundle


def _golden(bundle: Bundle, text: str) -> Golden:
    return golden_from_text(text, sha256_of(text), f"{bundle.question.name} {bundle.version}")
