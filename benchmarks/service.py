"""Measure what the service's requests cost beside other ways, and write docs/service-cost.md.

    python -m benchmarks.service [--cache DIR] [--repeat 5] [--accounts 100000] [--page]

Run from the project's root; needs wrk (Debian has it). A sample company, its models and a
publication of many accounts are made once, in the cache (or BENCHMARKS_CACHE): take an empty one
after a change. All servers take turns in one run, each a worker alone under the same load. --page
writes from what was measured before.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx
import lightgbm
import mlflow.lightgbm
import numpy as np
import pandas as pd
import sqlalchemy as sa

from benchmarks.figures import table
from benchmarks.published import made
from benchmarks.servers import Request, free_port, running
from features.home import Home
from models.bundle import load
from models.intervals import COVARIATES
from serving.access.tokens import add_token
from serving.parts import utc_now
from serving.publishing.bundles import bundle_folder
from serving.publishing.publication import latest
from serving.store import tables
from serving.store.database import Store, open_store

PAGE = Path(__file__).resolve().parent.parent / "docs" / "service-cost.md"
SECONDS, CONNECTIONS = 5, 8
PACED = 64
"""Connections at half of the top load: each waits at random between its requests."""
IDS, MOST_IDS = 20_000, 1_000
"""So many different accounts are asked for, one a request; a request may name so many."""
OURS, BARE = "Tenure", "Starlette and orjson, nothing checked"
TYPED, MLFLOW = "BentoML's typed interface", "`mlflow models serve`"
SCORES, PREDICT = "`/v1/scores`, one account", "`/v1/predict`, one row, no reasons"
HALF = "the same at half of the top load"
SHARE, FEWER_THAN_MLFLOW, FEWER_THAN_TYPED, MOST_P99, MOST_MB = 0.5, 20, 5, 5, 400
"""To reach: share of the bare throughput, times less CPU, p99 over p50, MB of a worker."""
SHOWN = (("rate", 0), ("cpu_us", 0), ("p50_ms", 2), ("p99_ms", 2))
"""Figures of a load, and their decimal places."""

HEAD = (
    "# What a request costs\n\n"
    "Written by `make service-cost`, never by hand: medians of {runs} runs, in which the servers "
    "take turns, each with one worker, asked by wrk over {connections} connections for {seconds} s "
    "from the other core. CPU is user and system time of all of a server's processes. Tenure "
    "checks a token and the request, writes the audit log and counts its metrics; the others do "
    "none of that. uvicorn reads HTTP by the same parser for both that look scores up. Memory is "
    "the proportional set size of Tenure's process after all of its loads. p99 tells as well of "
    "what else the machine did: hold it against the bare server's of the same runs. {accounts} "
    "accounts are published, drawn from the accounts of a sample company; {ids} of them are asked "
    "for in turn. The model is the usual one of churn, asked without "
    "reasons: Tenure answers probabilities at four horizons, bands and the probability to renew, "
    "the others one sum of the trees.\n"
)

Run = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Stand:
    """What the servers need: where the publication lies, who may ask, and what is asked."""

    folder: Path
    token: str
    ids: Sequence[str]
    row: Mapping[str, float | None]

    @property
    def home(self) -> Home:
        """The service's."""
        return Home(self.folder / "home")

    def scores(self) -> Request:
        """Ask for one account after another."""
        bodies = [json.dumps({"account_ids": [each]}).encode() for each in self.ids]
        return Request("/v1/scores", bodies, {"Authorization": f"Bearer {self.token}"})

    def predict(self) -> Request:
        """Ask for one row."""
        row = {name: self.row[name] for name in self.row if name not in COVARIATES}
        body = {"model": "churn", "rows": [row], "reasons": 0}
        return Request(
            "/v1/predict", [json.dumps(body).encode()], {"Authorization": f"Bearer {self.token}"}
        )

    def typed(self) -> Request:
        """Ask BentoML's typed interface for the same row."""
        return Request("/predict", [json.dumps({"row": dict(self.row)}).encode()], {})

    def mlflow(self) -> Request:
        """Ask MLflow's server for the same row."""
        filled = {name: 0.0 if value is None else value for name, value in self.row.items()}
        return Request("/invocations", [json.dumps({"dataframe_records": [filled]}).encode()], {})


def measure(stand: Stand) -> Run:
    """Run every server once."""
    python = [sys.executable, "-m"]
    found: Run = {}
    environment = {
        "TENURE_HOME": str(stand.home.root),
        "TENURE_REQUESTS_PER_SECOND": "1e9",
        "TENURE_REQUESTS_AT_ONCE": "1000000",
        "BARE_ANSWERS": str(stand.folder / "answers.json"),
        "TYPED_BOOSTER": str(stand.folder / "booster.txt"),
        "BENTOML_DO_NOT_TRACK": "True",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # of uvicorn, for mlflow
    }
    port, bare_port = free_port(), free_port()
    command = [*python, "tenure", "serve", "--port", str(port)]
    with (
        running(command, port, "/readyz", environment) as ours,
        running(bare(bare_port), bare_port, "/livez", environment) as other,
    ):
        for name, server in ((OURS, ours), (BARE, other)):
            server.loaded(stand.scores(), 2, CONNECTIONS)
            full = server.loaded(stand.scores(), SECONDS, CONNECTIONS)
            found[f"{SCORES}: {name}"] = vars(full)
            half = server.loaded(stand.scores(), SECONDS, PACED, rate=full.rate / 2)
            found[f"{HALF}: {name}"] = vars(half)
        ours.loaded(stand.predict(), 2, CONNECTIONS)
        found[f"{PREDICT}: {OURS}"] = vars(ours.loaded(stand.predict(), SECONDS, CONNECTIONS))
        found["memory"] = {"mb": ours.mb()}
    for name, command_of, ready, request in others(python, stand):
        port = free_port()
        with running(command_of(port), port, ready, environment) as other:
            other.loaded(request, 2, CONNECTIONS)
            found[name] = vars(other.loaded(request, SECONDS, CONNECTIONS))
    return found


def bare(port: int) -> list[str]:
    """Give the command of the bare look-up at a port."""
    app = ["benchmarks.bare_lookup:app", "--port", str(port), "--no-access-log"]
    return [sys.executable, "-m", "uvicorn", *app, "--log-level", "warning"]


Command = Callable[[int], list[str]]


def others(python: Sequence[str], stand: Stand) -> list[tuple[str, Command, str, Request]]:
    """Give what is measured beside: its name, command at a port, probe and request."""

    def typed(port: int) -> list[str]:
        served = ["benchmarks.typed_predict:Predict", "--host", "127.0.0.1", "--port", str(port)]
        return [*python, "bentoml", "serve", *served]

    def by_mlflow(port: int) -> list[str]:
        model = ["-m", str(stand.folder / "mlflow"), "--env-manager", "local", "-w", "1"]
        return [*python, "mlflow", "models", "serve", *model, "-h", "127.0.0.1", "-p", str(port)]

    return [
        (f"{PREDICT}: {TYPED}", typed, "/livez", stand.typed()),
        (f"{PREDICT}: {MLFLOW}", by_mlflow, "/ping", stand.mlflow()),
    ]


def stand(folder: Path, accounts: int) -> Stand:
    """Make the publication if it is not there, and what the other servers read."""
    home, rows = made(folder, accounts)
    store = open_store(f"sqlite:///{home.store}")
    try:
        token = _token(folder, store)
        publication = latest(store)
        assert publication is not None  # noqa: S101 - it was just made
        version = next(each.model_version for each in publication.models if each.model == "churn")
        bundle = load(bundle_folder(home, "churn", version))
        accounts_published = tables.published_accounts.c.account_id
        with store.reading() as connection:
            names = connection.execute(sa.select(accounts_published)).scalars().all()
    finally:
        store.close()
    ids = np.random.default_rng(0).choice(sorted(names), min(IDS, len(names)), replace=False)
    booster = lightgbm.Booster(model_str=bundle.booster_text)
    (folder / "booster.txt").write_text(bundle.booster_text)
    if not (folder / "mlflow").is_dir():
        mlflow.lightgbm.save_model(booster, folder / "mlflow")
    cells = rows.iloc[0][list(bundle.features)]
    row = {name: None if pd.isna(value) else float(value) for name, value in cells.items()}
    found = Stand(folder, token, ids.tolist(), row | dict.fromkeys(COVARIATES, 0.0))
    if not (folder / "answers.json").is_file():
        _keep_answers(found)
    return found


def _token(folder: Path, store: Store) -> str:
    kept = folder / "token"
    if not kept.is_file():
        token = add_token(store, "benchmark", ("score", "predict"), utc_now())
        kept.touch(mode=0o600)
        kept.write_text(token)
    return kept.read_text()


def _keep_answers(stand: Stand) -> None:
    """Keep what Tenure answers of each account, for the bare look-up."""
    port = free_port()
    environment = {"TENURE_HOME": str(stand.home.root), "TENURE_REQUESTS_PER_SECOND": "1e9"}
    found = {}
    with running(
        [sys.executable, "-m", "tenure", "serve", "--port", str(port)], port, "/readyz", environment
    ):
        for first in range(0, len(stand.ids), MOST_IDS):
            answer = httpx.post(
                f"http://127.0.0.1:{port}/v1/scores",
                json={"account_ids": stand.ids[first : first + MOST_IDS]},
                headers={"Authorization": f"Bearer {stand.token}"},
                timeout=60,
            ).raise_for_status()
            found |= {each["account_id"]: each for each in answer.json()["accounts"]}
    (stand.folder / "answers.json").write_text(json.dumps(found))


def page(runs: Sequence[Run], accounts: int) -> str:
    """Write the page."""
    middle = {
        name: {figure: median(run[name][figure] for run in runs) for figure in runs[0][name]}
        for name in runs[0]
    }
    head = HEAD.format(
        runs=len(runs),
        connections=CONNECTIONS,
        seconds=SECONDS,
        accounts=f"{accounts:,}",
        ids=f"{min(IDS, accounts):,}",
    )
    rows = [
        [*name.rsplit(": ", 1), *(f"{of[each]:,.{places}f}" for each, places in SHOWN)]
        for name, of in middle.items()
        if "rate" in of
    ]
    columns = ("request", "by", "requests a second", "CPU µs", "p50 ms", "p99 ms")
    reach = table(("figure", "to reach", "measured", "reached"), figures(middle))
    return "\n".join([head, table(columns, rows), "", "## Figures to reach", "", reach, ""])


def figures(middle: Run) -> list[list[str]]:
    """Hold what was measured against what is to be reached."""
    ours, half = middle[f"{PREDICT}: {OURS}"]["cpu_us"], middle[f"{HALF}: {OURS}"]
    share = middle[f"{SCORES}: {OURS}"]["rate"] / middle[f"{SCORES}: {BARE}"]["rate"]
    mlflow_times = middle[f"{PREDICT}: {MLFLOW}"]["cpu_us"] / ours
    typed_times = middle[f"{PREDICT}: {TYPED}"]["cpu_us"] / ours
    spread, mb = half["p99_ms"] / half["p50_ms"], middle["memory"]["mb"]
    found = [
        (f"{PREDICT}, CPU against {MLFLOW}", "20 times less", mlflow_times, FEWER_THAN_MLFLOW),
        (f"{PREDICT}, CPU against {TYPED}", "5 times less", typed_times, FEWER_THAN_TYPED),
        (f"{SCORES}, throughput against {BARE}", "0.5", share, SHARE),
        ("p99 over p50 at half of the top load", "under 5", -spread, -MOST_P99),
        ("memory of a worker, MB", "under 400", -mb, -MOST_MB),
    ]
    return [
        [what, reach, f"{abs(value):.3g}", "yes" if value >= least else "**no**"]
        for what, reach, value, least in found
    ]


def main() -> None:
    """Measure what is not measured yet, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    usual = os.environ.get("BENCHMARKS_CACHE", Path.home() / ".cache" / "tenure-benchmarks")
    parser.add_argument("--cache", type=Path, default=Path(usual))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--page", action="store_true", help="write the page from what is measured")
    options = parser.parse_args()
    folder = options.cache / "service" / str(options.accounts)
    file = folder / "runs.json"
    runs: list[Run] = json.loads(file.read_text()) if file.is_file() else []
    if not options.page:
        at_hand = stand(folder, options.accounts)
        while len(runs) < options.repeat:
            runs.append(measure(at_hand))
            file.write_text(json.dumps(runs, indent=1))
    text = page(runs, options.accounts)
    print(text)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
