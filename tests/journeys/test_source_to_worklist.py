"""From other people's source tables to a served work list, by the command line and over HTTP."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pandas as pd
import pytest

from features.built import built
from features.catalog import catalog_json
from features.sources.check import check
from models.questions import QUESTIONS
from models.registry import Registry
from serving.publishing.publish import Scored, publish
from serving.scoring.renewals import renewals
from serving.scoring.score import score
from serving.scoring.signals import recent_signals
from serving.scoring.worklist import account_facts, rank
from serving.settings import read_settings
from serving.store.database import open_store

pytestmark = pytest.mark.public_data

PATIENCE_SECONDS = 90


@dataclass(frozen=True)
class Journey:
    """What each step of one set's journey answered."""

    name: str
    tenure: Any
    validated: dict[str, Any]
    trained: dict[str, dict[str, Any]]
    refused: dict[str, str]
    scores: pd.DataFrame
    token: str


@pytest.fixture(scope="module", params=["r3n0va_saas", "crm5"])
def journey(request, source_of, tenure) -> Journey:
    source, line = str(source_of(request.param)), tenure()
    validated = line.json("validate", source)
    trained, refused = {}, {}
    for model in ("churn", "expansion"):
        trained[model] = line.json("train", model, "--source", source)
        ended = line.run("promote", model, "--source", source)
        if ended.returncode != 0:
            refused[model] = ended.stderr.strip().splitlines()[-1]
    scores = _scores(line, source) if not refused else _scores_all_the_same(line, source)
    added = line.run("tokens", "add", "crm", "--scope", "read", "--scope", "score")
    assert added.returncode == 0, added.stderr
    return Journey(
        name=request.param,
        tenure=line,
        validated=validated,
        trained=trained,
        refused=refused,
        scores=scores,
        token=added.stdout.strip().splitlines()[-1],
    )


def _scores(line: Any, source: str) -> pd.DataFrame:
    out = line.home / "scores.parquet"
    line.json("score", "--source", source, "--out", str(out))
    return pd.read_parquet(out)


def _scores_all_the_same(line: Any, source: str) -> pd.DataFrame:
    """Publish the challengers: what a gate keeps from the team, the journey still wants to see."""
    settings = read_settings(line.environment, line.home)
    checked = check(source, home=settings.home)
    registry = Registry(settings.home)
    models = {name: registry.champion(name) or registry.challenger(name) for name in QUESTIONS}
    bundles = {name: bundle for name, bundle in models.items() if bundle is not None}
    now = built(checked, (checked.extracted_at.date(),), home=settings.home)
    at = datetime.now(UTC).replace(tzinfo=None)
    scores = score(bundles, now.table, now.states, at)
    facts = account_facts(checked.read("accounts"), now.states)
    scored = Scored(
        scores=scores,
        listed=rank(scores, facts, settings.worklist_horizon_days),
        signals=recent_signals(now.table, catalog_json(now.features)),
        renewals=renewals(bundles, scores, now.table, now.states),
        bundles=bundles,
        list_horizon_days=settings.worklist_horizon_days,
        currency=checked.currency or settings.currency,
        about={},
    )
    with closing(open_store(settings.store)) as store:
        publish(store, settings.home, scored, at)
    return scores


def test_no_row_of_a_well_kept_source_is_set_aside(journey):
    for table in journey.validated["tables"].values():
        assert table["quarantined"] == 0


def test_what_beats_chance_beyond_doubt_is_promoted_and_a_refusal_says_why(journey):
    """Among r3n0va_saas's few losses a model may be no better than the base rate, and stays out."""
    assert journey.trained["expansion"]["metrics"]["auc"]["low"] > 0.6
    assert "expansion" not in journey.refused
    for reason in journey.refused.values():
        assert reason.startswith("tenure: Expected churn 1 to pass its gates, got: ")


def test_no_feature_knows_the_outcome(journey):
    for document in journey.trained.values():
        assert [finding for finding in document["audit"] if finding["blocking"]] == []


def test_a_churn_auc_too_good_to_be_true_would_be_a_leak(journey):
    """In r3n0va_saas use does not fall before churn: above 0.75 something knows the end."""
    if journey.name == "r3n0va_saas":
        assert journey.trained["churn"]["metrics"]["auc"]["value"] < 0.75
    else:
        assert journey.trained["churn"]["metrics"]["auc"]["value"] < 0.85


def test_each_account_is_scored_once_or_says_why_not(journey):
    scores = journey.scores
    assert not scores.duplicated(["account_id", "model", "horizon_days"]).any()
    assert set(scores["status"]) <= {"scored", "leaving", "inactive", "no_data"}
    is_scored = scores["status"] == "scored"
    assert scores.loc[is_scored, "probability"].between(0, 1).all()
    assert scores.loc[~is_scored, "probability"].isna().all()


def test_the_probability_never_falls_as_the_horizon_grows(journey):
    scored = journey.scores[journey.scores["status"] == "scored"].sort_values("horizon_days")
    steps = scored.groupby(["account_id", "model"])["probability"].diff().dropna()
    assert len(steps) > 0
    assert (steps >= 0).all()


def test_the_service_answers_for_the_likeliest_account_and_lists_an_unknown_one(journey):
    likely = journey.scores.query("model == 'expansion' and status == 'scored'")
    top = likely.sort_values("rank")["account_id"].iloc[0]
    with _service(journey) as client:
        body = {"account_ids": [top, "nobody-we-know"], "reasons": 3}
        answer = client.post("/v1/scores", json=body)
        listed = client.get("/v1/worklist", params={"limit": 5})
    assert answer.status_code == listed.status_code == 200
    assert answer.json()["unknown_account_ids"] == ["nobody-we-know"]
    assert [account["account_id"] for account in answer.json()["accounts"]] == [top]
    losses = [account["expected_loss"] for account in listed.json()["accounts"]]
    assert len(losses) == 5
    assert losses == sorted(losses, reverse=True)


@contextmanager
def _service(journey: Journey) -> Iterator[httpx.Client]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = journey.tenure.home
    with (home / "serve.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tenure", "serve", "--port", str(port)],
            env=journey.tenure.environment,
            cwd=home,
            stdout=log,
            stderr=log,
        )
        try:
            headers = {"Authorization": f"Bearer {journey.token}"}
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
                _wait_until_ready(client, process)
                yield client
        finally:
            process.terminate()
            process.wait(30)


def _wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, "the service ended before it was ready"
        try:
            if client.get("/readyz").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    pytest.fail(f"the service was not ready within {PATIENCE_SECONDS} seconds")
