import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from models.provenance import UNKNOWN, provenance

git = shutil.which("git") or "git"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "requirements.lock").write_text("numpy==2.4.6\n")
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "First"]):
        subprocess.run([git, "-C", str(tmp_path), *words], check=True)
    return tmp_path


def test_it_names_the_commit_and_the_lock(checkout: Path) -> None:
    head = subprocess.run(
        [git, "-C", str(checkout), "log", "-1", "--format=%H"],
        check=True,
        capture_output=True,
        text=True,
    )
    code = provenance(checkout)
    assert code.commit == head.stdout.strip()
    assert not code.is_dirty
    assert code.lock == hashlib.sha256(b"numpy==2.4.6\n").hexdigest()


def test_a_changed_file_makes_it_dirty(checkout: Path) -> None:
    (checkout / "requirements.lock").write_text("numpy==2.4.7\n")
    assert provenance(checkout).is_dirty


def test_a_folder_inside_somebody_elses_checkout_has_no_commit(checkout: Path) -> None:
    installed = checkout / "site-packages"
    installed.mkdir()
    assert provenance(installed).commit == UNKNOWN


def test_without_git_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    code = provenance(tmp_path)
    assert (code.commit, code.is_dirty, code.lock) == (UNKNOWN, False, UNKNOWN)
