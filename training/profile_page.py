"""The features' profile as one HTML page that opens without a network."""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from features.home import private
from features.sentences import written
from training.monitor import FAR_FROM
from training.profile import OUTCOMES, FeatureProfile, Profile

WIDTH, HEIGHT = 96, 24

FILTER = """
const search = document.querySelector('input');
search.addEventListener('input', () => {
  const words = search.value.toLowerCase().split(' ');
  for (const row of document.querySelectorAll('tbody tr')) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every(word => text.includes(word));
  }
});
"""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{{ digest }}'">
<title>The features, profiled</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; max-width: 84rem; margin: 2rem auto; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .25rem .8rem .25rem 0; text-align: left; vertical-align: top; }
thead th { position: sticky; top: 0; background: #fff; border-bottom: 1px solid #b9c9d9; }
td { font-variant-numeric: tabular-nums; border-bottom: 1px solid #eef2f6; }
small { color: #555; } .alarm { color: #a11; } code { font-size: 13px; }
svg { display: block; } .bar { fill: #1f4e79; } .line { fill: none; stroke: #1f4e79; }
.mark { stroke: #c77; stroke-dasharray: 2; } input { font: inherit; padding: .3rem; width: 24rem; }
</style>
</head>
<body>
<h1>The features, profiled</h1>
<ul>{% for line in says %}<li>{{ line }}</li>{% endfor %}</ul>
<h2>Alarms</h2>
{% if alarms %}<ul>{% for line in alarms %}<li class="alarm">{{ line }}</li>{% endfor %}</ul>
{% else %}<p>None.</p>{% endif %}
<h2>Groups</h2>
<p>{% for group, rows in groups.items() %}
<a href="#{{ group }}">{{ group }}</a> ({{ rows|length }}){{ "" if loop.last else ", " }}
{% endfor %}</p>
<p><label>Show only rows with <input type="search" placeholder="a word of it"></label></p>
{% for group, rows in groups.items() %}
<h2 id="{{ group }}">{{ group }}</h2>
<table>
<thead><tr><th>feature</th><th>filled</th><th>values</th><th>drift</th>
{% for outcome, days in horizons.items() %}
<th>AUC, {{ outcome }} in {{ days }} days</th>
{% endfor %}
<th>to look at</th></tr></thead>
<tbody>
{% for row in rows %}
<tr><td><code>{{ row.name }}</code><br><small>{{ row.description }} ({{ row.unit }})</small></td>
<td>{{ row.coverage }}{{ row.filled }}</td>
<td>{{ row.spread }}<small>{{ row.quantiles }}</small></td>
<td>{{ row.drift }}{{ row.index }}</td>
{% for said, others in row.relations %}
<td>{{ said }}<br><small>{{ others }}</small></td>
{% endfor %}
<td>{% for flag in row.flags %}
<div class="{{ flag.level }}">{{ flag.sentence }}</div>
{% endfor %}</td>
</tr>
{% endfor %}
</tbody>
</table>
{% endfor %}
<script>{{ script }}</script>
</body>
</html>
"""


def write_profile(profiled: Profile, out: Path) -> Path:
    """Write the page, whole or not at all, and give its path."""
    private(out.parent)
    aside = out.with_name(f".{out.name}.part")
    aside.write_text(page(profiled), encoding="utf-8")
    aside.replace(out)
    return out


def page(profiled: Profile) -> str:
    """Give the page's HTML: alarms first, then each group's features, the strongest first."""
    groups: dict[str, list[FeatureProfile]] = {}
    for each in profiled.features:
        groups.setdefault(str(each.entry["group"]), []).append(each)
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(PAGE).render(
        digest=base64.b64encode(hashlib.sha256(FILTER.encode()).digest()).decode(),
        script=Markup(FILTER),  # noqa: S704 - our own constant
        says=list(_says(profiled)),
        alarms=[flag.sentence for flag in profiled.alarms],
        horizons=profiled.horizons_days,
        groups={
            group: [_row(each, profiled) for each in _strongest_first(own, profiled)]
            for group, own in groups.items()
        },
    )


def _says(profiled: Profile) -> Iterator[str]:
    first, last = profiled.dates[0], profiled.dates[-1]
    yield (
        f"{profiled.rows:,} rows of {profiled.accounts:,} active accounts at "
        f"{len(profiled.dates)} dates, {first} to {last}; {len(profiled.features)} features."
    )
    yield (
        "Filled: the share of rows with a value, date by date, and at the last one. Values: their "
        "spread, with the 1 %, 50 % and 99 % quantiles."
    )
    yield (
        f"Drift: the population stability index of each date against the first "
        f"{profiled.reference_dates}; the dashed line is {FAR_FROM}, from which it is far."
    )
    yield (
        "AUC: how often a row with the outcome has the higher value than one without it; 0.5 is "
        "no relation, below it low values go with the outcome. Only closed windows count. Rows of "
        "one account are alike, so small distances from 0.5 mean little."
    )


def _strongest_first(own: Sequence[FeatureProfile], profiled: Profile) -> list[FeatureProfile]:
    def strength(each: FeatureProfile) -> float:
        found = (each.relation(name, days) for name, days in profiled.horizons_days.items())
        return max((abs(r.auc - 0.5) for r in found if r and r.auc is not None), default=0.0)

    return sorted(own, key=lambda each: (-strength(each), each.column))


def _row(each: FeatureProfile, profiled: Profile) -> Mapping[str, Any]:
    spread = each.spread
    values = (spread.low, spread.median, spread.high) if spread else ()
    return {
        "name": each.column,
        "description": each.entry["description"],
        "unit": each.entry["unit"],
        "coverage": _line(each.coverage, 1.0),
        "filled": f"{each.coverage[-1]:.0%}" if each.coverage else "",
        "spread": _bars(spread.counts) if spread else "",
        "quantiles": " · ".join(written(value, each.entry["unit"]) for value in values),
        "drift": _line(each.drift, max(2 * FAR_FROM, *each.drift, 0.0), FAR_FROM),
        "index": f"{each.drift[-1]:.2f}" if each.drift else "",
        "relations": [_related(each, outcome, profiled) for outcome in OUTCOMES],
        "flags": each.flags,
    }


def _related(each: FeatureProfile, outcome: str, profiled: Profile) -> tuple[str, str]:
    main = each.relation(outcome, profiled.horizons_days[outcome])
    if main is None or main.auc is None:
        return "", "too little is known"
    others = [r for r in each.relations if r.outcome == outcome and r.auc is not None]
    told = ", ".join(f"{r.horizon_days} d {r.auc:.3f}" for r in others if r != main)
    return f"{main.auc:.3f}", f"{main.events:,} events of {main.rows:,}; {told}"


def _bars(counts: Sequence[int]) -> Markup:
    step, top = WIDTH / len(counts), max(counts)
    bars = "".join(
        f'<rect class="bar" x="{at * step:.1f}" y="{HEIGHT * (1 - count / top):.1f}"'
        f' width="{step - 1:.1f}" height="{HEIGHT * count / top:.1f}"/>'
        for at, count in enumerate(counts)
        if count
    )
    return _svg(bars)


def _line(values: Sequence[float], top: float, mark: float | None = None) -> Markup:
    if not values:
        return Markup()
    step = WIDTH / max(len(values) - 1, 1)
    points = " ".join(
        f"{at * step:.1f},{HEIGHT * (1 - value / top):.1f}" for at, value in enumerate(values)
    )
    height = HEIGHT * (1 - (mark or 0) / top)
    line = f'<path class="mark" d="M0 {height:.1f}H{WIDTH}"/>' if mark else ""
    return _svg(f'{line}<polyline class="line" points="{points}"/>')


def _svg(inside: str) -> Markup:
    return Markup(  # noqa: S704 - made of numbers only
        f'<svg width="{WIDTH}" height="{HEIGHT + 2}" viewBox="0 -1 {WIDTH} {HEIGHT + 2}">'
        f"{inside}</svg>"
    )
