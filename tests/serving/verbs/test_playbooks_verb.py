"""`tenure playbooks`, as it is called."""

import csv
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from features.errors import PlaybookError
from features.home import Home
from models.bundle import Bundle
from serving.playbooks.export import COLUMNS
from serving.playbooks.read import DEFAULT
from serving.playbooks.trigger import COLUMNS as OF_TRIGGERS
from serving.publishing.publish import Scored, publish
from serving.store.database import open_store
from tenure import cli

NOW = datetime(2026, 3, 3, 12)  # noqa: DTZ001 - times are naive UTC everywhere


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TENURE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def tenure(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["playbooks", *arguments])


def document(*arguments: str):
    done = tenure(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_file_that_is_begun_is_the_default_and_is_in_use(home: Path) -> None:
    assert document("check")["file"] == str(DEFAULT)
    assert document("init")["file"] == str(home / "playbooks.toml")
    assert (home / "playbooks.toml").read_bytes() == DEFAULT.read_bytes()
    assert document("check")["file"] == str(home / "playbooks.toml")
    assert isinstance(tenure("init").exception, PlaybookError)


@pytest.mark.usefixtures("service")  # imports BentoML, whose warnings are its own
def test_a_wrong_file_is_said_with_its_line_by_every_verb_that_needs_it(home: Path) -> None:
    home.mkdir()
    text = DEFAULT.read_text(encoding="utf-8").replace('"person"', '"persona"')
    (home / "playbooks.toml").write_text(text, encoding="utf-8")
    line = text[: text.index("persona")].count("\n") + 1
    for arguments in (["playbooks", "check"], ["score"], ["serve"], ["quickstart"]):
        done = CliRunner().invoke(cli, arguments)
        assert isinstance(done.exception, PlaybookError)
        assert f"line {line}, got 'persona'. Did you mean person?" in str(done.exception)
    assert [file.name for file in home.iterdir()] == ["playbooks.toml"]


def test_every_combination_is_shown_with_its_play() -> None:
    shown = document("show", "--question", "churn", "--tier", "high")
    contract = [each for each in shown["plays"] if each["family"] == "contract"]
    assert [(each["renewal"], each["play"]) for each in contract] == [
        ("renewal in 120 days or less", "renew-now"),
        ("renewal in 121 days or more, or no known renewal", "prepare-renewal"),
    ]
    assert {each["tier"] for each in shown["plays"]} == {"high"}
    assert "use-halved: usage__events_change__28d <= -0.5" in tenure("show").output


@pytest.fixture
def scored(bundles: dict[str, Bundle], scored_company: Callable[..., Scored]) -> Scored:
    """Give a company with triggers, and with names that a spreadsheet would compute."""
    scored = scored_company(bundles)
    fired = [
        ("acme", "overdue", "=1+1", "csm,mail", 30),
        ("dune", "halved", "Use fell", "mail", 30),
        ("evil", "left", "Champion left", "lead", 30),
    ]
    assert scored.rows is not None
    is_evil = scored.rows["account_id"] == "evil"
    return replace(
        scored,
        rows=scored.rows.assign(name=scored.rows["name"].mask(is_evil, '=HYPERLINK("x")')),
        triggers=pd.DataFrame(fired, columns=[*OF_TRIGGERS]),
    )


def published(home: Path, scored: Scored) -> None:
    (home).mkdir(exist_ok=True)
    with closing(open_store(f"sqlite:///{home / 'store.db'}")) as store:
        publish(store, Home(home), scored, NOW)


def exported(run_by: str) -> list[dict[str, str]]:
    document("export", "--run-by", run_by, "--out", "out.csv")
    with Path("out.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_mail_gets_what_mail_runs_and_people_what_they_do(home: Path, scored: Scored) -> None:
    published(home, scored)
    mail, people = exported("mail"), exported("person")
    assert {row["tier"] for row in mail if row["kind"] == "play"} == {"tech"}
    assert "tech" not in {row["tier"] for row in people if row["kind"] == "play"}
    fired = [
        {(row["account_id"], row["id"]) for row in rows if row["kind"] == "trigger"}
        for rows in (mail, people)
    ]
    assert fired == [
        {("acme", "overdue"), ("dune", "halved")},
        {("acme", "overdue"), ("evil", "left")},
    ]
    assert [*mail[0]] == [*COLUMNS]
    assert {row["as_of"] for row in mail} == {"2026-03-02"}


def test_only_accounts_at_risk_or_growing_get_a_play(home: Path, scored: Scored) -> None:
    assert scored.rows is not None
    calm = scored.rows.assign(band="low", expansion_band="low")
    published(home, replace(scored, rows=calm))
    assert {row["kind"] for row in exported("mail") + exported("person")} == {"trigger"}
    grown = calm.assign(expansion_band=calm["expansion_band"].mask(calm["tier"] == "tech", "high"))
    published(home, replace(scored, rows=grown.assign(why_not=None)))
    plays = [row for row in exported("mail") if row["kind"] == "play"]
    assert {row["account_id"] for row in plays} >= {"dune", "evil"}
    assert all(row["id"] in {"mail-upgrade", "mail-more-seats"} for row in plays)
    published(home, replace(scored, rows=grown.assign(why_not="too_young")))
    assert {row["kind"] for row in exported("mail")} == {"trigger"}


def test_no_cell_is_a_formula(home: Path, scored: Scored) -> None:
    published(home, scored)
    cells = [cell for row in exported("mail") + exported("person") for cell in row.values()]
    assert "'=1+1" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


def test_an_account_whose_id_is_a_formula_is_left_out_and_named(home: Path, scored: Scored) -> None:
    def renamed(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.replace({"account_id": {"dune": "=dune"}})

    names = ("scores", "listed", "signals", "renewals", "rows", "triggers", "features", "products")
    published(home, replace(scored, **{name: renamed(getattr(scored, name)) for name in names}))
    told = document("export", "--run-by", "mail", "--out", "out.csv")
    assert told["left_out"] == ["=dune"]
    assert "=dune" not in Path("out.csv").read_text(encoding="utf-8")


def test_an_export_without_scores_is_an_error_and_leaves_no_file() -> None:
    done = tenure("export", "--run-by", "mail", "--out", "out.csv")
    assert isinstance(done.exception, PlaybookError)
    assert not Path("out.csv").exists()
