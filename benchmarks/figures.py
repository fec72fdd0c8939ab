"""Figures as Markdown."""

from collections.abc import Mapping, Sequence

from training.heldout import HeldOut, difference, figures


def between(figure: Mapping[str, float]) -> str:
    """Write a value and its interval."""
    return f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"


def difference_cells(held: HeldOut, floor: HeldOut) -> list[str]:
    """Give the floor's AUC and AP, how far `held` lies above the AUC, and if that is reached."""
    own = figures(floor)
    above = difference(held, floor.probabilities)
    reached = "yes" if above["high"] >= 0 else "**no**"
    shown = f"{above['value']:+.3f} [{above['low']:+.3f}, {above['high']:+.3f}]"
    return [between(own["auc"]), between(own["average_precision"]), shown, reached]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
