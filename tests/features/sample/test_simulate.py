"""The sample company keeps the contract's promises, and its own."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.contracts import TABLES
from features.errors import SourceError
from features.home import Home
from features.sources.check import check
from features.sources.sample.simulate import simulate

ACCOUNTS, MONTHS = 150, 30
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sample") / "company"
    simulate(out, accounts=ACCOUNTS, months=MONTHS, seed=3)
    return out


@pytest.fixture(scope="module")
def subscriptions(company: Path) -> pd.DataFrame:
    """All sound rows, under the record that stayed after each merge."""
    table = pd.read_parquet(company / "subscriptions.parquet")
    table = table[~table["subscription_id"].str.startswith("broken")]
    merges = pd.read_parquet(company / "account_merges.parquet")
    into = merges.set_index("from_account_id")["into_account_id"]
    merged = table["account_id"].map(into).fillna(table["account_id"])
    return table.assign(account_id=merged)


def _digest(folder: Path) -> dict[str, str]:
    files = sorted(folder.rglob("*.*"))
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def test_it_writes_every_table_of_the_contract(company):
    assert {f.stem for f in company.glob("*.parquet")} == set(TABLES)


def test_its_columns_are_the_contracts(company):
    for name, table in TABLES.items():
        columns = set(pd.read_parquet(company / f"{name}.parquet").columns)
        assert columns <= {column.name for column in table}, name


def test_a_check_takes_it_and_sets_a_few_broken_rows_aside(company, tmp_path):
    source = check(str(company), home=Home(tmp_path))
    broken = {name: count for name, count in source.quarantined.items() if count}
    assert broken["subscriptions"] == 4
    assert broken["usage_events"] == 4 * MONTHS
    assert not source.extracted_at_is_guess


def test_a_check_takes_the_smallest_company_too(tmp_path):
    simulate(tmp_path / "company", accounts=20, months=6, seed=1)
    source = check(str(tmp_path / "company"), home=Home(tmp_path / "home"))
    assert source.quarantined["subscriptions"] > 0
    assert source.has("incidents")


def test_the_same_seed_gives_the_same_bytes(company, tmp_path):
    simulate(tmp_path / "again", accounts=ACCOUNTS, months=MONTHS, seed=3)
    assert _digest(tmp_path / "again") == _digest(company)


def test_another_seed_gives_another_company(company, tmp_path):
    simulate(tmp_path / "other", accounts=ACCOUNTS, months=MONTHS, seed=4)
    ours, theirs = _digest(company), _digest(tmp_path / "other")
    assert all(ours[f"{name}.parquet"] != theirs[f"{name}.parquet"] for name in TABLES)


def overlaps(table: pd.DataFrame) -> pd.DataFrame:
    """Rows that start before the one before them, of the same account and product, has ended."""
    rows = table.sort_values(["account_id", "product", "started_at"])
    before = rows.groupby(["account_id", "product"])["ended_at"].shift()
    is_next = rows.groupby(["account_id", "product"]).cumcount() > 0
    return rows[is_next & ~(before <= rows["started_at"])]


def test_rows_of_one_product_never_overlap(subscriptions):
    assert overlaps(subscriptions).empty


def test_an_overlap_would_be_found(subscriptions):
    ended = subscriptions["ended_at"] + pd.Timedelta(days=1)
    assert len(overlaps(subscriptions.assign(ended_at=ended))) > 100


def test_a_signed_year_is_left_at_its_end_only(subscriptions):
    signed = subscriptions[subscriptions["term_months"] >= 12]
    lost = signed[signed["end_reason"].notna()]
    assert len(lost) > 10
    assert (lost["ended_at"] == lost["renews_at"]).all()


def test_a_signed_year_is_left_with_notice(subscriptions):
    lost = subscriptions[subscriptions["end_reason"].notna() & (subscriptions["term_months"] >= 12)]
    notice = (lost["ended_at"] - lost["cancel_requested_at"]).dt.total_seconds() / 86_400
    assert (notice >= lost["notice_days"] - 1).all()


def test_a_term_begins_where_the_one_before_it_ended(subscriptions):
    core = subscriptions[
        (subscriptions["product"] == "core") & (subscriptions["term_months"] == 12)
    ]
    core = core.sort_values(["account_id", "started_at"])
    renewed = core[core["ended_at"] == core["renews_at"]]
    renewed = renewed[renewed["end_reason"].isna()]
    following = core.set_index(["account_id", "started_at"])
    after = following.loc[list(zip(renewed["account_id"], renewed["ended_at"], strict=True))]
    year = (after["renews_at"].to_numpy() - renewed["renews_at"].to_numpy()) / np.timedelta64(
        1, "D"
    )
    assert set(year) <= {365.0, 366.0}


def test_the_tables_add_up_to_the_true_mrr(company, subscriptions):
    states = pd.read_parquet(company / "truth" / "states.parquet")
    for as_of in pd.to_datetime(["2022-01-01", "2023-03-01", "2024-07-01"]):
        runs = (subscriptions["started_at"] < as_of) & ~(subscriptions["ended_at"] < as_of)
        paid = subscriptions[runs].groupby("account_id")["mrr"].sum()
        true = states[states["as_of"] == as_of].set_index("account_id")["mrr"]
        pd.testing.assert_series_equal(
            paid.sort_index(), true.sort_index(), check_names=False, rtol=1e-9
        )


def test_a_loss_in_the_truth_is_the_end_of_the_last_row(company, subscriptions):
    causes = pd.read_parquet(company / "truth" / "causes.parquet")
    lost = causes[causes["event"] == "churn"].set_index("account_id")["occurred_at"]
    last = subscriptions.groupby("account_id")["ended_at"].max()
    assert (last.reindex(lost.index) == lost).all()
    assert lost.index.is_unique


def test_nothing_was_recorded_after_the_extract(company):
    extracted = pd.Timestamp("2022-01-01") + pd.DateOffset(months=MONTHS)
    for name in ("usage_events", "contacts", "surveys"):
        recorded = pd.read_parquet(company / f"{name}.parquet")["recorded_at"]
        assert recorded.max() < extracted + pd.Timedelta(days=1)


def test_most_losses_are_not_announced_by_silence(company):
    causes = pd.read_parquet(company / "truth" / "causes.parquet")
    lost = causes[causes["event"] == "churn"].set_index("account_id")["occurred_at"]
    usage = pd.read_parquet(company / "usage_events.parquet", columns=["account_id", "occurred_at"])
    ends = usage["account_id"].map(lost)
    late = (usage["occurred_at"] >= ends - pd.Timedelta(days=28)) & (usage["occurred_at"] < ends)
    used = set(usage.loc[late, "account_id"])
    assert np.mean([account in used for account in lost.index]) > 0.8


def test_half_of_the_touches_come_from_a_coin(company):
    touches = pd.read_parquet(company / "touches.parquet")
    by_coin = touches["experiment"].notna()
    assert 0.3 < by_coin.mean() < 0.7
    treated = (touches.loc[by_coin, "arm"] == "treatment").mean()
    assert 0.42 < treated < 0.58


def test_a_touch_helps_some_and_harms_others(company):
    effect = pd.read_parquet(company / "truth" / "touches.parquet")["effect_on_chance"]
    assert (effect < 0).any()
    assert (effect > 0).any()
    assert (effect == 0).any()


def test_it_refuses_a_folder_that_holds_something(company):
    with pytest.raises(SourceError, match="is not empty"):
        simulate(company)


@pytest.mark.parametrize(("accounts", "months"), [(19, 48), (2000, 5)])
def test_it_refuses_to_be_too_small(tmp_path, accounts, months):
    with pytest.raises(SourceError, match="needs 20 accounts and 6 months"):
        simulate(tmp_path / "small", accounts=accounts, months=months)


READS_TRUTH = re.compile(r"sample\.truth|training\.oracle|[\"'/]truth\b")
MAY_READ_TRUTH = ("features/sources/sample/", "training/oracle.py", "training/beside_oracle.py")


def readers_of_truth(files: dict[str, str]) -> list[str]:
    return [
        name
        for name, text in files.items()
        if READS_TRUTH.search(text) and not name.startswith(MAY_READ_TRUTH)
    ]


def test_no_feature_model_or_service_reads_the_truth():
    folders = ("features", "models", "training", "serving")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    texts = {str(f.relative_to(ROOT)): f.read_text() for f in [*files, ROOT / "tenure.py"]}
    assert "training/oracle.py" in texts
    assert readers_of_truth(texts) == []


def test_a_feature_that_read_the_truth_would_be_found():
    peeking = {"features/families/peek.py": 'pd.read_parquet(folder / "truth" / "x.parquet")'}
    assert readers_of_truth(peeking) == ["features/families/peek.py"]


def test_the_truth_is_no_table_of_the_source(company, tmp_path):
    source = check(str(company), home=Home(tmp_path))
    assert set(source.columns) == set(TABLES)
    assert not any("truth" in f.name for f in source.folder.rglob("*"))


def test_the_page_names_every_file_of_the_truth(company):
    page = (ROOT / "docs" / "sample-company.md").read_text()
    named = set(re.findall(r"^\| `([a-z]+\.[a-z]+)` \|", page, flags=re.MULTILINE))
    assert named == {file.name for file in (company / "truth").iterdir()}
