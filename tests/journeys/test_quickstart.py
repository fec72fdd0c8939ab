"""The main job on an empty machine: one command, from nothing to a served work list."""

import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from features.home import Home
from models.scored import check_scores, read_scores
from serving import monitored

ROOT = Path(__file__).parents[2]
COMPANY = ("--accounts", "500", "--months", "36", "--seed", "3")
SHORT = ("--accounts", "80", "--months", "20", "--seed", "3")
"""Events enough to train, and too few later ones for the gates."""


@dataclass(frozen=True)
class Scored:
    """The files of one scoring as they were read, and what it said of them."""

    scores: pd.DataFrame
    renewals: pd.DataFrame
    said: dict[str, Any]


@dataclass(frozen=True)
class Quickstart:
    """A home after the quickstart, and what that printed."""

    home: Path
    said: str
    progress: str

    def tenure(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return tenure(self.home, *arguments)

    @property
    def password(self) -> str:
        return self.said.split()[-1]


def environ(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TENURE_")}
    return {**kept, "TENURE_HOME": str(home), "PYTHONPATH": str(ROOT)}


def tenure(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tenure", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=home.parent,
        env=environ(home),
    )


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Quickstart:
    home = tmp_path_factory.mktemp("quickstart") / "home"
    done = tenure(home, "quickstart", *COMPANY)
    assert done.returncode == 0, done.stderr
    return Quickstart(home, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def service(quickstart: Quickstart) -> Iterator[httpx.Client]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "tenure", "serve", "--port", str(port)],
        cwd=quickstart.home.parent,
        env=environ(quickstart.home),
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            wait_until_alive(client)
            yield client
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_until_alive(client: httpx.Client) -> None:
    for _ in range(240):
        try:
            client.get("/livez").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.25)
        else:
            return
    pytest.fail("the service did not answer within a minute")


def test_it_ends_with_the_list_the_figures_and_how_to_open_the_page(
    quickstart: Quickstart,
) -> None:
    lines = quickstart.said.strip().splitlines()
    assert lines[0] == "Whom to call first:"
    assert sum(bool(re.search(r" \d+% ", line)) for line in lines) >= 10
    for model in ("churn", "expansion"):
        assert re.search(
            rf"^  {model} +AUC 0\.\d+ \[0\.\d+, 0\.\d+\]", quickstart.said, re.MULTILINE
        )
    assert re.match(r"To open the page: .* serve, then http://127.0.0.1:3000/$", lines[-2])
    assert re.match(r"Log in as admin@localhost with the password \S{20}$", lines[-1])


def test_it_says_what_it_is_at(quickstart: Quickstart) -> None:
    for step in ("Making a sample company", "Training churn", "Back-testing", "Scoring"):
        assert step in quickstart.progress


def test_a_history_too_short_for_a_gate_ends_with_the_gates_name_and_no_list(
    tmp_path: Path,
) -> None:
    done = tenure(tmp_path / "home", "quickstart", *SHORT)
    assert (done.returncode, done.stdout) == (1, "")
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("tenure: Expected churn 1 to pass its gates, got: later_period: ")
    assert "Training expansion" not in done.stderr


@pytest.fixture(scope="module")
def scored(quickstart: Quickstart) -> Scored:
    """What `tenure score` wrote for others to read, and the document that it printed."""
    files = [quickstart.home.parent / name for name in ("scores.parquet", "renewals.parquet")]
    done = quickstart.tenure(
        "score", "--out", str(files[0]), "--renewals-out", str(files[1]), "--json"
    )
    assert done.returncode == 0, done.stderr
    return Scored(read_scores(files[0]), pd.read_parquet(files[1]), json.loads(done.stdout))


def test_its_scores_keep_the_contract_and_every_account_has_one(
    quickstart: Quickstart, scored: Scored
) -> None:
    check_scores(scored.scores)
    accounts = pd.read_parquet(quickstart.home / "sample" / "accounts.parquet")["account_id"]
    merged = pd.read_parquet(quickstart.home / "sample" / "account_merges.parquet")
    assert set(scored.scores["account_id"]) == set(accounts) - set(merged["from_account_id"])
    assert scored.said["accounts"] == scored.scores["account_id"].nunique()


def test_renewing_is_as_likely_as_the_churn_probabilities_around_it_say(scored: Scored) -> None:
    churn = scored.scores.query("model == 'churn' and status == 'scored'")
    said = churn.pivot_table(index="account_id", columns="horizon_days", values="probability")
    said[0] = 0.0
    due = scored.renewals.set_index("account_id")
    due = due.loc[due.index.isin(said.index)]
    days = (due["renewal_date"] - due["as_of"]).dt.days
    horizons = sorted(said.columns)
    for start, end in pairwise(horizons):
        inside = due.loc[(days >= start) & (days < end), "renewal_probability"]
        assert (inside <= 1 - said.loc[inside.index, start] + 1e-12).all()
        assert (inside >= 1 - said.loc[inside.index, end] - 1e-12).all()
    assert due.loc[days >= horizons[-1], "renewal_probability"].isna().all()
    assert (days < horizons[-1]).sum() > 100


def test_the_worst_loss_stands_first(quickstart: Quickstart, service: httpx.Client) -> None:
    token = quickstart.tenure("tokens", "add", "me", "--scope", "read").stdout.split()[-1]
    service.headers["Authorization"] = f"Bearer {token}"
    answer = service.get("/v1/worklist", params={"limit": 20})
    assert answer.status_code == 200
    losses = [entry["expected_loss"] for entry in answer.json()["accounts"]]
    assert len(losses) == 20
    assert losses == sorted(losses, reverse=True)


def test_its_password_opens_the_page_and_nothing_else_does(
    quickstart: Quickstart, service: httpx.Client
) -> None:
    with httpx.Client(base_url=service.base_url, follow_redirects=True) as browser:
        assert browser.get("/v1/worklist").status_code == 401
        login = browser.get("/", headers={"Accept": "text/html"})
        mark = re.search(r'name="mark" value="([^"]+)"', login.text)
        assert mark is not None
        form = {"mark": mark[1], "login": "admin@localhost", "password": quickstart.password}
        page = browser.post("/login", data=form)
    assert "<h1>Work list</h1>" in page.text
    assert page.text.count("<tr>") > 10
    assert "Sample data as of " in page.text
    assert "days old" not in page.text


def test_a_second_training_is_held_against_the_champion(quickstart: Quickstart) -> None:
    trained = quickstart.tenure("train", "churn", "--json")
    assert trained.returncode == 0, trained.stderr
    metrics = json.loads(trained.stdout)["metrics"]
    for name in ("auc", "average_precision", "brier", "log_loss"):
        assert metrics[name]["low"] <= metrics[name]["value"] <= metrics[name]["high"]
    promoted = quickstart.tenure("promote", "churn", "--json")
    report = json.loads(promoted.stdout)
    assert (report["champion"], report["challenger"], report["passed"]) == ("1", "2", True)
    rolled = json.loads(quickstart.tenure("rollback", "churn", "--json").stdout)
    assert (rolled["model"], rolled["version"]) == ("churn", "1")
    published = json.loads(quickstart.tenure("publications", "--json").stdout)
    (serving,) = [each for each in published if each["in_service"]]
    assert (serving["number"], serving["models"]["churn"]) == (rolled["publication"], "1")


def test_a_past_score_that_the_store_tells_otherwise_is_named_and_all_others_come_again(
    quickstart: Quickstart,
) -> None:
    past = ("--as-of", "2024-09-01")
    assert quickstart.tenure("score", *past).returncode == 0
    with closing(sqlite3.connect(quickstart.home / "store.db")) as store, store:
        ((account_id,),) = store.execute(
            "UPDATE scores SET probability = probability * 1.01 WHERE rank = 1 AND model = 'churn'"
            " AND horizon_days = 90 AND publication = (SELECT max(number) FROM publications)"
            " RETURNING account_id"
        ).fetchall()
    done = quickstart.tenure("replay", *past, "--json")
    assert done.returncode == 1
    replayed = json.loads(done.stdout)
    assert replayed["differing"] == {account_id: ["probability"]}
    assert replayed["rows"] > 1000
    last = done.stderr.strip().splitlines()[-1]
    expected = f"tenure: Expected publication {replayed['publication']} byte for byte, got another"
    assert last.startswith(f"{expected} prob")
    assert account_id in last


def test_monitoring_reports_on_the_champions(quickstart: Quickstart) -> None:
    done = quickstart.tenure("monitor", "--json")
    assert done.returncode == 0, done.stderr
    told = {report["model"] for report in json.loads(done.stdout)}
    assert told >= {"churn"}
    kept = monitored.last(Home(quickstart.home))
    assert kept is not None
    assert {report.model for report in kept.reports if report.model_version} == told


def test_the_home_holds_nothing_that_others_can_read(quickstart: Quickstart) -> None:
    assert quickstart.home.stat().st_mode & 0o077 == 0
