"""A new model is tried in a process of its own: what would kill the server kills that one."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from features.errors import ModelError
from features.home import Home
from models.bundle import Bundle, load
from models.golden import golden_set
from serving.publishing.bundles import keep_bundle
from serving.snapshots import trial
from serving.snapshots.trial import Candidate, demand_tried


@pytest.fixture
def candidate(home: Home, make_bundle: Callable[..., Bundle]) -> Candidate:
    bundle = make_bundle("churn")
    golden = home.root / "golden.json"
    home.root.mkdir(exist_ok=True)
    golden.write_text(golden_set(bundle).to_text())
    return Candidate("churn 1", keep_bundle(home, "churn", bundle), golden)


def written(folder: Path, name: str, text: str) -> None:
    """Change a file of a bundle, and have its manifest agree."""
    (folder / name).write_text(text)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest[name] = hashlib.sha256(text.encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_model_is_tried_once(
    home: Home, candidate: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    demand_tried(home, [candidate])
    monkeypatch.setattr(trial.sys, "executable", "/bin/false")
    demand_tried(home, [candidate])
    candidate.golden.write_text(candidate.golden.read_text() + " ")
    with pytest.raises(ModelError, match="with 1"):
        demand_tried(home, [candidate])


def test_other_answers_than_it_gave_are_refused(home: Home, candidate: Candidate) -> None:
    text = (candidate.folder / "booster.txt").read_text()
    written(
        candidate.folder, "booster.txt", re.sub(r"leaf_value=\S+", "leaf_value=5", text, count=1)
    )
    with pytest.raises(ModelError, match="got other probabilities"):
        demand_tried(home, [candidate])


def test_columns_in_another_order_are_refused(home: Home, candidate: Candidate) -> None:
    told = json.loads((candidate.folder / "bundle.json").read_text())
    told["features"][:2] = told["features"][1::-1]
    written(candidate.folder, "bundle.json", json.dumps(told))
    with pytest.raises(ModelError, match="in the order"):
        load(candidate.folder)
    with pytest.raises(ModelError, match="in the order"):
        demand_tried(home, [candidate])


def test_a_text_that_names_a_category_is_not_told_on(home: Home, candidate: Candidate) -> None:
    written(candidate.folder, "bundle.json", json.dumps({"question": "jane@acme.example"}))
    with pytest.raises(ModelError) as refused:
        demand_tried(home, [candidate])
    assert "jane" not in str(refused.value)


@pytest.mark.parametrize(
    ("does", "told"),
    [
        ("import os; os.kill(os.getpid(), 11)", "by signal 11"),
        ("import time; time.sleep(60)", "no answer within 1 seconds"),
        ("from serving.snapshots.trial import limit; limit(); x = bytearray(5 << 30)", "with 1"),
        ("print('all is well')", "got: all is well"),
    ],
)
def test_an_end_of_the_child_is_no_end_of_the_server(
    does: str,
    told: str,
    home: Home,
    candidate: Candidate,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    instead = tmp_path / "python"
    instead.write_text(f'#!/bin/sh\nexec "{trial.sys.executable}" -c "{does}"\n')
    instead.chmod(0o700)
    monkeypatch.setattr(trial.sys, "executable", str(instead))
    monkeypatch.setattr(trial, "SECONDS", 1 if "sleep" in does else trial.SECONDS)
    with pytest.raises(ModelError, match=told):
        demand_tried(home, [candidate])


def test_no_secret_reaches_the_child(
    home: Home, candidate: Candidate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead = tmp_path / "python"
    instead.write_text('#!/bin/sh\nenv | cut -d = -f 1 | tr "\\n" " "\n')
    instead.chmod(0o700)
    monkeypatch.setenv("TENURE_STORE_URL", "postgresql://tenure:secret@db/tenure")
    monkeypatch.setattr(trial.sys, "executable", str(instead))
    with pytest.raises(ModelError) as refused:
        demand_tried(home, [candidate])
    assert "PATH" in str(refused.value)
    assert "STORE_URL" not in str(refused.value)
