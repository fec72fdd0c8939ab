"""The nightly way into a CRM: pulled from a running service, and files as their importers ask."""

import csv
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest
from click.testing import CliRunner, Result

from features.errors import ServiceError
from features.home import Home
from serving.access.tokens import revoke_token
from serving.api import schema
from serving.api.examples import ANSWERS, REQUESTS
from serving.crm.columns import COLUMNS, harmless, is_formula
from serving.crm.files import CLEARED_AT_ONCE, clearing, write_files
from serving.crm.pull import TRIES, pull
from serving.settings import Settings
from serving.verbs.crm import crm, read_ids, read_token

if TYPE_CHECKING:
    from tests.serving.conftest import Served

GUIDE = Path(__file__).parents[2] / "docs" / "crm.md"
GONE = 0  # no answer at all
ASKED = ["acme", "quit", "nobody", "evil"]


@pytest.fixture(scope="module")
def served_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=Home(tmp_path_factory.mktemp("home")), requests_at_once=1_000_000)


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Give what a CRM exported: a byte order mark, empty cells, an id twice, and a hostile one."""
    lines = ["Name,Tenure account", *(f"x,{one}" for one in ASKED), "x,", "x,acme", "x,=1+1"]
    file = tmp_path / "export.csv"
    file.write_text("\ufeff" + "\r\n".join(lines) + "\r\n")
    return file


Run = Callable[..., Result]


@pytest.fixture
def run(served: "Served", export: Path, tmp_path: Path) -> Run:
    token_file = tmp_path / "token"
    token_file.write_text(served.token("score") + "\n")

    def invoke(*options: str, url: str = served.url) -> Result:
        fixed = ["--column", "Tenure account", "--token-file", str(token_file), "--url", url]
        out = ["--out", str(tmp_path / "out"), "--json"]
        return CliRunner().invoke(crm, [str(export), *fixed, *out, *options])

    return invoke


def rows(file: Path) -> dict[str, dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as opened:
        found = list(csv.DictReader(opened, strict=True))
    return {next(iter(row.values())): row for row in found}


def told(served: "Served") -> dict[str, Any]:
    """Ask the service the same by hand."""
    asked = {"account_ids": ASKED, "horizons": [90], "reasons": 3}
    with served.client("score") as client:
        body = client.post("/v1/scores", json=asked).json()
    return {account["account_id"]: account for account in body["accounts"]}


def test_salesforce_gets_what_the_service_says(run: Run, served: "Served", tmp_path: Path) -> None:
    done = run("--for", "salesforce")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["unknown"] == ["nobody"]
    assert json.loads(done.stdout)["left_out"] == ["=1+1"]
    file = tmp_path / "out" / "salesforce-001.csv"
    assert b"\r" not in file.read_bytes()
    found, said = rows(file), told(served)["acme"]
    assert list(found) == ["acme", "quit", "evil", "nobody"]
    churn, expansion = (model["horizons"][0] for model in said["models"])
    acme = found["acme"]
    assert float(acme["Tenure_Churn_Probability__c"]) == pytest.approx(
        churn["probability"], abs=1e-6
    )
    assert float(acme["Tenure_Expected_Added_Mrr__c"]) == pytest.approx(
        expansion["expected_added_mrr"], abs=1e-6
    )
    assert acme["Tenure_Churn_Band__c"] == churn["band"]
    assert acme["Tenure_Churn_Reasons__c"].startswith(churn["reasons"][0]["text"])
    assert (acme["Tenure_As_Of__c"], acme["Tenure_Renewal_Date__c"]) == ("2026-03-02", "2026-04-01")
    assert acme["Tenure_Model_Versions__c"] == "churn 1, expansion 1"


def test_what_is_not_scored_is_emptied_in_salesforce_and_says_why(run: Run, tmp_path: Path) -> None:
    assert run("--for", "salesforce").exit_code == 0
    found = rows(tmp_path / "out" / "salesforce-001.csv")
    statuses = {key: row["Tenure_Status__c"] for key, row in found.items()}
    assert statuses == {
        "acme": "scored",
        "evil": "scored",
        "quit": "leaving",
        "nobody": "unknown",
    }
    empty = {name for name, cell in found["nobody"].items() if cell == "#N/A"}
    assert empty == set(found["nobody"]) - {"Tenure_Account_Id__c", "Tenure_Status__c"}
    assert found["quit"]["Tenure_Churn_Probability__c"] == "#N/A"
    assert not [name for row in found.values() for name, cell in row.items() if cell == ""]


def test_hubspot_gets_a_table_a_request_that_maps_it_and_what_empties(
    run: Run, tmp_path: Path
) -> None:
    done = run("--for", "hubspot")
    assert done.exit_code == 0, done.output
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {
        "hubspot-001.csv",
        "hubspot-001.json",
        "hubspot-clear.jsonl",
    }
    found = rows(out / "hubspot-001.csv")
    request = json.loads((out / "hubspot-001.json").read_text())
    (file,) = request["files"]
    mappings = file["fileImportPage"]["columnMappings"]
    assert file["fileName"] == "hubspot-001.csv"
    assert [mapping["columnName"] for mapping in mappings] == list(found["acme"])
    assert [m["columnName"] for m in mappings if "columnType" in m] == ["tenure_account_id"]
    assert request["importOperations"] == {"0-2": "UPDATE"}
    (body,) = [json.loads(line) for line in (out / "hubspot-clear.jsonl").read_text().splitlines()]
    cleared = {one["id"]: set(one["properties"]) for one in body["inputs"]}
    empty = {key: {n for n, cell in row.items() if cell == ""} for key, row in found.items()}
    assert cleared == {key: names for key, names in empty.items() if names}
    assert {one["idProperty"] for one in body["inputs"]} == {"tenure_account_id"}


def test_many_are_cleared_a_hundred_at_a_time() -> None:
    empty = dict.fromkeys(column.name for column in COLUMNS)
    bodies = clearing([{**empty, "account_id": str(number)} for number in range(250)])
    assert [len(body["inputs"]) for body in bodies] == [CLEARED_AT_ONCE, CLEARED_AT_ONCE, 50]


def test_the_guide_names_each_column_of_the_files(run: Run, tmp_path: Path) -> None:
    told = re.findall(
        r"^\| `(Tenure_\w+__c)` \| `(tenure_\w+)` \| (.+?) \|", GUIDE.read_text(), re.MULTILINE
    )
    assert run("--for", "salesforce").exit_code == 0
    assert [one[0] for one in told] == list(rows(tmp_path / "out" / "salesforce-001.csv")["acme"])
    assert [one[1] for one in told] == [column.hubspot for column in COLUMNS]


# Formulas


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", " =1", "\r\n=1", "\uff1d1+1", "=HYPERLINK(;)"],
)
def test_a_text_that_begins_like_a_formula_is_made_harmless(text: str) -> None:
    assert harmless(text).startswith("'")
    assert not set("\t\r\n;") & set(harmless(text))
    assert is_formula(text)


def test_other_texts_stay_as_they_are() -> None:
    plain = "2 active users in 28 days, 1 = fewer - than before"
    assert harmless(plain) == plain


def test_no_cell_of_a_file_begins_like_a_formula(tmp_path: Path) -> None:
    hostile = dict.fromkeys((column.name for column in COLUMNS), "@x;=cmd|' /C calc'!A0")
    row = {**hostile, "account_id": "a", "churn_probability": 0.5}
    for crm_name in ("salesforce", "hubspot"):
        (file, *_) = write_files(crm_name, [row], tmp_path / crm_name)
        cells = [cell for row in rows(file).values() for cell in row.values()]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
        assert ";" not in file.read_text()


# What goes wrong


def test_files_are_whole_or_not_there(run: Run, tmp_path: Path) -> None:
    assert run("--for", "salesforce", "--horizon", "7").exit_code == 1
    assert not (tmp_path / "out").exists()
    assert run("--for", "salesforce").exit_code == 0
    again = run("--for", "salesforce")
    assert "not to be there yet" in str(again.exception)


def test_files_are_their_owners_only(run: Run, tmp_path: Path) -> None:
    assert run("--for", "hubspot").exit_code == 0
    assert (tmp_path / "out").stat().st_mode & 0o077 == 0


def test_a_refusal_is_told_in_a_sentence_without_the_token(served: "Served") -> None:
    revoked = served.token("score")
    revoke_token(served.parts.store, revoked.split("_")[1], served.parts.now())
    with pytest.raises(ServiceError, match="got status 401: Send a live token") as refused:
        pull(served.url, revoked, ["acme"], 90)
    assert revoked not in str(refused.value)
    with pytest.raises(ServiceError, match="horizons: expected horizons in days that are scored"):
        pull(served.url, served.token("score"), ["acme"], 7)


@pytest.mark.parametrize("url", ["http://crm.example", "ftp://127.0.0.1", "crm.example"])
def test_a_token_is_not_sent_in_the_clear(url: str) -> None:
    with pytest.raises(ServiceError, match="https"):
        pull(url, "token", ["acme"], 90)


def test_a_service_that_is_not_there_is_told_in_a_sentence() -> None:
    with pytest.raises(ServiceError, match="Is it running"):
        pull("http://127.0.0.1:9", "token", ["acme"], 90)


def test_more_than_a_thousand_are_asked_for_in_parts(served: "Served") -> None:
    ids = [*(f"nobody {number}" for number in range(1500)), "acme"]
    pulled = pull(served.url, served.token("score"), ids, 90)
    assert [account.account_id for account in pulled.accounts] == ["acme"]
    assert len(pulled.unknown) == 1500


@pytest.mark.parametrize("content", [b"", b"secret token", b"tenure_a_b\nx: y", b"\xff\xfe"])
def test_what_is_no_token_is_not_shown(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(ServiceError, match="Expected one token") as refused:
        read_token(file)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"Id\n", b"Id\n\xff\n", b"\x00"])
def test_an_export_without_ids_is_told_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "export.csv"
    file.write_bytes(content)
    with pytest.raises(ServiceError, match="Expected"):
        read_ids(file, None)


# A service that plays tricks


@contextmanager
def answering(*answers: tuple[int, dict[str, str], bytes]) -> Iterator[tuple[str, list[str]]]:
    """Answer each request with the next of these; give the address, and what was asked for."""
    ahead, asked = list(answers), []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            asked.append(self.path)
            status, headers, content = ahead.pop(0)
            if status == GONE:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def scores(hour: int) -> tuple[int, dict[str, str], bytes]:
    example = msgspec.to_builtins(ANSWERS[schema.ScoresAnswer])
    scored_at = f"2026-03-02T{hour:02}:00:00Z"
    return 200, {}, json.dumps({**example, "scored_at": scored_at}).encode()


MANY = [str(number) for number in range(1001)]


def test_scores_of_two_publications_are_not_put_together() -> None:
    with answering(scores(1), scores(2), scores(2), scores(2)) as (url, asked):
        assert len(pull(url, "token", MANY, 90).accounts) == 4
    assert len(asked) == 4
    ever_newer = [scores(hour) for hour in range(2 * TRIES)]
    with answering(*ever_newer) as (url, _), pytest.raises(ServiceError, match="one publication"):
        pull(url, "token", MANY, 90)


def test_it_waits_as_long_as_it_is_asked_to_and_asks_again() -> None:
    busy = [(status, {"retry-after": "0"}, b"") for status in (429, 502, 503, 504)]
    with answering(*busy, scores(1)) as (url, asked):
        assert pull(url, "token", ["acme"], 90).accounts[0].account_id == "acme"
    assert len(asked) == 5


def test_a_connection_that_is_lost_is_opened_again() -> None:
    lost = (GONE, {}, b"")
    with answering(lost, scores(1)) as (url, asked):
        assert pull(url, "token", ["acme"], 90).accounts[0].account_id == "acme"
    assert len(asked) == 2


def test_a_token_does_not_follow_where_it_is_sent_on_to() -> None:
    with answering() as (elsewhere, asked):
        sent_on = (307, {"location": f"{elsewhere}/v1/scores"}, b"")
        with answering(sent_on) as (url, _), pytest.raises(ServiceError, match="got status 307"):
            pull(url, "token", ["acme"], 90)
    assert asked == []


def test_a_column_that_is_not_there_is_said(run: Run) -> None:
    done = run("--for", "salesforce", "--column", "Id")
    assert "Expected a column 'Id'" in str(done.exception)


# The guide's code


def code(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return str(found)


def test_the_guides_apex_reads_fields_that_there_are(client: httpx.Client) -> None:
    apex = code("apex")
    asked = dict.fromkeys(re.findall(r"'(\w+)' =>", apex))
    assert list(asked) == list(msgspec.to_builtins(REQUESTS[schema.ScoresRequest]))
    read = re.findall(r"\.get\('(\w+)'\)", apex)
    answer = client.post("/v1/scores", json={"account_ids": ["acme"]}).text
    assert read
    assert [name for name in read if f'"{name}"' not in answer] == []


@pytest.mark.skipif(shutil.which("node") is None, reason="no node to run the guide's code with")
@pytest.mark.parametrize(
    ("account_id", "status"), [("acme", "scored"), ("quit", "leaving"), ("nobody", "unknown")]
)
def test_the_guides_javascript_runs(
    served: "Served", tmp_path: Path, account_id: str, status: str
) -> None:
    action = code("javascript").replace("https://tenure.example.com", served.url)
    call = f"exports.main({{inputFields: {{tenure_account_id: '{account_id}'}}}}, o => "
    action += f"{call}console.log(JSON.stringify(o.outputFields)));"
    (tmp_path / "action.js").write_text(action)
    environ = {**os.environ, "TENURE_TOKEN": served.token("score")}
    done = subprocess.run(
        ["node", "action.js"],  # noqa: S607 - node of the PATH
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["status"] == status
    assert ("probability" in found) == (status == "scored")
