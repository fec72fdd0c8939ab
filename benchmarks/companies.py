"""Sample companies of many seeds: rows, truth and figures, each made once and kept.

What is kept of a seed is not made again, so that many can be broken off and taken up. It is of the
code that made it: after a change to models or features take an empty folder.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.sample_company import MONTHS
from features.built import Built, built, month_starts
from features.home import Home
from features.sources.check import check
from features.sources.sample.accounts import Accounts
from features.sources.sample.simulate import simulate
from features.sources.sample.state import State
from models.churn import CHURN
from models.expansion import EXPANSION
from models.question import Question
from training.backtest import Backtest, backtest
from training.bundling import FeatureList, fit_bundle
from training.choose import choose
from training.oracle import oracle_probabilities, read_truth
from training.prepare import Prepared, prepared
from training.splits import Split
from training.tested import scored_later

QUESTIONS: tuple[Question, ...] = (CHURN, EXPANSION)
PLAYS = 500
HIDDEN = "hidden__"
KEYS = ["account_id", "as_of"]
_NOT_A_STATE = frozenset({"active", "leaves_on", "leaves_for"})
"""All rows are of accounts that pay and are not leaving."""


@dataclass(frozen=True)
class Company:
    """One question of one sample company.

    Attributes
    ----------
    rows
        States, labels, features and ``hidden__`` columns, one row per account and date; accounts
        and groups are named with the seed.
    tested
        Of the test period what `training.tested.scored_later` gives, and the oracle's probability
        of the main horizon as ``oracle``; no features.
    question
        With the horizons that the rows bear out.
    features
        What the model took.
    split
        The borders.
    backtest
        ``above_baselines`` over all origins, and ``by_origin``, as `training.backtest` has them.
    """

    seed: int
    rows: pd.DataFrame
    tested: pd.DataFrame
    question: Question
    features: FeatureList
    split: Split
    backtest: Mapping[str, Any]

    @property
    def hidden(self) -> tuple[str, ...]:
        """The columns that tell what is true of an account and never seen in its tables."""
        return tuple(name for name in self.rows if name.startswith(HIDDEN))


@dataclass(frozen=True)
class Kept:
    """Where companies of one size are kept.

    Attributes
    ----------
    folder
        One folder in it for each seed.
    accounts
        How many each company has.
    """

    folder: Path
    accounts: int

    def company(self, seed: int, question: Question) -> Company:
        """Give one question of a company that is kept."""
        folder = self._of(seed)
        told = json.loads((folder / f"{question.name}.json").read_text())
        borders = (datetime.fromisoformat(told[name]) for name in ("calibration_from", "test_from"))
        return Company(
            seed=seed,
            rows=pd.read_parquet(folder / f"{question.name}.rows.parquet"),
            tested=pd.read_parquet(folder / f"{question.name}.tested.parquet"),
            question=replace(question, horizons_days=tuple(told["horizons_days"])),
            features=FeatureList(tuple(told["features"]), (), ""),
            split=Split(*borders),
            backtest=told["backtest"],
        )

    def make(self, seed: int) -> None:
        """Live a company, and keep what is asked of it; nothing where it is there already."""
        missing = [each for each in QUESTIONS if not self._has(seed, each)]
        if not missing:
            return
        self._of(seed).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="tenure-seed-") as aside:
            company, home = Path(aside) / "company", Home(Path(aside) / "home")
            simulate(company, accounts=self.accounts, months=MONTHS, seed=seed)
            source = check(str(company), home=home)
            history = built(source, month_starts(source), home=home)
            for question in missing:
                self._keep(seed, company, history, question)

    def _keep(self, seed: int, company: Path, history: Built, question: Question) -> None:
        ready = prepared(history, question)
        tested = _tested(company, ready)
        rows = ready.rows.drop(columns="held", errors="ignore")  # no next product is asked for
        rows = rows.merge(hidden_states(company), on=KEYS, how="left", validate="one_to_one")
        narrow = dict.fromkeys(rows[list(ready.features.names)].select_dtypes("number"), np.float32)
        folder = self._of(seed)
        _named(rows.astype(narrow), seed).to_parquet(folder / f"{question.name}.rows.parquet")
        _named(tested, seed).to_parquet(folder / f"{question.name}.tested.parquet")
        told = {
            "calibration_from": ready.split.calibration_from.isoformat(),
            "test_from": ready.split.test_from.isoformat(),
            "horizons_days": list(ready.question.horizons_days),
            "features": list(ready.features.names),
            "backtest": _told(backtest(history, question)),
        }
        (folder / f"{question.name}.json").write_text(json.dumps(told))

    def _of(self, seed: int) -> Path:
        return self.folder / f"{self.accounts}-accounts" / f"seed-{seed}"

    def _has(self, seed: int, question: Question) -> bool:
        return (self._of(seed) / f"{question.name}.json").exists()


def _tested(company: Path, ready: Prepared) -> pd.DataFrame:
    """Fit as a training would, and put what the model and the oracle say side by side."""
    question, split = ready.question, ready.split
    way = choose(ready.panel, question, ready.features, split.test_from)
    bundle = fit_bundle(ready.rows, question, ready.features, split, way.params)
    later = scored_later(bundle, ready.rows, split)
    later = later.drop(columns=[*ready.features.names, "held"], errors="ignore")
    dates = [stamp.to_pydatetime() for stamp in sorted(later["as_of"].unique())]
    days = question.main_horizon_days
    truth = oracle_probabilities(company, dates, question.name, [days], plays=PLAYS)
    truth = truth.rename(columns={"probability": "oracle"})[[*KEYS, "oracle"]]
    return later.merge(truth, on=KEYS, how="inner", validate="one_to_one")


def hidden_states(company: Path) -> pd.DataFrame:
    """Give what is true of each paying account at the start of each month, as numbers.

    Returns
    -------
    account_id, as_of, and by state and trait a column ``hidden__<name>``; of the term the months
    that are left of it.
    """
    truth = read_truth(company)
    now = truth.states.merge(truth.traits, on="account_id", validate="many_to_one")
    told = now[KEYS].copy()
    names = [each.name for each in (*fields(State), *fields(Accounts))]
    for name in (each for each in names if each not in _NOT_A_STATE):
        told[HIDDEN + name] = now[name].to_numpy(dtype=np.float32)
    months = now["month"].to_numpy()
    told[f"{HIDDEN}term_end"] -= months.astype(np.float32)
    told[f"{HIDDEN}bad_year"] = np.array(truth.bad_year, dtype=np.float32)[months]
    return told


def _named(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Tell the accounts of one company from those of others."""
    own = {name: f"{seed}-" + rows[name].astype(str) for name in ("account_id", "customer_group")}
    return rows.assign(**own)


def _told(found: Backtest) -> dict[str, Any]:
    return {
        "above_baselines": found.metrics["above_baselines"],
        "by_origin": [
            {name: each[name] for name in ("origin", "above_baselines")} for each in found.by_origin
        ],
    }
