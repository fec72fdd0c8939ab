"""`tenure feedback export`, read back by the product's own check and by its features."""

import json
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from features.errors import StoreError
from serving.access.users import Place, add_user, user_of
from serving.api.feedback import Feedback, record, withdraw
from serving.store.database import open_store
from tenure import cli

NOW = datetime(2026, 3, 3, 12)  # noqa: DTZ001 - times are naive UTC everywhere
SOURCE = {
    "accounts": "account_id,created_at\nacme,2025-01-01\nbolt,2025-01-01\n",
    "subscriptions": "subscription_id,account_id,product,mrr,started_at\n"
    "s1,acme,core,10,2025-01-01\ns2,bolt,core,10,2025-01-01\n",
}
SAID = ("contacted", "play_done", "expansion_opened", "will_renew", "saved", "lost", "snoozed")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TENURE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    with closing(open_store(f"sqlite:///{tmp_path / 'home' / 'store.db'}")) as store:
        add_user(store, "ann@example.com", "Ann Lee", Place("csm", book="Ann"), NOW)
        ann = user_of(store, "ann@example.com")
        assert ann is not None
        for day, kind in enumerate(SAID):
            told = Feedback("acme", kind, "=a note", f"key {kind}")
            number = record(store, told, ann.user_id, NOW - timedelta(days=day)).feedback_id
        gone = Feedback("bolt", "contacted", None, "taken back")
        withdraw(store, record(store, gone, "crm", NOW).feedback_id, "crm", NOW)
        assert number == len(SAID)
    return tmp_path / "home"


def tenure(*arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments, "--json"])


@pytest.mark.parametrize("name", ["touches.csv", "touches.parquet"])
def test_what_the_team_did_is_a_table_that_the_check_takes(tmp_path: Path, name: str) -> None:
    source = tmp_path / "company"
    source.mkdir()
    for table, text in SOURCE.items():
        (source / f"{table}.csv").write_text(text)
    (source / "source.toml").write_text("extracted_at = 2026-03-10\n")
    done = tenure("feedback", "export", "--out", str(source / name))
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["touches"] == 3
    checked = tenure("validate", str(source))
    assert checked.exit_code == 0, checked.output
    touches = json.loads(checked.stdout)["tables"]["touches"]
    assert (touches["read"], touches["accepted"], touches["quarantined"]) == (3, 3, 0)


def test_only_what_was_told_before_an_extract_can_be_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "touches.csv"
    done = tenure("feedback", "export", "--before", "2026-03-03", "--out", str(out))
    assert json.loads(done.stdout)["touches"] == 2
    rows = [line.split(",") for line in out.read_text().splitlines()[1:]]
    assert [(row[0], row[1], row[3], row[4]) for row in rows] == [
        ("feedback-2", "acme", "Ann", "play_done"),
        ("feedback-3", "acme", "Ann", "expansion_opened"),
    ]
    assert "note" not in out.read_text()


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    done = tenure("feedback", "export", "--out", str(tmp_path / "touches.xlsx"))
    assert isinstance(done.exception, StoreError)
