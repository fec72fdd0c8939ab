"""Folders to work in: one that its process holds stays, one that a killed process left goes."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from features.engine import SPILL, Engine, session
from features.held import held_folder

WAITING = """
import time
from features.engine import Engine, session
with session(Engine.DUCKDB):
    print("open", flush=True)
    time.sleep(600)
"""


def test_a_folder_is_there_for_as_long_as_it_is_held(tmp_path: Path) -> None:
    with held_folder(tmp_path, "x-") as one, held_folder(tmp_path, "x-") as other:
        assert sorted(tmp_path.iterdir()) == sorted([one, other])
    assert list(tmp_path.iterdir()) == []


def test_only_folders_of_its_name_are_removed(tmp_path: Path) -> None:
    (tmp_path / "x-left" / "deep").mkdir(parents=True)
    (tmp_path / "x-file").touch()
    (tmp_path / "x-link").symlink_to(tmp_path / "y-other")
    (tmp_path / "y-other").mkdir()
    with held_folder(tmp_path, "x-"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x-file", "x-link", "y-other"]


def test_what_a_killed_engine_left_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with subprocess.Popen([sys.executable, "-c", WAITING], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with session(Engine.DUCKDB):
            assert len(list(tmp_path.glob(f"{SPILL}*"))) == 2
        process.send_signal(signal.SIGKILL)
    assert len(list(tmp_path.glob(f"{SPILL}*"))) == 1
    with session(Engine.DUCKDB):
        assert len(list(tmp_path.glob(f"{SPILL}*"))) == 1
    assert list(tmp_path.glob(f"{SPILL}*")) == []
