"""The report's charts, drawn without a screen and without matplotlib's global state."""

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from models.shares import wilson

Floats = npt.NDArray[np.float64]

INK, SOFT, LINE = "#1f4e79", "#b9c9d9", "#8a8a8a"
BINS = 10
BARS = 15


def reliability_chart(outcomes: Floats, probabilities: Floats) -> bytes:
    """Draw what was said against what happened, in ten equally large bins, as PNG.

    The bars are 95 % Wilson intervals of the share that happened; rows of one account count as
    separate, so they are a little too short.
    """
    bins = np.array_split(np.argsort(probabilities, kind="stable"), BINS)
    kept = [at for at in bins if len(at)]
    said = np.array([probabilities[at].mean() for at in kept])
    happened = np.array([outcomes[at].mean() for at in kept])
    below, above = wilson(happened, np.array([len(at) for at in kept]))

    def draw(axes: Axes) -> None:
        top = float(max(said.max(), above.max())) * 1.05
        axes.plot([0, top], [0, top], color=LINE, linewidth=1, linestyle="--")
        errors = [np.maximum(happened - below, 0), np.maximum(above - happened, 0)]
        axes.errorbar(said, happened, yerr=errors, color=INK, marker="o", capsize=3)
        axes.set(xlabel="what the model said", ylabel="what happened", title="Reliability")

    return _png(draw)


def gain_chart(outcomes: Floats, probabilities: Floats) -> bytes:
    """Draw the share of events among the first of the list, as PNG."""
    caught = np.cumsum(outcomes[np.argsort(-probabilities, kind="stable")])
    share = np.arange(1, len(caught) + 1) / len(caught)

    def draw(axes: Axes) -> None:
        axes.plot([0, *share], [0, *(caught / caught[-1])], color=INK)
        axes.plot([0, 1], [0, 1], color=LINE, linewidth=1, linestyle="--")
        axes.set(
            xlabel="share of accounts, highest first",
            ylabel="share of events among them",
            title="Gain",
        )

    return _png(draw)


def importance_chart(importance: Mapping[str, float]) -> bytes:
    """Draw the mean absolute effect of the strongest subjects, as PNG."""
    strongest = sorted(importance.items(), key=lambda item: -item[1])[:BARS][::-1]

    def draw(axes: Axes) -> None:
        axes.barh([name for name, _ in strongest], [value for _, value in strongest], color=INK)
        axes.set(xlabel="mean absolute effect in log odds", title="What it looks at")

    return _png(draw)


def origins_chart(origins: Sequence[Mapping[str, Any]]) -> bytes:
    """Draw the AUC of each back-test origin with its interval, as PNG."""
    names = [str(origin["as_of"])[:10] for origin in origins]
    value, low, high = (
        np.array([origin["auc"][part] for origin in origins], dtype=float)
        for part in ("value", "low", "high")
    )

    def draw(axes: Axes) -> None:
        errors = [np.maximum(value - low, 0), np.maximum(high - value, 0)]
        axes.errorbar(names, value, yerr=errors, color=INK, marker="o", capsize=3, linestyle="")
        axes.axhline(0.5, color=LINE, linewidth=1, linestyle="--")
        axes.tick_params(axis="x", labelrotation=45)
        axes.set(ylabel="AUC", title="Origin by origin")

    return _png(draw)


def rivals_chart(above: Mapping[str, Mapping[str, float]]) -> bytes:
    """Draw how far the model's log loss lies from each baseline's, with its interval, as PNG."""
    names = [name.replace("_", " ") for name in above]
    value, low, high = (
        np.array([each[part] for each in above.values()]) for part in ("value", "low", "high")
    )

    def draw(axes: Axes) -> None:
        errors = [np.maximum(value - low, 0), np.maximum(high - value, 0)]
        axes.errorbar(value, names, xerr=errors, color=INK, marker="o", capsize=3, linestyle="")
        axes.axvline(0, color=LINE, linewidth=1, linestyle="--")
        axes.set(xlabel="log loss less the baseline's: left is better", title="Against baselines")

    return _png(draw)


def _png(draw: Callable[[Axes], None]) -> bytes:
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    draw(axes)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color=SOFT, linewidth=0.4)
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
