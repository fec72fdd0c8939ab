"""Publishers killed at any moment, swaps under load, and models that kill whoever loads them."""

import faulthandler
import hashlib
import json
import os
import random
import re
import signal
import threading
import time
from contextlib import closing
from dataclasses import replace
from multiprocessing import get_context

import httpx
import lightgbm
import msgspec
import pytest

from features.errors import SnapshotError
from features.home import Home
from models.bundle import load, save
from models.golden import golden_set
from serving.access.tokens import add_token
from serving.parts import utc_now
from serving.publishing.bundles import bundle_folder
from serving.publishing.going_back import serve_publication
from serving.publishing.publication import numbered
from serving.publishing.publish import publish
from serving.settings import Settings
from serving.snapshots.lay_out import about
from serving.snapshots.loaded import Watch
from serving.snapshots.served import current, put_in_service
from serving.snapshots.snapshot import open_snapshot, write_snapshot
from serving.snapshots.trial import limit, run
from serving.snapshots.warm import warmed
from serving.store.database import open_store

KILLS = int(os.environ.get("PUBLISHER_KILLS", "4"))
SWAPS = int(os.environ.get("SWAPS", "4"))
MUTANTS = int(os.environ.get("MUTANTS", "12"))
ACCOUNTS = ("acme", "bolt", "corn", "dune", "evil", "gone", "newt", "quit")
FORK = get_context("fork")
READERS = 3
DIES_OF_IT = 70


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home")


@pytest.fixture
def store_at(home):
    return f"sqlite:///{home.store}"


def publish_on(url, home, scored):
    """Publish again and again, until killed."""
    with closing(open_store(url)) as store:
        while True:
            publish(store, home, scored, utc_now())


def opened(home):
    """Open what is in service as a reader does, which finds another in its place at most."""
    while True:
        name = current(home)
        try:
            return name and open_snapshot(home.served / name)
        except SnapshotError:
            assert current(home) != name, f"{name} is in service and cannot be opened"


def test_a_publisher_that_is_killed_leaves_a_whole_snapshot(home, store_at, company):
    bundles = {"churn": company.make_bundle("churn")}
    scored = company.scored_company(bundles)
    open_store(store_at).close()
    draw = random.Random(5)  # noqa: S311 - when to kill is no secret
    numbers = [0]
    for _ in range(KILLS):
        process = FORK.Process(target=publish_on, args=(store_at, home, scored))
        process.start()
        until = time.monotonic() + draw.uniform(0.05, 1.5)
        while time.monotonic() < until:
            opened(home)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        found = opened(home)
        if found is None:
            continue
        number = about(found).publication.number
        assert number >= numbers[-1]
        assert {record.account_id for record in found.records()} == {*ACCOUNTS}
        numbers.append(number)
    assert numbers[-1] > 0
    with closing(open_store(store_at)) as store:
        assert numbered(store, numbers[-1]) is not None
        newest = publish(store, home, scored, utc_now())
        assert Watch(store, home).take_over().in_service.publication == newest
    assert [each for each in home.served.iterdir() if each.name.startswith(".aside")] == []


def ask_on(url, token, expected, faults, counted, done):
    """Ask for scores and predictions, and hold each answer against the version that it names."""
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        while not done.is_set():
            for path, body, told in (
                ("/v1/scores", {"account_ids": [*ACCOUNTS]}, scores_told),
                ("/v1/predict", expected["ask"], predicted),
            ):
                answer = client.post(path, json=body)
                if answer.status_code != 200:
                    faults.append(answer.text)
                    continue
                version, said = told(answer.json())
                if said != expected[path][version]:
                    faults.append((path, version, said))
                counted[version] = counted.get(version, 0) + 1


def scores_told(answer):
    said = {}
    for account in answer["accounts"]:
        (model,) = account["models"]
        said[account["account_id"]] = [each["probability"] for each in model["horizons"]]
        said.setdefault("versions", set()).add(model["model_version"])
    (version,) = said.pop("versions")
    return version, said


def predicted(answer):
    (row,) = answer["rows"]
    return answer["model_version"], [each["probability"] for each in row["horizons"]]


def test_swaps_under_load_answer_everything_from_the_version_that_they_name(
    home, store_at, company, serving
):
    token_at = utc_now()
    row = dict.fromkeys(company.FEATURES, 7.0)
    expected = {
        "ask": {"model": "churn", "rows": [row], "reasons": 0},
        "/v1/scores": {},
        "/v1/predict": {},
    }
    with closing(open_store(store_at)) as store:
        token = add_token(store, "reader", ["score", "predict"], token_at)
        numbers = {}
        for seed, version in enumerate("12"):
            bundle = company.make_bundle("churn", version, seed=seed)
            scored = company.scored_company({"churn": bundle})
            numbers[version] = publish(store, home, scored, utc_now()).number
            by_account = scored.scores.groupby("account_id")["probability"]
            expected["/v1/scores"][version] = {
                one: [None if value != value else value for value in of]  # noqa: PLR0124 - NaN
                for one, of in by_account
            }
            expected["/v1/predict"][version] = bundle.probabilities_of(row).tolist()
        faults, counted, done = [], {}, threading.Event()
        with serving(Settings(home=home)) as (process, url):
            readers = [
                threading.Thread(target=ask_on, args=(url, token, expected, faults, counted, done))
                for _ in range(READERS)
            ]
            for reader in readers:
                reader.start()
            for number in range(SWAPS):
                version = "12"[number % 2]
                serve_publication(store, home, numbers[version])
                seen = counted.get(version, 0)
                until = time.monotonic() + 60
                while counted.get(version, 0) <= seen and time.monotonic() < until:
                    time.sleep(0.01)
                assert counted.get(version, 0) > seen, f"swap {number} was not taken over"
            done.set()
            for reader in readers:
                reader.join()
            assert process.poll() is None
    assert faults == []
    assert min(counted.values()) > SWAPS // 2


def mutated(text, draw):
    """Change a booster's text as a faulty disk or a careless hand would."""
    lines = text.split("\n")
    kind = draw.randrange(5)
    at = draw.randrange(len(lines))
    if kind == 0:
        letters = list(text)
        for _ in range(draw.randrange(1, 20)):
            letters[draw.randrange(len(letters))] = chr(draw.randrange(32, 127))
        return "".join(letters)
    if kind == 1:
        del lines[at]
    elif kind == 2:
        lines.insert(at, draw.choice(lines))
    elif kind == 3:
        return text[: draw.randrange(len(text))]
    else:
        name, _, values = lines[at].partition("=")
        words = values.split(" ")
        words[draw.randrange(len(words))] = draw.choice(["-1", "99999999", "1e308", "nan", "", "x"])
        lines[at] = f"{name}={' '.join(words)}"
    return "\n".join(lines)


def signed(folder, bundle, text):
    """Write a bundle with another booster, whose manifest agrees."""
    save(bundle, folder)
    (folder / "booster.txt").write_text(text, encoding="utf-8", newline="\n")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["booster.txt"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def in_child(work, *given):
    """Give how a process ended that did some work."""

    def end(code):
        os._exit(code)

    def do():
        faulthandler.disable()
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, 1)
        os.dup2(devnull, 2)
        limit()
        try:
            work(*given)
        except Exception:  # noqa: BLE001 - refused, whatever it was
            end(DIES_OF_IT)
        end(0)

    process = FORK.Process(target=do)
    process.start()
    process.join(timeout=90)
    process.kill()
    process.join()
    return process.exitcode


def as_the_server(folder, golden):
    bundle = load(folder)
    warmed(bundle, golden.read_text())


def with_lightgbm(text):
    lightgbm.Booster(model_str=text).predict([[1.0] * 7])


def test_what_passes_the_trial_does_not_kill_the_server(tmp_path, company):
    bundle = company.make_bundle("churn")
    golden = tmp_path / "golden.json"
    golden.write_text(golden_set(bundle).to_text())
    signed(tmp_path / "same", bundle, bundle.booster_text)
    run(tmp_path / "same", golden)  # compiles the loops once, for all children
    assert in_child(run, tmp_path / "same", golden) == 0
    draw = random.Random(17)  # noqa: S311 - which bytes change is no secret
    passed, died = 0, 0
    for number in range(MUTANTS):
        text = mutated(bundle.booster_text, draw)
        folder = tmp_path / f"mutant-{number}"
        signed(folder, bundle, text)
        if in_child(run, folder, golden) == 0:
            passed += 1
            assert in_child(as_the_server, folder, golden) == 0, f"mutant {number}"
        died += in_child(with_lightgbm, text) < 0
    assert passed < MUTANTS
    assert died > 0, "no mutant kills LightGBM: they are too tame to show anything"


def test_a_server_outlives_a_model_that_it_is_given(home, store_at, company, serving):
    bundle = company.make_bundle("churn")
    deadly = re.sub(r"leaf_count=.*\n", "", bundle.booster_text)  # the loops leave it to LightGBM
    deadly = re.sub(r"left_child=\S+", "left_child=99999999", deadly)
    assert in_child(with_lightgbm, deadly) < 0
    with closing(open_store(store_at)) as store:
        token = add_token(store, "reader", ["score", "read"], utc_now())
        publish(store, home, company.scored_company({"churn": bundle}), utc_now())
    whole = opened(home)
    told = about(whole)
    folder = bundle_folder(home, "churn", "2")
    signed(folder, bundle, deadly)
    manifest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    (model,) = told.publication.models
    planted = msgspec.structs.replace(
        told,
        publication=replace(
            told.publication, number=2, models=(replace(model, model_version="2"),)
        ),
        bundles={"churn": manifest},
    )
    with serving(Settings(home=home)) as (process, url):
        headers = {"authorization": f"Bearer {token}"}
        name = write_snapshot(
            home.served,
            2,
            msgspec.json.encode(planted),
            whole.records(),
            whole.features(),
            {"churn": whole.golden()["churn"].read_text()},
        )
        put_in_service(home, name)
        until = time.monotonic() + 60
        said = {}
        while said.get("problem") is None and time.monotonic() < until:
            said = httpx.get(f"{url}/healthz", headers=headers, timeout=60).json()
        assert said["status"] == "degraded"
        assert said["problem"] == "The models of publication 2 cannot be loaded."
        answer = httpx.post(
            f"{url}/v1/scores", headers=headers, json={"account_ids": ["acme"]}, timeout=60
        )
        assert answer.json()["accounts"][0]["models"][0]["model_version"] == "1"
        assert process.poll() is None


def test_mlflow_does_not_matter_to_serving(home, store_at, company, serving, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with closing(open_store(store_at)) as store:
        token = add_token(store, "reader", ["score", "read"], utc_now())
        bundles = {"churn": company.make_bundle("churn")}
        publish(store, home, company.scored_company(bundles), utc_now())
    with serving(Settings(home=home)) as (_, url):
        headers = {"authorization": f"Bearer {token}"}
        for path, body in (
            ("/v1/scores", {"account_ids": ["acme"]}),
            ("/healthz", None),
        ):
            method = "GET" if body is None else "POST"
            answer = httpx.request(method, f"{url}{path}", headers=headers, json=body, timeout=60)
            assert answer.status_code == 200
