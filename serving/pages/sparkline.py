"""A line of use as points of an SVG."""

from collections.abc import Sequence

WIDTH, HEIGHT, EDGE = 104, 24, 2


def points(weeks: Sequence[int]) -> str:
    """Give the points of a line from the first week to the last; it begins at nought events."""
    highest = max(*weeks, 1)
    step = (WIDTH - 2 * EDGE) / max(len(weeks) - 1, 1)
    drawn = (
        (EDGE + place * step, HEIGHT - EDGE - week / highest * (HEIGHT - 2 * EDGE))
        for place, week in enumerate(weeks)
    )
    return " ".join(f"{x:.0f},{y:.1f}" for x, y in drawn)
