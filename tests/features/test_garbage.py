"""A process looks for reference cycles seldom, and still frees them."""

import subprocess
import sys

CYCLES = """
import gc
from features.garbage import collect_rarely
collect_rarely()
before = gc.get_stats()[0]["collections"]
for _ in range(1_600_000):
    cycle = []
    cycle.append(cycle)
print(gc.get_stats()[0]["collections"] - before, gc.get_count()[0] < 500_000)
"""


def test_cycles_are_freed_every_half_million_objects() -> None:
    said = subprocess.check_output([sys.executable, "-c", CYCLES], text=True)
    assert said.split() == ["3", "True"]


SHORTLY = """
import gc
from features.garbage import collect_rarely, collect_shortly
collect_rarely()
collect_shortly()
print(gc.get_threshold()[0] < 1_000, gc.get_freeze_count() > 1_000)
"""


def test_a_process_that_answers_looks_for_them_shortly_again() -> None:
    said = subprocess.check_output([sys.executable, "-c", SHORTLY], text=True)
    assert said.split() == ["True", "True"]
