"""What the page on the cost of reasons says is reached."""

from benchmarks.reasons_speed import LARGE, ONE, OURS, SCORES, SUM, THEIRS, USUAL, WHAT, page

COSTS = {f"{what}: {whose}": 40.0 for what in WHAT for whose in (OURS, THEIRS)}


def reached(**changed: float) -> list[str]:
    """Give the last cell of each line of the figures to reach."""
    run = COSTS | {f"{ONE}: {THEIRS}": 320.0} | {f"{SCORES}: {OURS}": 500.0} | changed
    lines = page({USUAL: [run], LARGE: [run]}, 100)[-1].splitlines()
    return [line.split("|")[-2].strip() for line in lines[2:]]


def test_figures_at_their_limit_are_reached() -> None:
    assert reached() == ["yes", "yes", "yes", ""]


def test_each_figure_beyond_its_limit_is_said_not_to_be_reached() -> None:
    assert reached(**{f"{SUM}: {OURS}": 51.0})[0] == "**no**"
    assert reached(**{f"{ONE}: {OURS}": 41.0})[1] == "**no**"
    assert reached(**{f"{SCORES}: {OURS}": 501.0})[2] == "**no**"
