"""What keeps a model from the oracle's skill: what tables do not show, few accounts, the model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from benchmarks.companies import KEYS, Company, Kept
from models.bundle import Bundle
from models.question import Question
from training.bundling import FeatureList, fit_bundle
from training.chance import auc
from training.evaluate import CAN_LEAVE, populations
from training.fit import BoosterParams
from training.oracle import skill_share
from training.splits import Split
from training.tested import scored_later

Say = Callable[[str], None]
Shares = Mapping[str, Sequence[float]]

OWN, MANY = "Tenure, as trained", "the same features, learned from all companies"
OWN_SEEING = "with the hidden states as features"
MANY_SEEING = "with the hidden states as features, learned from all companies"


def shares(kept: Kept, seeds: Sequence[int], question: Question, say: Say) -> Shares:
    """Give by model the share of the oracle's skill in each company's test period, by seed.

    It is of the accounts that can leave within the main horizon. The models that learn from all
    companies know nothing from after the first border of any of them.
    """
    found: dict[str, list[float]] = {name: [] for name in (OWN, MANY, OWN_SEEING, MANY_SEEING)}
    for company in (kept.company(seed, question) for seed in seeds):
        say(f"{question.name}, seed {company.seed}: with the hidden states as features")
        found[OWN].append(share(company.tested, question))
        seeing = _fitted(company, seeing=True)
        found[OWN_SEEING].append(_share_of(seeing, company))
    together = _together([kept.company(seed, question) for seed in seeds])
    say(f"{question.name}: {len(together.rows):,} rows of all companies")
    for name, is_seeing in ((MANY, False), (MANY_SEEING, True)):
        bundle = _fitted(together, seeing=is_seeing)
        companies = (kept.company(seed, question) for seed in seeds)
        found[name] = [_share_of(bundle, company) for company in companies]
    return found


def share(tested: pd.DataFrame, question: Question) -> float:
    """Give the share of the oracle's skill of tested rows, of those that can leave."""
    days = question.main_horizon_days
    rows = tested[populations(tested, days)[CAN_LEAVE]]
    came = rows[f"outcome__{days}d"].to_numpy() > 0
    own, best = (rows[name].to_numpy() for name in (f"probability__{days}d", "oracle"))
    return skill_share(auc(own, came), auc(best, came))


def _together(companies: Sequence[Company]) -> Company:
    """Make one company of many, with the borders of the earliest."""
    fewest = min((each.question for each in companies), key=lambda each: len(each.horizons_days))
    split = Split(
        min(each.split.calibration_from for each in companies),
        min(each.split.test_from for each in companies),
    )
    rows = pd.concat([each.rows for each in companies], ignore_index=True)
    return replace(companies[0], rows=rows, question=fewest, split=split)


def _fitted(company: Company, *, seeing: bool) -> Bundle:
    names = company.features.names + (company.hidden if seeing else ())
    features = FeatureList(names, (), "")
    return fit_bundle(company.rows, company.question, features, company.split, BoosterParams())


def _share_of(bundle: Bundle, company: Company) -> float:
    said = f"probability__{company.question.main_horizon_days}d"
    later = scored_later(bundle, company.rows, company.split)[[*KEYS, said]]
    tested = company.tested.drop(columns=said).merge(later, on=KEYS, validate="one_to_one")
    return share(tested, company.question)
