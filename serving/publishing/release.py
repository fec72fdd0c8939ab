"""Score a company with the champions and publish the result: what ``tenure score`` does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd

from features.built import built
from features.catalog import catalog_json
from features.checked import CheckedSource, origin_of
from features.errors import ModelError
from features.home import Home
from features.own.harvest import Own
from models.asked import any_asks_for_touches
from models.bundle import Bundle
from models.questions import QUESTIONS
from models.registry import Registry
from models.standing import CHAMPION
from serving.playbooks.read import playbook_in_use
from serving.playbooks.trigger import holding, lacking
from serving.publishing.account_pages import account_pages
from serving.publishing.listing import around, products
from serving.publishing.own_past import named_by, own_past
from serving.publishing.publication import SAMPLE, Publication
from serving.publishing.publish import Scored, publish
from serving.scoring.listed import Company, listed_rows
from serving.scoring.next_products import next_products
from serving.scoring.renewals import renewals
from serving.scoring.score import score
from serving.scoring.signals import recent_signals
from serving.scoring.worklist import account_facts, rank
from serving.settings import Settings
from serving.store.database import Store


@dataclass(frozen=True)
class Released:
    """What a release made visible.

    Attributes
    ----------
    scores
        The contract's ``scores``.
    listed
        `serving.scoring.worklist.rank`: one row per known account.
    renewals
        `serving.scoring.renewals.renewals`: one row per account under a term.
    publication
        What the service shows from now on.
    lacking
        By id of a trigger: the features that it names and the source cannot give.
    """

    scores: pd.DataFrame
    listed: pd.DataFrame
    renewals: pd.DataFrame
    publication: Publication
    lacking: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def release(
    source: CheckedSource,
    as_of: date,
    registry: Registry,
    store: Store,
    settings: Settings,
    *,
    own: Own | None = None,
) -> Released:
    """Score every account known at `as_of` with the champions, and publish the scores.

    `own` holds the company's own features, which its models may need.

    Raises
    ------
    PlaybookError
        If the file of plays is missing or wrong.
    SourceError
        If `as_of` lies after the extract: what happened until then is not known.
    ModelError
        If no champion is there, or the source lacks a feature that one was trained on.
    """
    playbook = playbook_in_use(settings, own or Own())
    bundles = _champions(registry)
    touches = any_asks_for_touches(bundle.question for bundle in bundles.values())
    touches = touches or playbook.asks_for_touches
    now = built(source, (as_of,), home=settings.home, own=own, touches=touches)
    scored_at = datetime.now(UTC).replace(tzinfo=None)
    scores = score(bundles, now.table, now.states, scored_at)
    days, catalogue = settings.worklist_horizon_days, catalog_json(now.features)
    listed = rank(scores, account_facts(source.newest("accounts"), now.states), days)
    ends = renewals(bundles, scores, now.table, now.states)
    company = Company(scores, listed, ends, now.table)
    tiers = dict(zip(listed["account_id"], listed["tier"], strict=True))
    beside = around(store, source, now.states)
    past = own_past(store, settings.home, now, named_by(scores, days), own or Own())
    scored = Scored(
        scores=scores,
        listed=listed,
        signals=recent_signals(now.table, catalogue),
        renewals=ends,
        rows=listed_rows(company, bundles, catalogue, days, beside, settings.list_rules, playbook),
        products=products(source, now.states),
        pages=account_pages(source, now.states, past),
        triggers=holding(playbook.triggers, now.table, tiers),
        next_products=next_products(bundles, source, now.states),
        bundles=bundles,
        features=now.table,
        list_horizon_days=days,
        currency=source.currency or settings.currency,
        source=source,
        about=_about(registry, bundles, is_sample=_is_sample(source, settings.home)),
    )
    publication = publish(store, settings.home, scored, scored_at)
    lacked = lacking(playbook.triggers, list(now.table.columns))
    return Released(scores, scored.listed, scored.renewals, publication, lacked)


def _champions(registry: Registry) -> dict[str, Bundle]:
    found = {name: registry.champion(name) for name in QUESTIONS}
    champions = {name: bundle for name, bundle in found.items() if bundle is not None}
    if "churn" not in champions:
        raise ModelError(
            "Expected a champion of churn to score with, got none. "
            "Run: tenure train churn, then tenure promote churn"
        )
    return champions


def _is_sample(source: CheckedSource, home: Home) -> bool:
    return source.origin == origin_of(str(home.sample.resolve()))


def _about(
    registry: Registry, bundles: Mapping[str, Bundle], *, is_sample: bool
) -> dict[str, dict[str, Any]]:
    beside = {SAMPLE: True} if is_sample else {}
    champions = [each for each in registry.models() if CHAMPION in each.aliases]
    return {
        each.model: {"metrics": dict(each.metrics), "data": dict(each.data), **beside}
        for each in champions
        if each.model in bundles
    }
