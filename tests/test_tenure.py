"""The command line: exit codes, one clear line on a failure, JSON and nothing else for a script."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from models.audit_checks import CHECKS
from serving.verbs import table_asked
from tenure import cli, main

ROOT = Path(__file__).parents[1]
VERBS = [
    "quickstart",
    "simulate",
    "validate",
    "features",
    "audit",
    "train",
    "backtest",
    "promote",
    "rollback",
    "models",
    "score",
    "publications",
    "replay",
    "tokens",
    "users",
    "audit-log",
    "backup",
    "restore",
    "erase",
    "crm",
    "playbooks",
    "feedback",
    "serve",
    "monitor",
]


def tenure(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TENURE_")}
    environ["TENURE_HOME"] = str(home)
    return subprocess.run(
        [sys.executable, "-m", "tenure", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=home.parent,
        env={**environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_answers_help(verb: str) -> None:
    done = CliRunner().invoke(cli, [verb, "--help"], prog_name="tenure")
    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: tenure {verb}")


def test_no_verb_is_forgotten_here() -> None:
    assert sorted(cli.commands) == sorted(VERBS)


def test_a_shell_completes_the_verb_its_models_and_what_can_be_taken_on() -> None:
    shell = ShellComplete(cli, {}, "tenure", "_TENURE_COMPLETE")

    def completed(words: list[str], start: str) -> list[str]:
        return [item.value for item in shell.get_completions(words, start)]

    assert completed([], "au") == ["audit", "audit-log"]
    assert completed(["audit"], "ch") == ["churn"]
    assert completed(["audit", "--accept"], "usage__events__28") == ["usage__events__28d"]
    assert completed(["promote", "churn", "--accept"], "later") == ["later_rows"]


def test_the_help_of_the_audit_names_every_check() -> None:
    assert all(check in table_asked.AUDIT_HELP for check in CHECKS)


def test_help_makes_no_home(tmp_path: Path) -> None:
    tenure(tmp_path / "home", "--help")
    assert not (tmp_path / "home").exists()


def test_wrong_usage_ends_with_2(tmp_path: Path) -> None:
    assert tenure(tmp_path / "home", "train", "weather").returncode == 2
    assert tenure(tmp_path / "home", "fly").returncode == 2
    assert tenure(tmp_path / "home", "train", "churn", "--tune", "0").returncode == 2


@pytest.mark.parametrize(
    "dates",
    [
        ("--from", "2024-01-01"),
        ("--to", "2024-01-01"),
        ("--from", "2024-02-01", "--to", "2024-01-01"),
        ("--from", "2024-01-15", "--to", "2024-01-20"),
        ("--as-of", "yesterday"),
    ],
)
def test_half_a_series_or_a_reversed_one_is_wrong_usage(
    tmp_path: Path, dates: tuple[str, ...]
) -> None:
    out = str(tmp_path / "features.parquet")
    assert tenure(tmp_path / "home", "features", "company", "--out", out, *dates).returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("features", "company", "--out", "features.csv"),
        ("features", "company", "--out", "folder"),
        ("features", "company", "--out", "features.parquet", "--master", "local[2]"),
        ("score", "--source", "company", "--master", "local[2]"),
        ("score", "--source", "company", "--renewals-out", "renewals.csv"),
        ("score", "--source", "company", "--spark-out", "a", "--renewals-out", "b.parquet"),
        ("train", "churn", "--source", "company", "--label", "churned"),
        ("audit", "churn", "--source", "company", "--time", "as_of"),
    ],
)
def test_an_option_that_would_not_be_kept_is_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert CliRunner().invoke(cli, list(arguments)).exit_code == 2


def test_an_interrupt_inside_duckdb_ends_as_one_outside_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(**_options: object) -> None:
        raise RuntimeError("Query interrupted")

    monkeypatch.setattr(cli, "main", interrupted)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "tenure: stopped\n"


def test_a_place_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = tenure(tmp_path / "home", "simulate", "--out", str(tmp_path / "file" / "company"))
    assert done.returncode == 1
    assert "Choose a place that can be read and written" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("validate", "nowhere"), "nowhere"),
        (("train", "churn"), "--source"),
        (("score",), "--source"),
        (("promote", "churn"), "tenure train churn"),
        (("tokens", "revoke", "nobody"), "nobody"),
        (("tokens", "add", "crm", "--scope", "everything"), "everything"),
        (("train", "churn", "--table", "nowhere.csv"), "nowhere.csv"),
    ],
)
def test_a_failure_is_one_clear_line_and_ends_with_1(
    tmp_path: Path, arguments: tuple[str, ...], expected: str
) -> None:
    done = tenure(tmp_path / "home", *arguments)
    assert done.returncode == 1
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_unknown_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / "tenure.toml").write_text("hoem = 'here'\n")
    done = tenure(tmp_path / "home", "models")
    assert done.returncode == 1
    assert "hoem" in done.stderr


def test_json_is_one_document_and_nothing_else(tmp_path: Path) -> None:
    company = three_tables(tmp_path / "company")
    done = tenure(tmp_path / "home", "validate", str(company), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tables"]["accounts"]["accepted"] == 2


def test_a_company_of_two_tables_gets_features(tmp_path: Path) -> None:
    company = three_tables(tmp_path / "company")
    out = tmp_path / "features.parquet"
    arguments = ("features", str(company), "--out", str(out), "--as-of", "2024-06-01", "--json")
    done = tenure(tmp_path / "home", *arguments)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"out": str(out), "rows": 1, "dates": ["2024-06-01"]}
    assert out.is_file()


def test_a_token_is_printed_alone_on_the_last_line_and_kept_as_a_hash(tmp_path: Path) -> None:
    done = tenure(tmp_path / "home", "tokens", "add", "crm", "--scope", "score")
    token = done.stdout.splitlines()[-1]
    assert token.startswith("tenure_")
    assert token.encode() not in (tmp_path / "home" / "store.db").read_bytes()
    listed = json.loads(tenure(tmp_path / "home", "tokens", "list", "--json").stdout)
    assert [(each["name"], each["scopes"]) for each in listed] == [("crm", ["score"])]


def test_only_its_owner_can_look_into_the_home(tmp_path: Path) -> None:
    tenure(tmp_path / "home", "tokens", "list")
    assert (tmp_path / "home").stat().st_mode & 0o077 == 0


def three_tables(folder: Path) -> Path:
    folder.mkdir()
    (folder / "source.toml").write_text("extracted_at = 2024-07-01T00:00:00Z\n")
    (folder / "accounts.csv").write_text(
        "account_id,name,created_at\n"
        "a,Ada Ltd,2023-01-01T00:00:00Z\n"
        "b,Bo Ltd,2023-02-01T00:00:00Z\n"
    )
    (folder / "subscriptions.csv").write_text(
        "subscription_id,account_id,product,mrr,started_at,ended_at\n"
        "s1,a,core,100,2023-01-01T00:00:00Z,\n"
        "s2,b,core,100,2023-02-01T00:00:00Z,2024-02-01T00:00:00Z\n"
    )
    return folder


def test_the_audit_of_a_leaky_table_ends_with_1_until_the_leak_is_taken_on(tmp_path: Path) -> None:
    lines = [f"{at % 7},{'moved' if at % 5 == 0 else ''},{int(at % 5 == 0)}" for at in range(300)]
    file = tmp_path / "table.csv"
    file.write_text("\n".join(["use,why,left", *lines]), encoding="utf-8")
    asked = ("audit", "churn", "--table", str(file), "--label", "left", "--json")
    leaky, taken, slip = (
        tenure(tmp_path / "home", *asked, *more)
        for more in ((), ("--accept", "why"), ("--accept", "whi"))
    )
    assert (leaky.returncode, taken.returncode, slip.returncode) == (1, 0, 1)
    (finding,) = json.loads(leaky.stdout)["audit"]
    assert (finding["column"], finding["standing"]) == ("why", "open")
    assert leaky.stderr.strip().endswith("--accept why")
    assert json.loads(taken.stdout)["passed"] is True
    assert "got whi" in slip.stderr
