"""A publication of many accounts, made once: those of a sample company, over and over."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.sample_company import MONTHS
from features.built import built, month_starts
from features.catalog import catalog_json
from features.home import Home
from features.sources.check import check
from features.sources.sample.simulate import simulate
from features.weekly_use import weekly_use
from models.bundle import Bundle
from models.churn import CHURN
from models.expansion import EXPANSION
from serving.parts import utc_now
from serving.playbooks.read import read_playbook
from serving.publishing.account_pages import account_pages
from serving.publishing.listing import products
from serving.publishing.publish import Scored, publish
from serving.scoring.listed import Around, Company, listed_rows
from serving.scoring.renewals import renewals
from serving.scoring.rules import Rules
from serving.scoring.score import score
from serving.scoring.signals import recent_signals
from serving.scoring.worklist import account_facts, rank
from serving.store.database import open_store
from training.bundling import fit_bundle
from training.fit import BoosterParams
from training.prepare import prepared

SEED, COMPANY = 21, 300
LIST_DAYS = 90


@dataclass(frozen=True)
class Now:
    """A company at one date, and the models that score it: what a release puts together."""

    bundles: Mapping[str, Bundle]
    table: pd.DataFrame
    states: pd.DataFrame
    facts: pd.DataFrame
    catalogue: tuple[Mapping[str, object], ...]
    use: pd.DataFrame
    products: pd.DataFrame
    pages: pd.DataFrame

    def scored(self) -> Scored:
        """Score it as `serving.publishing.release.release` does."""
        at = utc_now()
        scores = score(self.bundles, self.table, self.states, at)
        listed = rank(scores, self.facts, LIST_DAYS)
        ends = renewals(self.bundles, scores, self.table, self.states)
        company = Company(scores, listed, ends, self.table)
        shown = (self.catalogue, LIST_DAYS, Around(self.use), Rules(), read_playbook())
        return Scored(
            scores=scores,
            listed=listed,
            signals=recent_signals(self.table, self.catalogue),
            renewals=ends,
            rows=listed_rows(company, self.bundles, *shown),
            products=self.products,
            pages=self.pages,
            bundles=self.bundles,
            list_horizon_days=LIST_DAYS,
            currency="USD",
        )


def made(folder: Path, accounts: int) -> tuple[Home, pd.DataFrame]:
    """Give the home of a publication, and the feature rows that it drew from."""
    home, kept = Home(folder / "home"), folder / "rows.parquet"
    if not kept.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        now = _company()
        home.root.mkdir(mode=0o700, exist_ok=True)
        store = open_store(f"sqlite:///{home.store}")
        try:
            publish(store, home, _many(now, accounts).scored(), utc_now())
        finally:
            store.close()
        now.table.to_parquet(kept)
    return home, pd.read_parquet(kept)


def _company() -> Now:
    with tempfile.TemporaryDirectory() as aside:
        company, home = Path(aside) / "company", Home(Path(aside) / "home")
        simulate(company, accounts=COMPANY, months=MONTHS, seed=SEED)
        source = check(str(company), home=home)
        history = built(source, month_starts(source), home=home)
        bundles = {}
        for question in (CHURN, EXPANSION):
            ready = prepared(history, question)
            bundles[question.name] = fit_bundle(
                ready.rows, ready.question, ready.features, ready.split, BoosterParams()
            )
        now = built(source, (source.extracted_at.date(),), home=home)
        facts = account_facts(source.newest("accounts"), now.states)
        use = weekly_use(source, now.states).drop(columns="as_of")
        paid = products(source, now.states)
        told = account_pages(source, now.states)
        shown = (use, paid, told)
        return Now(bundles, now.table, now.states, facts, catalog_json(now.features), *shown)


def _many(now: Now, accounts: int) -> Now:
    """Draw accounts again and again, each time under another name."""
    drawn = np.random.default_rng(0).integers(0, len(now.states), accounts)
    names = pd.DataFrame(
        {
            "account_id": now.states["account_id"].to_numpy()[drawn],
            "name_of_one": [f"account-{number:06d}" for number in range(accounts)],
        }
    )

    def again(frame: pd.DataFrame) -> pd.DataFrame:
        many = names.merge(frame, on="account_id", how="inner")
        return many.assign(account_id=many.pop("name_of_one"))

    parts = (now.table, now.states, now.facts)
    shown = (now.use, now.products, now.pages)
    return Now(now.bundles, *map(again, parts), now.catalogue, *map(again, shown))
