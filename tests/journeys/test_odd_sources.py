"""Other people's extracts: a bad one, one of bare periods, and three connectors' own columns."""

import shutil
from datetime import date, timedelta

import pandas as pd
import pytest

from features.built import built, month_starts
from features.errors import TooLittleDataError
from features.home import Home
from features.sources.check import check
from features.spine import account_states
from models.churn import CHURN
from training.labels import label
from training.run import train

pytestmark = pytest.mark.public_data


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return Home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def ravenstack(source_of, home):
    return check(str(source_of("ravenstack")), home=home)


def warnings_of(source):
    return {
        (finding.table, finding.column): (finding.level, finding.rows)
        for finding in source.findings
        if finding.level != "note"
    }


def test_ravenstacks_duplicate_ids_are_set_aside_and_its_implausible_rows_are_kept(ravenstack):
    assert warnings_of(ravenstack) == {
        ("usage_events", "usage_id"): ("error", 42),  # both rows of each of 21 ids
        ("usage_events", "occurred_at"): ("warning", 14_192),
        ("support_tickets", "opened_at"): ("warning", 1_077),
    }
    assert ravenstack.quarantined["usage_events"] == 42
    assert ravenstack.counts["support_tickets"].accepted == 2000


def test_training_churn_on_ravenstack_refuses_for_too_few(ravenstack, home):
    history = built(ravenstack, month_starts(ravenstack), home=home)
    with pytest.raises(TooLittleDataError, match="Bring a longer history or more accounts"):
        train(history, CHURN)


def test_only_three_accounts_of_ravenstack_ever_lose_all_their_subscriptions(ravenstack):
    days = [date(2023, 2, 1) + timedelta(days=7 * week) for week in range(96)]
    states = account_states(ravenstack, days)
    labels = label(ravenstack, states[states["status"] == "active"], CHURN)
    assert labels.loc[labels["event_days"].notna(), "account_id"].nunique() == 3


@pytest.fixture(scope="module")
def periods(public_data):
    frame = pd.read_csv(
        public_data / "mrr_playbook" / "subscription_periods.csv",
        parse_dates=["start_date", "end_date"],
    )
    return frame.assign(customer_id=frame["customer_id"].astype(str))


@pytest.fixture(scope="module")
def playbook(source_of, home):
    return check(str(source_of("mrr_playbook")), home=home)


def test_mrr_of_the_playbook_is_what_its_periods_add_up_to(playbook, periods):
    """A period that starts on the first of a month counts from the second on."""
    days = [day.date() for day in pd.date_range("2017-10-01", "2019-12-01", freq="MS")]
    states = account_states(playbook, [day + timedelta(days=1) for day in days])
    for at, found in states[states["mrr"] > 0].groupby("as_of"):
        running = periods[(periods["start_date"] < at) & (periods["end_date"] >= at)]
        expected = running.groupby("customer_id")["monthly_amount"].sum().to_dict()
        assert found.set_index("account_id")["mrr"].to_dict() == expected
    assert states.loc[states["mrr"] > 0, "as_of"].nunique() > 20


def test_churn_of_the_playbook_is_a_gap_of_thirty_days(playbook, periods):
    """The oracle: plain arithmetic over each customer's periods, one after another."""
    as_of = date(2018, 12, 15)
    states = account_states(playbook, [as_of])
    labels = label(playbook, states[states["status"] == "active"], CHURN)
    lost = set(labels.loc[labels["event_days"] < 180, "account_id"])
    assert lost == {
        customer for customer, own in periods.groupby("customer_id") if _leaves(own, as_of)
    }


def _leaves(own: pd.DataFrame, as_of: date) -> bool:
    at, end = pd.Timestamp(as_of), pd.Timestamp(as_of)
    if not ((own["start_date"] < at) & (own["end_date"] >= at)).any():
        return False
    for start, until in own.sort_values("start_date")[["start_date", "end_date"]].itertuples(
        index=False
    ):
        if until >= at and (start - end).days < 30:
            end = max(end, until)
    return bool(end < at + pd.Timedelta(days=180))


@pytest.fixture(scope="module")
def fivetran(public_data, tmp_path_factory, home, request):
    """One folder, as a warehouse unloads it: <connector>_<table>.csv."""
    folder = tmp_path_factory.mktemp("fivetran")
    shutil.copy(request.path.parent / "fivetran" / "source.toml", folder)
    for file in sorted((public_data / "fivetran_seeds").glob("*/*.csv")):
        table = file.name.removeprefix("sf_")
        (folder / f"{file.parent.name}_{table}").symlink_to(file.resolve())
    return check(str(folder), home=home)


def test_three_connectors_own_columns_become_the_contracts_tables(fivetran):
    assert {name: counts.accepted for name, counts in fivetran.counts.items()} == {
        "accounts": 48,
        "subscriptions": 2,
        "support_tickets": 9,
        "invoices": 2,
        "payments": 16,
        "touches": 9,
    }
    assert sum(fivetran.quarantined.values()) == 0


def test_cents_for_a_plan_become_money_for_a_month(fivetran):
    """Two seats of the plan ab2, at 150,000 cents a month each."""
    mrr = fivetran.read("subscriptions").set_index("plan")["mrr"]
    assert mrr["ab2"] == 3000
    assert mrr["zb1"] == 1500
