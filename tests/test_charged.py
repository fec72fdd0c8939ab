"""What a benchmark charges to a command, asked of a process without other children."""

import subprocess
import sys

BURN = "import time\nwhile time.process_time() < 0.3: pass"
LEAVE_BEHIND = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {BURN!r}])"


def charge(program: str, **env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program]
    asked = f"from benchmarks.charged import charged; print(charged({command}, **{env}).cpu_s)"
    return subprocess.run(
        [sys.executable, "-c", asked], check=False, capture_output=True, text=True
    )


def test_what_a_command_leaves_behind_is_charged_to_it() -> None:
    assert float(charge(LEAVE_BEHIND).stdout) >= 0.3


def test_a_command_that_fails_is_no_measurement() -> None:
    failed = charge("raise SystemExit(3)")
    assert not failed.stdout
    assert "Expected" in failed.stderr


def test_a_command_runs_in_the_environment_that_is_asked_for() -> None:
    alone = "import os; assert os.environ['TENURE_HOME'] == 'here', os.environ"
    assert charge(alone, env={"TENURE_HOME": "here"}).stdout
    assert not charge(alone, env={"TENURE_HOME": "there"}).stdout
