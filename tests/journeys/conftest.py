"""The public data, read in place, and the command line as a user runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The folder of the public sets; what reads it is skipped where it is missing."""
    folder = Path(os.environ.get("TENURE_PUBLIC_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"public data missing: there is no folder {folder.name} beside the project")
    return folder


@pytest.fixture(scope="session")
def source_of(public_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A factory: the name of a set in, a source folder out whose source.toml names the data."""

    def make(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        mapping = (HERE / name / "source.toml").read_text(encoding="utf-8")
        usual, place = f"../../../../shared/data/{name}", (public_data / name).resolve().as_posix()
        assert usual in mapping
        (folder / "source.toml").write_text(mapping.replace(usual, place), encoding="utf-8")
        return folder

    return make


@dataclass(frozen=True)
class Tenure:
    """The command line with a home of its own."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "TENURE_HOME": str(self.home), "PYTHONPATH": str(ROOT)}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a verb to its end, whatever that is."""
        return subprocess.run(
            [sys.executable, "-m", "tenure", *arguments],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )

    def json(self, *arguments: str) -> Any:
        """Run a verb that must end well, and give its JSON document."""
        ended = self.run(*arguments, "--json")
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)


@pytest.fixture(scope="session")
def tenure(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Tenure]:
    """A factory of command lines, each with an empty home."""
    return lambda: Tenure(tmp_path_factory.mktemp("home"))
