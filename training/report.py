"""The back-test report: one HTML page that opens without a network, words first, then charts."""

import base64
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt

from features.errors import TooLittleDataError
from features.home import private
from models.record import json_text
from training.charts import (
    gain_chart,
    importance_chart,
    origins_chart,
    reliability_chart,
    rivals_chart,
)
from training.touched import told

Floats = npt.NDArray[np.float64]

FEW_EVENTS = 50
TOP_SHARE = 0.1

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{{ title }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } th, td { padding: .2rem .8rem .2rem 0; text-align: left; }
.wide { overflow-x: auto; } .wide td { white-space: nowrap; }
td { font-variant-numeric: tabular-nums; } img { max-width: 100%; }
</style>
</head>
<body>
<h1>{{ title }}</h1>
<h2>What it says</h2>
<ul>{% for line in says %}<li>{{ line }}</li>{% endfor %}</ul>
<h2>How sure</h2>
<ul>{% for line in sure %}<li>{{ line }}</li>{% endfor %}</ul>
<h2>Figures</h2>
<table>
<tr><th>figure</th><th>value</th><th>95 % interval</th></tr>
{% for name, value, interval in figures %}
<tr><td>{{ name }}</td><td>{{ value }}</td><td>{{ interval }}</td></tr>
{% endfor %}
</table>
{% for caption, image in charts %}
<h2>{{ caption }}</h2>
<img alt="{{ caption }}" src="data:image/png;base64,{{ image }}">
{% endfor %}
{% for section in sections %}
<h2>{{ section.caption }}</h2>
{% if section.words %}<p>{{ section.words }}</p>{% endif %}
{% if section.rows %}
<div class="wide"><table>
<tr>{% for name in section.head %}<th>{{ name }}</th>{% endfor %}</tr>
{% for row in section.rows %}
<tr>{% for value in row %}<td>{{ value }}</td>{% endfor %}</tr>
{% endfor %}
</table></div>
{% endif %}
{% endfor %}
{% if data %}
<h2>The data behind it</h2>
<table>
{% for name, value in data.items() %}<tr><td>{{ name }}</td><td>{{ value }}</td></tr>{% endfor %}
</table>
{% endif %}
</body>
</html>
"""


@dataclass(frozen=True)
class Section:
    """One table of the report: a caption, a sentence on how to read it, a head, rows of text."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Iterable[str]]
    words: str = ""


@dataclass(frozen=True)
class Evidence:
    """What the report shows.

    Attributes
    ----------
    model:
        ``churn``, ``expansion``, ``contraction`` or a label's name.
    horizon_days:
        The horizon that outcomes and probabilities belong to.
    outcomes, probabilities:
        0 or 1, and what was said of it, one per held-out row.
    metrics:
        auc, average_precision, brier, log_loss and whatever else is {value, low, high}.
    rivals:
        The baselines' figures on the same rows, by name; auc as {value, low, high}.
    above:
        By baseline, how far the model lies above it in each metric, as {value, low, high}.
    importance:
        Mean absolute effect in log odds, by subject.
    origins:
        One mapping a back-test origin: as_of, and auc as {value, low, high}.
    audit:
        Findings of the leakage audit, as JSON values.
    sections:
        Further tables.
    data:
        Where the rows come from, by name.
    """

    model: str
    horizon_days: int
    outcomes: Floats
    probabilities: Floats
    metrics: Mapping[str, Mapping[str, float]]
    rivals: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    above: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    importance: Mapping[str, float] = field(default_factory=dict)
    origins: Sequence[Mapping[str, Any]] = ()
    audit: Sequence[Mapping[str, Any]] = ()
    sections: Sequence[Section] = ()
    data: Mapping[str, object] = field(default_factory=dict)


def write_report(evidence: Evidence, folder: Path) -> tuple[Path, ...]:
    """Write the report, its charts and its figures.

    Returns
    -------
    tuple of Path
        ``report.html``, which holds its charts, then the charts as PNG, then ``report.json``.

    Raises
    ------
    TooLittleDataError
        When there is no held-out row, or none with the outcome.
    """
    if not len(evidence.outcomes) or not evidence.outcomes.sum():
        raise TooLittleDataError(
            f"Expected held-out rows with the outcome {evidence.model}, got "
            f"{evidence.outcomes.sum():.0f} in {len(evidence.outcomes)}. Bring a longer history."
        )
    private(folder)
    charts = dict(_charts(evidence))
    files = {"report.html": _page(evidence, charts).encode()}
    files |= {f"{name}.png": image for name, (_, image) in charts.items()}
    files["report.json"] = json_text(summary(evidence)).encode()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return tuple(folder / name for name in files)


def summary(evidence: Evidence) -> dict[str, Any]:
    """Give the report's words and figures as JSON values."""
    return {
        "model": evidence.model,
        "horizon_days": evidence.horizon_days,
        "rows": len(evidence.outcomes),
        "events": int(evidence.outcomes.sum()),
        "says": list(_says(evidence)),
        "sure": list(_sure(evidence)),
        "metrics": {name: dict(value) for name, value in evidence.metrics.items()},
        "top_share_caught": _caught(evidence),
    }


def _charts(evidence: Evidence) -> Iterator[tuple[str, tuple[str, bytes]]]:
    outcomes, probabilities = evidence.outcomes, evidence.probabilities
    yield (
        "reliability",
        ("Does it happen as often as it says?", reliability_chart(outcomes, probabilities)),
    )
    yield "gain", ("How much of it is at the top of the list?", gain_chart(outcomes, probabilities))
    if evidence.importance:
        yield "importance", ("What does it look at?", importance_chart(evidence.importance))
    if evidence.origins:
        yield "origins", ("Did it hold over time?", origins_chart(evidence.origins))
    losses = {name: found["log_loss"] for name, found in evidence.above.items() if found}
    if losses:
        yield "rivals", ("Is it better than plainer ways?", rivals_chart(losses))


def _page(evidence: Evidence, charts: Mapping[str, tuple[str, bytes]]) -> str:
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(PAGE)
    return page.render(
        title=f"Back-test of {evidence.model} within {evidence.horizon_days} days",
        says=_says(evidence),
        sure=_sure(evidence),
        figures=list(_figures(evidence)),
        charts=[(words, base64.b64encode(image).decode()) for words, image in charts.values()],
        sections=evidence.sections,
        data=evidence.data,
    )


def _figures(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    for name, value in evidence.metrics.items():
        yield _row(name, value)
    for rival, figures in evidence.rivals.items():
        if figures.get("auc"):
            yield _row(f"auc of {rival}", figures["auc"])


def _row(name: str, value: Mapping[str, float]) -> tuple[str, str, str]:
    interval = f"{value['low']:.3f} to {value['high']:.3f}"
    return name.replace("_", " "), f"{value['value']:.3f}", interval


def _says(evidence: Evidence) -> Iterator[str]:
    rows, events = len(evidence.outcomes), evidence.outcomes.sum()
    happened = {
        "churn": "the account left",
        "expansion": "the account grew",
        "contraction": "the account shrank",
    }.get(evidence.model, f"{evidence.model} came true")
    yield (
        f"On {rows:,} held-out rows, none of which the model learned from, {happened} within "
        f"{evidence.horizon_days} days {events:,.0f} times ({events / rows:.1%})."
    )
    auc = evidence.metrics["auc"]["value"]
    yield (
        f"Of two rows, one with and one without it, the model puts the right one first "
        f"{auc:.0%} of the time; a coin does so 50 %."
    )
    told = [
        f"{name.replace('_', ' ')} {figures['auc']['value']:.0%}"
        for name, figures in evidence.rivals.items()
        if figures.get("auc")
    ]
    if told:
        yield f"Plainer ways on the same rows: {', '.join(told)}."
    caught = _caught(evidence)
    yield (
        f"The first {TOP_SHARE:.0%} of the list hold {caught:.0%} of all events: "
        f"{caught / TOP_SHARE:.1f} times as many as a list in random order."
    )
    said = evidence.probabilities.mean()
    yield f"It said {said:.1%} on average, and {events / rows:.1%} happened."


def _sure(evidence: Evidence) -> Iterator[str]:
    auc, events = evidence.metrics["auc"], evidence.outcomes.sum()
    low, high = auc["low"], auc["high"]
    yield (
        f"With other customers of the same kind the AUC would lie from {low:.2f} to {high:.2f} "
        "19 times in 20."
    )
    if not low > 0.5:  # noqa: PLR2004 - an AUC of one half is chance
        yield "That includes 0.50: this model cannot be told from chance. Do not act on it."
    if events < FEW_EVENTS:
        yield f"Only {events:.0f} events stand behind this, so every figure here is rough."
    yield from _unsteady(evidence.origins)
    share = evidence.data.get("touched_share")
    yield from told(share if isinstance(share, float) else None)
    for finding in evidence.audit:
        if finding.get("blocking"):
            yield f"The leakage audit objects: {finding['message']}"
    yield "It tells who resembles those who did; it does not tell what would change their mind."


def _unsteady(origins: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    values = [origin["auc"]["value"] for origin in origins]
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) > 1:
        yield (
            f"Trained again at each of {len(origins)} earlier dates, the AUC went from "
            f"{min(finite):.2f} to {max(finite):.2f}."
        )


def _caught(evidence: Evidence) -> float:
    """Share of all events among the first tenth of the list."""
    first = np.argsort(-evidence.probabilities, kind="stable")
    first = first[: max(1, round(len(first) * TOP_SHARE))]
    return float(evidence.outcomes[first].sum() / evidence.outcomes.sum())
