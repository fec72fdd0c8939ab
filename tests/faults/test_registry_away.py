"""MLflow away, whatever that means: the service goes on, and what needs it says so in one line."""

import hashlib
import json
import os
import subprocess
import sys
from contextlib import closing

import httpx
import pytest
import sqlalchemy as sa

from features.home import Home
from serving.access.tokens import add_token
from serving.parts import utc_now
from serving.settings import Settings
from serving.store import tables
from serving.store.database import open_store

NOBODY = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
SCORES = {"account_ids": ["a", "b"]}
READY = {"status": "ready", "missing": []}
ONE_BY_ONE = """
import contextlib, io, json, sys
from tenure import main
ended = []
for words in json.loads(sys.argv[1]):
    sys.argv, said, code = ["tenure", *words], io.StringIO(), 0
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            main()
        except SystemExit as error:
            code = error.code
    ended.append((code, said.getvalue()))
print(json.dumps(ended))
"""


def tenure(home, verbs, **environ):
    """Run verbs in a process that has not spoken to MLflow yet; give how each ended, and said."""
    command = [sys.executable, "-c", ONE_BY_ONE, json.dumps(verbs)]
    environ = {**os.environ, "TENURE_HOME": str(home.root), **environ}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("company")
    (folder / "accounts.csv").write_text("account_id,created_at\na,2024-01-01\nb,2024-01-01\n")
    (folder / "subscriptions.csv").write_text(
        "subscription_id,account_id,product,mrr,started_at\n"
        "s,a,base,1,2024-01-01\nt,b,base,2,2024-01-01\n"
    )
    (folder / "usage_events.csv").write_text("account_id,occurred_at,event\na,2024-05-20,open\n")
    (folder / "source.toml").write_text('extracted_at = "2024-06-01"\n')
    (folder / "ready.csv").write_text("account_id,as_of,use,churn\na,2024-01-01,1,0\n")
    return folder


@pytest.fixture(scope="module")
def scored(tmp_path_factory, champion, source):
    """A home whose champion has scored a company once."""
    home = Home(tmp_path_factory.mktemp("served") / "home")
    champion(home)
    [(ended, said)] = tenure(home, [["score", "--source", str(source)]])
    assert ended == 0, said
    return home


@pytest.fixture
def home(scored):
    """That home, whose MLflow a test may take away."""
    database, elsewhere = scored.mlflow_database, scored.root / "elsewhere"
    content = database.read_bytes()
    yield scored
    if database.is_dir():
        database.rmdir()
    database.write_bytes(content)
    if elsewhere.exists():
        elsewhere.rename(scored.mlflow_artifacts)


def damaged(home):
    home.mlflow_database.write_bytes(b"no database" * 999)


def unreadable(home):
    home.mlflow_database.unlink()
    home.mlflow_database.mkdir()


def removed(home):
    home.mlflow_database.unlink(missing_ok=True)
    home.mlflow_artifacts.rename(home.root / "elsewhere")


def as_it_was(_home):
    """Leave the files: it is a server that does not answer."""


def kept(home):
    """Give what a home and its store hold of models and scores."""
    files = {
        path.relative_to(home.root): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in (home.bundles, home.served, home.mlflow_artifacts)
        for path in folder.rglob("*")
        if path.is_file()
    }
    with closing(open_store(Settings(home=home).store)) as store, store.reading() as connection:
        rows = [connection.execute(sa.select(each)).all() for each in tables.METADATA.sorted_tables]
    return files, rows


def test_it_serves_with_mlflow_away_from_the_start_and_later(home, serving):
    with closing(open_store(Settings(home=home).store)) as store:
        token = add_token(store, "reader", ["read", "score"], utc_now())

    def demand_scores(url):
        headers = {"authorization": f"Bearer {token}"}
        answer = httpx.post(f"{url}/v1/scores", headers=headers, json=SCORES, timeout=60)
        assert [each["status"] for each in answer.json()["accounts"]] == ["scored"] * 2
        assert httpx.get(f"{url}/readyz", timeout=60).json() == READY

    with serving(Settings(home=home), **NOBODY) as (_, url):
        demand_scores(url)
        damaged(home)
        demand_scores(url)
        removed(home)
        demand_scores(url)
    with serving(Settings(home=home)) as (_, url):
        demand_scores(url)


@pytest.mark.parametrize(
    ("away", "environ"),
    [(unreadable, {}), (as_it_was, NOBODY)],
    ids=["unreadable", "refusing"],
)
def test_what_needs_it_ends_with_one_clear_line_and_changes_nothing(home, source, away, environ):
    verbs = [
        ["score", "--source", str(source)],
        ["train", "churn", "--table", str(source / "ready.csv")],
        ["promote", "churn", "--source", str(source)],
        ["rollback", "churn"],
        ["models"],
    ]
    away(home)
    before = kept(home)
    for words, (ended, said) in zip(verbs, tenure(home, verbs, **environ), strict=True):
        *_, line = said.strip().splitlines()
        assert (ended, line.startswith("tenure: Expected MLflow")) == (1, True), (words, said)
        assert "Traceback" not in said
        assert "Training" not in said  # it asks before it begins with what takes long
    assert kept(home) == before
