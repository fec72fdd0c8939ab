"""Companies made straight as checked tables, for tests of many rows, and trials at the gates."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.built import Built
from features.checked import CheckedSource
from models.audit_checks import CHECKS
from models.bundle import Bundle, load, save
from models.golden import golden_set
from training.trial import Trial

COLUMNS = ("subscription_id", "account_id", "product", "mrr", "started_at", "ended_at")


@pytest.fixture(scope="session")
def checked_rows(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., CheckedSource]:
    """Make a checked source of subscription rows: (started_at, ended_at, mrr[, account_id])."""

    def make(rows: Sequence[tuple[Any, ...]], extracted_at: datetime) -> CheckedSource:
        folder = tmp_path_factory.mktemp("checked")
        frame = pd.DataFrame(
            [
                (str(at), row[3] if len(row) > 3 else "a", "base", Decimal(row[2]), row[0], row[1])
                for at, row in enumerate(rows)
            ],
            columns=list(COLUMNS),
        )
        times = ["started_at", "ended_at"]
        frame = frame.astype(dict.fromkeys(times, "datetime64[us]"))
        frame.assign(known_at=frame["started_at"]).to_parquet(folder / "subscriptions.parquet")
        return CheckedSource(
            folder=folder,
            columns=MappingProxyType({"subscriptions": COLUMNS}),
            extracted_at=extracted_at,
            extracted_at_is_guess=False,
            currency=None,
            stable_columns=frozenset(),
            fingerprint="made-for-tests",
            counts=MappingProxyType({}),
            findings=(),
            quarantine=None,
        )

    return make


MONTH = timedelta(days=30)
FIRST = datetime(2021, 1, 1)  # noqa: DTZ001 - all times are naive UTC
LAST = datetime(9999, 1, 1)  # noqa: DTZ001 - the same


@pytest.fixture(scope="session")
def world(checked_rows: Callable[..., CheckedSource]) -> Callable[..., Built]:
    """Make a company whose hazard is known; each account that leaves is followed by a new one.

    Churn in the next 30 days has the probability `hazard`, a column of the states, which two of
    the three features make.
    """

    def make(accounts: int, months: int, seed: int) -> Built:
        rng = np.random.default_rng(seed)
        rows, lives = [], []
        for slot in range(accounts):
            born, fixed = 0, rng.normal()
            for month in range(months):
                lately = rng.normal()
                hazard = 1 / (1 + np.exp(4.0 - 1.0 * fixed - 0.8 * lately))
                name = f"{slot:04d}-{born:02d}"
                rows.append((name, FIRST + month * MONTH, fixed, lately, hazard))
                if rng.random() < hazard:
                    day = FIRST + (month + rng.random()) * MONTH
                    lives.append((FIRST + (born - 1) * MONTH, day, 100, name))
                    born, fixed = month + 1, rng.normal()
            if born < months:
                lives.append((FIRST + (born - 1) * MONTH, LAST, 100, f"{slot:04d}-{born:02d}"))
        source = checked_rows(lives, extracted_at=FIRST + months * MONTH)
        frame = pd.DataFrame(
            rows, columns=["account_id", "as_of", "x__fixed", "x__lately", "hazard"]
        )
        frame["as_of"] = frame["as_of"].astype("datetime64[us]")
        frame["x__noise"] = rng.normal(size=len(frame))
        frame = frame.sort_values(["as_of", "account_id"], ignore_index=True)
        states = frame[["account_id", "as_of"]].assign(
            status="active",
            mrr=100.0,
            customer_group=frame["account_id"],
            term_ends_at=pd.Series(pd.NaT, index=frame.index, dtype="datetime64[us]"),
            term_months=np.nan,
            hazard=frame["hazard"],
        )
        features = ["x__fixed", "x__lately", "x__noise"]
        table = frame[["account_id", "as_of", *features]]
        return Built(source=source, features=(), states=states, table=table)

    return make


@pytest.fixture
def trial_of(tmp_path: Path) -> Callable[..., Trial]:
    """A factory: a model and rows in, the trial of a first challenger with a clean audit out."""

    def make(bundle: Bundle, rows: pd.DataFrame, **fields: Any) -> Trial:
        folder = tmp_path / "challenger"
        save(bundle, folder)
        values: dict[str, Any] = {
            "model": "churn",
            "version": "2",
            "challenger": folder,
            "champion": None,
            "rows": rows,
            "audit": [],
            "audit_checks": dict.fromkeys(CHECKS, "Looked at."),
            "registered": lambda: (load(folder), golden_set(bundle)),
        }
        return Trial(**(values | fields))

    return make
