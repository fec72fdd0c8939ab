"""A small company that is scored: its accounts, its features, its models."""

from datetime import date, datetime, timedelta

import lightgbm
import numpy as np
import pandas as pd

from features.catalog import catalog, catalog_json, features_fingerprint
from models.amount import Amount
from models.bundle import Bundle
from models.calibration import identity
from models.intervals import COVARIATES
from models.question import Question
from models.renewal import AtTermEnd
from serving.playbooks.read import read_playbook
from serving.playbooks.trigger import COLUMNS as TRIGGER_COLUMNS
from serving.publishing.publish import Scored
from serving.scoring.listed import Around, Company, listed_rows
from serving.scoring.renewals import renewals
from serving.scoring.rules import Rules
from serving.scoring.score import score
from serving.scoring.signals import recent_signals
from serving.scoring.worklist import account_facts, rank
from serving.store.account_page import TO_JSON, Event, Line, Outcome, Told

AS_OF = datetime(2026, 3, 2)  # noqa: DTZ001 - times are naive UTC everywhere
NOW = AS_OF + timedelta(hours=36)
FEATURES = (
    "usage__active_users__28d",
    "support__open_tickets",
    "lifecycle__days_to_term_end",
    "lifecycle__term_months",
)
STATES = """
    account_id  status    mrr   term_ends_at
    acme        active    1000  2026-04-01
    bolt        active    5000  -
    corn        active    200   2027-01-01
    dune        active    1000  2026-09-01
    evil        active    50    -
    gone        inactive  0     -
    newt        no_data   0     -
    quit        leaving   700   -
"""
ACCOUNTS = """
    account_id  name       tier  csm
    acme        Acme~Ltd   high  Ann
    bolt        Bolt       mid   Bob
    corn        Corn       mid   Ann
    dune        Dune       tech  -
    evil        <script>alert(1)</script>  tech  "><img
    gone        Gone       mid   Bob
    newt        Newt       mid   Bob
    quit        Quit       mid   Bob
"""
TABLE = """
    account_id  active_users  open_tickets  days_to_term_end  term_months
    acme        2             4             30                12
    bolt        40            0             -                 -
    corn        30            1             305               12
    dune        2             4             183               12
    evil        -             0             -                 -
"""

TRIGGERS = [("acme", "use-halved", "Use fell by half", "csm", 28)]

NEXT_PRODUCTS = [
    {
        "account_id": "acme",
        "product": "maps",
        "share": 0.75,
        "text": "Of 12 purchases by customers with core, 9 of maps",
    }
]

USE = pd.DataFrame([["acme", *range(26, 0, -1)]], columns=["account_id", *range(26)])
AROUND = Around(USE, {"dune": pd.Timestamp("2026-01-05")})
TOLD = Told(
    events=(
        Event(date(2026, 2, 20), "incident", "critical"),
        Event(date(2026, 2, 10), "ticket", "<i>urgent</i>", until=date(2026, 2, 12)),
        Event(date(2026, 1, 5), "touch", "Ann"),
    ),
    lines=(Line(date(2025, 1, 1), "core", "pro", 5, 1000.0, "fixed", None),),
    outcomes=(
        Outcome(date(2025, 6, 1), date(2026, 6, 1), None, "go live"),
        Outcome(date(2025, 5, 1), date(2026, 1, 1), None, "train all"),
        Outcome(date(2025, 4, 1), date(2025, 9, 1), date(2025, 8, 1), "migrate"),
    ),
    reviews=(Event(date(2026, 1, 15), "review", "missed"),),
    touches=(Event(date(2026, 1, 5), "touch", "Ann"),),
    all={"events": 60, "touches": 1, "outcomes": 3, "lines": 1, "reviews": 1},
    absent=("invoices", "payments"),
)
PAGES = [
    ("acme", None, TO_JSON.encode(TOLD).decode()),
    ("bolt", "acme", TO_JSON.encode(Told()).decode()),
    ("gone", None, TO_JSON.encode(Told(ended=date(2026, 1, 31))).decode()),
]
PRODUCTS = [("acme", "core"), ("bolt", "core"), ("bolt", "maps"), ("quit", "core")]


def text_table(text: str) -> pd.DataFrame:
    """Read rows aligned by white space: `-` is null, `~` a blank."""
    lines = [line.split() for line in text.strip().splitlines()]
    cells = [[None if cell == "-" else cell.replace("~", " ") for cell in row] for row in lines[1:]]
    return pd.DataFrame(cells, columns=lines[0])


def states() -> pd.DataFrame:
    frame = text_table(STATES)
    frame["as_of"] = pd.Timestamp(AS_OF).as_unit("us")
    frame["mrr"] = frame["mrr"].astype(float)
    frame["term_ends_at"] = pd.to_datetime(frame["term_ends_at"]).astype("datetime64[us]")
    frame["customer_group"] = frame["account_id"]
    return frame


def feature_table() -> pd.DataFrame:
    frame = text_table(TABLE).set_axis(["account_id", *FEATURES], axis="columns")
    frame = frame.astype(dict.fromkeys(FEATURES, float))
    frame.insert(1, "as_of", pd.Timestamp(AS_OF).as_unit("us"))
    notice = {"acme": 15.0, "dune": -7.0}
    return frame.assign(lifecycle__days_to_notice_deadline=frame["account_id"].map(notice))


def make_bundle(name: str, version: str = "1", seed: int = 0) -> Bundle:
    """Train a model on rows where few users and many tickets mean an event."""
    random = np.random.default_rng(seed)
    rows = random.integers(0, 50, size=(600, len(FEATURES) + len(COVARIATES))).astype(float)
    happened = (rows[:, 0] < 10) | (rows[:, 1] > 40)
    data = lightgbm.Dataset(
        rows, happened.astype(float), feature_name=[*FEATURES, *COVARIATES], free_raw_data=False
    )
    options = {"objective": "binary", "verbose": -1, "num_threads": 1, "num_leaves": 7}
    booster = lightgbm.train(options, data, num_boost_round=5)
    declared = {feature.column: feature for feature in catalog()}
    used = [declared[column] for column in FEATURES]
    return Bundle(
        question=Question(name=name, outcome=name, horizons_days=(30, 90)),
        features=FEATURES,
        catalogue=tuple(catalog_json(used)),
        features_fingerprint=features_fingerprint(used),
        booster_text=booster.model_to_string(),
        calibration=identity(2),
        base_rates={30: 0.1, 90: 0.2},
        version=version,
        trained_at=datetime(2026, 1, 5),  # noqa: DTZ001 - times are naive UTC everywhere
        as_of_range=(date(2024, 1, 1), date(2025, 9, 1)),
        at_term_end=AtTermEnd(monthly=0.5, longer=0.6) if name == "churn" else None,
        amount=Amount({30: 0.2, 90: 0.25}) if name == "expansion" else None,
    )


def scored_company(bundles: dict[str, Bundle], as_of: datetime = AS_OF) -> Scored:
    """Give what `tenure score` would publish of the company above."""
    at = pd.Timestamp(as_of).as_unit("us")
    of_date = states().assign(as_of=at)
    table = feature_table().assign(as_of=at)
    scores = score(bundles, table, of_date, as_of + timedelta(hours=1))
    listed = rank(scores, account_facts(text_table(ACCOUNTS), of_date), 90)
    ends, catalogue = renewals(bundles, scores, table, of_date), bundles["churn"].catalogue
    company = Company(scores, listed, ends, table)
    return Scored(
        scores=scores,
        listed=listed,
        signals=recent_signals(table, catalogue),
        features=table,
        renewals=ends,
        rows=listed_rows(company, bundles, catalogue, 90, AROUND, Rules(), read_playbook()),
        products=pd.DataFrame(PRODUCTS, columns=["account_id", "product"]),
        next_products=pd.DataFrame(NEXT_PRODUCTS),
        pages=pd.DataFrame(
            PAGES, columns=["account_id", "parent_account_id", "told"], dtype=object
        ),
        triggers=pd.DataFrame(TRIGGERS, columns=[*TRIGGER_COLUMNS]),
        bundles=bundles,
        list_horizon_days=90,
        currency="EUR",
        about={"churn": {"metrics": {"auc": 0.71}}},
    )
