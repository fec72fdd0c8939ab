"""Settings: file, then environment; what is unknown or wrong is said."""

import os
from dataclasses import asdict
from pathlib import Path

import pytest

from features.errors import SettingsError
from serving.settings import read_settings
from training.capacity import Economics


def test_the_defaults_listen_on_this_machine_only(tmp_path: Path) -> None:
    settings = read_settings({}, tmp_path)
    assert (settings.host, settings.port) == ("127.0.0.1", 3000)
    assert settings.home.root == tmp_path / ".tenure"
    assert settings.store == f"sqlite:///{tmp_path / '.tenure' / 'store.db'}"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "tenure.toml").write_text('port = 4000\ncurrency = "EUR"\nhome = "there"\n')
    settings = read_settings({"TENURE_PORT": "5000", "OTHER": "x"}, tmp_path)
    assert (settings.port, settings.currency) == (5000, "EUR")
    assert settings.home.root == tmp_path / "there"


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("prot = 1", "prot"),
        ('port = "3000"', "port"),
        ("port = true", "port"),
        ('playbooks = ""', "a value for playbooks"),
        ("playbooks = true", "playbooks"),
        ("port = 70000", "port"),
        ("session_hours = 0", "session_hours"),
        ('host = ""', "host"),
        ("port = ", "TOML"),
        ("[port]", "port"),
        ('features = "our_features.py"', "a list of str for features"),
        ("features = [1]", "a list of str for features"),
        ("touch_cost = 0", "touch_cost above 0, got 0"),
        ("touch_cost = inf", "touch_cost above 0, got inf"),
        ("offer_cost = -1.5", "offer_cost at least 0, got -1.5"),
        ("save_chance = 1", "save_chance above 0 and below 1, got 1"),
        ("kept_months = nan", "kept_months above 0, got nan"),
        ('kept_months = "12"', "Expected float for kept_months"),
        ('audit = "never"', "Expected second or sync for audit, got 'never'"),
        ('trusted_proxy = "nginx"', "Expected an IP address for trusted_proxy"),
        ("requests_per_second = 0", "requests_per_second above 0, got 0"),
        ("requests_at_once = 0", "requests_at_once of at least 1, got 0"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, named: str) -> None:
    (tmp_path / "tenure.toml").write_text(line)
    with pytest.raises(SettingsError, match=named):
        read_settings({}, tmp_path)


@pytest.mark.parametrize(
    "variable",
    [
        "TENURE_PROT=1",
        "TENURE_PORT=x",
        "TENURE_PORT=-1",
        "TENURE_BEHIND_TLS=maybe",
        "TENURE_SAVE_CHANCE=often",
    ],
)
def test_a_wrong_variable_is_named(tmp_path: Path, variable: str) -> None:
    name, _, value = variable.partition("=")
    with pytest.raises(SettingsError, match=name):
        read_settings({name: value}, tmp_path)


def test_what_a_call_costs_and_wins_is_read(tmp_path: Path) -> None:
    (tmp_path / "tenure.toml").write_text("touch_cost = 90\nsave_chance = 0.2\n")
    settings = read_settings({"TENURE_OFFER_COST": "12.5", "TENURE_KEPT_MONTHS": "6"}, tmp_path)
    assert settings.economics == {
        "touch_cost": 90.0,
        "offer_cost": 12.5,
        "save_chance": 0.2,
        "kept_months": 6.0,
    }


def test_without_a_word_they_are_those_of_a_training(tmp_path: Path) -> None:
    assert read_settings({}, tmp_path).economics == asdict(Economics())


def test_a_wrong_line_that_may_hold_a_password_is_not_said_back(tmp_path: Path) -> None:
    (tmp_path / "tenure.toml").write_text('store_url = ["postgresql://me:hunter2@here/db"]')
    with pytest.raises(SettingsError, match="Expected str for store_url") as wrong:
        read_settings({}, tmp_path)
    assert "hunter2" not in str(wrong.value)


def test_limits_a_proxy_and_the_audit_log_are_read(tmp_path: Path) -> None:
    environ = {
        "TENURE_AUDIT": "sync",
        "TENURE_TRUSTED_PROXY": "::1",
        "TENURE_REQUESTS_PER_SECOND": "2.5",
        "TENURE_REQUESTS_AT_ONCE": "7",
    }
    found = read_settings(environ, tmp_path)
    assert (found.audit, found.trusted_proxy) == ("sync", "::1")
    assert (found.requests_per_second, found.requests_at_once) == (2.5, 7)


def test_yes_and_no_are_read(tmp_path: Path) -> None:
    assert read_settings({"TENURE_BEHIND_TLS": "true"}, tmp_path).behind_tls is True
    assert read_settings({"TENURE_BEHIND_TLS": "0"}, tmp_path).behind_tls is False


def test_nothing_is_made_by_reading(tmp_path: Path) -> None:
    read_settings({}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_plays_is_relative_to_the_settings(tmp_path: Path) -> None:
    assert read_settings({}, tmp_path).playbooks is None
    (tmp_path / "tenure.toml").write_text('playbooks = "ours/plays.toml"\n')
    assert read_settings({}, tmp_path).playbooks == tmp_path / "ours" / "plays.toml"
    found = read_settings({"TENURE_PLAYBOOKS": "/etc/plays.toml"}, tmp_path).playbooks
    assert found == Path("/etc/plays.toml")


def test_feature_files_are_relative_to_the_settings(tmp_path: Path) -> None:
    (tmp_path / "tenure.toml").write_text('features = ["./ours.py", "/etc/theirs.py"]')
    found = read_settings({}, tmp_path).features
    assert found == (tmp_path / "ours.py", Path("/etc/theirs.py"))
    assert read_settings({"TENURE_FEATURES": f"a.py{os.pathsep}b.py"}, tmp_path).features == (
        tmp_path / "a.py",
        tmp_path / "b.py",
    )
