"""docs/sources.md says what the code does."""

import re
from pathlib import Path

import pytest

from features.contracts import TABLES, Type
from features.errors import SourceError
from features.sources.check import DEFAULT_LIMIT, check
from features.sources.workplace import KEPT_CHECKS, KEPT_FOR

DOCS = (Path(__file__).parents[3] / "docs" / "sources.md").read_text(encoding="utf-8")
FILES = {
    "customers": "id signed_up size segment_name csm\n1 2024-01-01 900 retail ann",
    "contracts": (
        "contract_no customer_id plan_id yearly_price price_currency begin end\n"
        "c1 1 p1 1200 USD 2024-02-01 -"
    ),
    "plans": "id plan_name\np1 pro",
    "usage_events": "account_id occurred_at event event_id\n1 2024-03-01 login e1",
    "fx": "currency date rate\nUSD 2024-01-01 0.5",
}


def test_the_worked_example_works(source_folder, home):
    folder = source_folder(FILES)
    example = re.search(r"```toml\n(.*?)```", DOCS, re.DOTALL).group(1)
    (folder / "source.toml").write_text(example)
    source = check(str(folder), home=home)
    assert sum(source.quarantined.values()) == 0
    assert float(source.read("subscriptions")["mrr"][0]) == 50
    assert source.read("accounts").loc[0, ["tier", "segment", "region"]].tolist() == [
        "high",
        "retail",
        "EMEA",
    ]
    assert "csm" not in source.columns["accounts"]


def test_every_overwritten_column_is_named():
    paragraph = re.search(r"\*Overwritten columns\* \((.*?)\)", DOCS).group(1)
    named = set()
    for part in paragraph.split(";"):
        table, columns = part.split(":")
        named |= {(table.strip(" `"), column.strip()) for column in columns.split(",")}
    assert named == {(t.name, c.name) for t in TABLES.values() for c in t if c.overwritten}


def test_every_planned_time_is_named():
    (line,) = (line for line in DOCS.splitlines() if line.startswith("- *Planned times*"))
    for table in TABLES.values():
        for column in table:
            if column.dtype is Type.TIME and not column.happened:
                assert f"`{column.name}`" in line or f"`{table.name}.{column.name}`" in line


def test_the_tables_without_an_id_are_named():
    (line,) = (line for line in DOCS.splitlines() if line.startswith("**Collapsed**"))
    assert all((f"`{table.name}`" in line) == (not table.key) for table in TABLES.values())


def test_the_keys_of_the_format_are_those_that_are_read(source_folder, home):
    folder = source_folder(FILES)
    for name in ("unheard", "tables.accounts.unheard"):
        (folder / "source.toml").write_text(f"{name} = 1")
        with pytest.raises(SourceError, match="Expected one of") as caught:
            check(str(folder), home=home)
        known = re.search(r"one of (.*?) at", str(caught.value)).group(1).split(", ")
        documented = {key.split(".")[-1] for key in re.findall(r"`([a-z_.<>]+)`", DOCS)}
        assert set(known) <= documented | {"columns", "tables"}


def test_the_limit_is_the_one_that_holds():
    assert f"the limit ({DEFAULT_LIMIT * 100:g} %)" in DOCS


def test_how_long_checks_stay_is_said():
    hours = KEPT_FOR.total_seconds() / 3600
    assert (
        f"The newest {KEPT_CHECKS} checks of a source stay, and each for {hours:.0f} hours" in DOCS
    )
