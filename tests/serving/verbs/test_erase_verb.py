"""The verb that erases: ids from the command line or a file, an answer for people and scripts."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from features.home import Home
from features.tombstones import at_work, read_tombstones
from tenure import cli


@pytest.fixture
def at_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("TENURE_HOME", str(home.root))
    return home


def run(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["erase", *words], input=stdin)


def test_ids_come_from_the_command_line_and_from_standard_input(at_home: Home) -> None:
    done = run("a-1", "--ids-from", "-", "--json", stdin="a-2\n\n a-3 \n")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["accounts"] == 3
    kept = read_tombstones(at_home)
    assert all(map(kept.has, ("a-1", "a-2", "a-3")))


def test_a_file_of_ids_is_read_as_editors_write_it(at_home: Home, tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    file.write_bytes("\ufeffa-1\r\na\x85-2\r\na-3\t\r\n\t\r\n\r\n".encode())
    done = run("--ids-from", str(file))
    assert done.exit_code == 0, done.output
    kept = read_tombstones(at_home)
    assert len(kept.erased_on) == 4
    assert all(map(kept.has, ("a-1", "a\x85-2", "a-3\t", "\t")))


def test_no_id_is_said_back(at_home: Home, tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    file.write_text("canary-1\ncanary-2\n")
    done = run("--ids-from", str(file))
    assert done.exit_code == 0, done.output
    assert "What remains:" in done.stdout
    assert "canary" not in done.output
    assert read_tombstones(at_home).has("canary-2")


def test_a_tombstone_is_lifted(at_home: Home) -> None:
    run("a-1")
    done = run("a-1", "--lift")
    assert "1 tombstones were taken away" in done.stdout
    assert not read_tombstones(at_home).has("a-1")


def test_without_an_id_it_is_wrong_usage(at_home: Home) -> None:
    assert run().exit_code == 2
    assert run("--ids-from", "nowhere.txt").exit_code == 2
    assert not at_home.tombstones.exists()


def test_who_is_at_work_is_waited_for(at_home: Home) -> None:
    with at_work(at_home), at_work(at_home):
        pass  # several may be at work, and an erasure begins once all have ended
    assert run("a-1").exit_code == 0
