"""Accounts scored by batch, looked up, and predicted from their feature rows: one number each."""

import os
from contextlib import closing

import httpx
import numpy as np
import pandas as pd

from features.home import Home
from serving.access.tokens import add_token
from serving.parts import utc_now
from serving.publishing.publish import Scored, publish
from serving.scoring.renewals import renewals
from serving.scoring.score import score
from serving.scoring.signals import recent_signals
from serving.scoring.worklist import account_facts, rank
from serving.settings import Settings
from serving.snapshots.served import current
from serving.snapshots.snapshot import open_snapshot
from serving.store.database import open_store

ACCOUNTS = int(os.environ.get("SKEW_ACCOUNTS", "300"))  # `make faults` asks for 10,000
AT_ONCE = 500
MISSING = 0.1


def company_of(company, count):
    """Draw a company of active accounts, whose features lie all over what the trees ask for."""
    draw = np.random.default_rng(8)
    ids = [f"account {number}" for number in range(count)]
    as_of = pd.Timestamp(company.AS_OF).as_unit("us")
    table = pd.DataFrame(
        {name: draw.uniform(-5, 400, count).round(3) for name in company.FEATURES}
    ).mask(draw.random((count, len(company.FEATURES))) < MISSING)
    table.insert(0, "as_of", as_of)
    table.insert(0, "account_id", ids)
    ends = as_of + pd.to_timedelta(table["lifecycle__days_to_term_end"].round(), unit="D")
    states = pd.DataFrame(
        {
            "account_id": ids,
            "status": "active",
            "mrr": draw.uniform(10, 1000, count),
            "term_ends_at": ends.astype("datetime64[us]"),
            "as_of": as_of,
            "customer_group": ids,
        }
    )
    bundles = {
        name: company.make_bundle(name, seed=seed)
        for seed, name in enumerate(("churn", "expansion"))
    }
    scores = score(bundles, table, states, company.AS_OF)
    facts = account_facts(
        pd.DataFrame({"account_id": ids, "name": ids, "tier": None, "csm": None}), states
    )
    return Scored(
        scores=scores,
        listed=rank(scores, facts, 90),
        signals=recent_signals(table, bundles["churn"].catalogue),
        renewals=renewals(bundles, scores, table, states),
        bundles=bundles,
        features=table,
        list_horizon_days=90,
        currency="EUR",
    )


def looked_up(client, ids):
    """Give the published probabilities by account, model and horizon."""
    answer = client.post("/v1/scores", json={"account_ids": ids, "reasons": 0}).json()
    return {
        (account["account_id"], model["model"], each["horizon_days"]): each["probability"]
        for account in answer["accounts"]
        for model in account["models"]
        for each in model["horizons"]
    }


def computed(client, model, ids, rows, reasons):
    """Give what a model says of the rows of accounts, by account, model and horizon."""
    body = {"model": model, "rows": rows, "reasons": reasons}
    told = client.post("/v1/predict", json=body).json()["rows"]
    return {
        (one, model, each["horizon_days"]): each["probability"]
        for one, row in zip(ids, told, strict=True)
        for each in row["horizons"]
    }


def test_batch_lookup_and_prediction_agree(tmp_path, company, serving):
    home = Home(tmp_path / "home")
    scored = company_of(company, ACCOUNTS)
    with closing(open_store(f"sqlite:///{home.store}")) as store:
        token = add_token(store, "reader", ["score", "predict"], utc_now())
        publish(store, home, scored, utc_now())
    rows = open_snapshot(home.served / current(home)).features().to_pandas()
    names = list(company.FEATURES)
    by_batch = scored.scores.set_index(["account_id", "model", "horizon_days"])["probability"]
    found, said, explained = {}, {}, {}
    headers = {"authorization": f"Bearer {token}"}
    with (
        serving(Settings(home=home)) as (_, url),
        httpx.Client(base_url=url, headers=headers, timeout=120) as client,
    ):
        for first in range(0, ACCOUNTS, AT_ONCE):
            some = rows.iloc[first : first + AT_ONCE]
            ids = some["account_id"].tolist()
            values = some[names].astype(object).where(some[names].notna(), None).to_dict("records")
            found |= looked_up(client, ids)
            for model in scored.bundles:
                said |= computed(client, model, ids, values, reasons=0)
                explained |= computed(client, model, ids, values, reasons=3)
    assert len(by_batch) == ACCOUNTS * 4
    for told in (found, said, explained):
        differences = pd.Series(told).rename_axis(by_batch.index.names) - by_batch
        assert len(told) == len(by_batch)
        assert differences.abs().max() < 1e-9
