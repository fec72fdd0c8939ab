"""Churn in the MRR playbook's subscription periods, against the same question put in SQL."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from features.home import Home
from features.sources.check import check
from models.churn import CHURN
from training.labels import label, outcome_within

ROOT = Path(__file__).parents[2]
PUBLIC = Path(os.environ.get("TENURE_PUBLIC_DATA", ROOT.parent / "shared" / "data"))
PERIODS = PUBLIC / "mrr_playbook" / "subscription_periods.csv"

CHURNED = """
WITH snapshots AS (
    SELECT DISTINCT customer_id, as_of
    FROM periods CROSS JOIN dates
    WHERE start_date < as_of AND end_date >= as_of
),
lost AS (
    SELECT customer_id, end_date
    FROM periods AS ended
    WHERE NOT EXISTS (
        SELECT 1 FROM periods AS next
        WHERE next.customer_id = ended.customer_id
          AND next.start_date < date(ended.end_date, '+30 days')
          AND next.end_date > ended.end_date
    )
)
SELECT snapshots.customer_id, as_of, EXISTS (
    SELECT 1 FROM lost
    WHERE lost.customer_id = snapshots.customer_id
      AND end_date >= as_of AND end_date < date(as_of, '+90 days')
) AS churned
FROM snapshots ORDER BY 1, 2
"""


@pytest.mark.public_data
@pytest.mark.skipif(not PERIODS.is_file(), reason="public data missing: mrr_playbook")
def test_it_finds_the_churn_that_sql_finds_in_the_mrr_playbook(home: Home, tmp_path: Path) -> None:
    dates = pd.DataFrame({"as_of": pd.date_range("2017-10-01", "2019-09-01", freq="MS")})
    periods = pd.read_csv(PERIODS).astype({"customer_id": str})
    with closing(sqlite3.connect(":memory:")) as database:
        periods.to_sql("periods", database, index=False)
        dates.astype(str).to_sql("dates", database, index=False)
        expected = pd.read_sql(CHURNED, database)
    mapping = (ROOT / "tests" / "journeys" / "mrr_playbook" / "source.toml").read_text("utf-8")
    usual = "../../../../shared/data/mrr_playbook"
    mapping = mapping.replace(usual, PERIODS.parent.resolve().as_posix())
    (tmp_path / "source.toml").write_text(mapping, "utf-8")
    source = check(str(tmp_path), home=home)
    states = expected.rename(columns={"customer_id": "account_id"})
    states = states.assign(as_of=pd.to_datetime(states["as_of"]).astype("datetime64[us]"))
    found = outcome_within(label(source, states, CHURN), 90)
    assert len(found) > 200
    assert 0.05 < found.mean() < 0.95
    assert found.tolist() == expected["churned"].tolist()
