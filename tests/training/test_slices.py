from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.checked import CheckedSource
from training.slices import COLD_START, MOST, described, slices


def base(**columns: object) -> pd.DataFrame:
    count = len(next(iter(columns.values())))
    none = dict.fromkeys(("tier", "segment", "region"), [None] * count)
    frame = pd.DataFrame(
        {
            "as_of": [pd.Timestamp("2024-01-01")] * count,
            "term_ends_at": [pd.NaT] * count,
            "term_months": np.nan,
            "touched": np.nan,
            **none,
            **columns,
        }
    )
    return frame.astype({"as_of": "datetime64[us]", "term_ends_at": "datetime64[us]"})


def parts(frame: pd.DataFrame, name: str) -> list[str]:
    """Name the part of each row."""
    members = slices(frame, 90)[name]
    assert (np.sum(list(members.values()), axis=0) == 1).all()
    return [next(part for part, of in members.items() if of[at]) for at in range(len(frame))]


@pytest.mark.parametrize(
    ("months", "ends", "part"),
    [
        (1.0, "2024-01-20", "monthly"),
        (12.0, "2024-03-30", "term ends within the horizon"),
        (12.0, "2024-03-31", "term ends later"),
        (np.nan, None, "no end of a term known"),
    ],
)
def test_contracts_are_parted_by_whether_they_can_end(
    months: float, ends: str | None, part: str
) -> None:
    frame = base(term_months=[months], term_ends_at=[pd.Timestamp(ends) if ends else pd.NaT])
    assert parts(frame, "contract") == [part]


def test_the_cold_start_stands_apart() -> None:
    frame = base(lifecycle__tenure_days=[0.0, 89.9, 90.0, 364.0, 365.0, 730.0, np.nan])
    assert parts(frame, "age") == [
        *[COLD_START] * 2,
        *["under a year"] * 2,
        "one to two years",
        "two years and more",
        "unknown",
    ]
    assert parts(base(tier=["high"]), "age") == ["unknown"]


def test_an_account_without_a_tier_is_in_a_part_of_its_own() -> None:
    assert parts(base(tier=["high", None, "mid"]), "tier") == ["high", "unknown", "mid"]


def test_rare_values_are_put_together() -> None:
    names = [f"s{at:02d}" for at in range(30)]
    found = set(parts(base(segment=["s00", "s00", *names]), "segment"))
    assert len(found) == MOST + 1
    assert {"s00", "others"} <= found


def test_the_crm_as_it_is_today_is_added_by_account(
    checked_rows: Callable[..., CheckedSource],
) -> None:
    bare = checked_rows([("2024-01-01", None, 1)], pd.Timestamp("2024-06-01"))
    accounts = pd.DataFrame({"account_id": ["a", "b"], "tier": ["high", None]})
    accounts.to_parquet(bare.folder / "accounts.parquet")
    source = replace(bare, columns={**bare.columns, "accounts": ("account_id", "tier")})
    rows = pd.DataFrame({"account_id": ["b", "a", "gone"]})
    found = described(rows, source)
    assert found["tier"].fillna("-").tolist() == ["-", "high", "-"]
    assert found["csm"].isna().all()
    assert described(rows, bare)[["tier", "segment", "region", "csm"]].isna().all(axis=None)
