"""The gate's own checks, each with the fault planted that it is there to catch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CI = ROOT / ".ci"


def skips(tmp_path: Path, cases: str) -> subprocess.CompletedProcess[str]:
    report = tmp_path / "report.xml"
    report.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    return subprocess.run(
        [sys.executable, str(CI / "check_skips.py"), str(report)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_run_without_skips_passes(tmp_path: Path) -> None:
    assert skips(tmp_path, '<testcase classname="a" name="b"/>').returncode == 0


def test_a_skip_for_missing_public_data_passes(tmp_path: Path) -> None:
    skip = '<skipped message="public data missing: no such folder"/>'
    assert skips(tmp_path, f'<testcase classname="a" name="b">{skip}</testcase>').returncode == 0


def test_any_other_skip_fails_and_is_named(tmp_path: Path) -> None:
    skip = '<skipped message="no java here"/>'
    done = skips(tmp_path, f'<testcase classname="a" name="b">{skip}</testcase>')
    assert done.returncode == 1
    assert "a::b: no java here" in done.stdout


def test_a_run_of_no_test_fails(tmp_path: Path) -> None:
    assert skips(tmp_path, "").returncode == 1


@pytest.mark.parametrize(
    "line",
    [
        # Each in two pieces, so that this file does not hold what it plants.
        "index: https://pypi.example.org/" + "simple/pandas",
        "--index-url" + " https://pypi.example.org",
        "--extra-index-url" + " https://pypi.example.org",
        "cd " + "/root" + "/tenure",
        "cd " + "/home" + "/anna/tenure",
    ],
)
def test_an_address_or_a_path_of_a_machine_in_a_tracked_file_fails(
    tmp_path: Path, line: str
) -> None:
    (tmp_path / "note.md").write_text(f"fine\n{line}\n")
    for words in (["git", "init", "-q"], ["git", "add", "note.md"]):
        subprocess.run(words, cwd=tmp_path, check=True)
    done = subprocess.run(
        [sys.executable, str(CI / "check_tree.py")],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "note.md:2" in done.stdout


def prerequisites(path: Path, python: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(CI / "prerequisites"), python],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(path)},
    )


def program(folder: Path, name: str, text: str) -> str:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return str(file)


def tools(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        found = next(
            Path(place) / name
            for place in os.environ["PATH"].split(os.pathsep)
            if (Path(place) / name).exists()
        )
        (folder / name).symlink_to(found)
    return folder


def test_a_machine_with_all_it_takes_names_its_python(tmp_path: Path) -> None:
    path = tools(tmp_path / "bin", "git", "uname")
    done = prerequisites(path, sys.executable)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == sys.executable


def test_a_missing_python_is_named_with_its_cure(tmp_path: Path) -> None:
    done = prerequisites(tools(tmp_path / "bin", "git", "uname"), "python-of-nowhere")
    assert done.returncode == 1
    assert "Python 3.11, 3.12 or 3.13 is needed" in done.stderr
    assert "apt-get install python3" in done.stderr


def test_too_old_a_python_is_refused(tmp_path: Path) -> None:
    path = tools(tmp_path / "bin", "git", "uname")
    old = program(tmp_path / "old", "python3", "exit 1")
    assert prerequisites(path, old).returncode == 1


def test_missing_venv_and_libgomp_are_named_together(tmp_path: Path) -> None:
    path = tools(tmp_path / "bin", "git", "uname")
    bare = program(
        tmp_path / "bare", "python3", 'case "$2" in *version_info*) exit 0;; *) exit 1;; esac'
    )
    done = prerequisites(path, bare)
    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr
    assert "apt-get install libgomp1" in done.stderr


def test_missing_git_is_named(tmp_path: Path) -> None:
    done = prerequisites(tools(tmp_path / "bin", "uname"), sys.executable)
    assert done.returncode == 1
    assert "git is missing" in done.stderr


def java(folder: Path, says: str) -> subprocess.CompletedProcess[str]:
    program(folder, "java", f"echo '{says}' >&2")
    path = tools(folder, "sed")
    return subprocess.run(
        ["/bin/sh", str(CI / "java")],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(path)},
    )


@pytest.mark.parametrize("version", ["17.0.15", "21", "25-ea"])
def test_a_java_that_runs_spark_passes(tmp_path: Path, version: str) -> None:
    done = java(tmp_path / "bin", f'openjdk version "{version}" 2025-04-15')
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("says", ['java version "1.8.0_452"', 'openjdk version "11.0.2"', ""])
def test_too_old_a_java_is_refused_with_its_cure(tmp_path: Path, says: str) -> None:
    done = java(tmp_path / "bin", says)
    assert done.returncode == 1
    assert "Java 17 or newer is needed for Spark" in done.stderr
    assert "apt-get install openjdk-17-jre-headless" in done.stderr


def test_a_missing_java_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", str(CI / "java")],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(tools(tmp_path / "bin", "sed"))},
    )
    assert done.returncode == 1
    assert "is not there" in done.stderr
