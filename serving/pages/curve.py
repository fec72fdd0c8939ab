"""Lines through points, laid out for an SVG: places on the page, and what stands at its edges."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 480, 200
LEFT, RIGHT, TOP, BOTTOM = 60, 468, 22, 172
TOPS = (0.05, 0.1, 0.25, 0.5, 1.0)
Point = tuple[float, float]


@dataclass(frozen=True)
class Mark:
    """A vertical line at a place, and what it says."""

    x: float
    text: str


@dataclass(frozen=True)
class Line:
    """One line: the name of its style, its points as an SVG has them, and its last one."""

    style: str
    points: str
    x: float
    y: float


@dataclass(frozen=True)
class Chart:
    """A chart as a template draws it; `xs` and `ys` are places along its edges with their texts."""

    lines: tuple[Line, ...]
    xs: tuple[tuple[float, str], ...]
    ys: tuple[tuple[float, str], ...]
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Scale:
    """From values to places: what stands at the left and the right edge, and at the top.

    `left` and `bottom` are where its lower left corner lies.
    """

    first: float
    last: float
    top: float
    left: float = LEFT
    bottom: float = BOTTOM

    def x(self, value: float) -> float:
        """Give the place of a value from left to right."""
        share = (value - self.first) / ((self.last - self.first) or 1)
        return round(self.left + share * (RIGHT - self.left), 1)

    def y(self, value: float) -> float:
        """Give the place of a value from the bottom, which is nought, up."""
        return round(self.bottom - value / self.top * (self.bottom - TOP), 1)

    def line(self, style: str, points: Sequence[Point]) -> Line:
        """Lay out a line through points, of which there is at least one."""
        places = [(self.x(x), self.y(y)) for x, y in points]
        return Line(style, " ".join(f"{x},{y}" for x, y in places), *places[-1])

    def tops(self) -> tuple[tuple[float, str], ...]:
        """Give what stands at the left: nought, a half, and the top, as shares."""
        values = (0.0, self.top / 2, self.top)
        return tuple((self.y(value), f"{value * 100:g} %") for value in values)


def top_for(shares: Sequence[float]) -> float:
    """Give the lowest round share that none of these is above."""
    return next(top for top in TOPS if top >= max(shares, default=0.0))
