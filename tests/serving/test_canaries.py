"""Nothing of an account is in a log line, metric or error, whatever is asked and goes wrong."""

import json
import logging
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pandas as pd
import pytest

from features.home import Home
from models.bundle import Bundle
from serving.access.kept_sessions import open_session
from serving.access.tokens import add_token
from serving.access.users import Place, add_user, user_of
from serving.metrics import Now
from serving.pages.cookies import SESSION
from serving.parts import Parts, open_parts, utc_now
from serving.publishing.publish import Scored, publish
from serving.settings import Settings

if TYPE_CHECKING:
    from tests.serving.conftest import Log, ServeParts

LOGIN = "canary@example.com"
CANARY = "canary"
ID = f"{CANARY}-acme"
ASKED = {"account_id": ID, "kind": "contacted", "note": CANARY, "idempotency_key": f"{CANARY}-1"}
JSON = "application/json"
CUT = f'{{"account_ids": ["{ID}"'
OF_CLIENTS = ("httpx", "httpcore")  # what this test itself asks with


def canaries(scored: Scored) -> Scored:
    """Give every account an id, a name and a CSM by which it is found again."""

    def renamed(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(account_id=f"{CANARY}-" + frame["account_id"])

    names = {"name": "Canary Ltd", "csm": "Canary Person", "customer_group": f"{CANARY}-group"}
    return replace(
        scored,
        scores=renamed(scored.scores),
        listed=renamed(scored.listed).assign(**names),
        signals=renamed(scored.signals),
        renewals=renamed(scored.renewals),
        next_products=renamed(scored.next_products),
    )


@pytest.fixture
def parts(
    tmp_path: Path,
    bundles: dict[str, Bundle],
    scored_company: Callable[..., Scored],
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Parts]:
    caplog.set_level(logging.DEBUG)
    # Before there is an engine, which asks once; at DEBUG it would log the rows it reads.
    caplog.set_level(logging.INFO, "sqlalchemy.engine")
    settings = Settings(home=Home(tmp_path / "home"))
    opened = open_parts(settings)
    publish(opened.store, settings.home, canaries(scored_company(bundles)), utc_now())
    yield opened
    opened.close()


def ask_everything(client: httpx.Client, session: str) -> list[httpx.Response]:
    """Ask every call well and wrongly, each time with canaries."""
    return [
        client.post("/v1/scores", json={"account_ids": [ID, f"{CANARY}-none"]}),
        client.post("/v1/scores", json={"account_ids": [ID, ID]}),
        client.post("/v1/scores", json={"account_ids": [ID], "models": [CANARY]}),
        client.post("/v1/scores", content=CUT, headers={"content-type": JSON}),
        client.post("/v1/scores", content=CUT),
        client.post("/v1/scores", json={"account_ids": f"{CANARY}"}),
        client.post("/v1/predict", json={"model": CANARY, "rows": [{}]}),
        client.get(f"/v1/accounts/{ID}"),
        client.get(f"/v1/accounts/{CANARY}-none"),
        client.get(f"/v1/accounts/{ID}/{CANARY}?{CANARY}={CANARY}"),
        client.get("/v1/worklist", params={"csm": "Canary Person"}),
        client.get("/v1/worklist", params={"cursor": CANARY}),
        client.post("/v1/feedback", json=ASKED),
        client.post("/v1/feedback", json=ASKED | {"note": "another canary"}),
        client.post("/v1/feedback", json=ASKED | {"account_id": f"{CANARY}-none"}),
        client.get("/", params={"csm": "Canary Person"}, headers={"cookie": session}),
        client.get("/", params={"csm": "Canary Person"}),
        client.get("/", headers={"cookie": f"tenure_session={CANARY}"}),
        client.post("/login", data={"login": CANARY, "password": CANARY, "mark": CANARY}),
        client.get(f"/{CANARY}"),
        client.delete(f"/v1/accounts/{ID}"),
        client.request("CANARY", f"/v1/{CANARY}"),
        client.get("/v1/models", headers={"authorization": f"Bearer {CANARY}"}),
    ]


def spoilt(parts: Parts) -> Iterator[None]:
    """Go on with one thing broken after another: the audit log, a row, a table, the database."""
    yield
    folder = parts.settings.home.audit_log
    parts.trail.close()
    folder.rename(folder.with_name("aside"))
    folder.write_text("")
    yield
    folder.unlink()
    with sqlite3.connect(parts.settings.home.store) as database:
        database.execute("UPDATE scores SET reasons = 'canary, no JSON'")
    database.close()
    yield
    with sqlite3.connect(parts.settings.home.store) as database:
        database.execute("DROP TABLE scores")
    database.close()
    yield
    parts.store.close()
    parts.settings.home.store.write_bytes(b"canary" * 9999)
    yield


def test_no_canary_is_in_a_log_line_a_metric_or_an_error(
    parts: Parts, serve_parts: "ServeParts", caplog: pytest.LogCaptureFixture, log: "Log"
) -> None:
    scopes = ("score", "read", "feedback", "predict")
    first = add_token(parts.store, "crm", scopes, utc_now())
    add_user(parts.store, LOGIN, "Canary Person", Place("admin"), utc_now())
    user = user_of(parts.store, LOGIN)
    assert user is not None
    session = f"{SESSION}={open_session(parts.store, user, utc_now(), parts.signer.lifetime)}"
    errors, statuses, metrics = [], set(), ""
    with serve_parts(parts) as url, httpx.Client(base_url=url, timeout=60) as client:
        client.headers["authorization"] = f"Bearer {first}"
        for _ in spoilt(parts):
            answers = ask_everything(client, session)
            statuses |= {answer.status_code for answer in answers}
            errors += [answer.text for answer in answers if answer.is_error]
            metrics += parts.metrics.text(Now(None)).decode()
    heard = "\n".join(
        json.dumps([record.name, record.getMessage(), str(record.args), record.exc_text])
        for record in caplog.records
        if not record.name.startswith(OF_CLIENTS)
    )
    written = b"".join(log.lines[log.start :]).decode()
    assert {200, 400, 401, 403, 404, 405, 409, 422, 500, 503} <= statuses
    assert "sqlalchemy" in heard  # the loggers of what we stand on are heard as well
    assert sum(one["event"] == "request" for one in log.entries) >= len(errors)
    for said in (heard, written, metrics, "\n".join(errors)):
        assert said
        for secret in (CANARY, first.split("_", 2)[2]):
            assert secret.lower() not in said.lower()
