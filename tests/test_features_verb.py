"""`tenure features`: what goes together, what it tells, and one's own from file to table."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from features.battery.drawn import Draw, draw_company
from features.battery.written import write_checked
from tenure import cli

OWN = """
from features.declare import Facts, Feature, Text, Total, Unit

FEATURES = (
    Feature("ours", "trainings", Total(Facts("trainings", at="completed_at")), Unit.ITEMS,
            subject="trainings", description="Trainings so far.", text=Text("{value} trainings")),
)
"""
LEAK = (
    OWN.replace(
        'Total(Facts("trainings", at="completed_at"))',
        'Total(Facts(View("early", "trainings", ("completed_at",), early), at="early"))',
    )
    .replace(
        "FEATURES = (",
        """
def early(rows):
    return rows.with_columns(early=nw.col("completed_at") - 90 * DAY, enters=nw.col("enters") - 90)

FEATURES = (""",
    )
    .replace("import Facts", "import View, Facts")
)
LEAK = "import narwhals as nw\nfrom features.windows import DAY\n" + LEAK


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(cli, ["features", *map(str, arguments)])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing SOURCE; only --describe and --list go without one"),
        (("--profile",), "Missing SOURCE"),
        (("--check",), "Missing SOURCE"),
        (("company",), "Missing --out FILE.parquet"),
        (("company", "--profile", "--check"), "--profile, --check: one at a time"),
        (("--describe", "usage", "--list"), "one at a time"),
        (("company", "--out", "features.csv"), "end in .parquet"),
        (("company", "--profile", "--out", "page.parquet"), "end in .html"),
        (("--list", "--out", "features.parquet"), "--list writes no file"),
        (("company", "--check", "--as-of", "2024-01-01"), "--check takes no dates"),
        (("--describe", "nothing_like_it"), "--list names them all"),
        (("--describe", ""), "Expected a feature's name or its beginning, got none"),
        (("--describe", "usage__evnts__28d"), "Near it are usage__events__28d"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(
    call: Callable[..., Result], arguments: tuple[str, ...], said: str
) -> None:
    done = call(*arguments)
    assert done.exit_code == 2
    assert said in done.output


def test_the_help_shows_each_use(call: Callable[..., Result]) -> None:
    lines = call("--help").output.splitlines()
    assert "  tenure features --describe usage__events" in lines
    assert "  tenure features SOURCE --check" in lines


def test_a_feature_is_described_without_a_source(call: Callable[..., Result]) -> None:
    done = call("--describe", "usage__stickiness")
    assert done.exit_code == 0
    assert "Share of the last 28 days' users who were active in the last 7." in done.output
    (told,) = json.loads(call("--describe", "usage__stickiness", "--json").output)
    assert told["related"][:2] == ["usage__active_users__7d", "usage__active_users__28d"]


def test_the_list_has_a_count_for_each_group(call: Callable[..., Result]) -> None:
    told = json.loads(call("--list", "--json").output)
    usage = [entry["column"] for entry in told if entry["group"] == "usage"]
    assert f"usage ({len(usage)})\n  {usage[0]}\n" in call("--list").output


def source(folder: Path) -> Path:
    """A source folder, as a warehouse would unload it, of a drawn company."""
    made = write_checked(folder / "drawn", draw_company(Draw(3, 600, is_versioned=False, rows=60)))
    (folder / "company").mkdir()
    for name in ("accounts", "subscriptions", "trainings"):
        frame = made.read(name).drop(columns="known_at")
        frame.to_parquet(folder / "company" / f"{name}.parquet", index=False)
    return folder / "company"


def test_beside_a_source_the_list_has_what_it_bears(
    call: Callable[..., Result], tmp_path: Path
) -> None:
    told = json.loads(call(source(tmp_path), "--list", "--json").stdout)
    groups = {entry["group"] for entry in told}
    assert {"lifecycle", "usage"} & groups == {"lifecycle"}


def test_a_folder_where_the_table_belongs_is_named(
    call: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "d.parquet").mkdir()
    result = call(source(tmp_path), "--out", "d.parquet", "--as-of", "2024-01-01")
    assert result.exit_code == 1
    assert str(result.exception).startswith("Expected a file for the table at d.parquet, got a fo")


def test_a_date_before_all_data_is_told(call: Callable[..., Result], tmp_path: Path) -> None:
    result = call(source(tmp_path), "--out", "f.parquet", "--as-of", "1999-01-01")
    assert result.exit_code == 0
    assert "0 rows" in result.output
    assert "No account is active at these dates. The first subscription starts on" in result.output


def test_ones_own_feature_goes_from_its_file_into_the_table(
    call: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "our_features.py").write_text(OWN)
    (tmp_path / "tenure.toml").write_text('features = ["./our_features.py"]\n')
    company = source(tmp_path)
    done = call(company, "--check", "--json")
    assert (done.exit_code, json.loads(done.stdout)["passed"]) == (0, True), done.output
    assert call("--describe", "ours__trainings").exit_code == 0
    done = call(company, "--out", "features.parquet", "--as-of", "2024-10-01")
    assert done.exit_code == 0, done.output
    table = pd.read_parquet(tmp_path / "features.parquet")
    trained = pd.read_parquet(company / "trainings.parquet")
    trained = trained[trained["completed_at"] < "2024-10-01"].groupby("account_id").size()
    alone = table.set_index("account_id")["ours__trainings"].drop(["d", "a"], errors="ignore")
    assert (alone == trained.reindex(alone.index, fill_value=0)).all()
    assert len(alone)


def test_the_guides_example_is_ten_lines_and_does_what_it_says(
    call: Callable[..., Result], tmp_path: Path
) -> None:
    guide = (Path(__file__).parents[1] / "docs" / "adding-a-feature.md").read_text("utf-8")
    example = guide.partition("```python\n")[2].partition("```")[0]
    toml = guide.partition("```toml\n")[2].partition("```")[0]
    assert len([line for line in example.splitlines() if line]) <= 10
    (tmp_path / "our_features.py").write_text(example)
    (tmp_path / "tenure.toml").write_text(toml)
    company = source(tmp_path)
    done = call(company, "--check")
    assert (done.exit_code, done.stdout) == (0, "ours__took_reports: passed\n"), done.output
    done = call(company, "--out", "features.parquet", "--as-of", "2024-10-01")
    assert done.exit_code == 0, done.output
    assert "--check" not in done.stderr
    built = pd.read_parquet(tmp_path / "features.parquet")["ours__took_reports"]
    assert built.max() > 0


def test_a_leaky_feature_of_ones_own_is_refused(
    call: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "our_features.py").write_text(LEAK)
    (tmp_path / "tenure.toml").write_text('features = ["./our_features.py"]\n')
    company = source(tmp_path)
    done = call(company, "--check")
    assert done.exit_code == 1
    assert "ours__trainings: failed\n  It looks ahead" in done.output
    done = call(company, "--out", "features.parquet", "--as-of", "2024-10-01")
    assert done.exit_code == 0
    (warning,) = [line for line in done.stderr.splitlines() if "ours__trainings" in line]
    assert warning.endswith("may look ahead. Run: tenure features SOURCE --check")
    done = CliRunner().invoke(cli, ["train", "churn", "--source", str(company)])
    assert done.exit_code == 1
    assert "tenure features SOURCE --check" in str(done.exception)


def test_without_features_of_ones_own_there_is_nothing_to_check(
    call: Callable[..., Result],
) -> None:
    done = call("company", "--check")
    assert done.exit_code == 1
    assert "features = [" in str(done.exception)
