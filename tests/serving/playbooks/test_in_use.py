"""The file in use, and the plays that people read: of the release, and of the service."""

import tomllib
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import ModuleType

import pytest

from features.errors import PlaybookError
from features.home import Home
from models.bundle import Bundle
from serving.access.tokens import Principal
from serving.api import answers, schema
from serving.parts import Caller, open_parts
from serving.playbooks.read import DEFAULT, file_in_use, playbook_in_use, read_playbook
from serving.publishing.publish import Scored, publish
from serving.settings import Settings
from serving.store.database import open_store

NOW = datetime(2026, 3, 3, 12)  # noqa: DTZ001 - times are naive UTC everywhere
OURS = """
own_families = ["weather"]
[[play]]
id = "dinner"
name = "Dinner"
question = "churn"
tiers = ["high"]
days_to_renewal = { to = 30 }
steps = ["Invite them.", "Pay."]
run_by = "person"
owner = "csm"
[[play]]
id = "call"
name = "Call"
question = "churn"
steps = ["Call them."]
run_by = "person"
owner = "csm"
[[play]]
id = "grow"
name = "Grow"
question = "expansion"
steps = ["Ask them."]
run_by = "person"
owner = "csm"
[[trigger]]
id = "rain"
name = "Rain"
when = "weather__rain > 9"
tell = ["csm"]
every_days = 7
"""
WITHOUT_TRIGGER = OURS.partition("[[trigger]]")[0]


@pytest.fixture
def settings(home: Home) -> Settings:
    return Settings(home=home)


def test_the_default_is_shipped_with_the_package_and_the_bento() -> None:
    project = DEFAULT.parents[1]
    tool = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert DEFAULT.name in tool["setuptools"]["package-data"]["serving"]
    assert f"serving/{DEFAULT.name}" in tool["bentoml"]["build"]["include"]


def suggested(settings: Settings) -> dict[str, str]:
    with closing(open_parts(settings, now=lambda: NOW)) as parts:
        caller = Caller(Principal("t", frozenset({"read"}), None, ""), "1")
        listed = answers.work_list(parts, caller, schema.WorklistQuery())
    return {entry.account_id: entry.suggested_play for entry in listed.accounts}


def test_a_file_that_is_named_comes_before_that_of_the_home_and_the_default(
    settings: Settings, tmp_path: Path
) -> None:
    assert file_in_use(settings) == DEFAULT
    settings.home.playbooks.parent.mkdir(parents=True, exist_ok=True)
    settings.home.playbooks.write_text(WITHOUT_TRIGGER)
    assert playbook_in_use(settings).play_for("churn", None, "high", 9).id == "dinner"
    named = replace(settings, playbooks=tmp_path / "none.toml")
    with pytest.raises(PlaybookError, match=r"none\.toml, got: No such file"):
        playbook_in_use(named)


def test_a_file_of_the_home_that_leads_nowhere_is_no_default(settings: Settings) -> None:
    settings.home.root.mkdir(parents=True, exist_ok=True)
    settings.home.playbooks.symlink_to("gone.toml")
    with pytest.raises(PlaybookError, match="No such file"):
        playbook_in_use(settings)


def test_features_of_ones_own_are_checked_where_they_were_read(
    settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "plays.toml"
    file.write_text(OURS)
    named = replace(settings, playbooks=file)
    with pytest.raises(PlaybookError, match=r"line 29, .*no feature weather__rain"):
        playbook_in_use(named)
    unread = replace(named, features=(tmp_path / "ours.py",))
    assert playbook_in_use(unread).triggers[0].when.columns == {"weather__rain"}
    assert read_playbook(file, ["weather__rain"]).own_families == ("weather",)


def test_the_service_does_not_start_with_a_wrong_file(
    settings: Settings, service: ModuleType, tmp_path: Path
) -> None:
    file = tmp_path / "plays.toml"
    file.write_text(WITHOUT_TRIGGER.replace('"call"', '"dinner"'))
    wrong = replace(settings, playbooks=file)
    for start in (service.serve, open_parts):
        with pytest.raises(PlaybookError, match="line 12, got 'dinner'"):
            start(wrong)
    assert not settings.home.store.exists()


def test_the_plays_of_a_publication_are_shown_and_without_any_those_in_use(
    settings: Settings, bundles: dict[str, Bundle], scored_company: Callable[..., Scored]
) -> None:
    scored = scored_company(bundles)
    settings.home.root.mkdir(parents=True, exist_ok=True)
    settings.home.playbooks.write_text(WITHOUT_TRIGGER)
    with closing(open_store(settings.store)) as store:
        publish(store, settings.home, scored, NOW)
        assert suggested(settings)["acme"].startswith("Ask the main users what changed")
        publish(store, settings.home, replace(scored, rows=None), NOW)
    assert suggested(settings) == {
        "acme": "Invite them. Pay.",
        **dict.fromkeys(("bolt", "corn", "dune", "evil"), "Call them."),
    }


def test_each_scored_account_gets_a_play_of_its_tier(
    bundles: dict[str, Bundle], scored_company: Callable[..., Scored]
) -> None:
    rows = scored_company(bundles).rows
    assert rows is not None
    plays = {play.text: play for play in read_playbook().plays}
    told = rows.dropna(subset=["play"])
    ran = {
        account_id: plays[text].run_by
        for account_id, text in zip(told["account_id"], told["play"], strict=True)
    }
    assert ran == {
        **dict.fromkeys(("acme", "bolt", "corn"), "person"),
        **dict.fromkeys(("dune", "evil"), "mail"),
    }
