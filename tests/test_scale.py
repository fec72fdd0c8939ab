"""The page on scale: its lines and sizes, from runs made up by hand."""

import pytest

from benchmarks.growth import ENGINES, Run
from benchmarks.scale import Growth, page

RUNS = (Run("x", 1_000_000, 10.0, 300.0, 30_000_000), Run("x", 3_000_000, 20.0, 300.0, 90_000_000))


def test_a_line_parts_what_it_costs_to_start_from_what_an_event_costs() -> None:
    start, slope = Growth(RUNS).cpu_s
    assert start == pytest.approx(5.0)
    assert slope == pytest.approx(5e-6)


def test_the_size_to_move_at_is_where_time_or_memory_runs_out() -> None:
    assert Growth(RUNS).events_within(cpu_s=105.0, mb=1e9) == pytest.approx(20_000_000)


def test_the_page_leaves_no_figure_open() -> None:
    text = page(dict.fromkeys(ENGINES, Growth(RUNS)))
    assert "{" not in text
    assert "an event costs Spark 1 times" in text
    assert "| 10.0 billion | 120.0 billion |" in text
