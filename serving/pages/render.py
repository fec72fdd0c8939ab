"""Templates, and how figures are written for people."""

import math
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from serving.pages.languages import LANGUAGES, reader
from serving.pages.nav import entries
from serving.pages.paths import SCRIPT, STYLE
from serving.pages.texts import say

FOLDER = Path(__file__).parent

Render = Callable[..., Response]


def renderer() -> Render:
    """Give what fills a template with values; all pages know their reader, and lead on."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, code=code, moment=moment, day=day)
    environment.globals.update(say=say, said=said, languages=LANGUAGES, style=STYLE, script=SCRIPT)

    def render(name: str, status: int = HTTPStatus.OK, **values: Any) -> Response:  # noqa: ANN401 - a template's values
        template = environment.get_template(name)
        here = reader()
        return HTMLResponse(template.render(reader=here, nav=entries(here), **values), status)

    return render


def percent(share: float | None) -> str:
    """Write a probability for people: ``34 %``, and never a rounded 0 or 100."""
    if share is None:
        return say("say.unknown")
    if 0 < share < 0.01:  # noqa: PLR2004 - one percent
        return "< 1 %"
    if 0.99 < share < 1:  # noqa: PLR2004 - ninety-nine percent
        return "> 99 %"
    return f"{share * 100:.0f} %"


def moment(at: datetime) -> Markup:
    """Write a moment of UTC; where scripts run, `tenure.js` writes it in the reader's zone."""
    element = Markup('<time datetime="{}Z">{} UTC</time>')
    return element.format(at.isoformat(timespec="seconds"), at.isoformat(" ", "minutes"))


def day(at: datetime) -> Markup:
    """Write the day of a time, never broken at the end of a line."""
    return Markup("<time>{}</time>").format(at.date().isoformat())


def said(key: str, **values: object) -> Markup:
    """Say a text whose values may be markup, as a moment is; code in it is shown as such."""
    text = say(key, **{name: f"{{{name}}}" for name in values})
    return code(text).format(**values)


def money(amount: float | None, currency: str) -> str:
    """Write an amount for people, without cents: ``USD 12,300``, never broken between the two."""
    if amount is None or math.isnan(amount):
        return say("say.unknown")
    return f"{currency}\u00a0{amount:,.0f}"


def code(text: str) -> Markup:
    """Show as code what stands between backticks in a text of ours."""
    parts = text.split("`")
    return Markup().join(
        Markup("<code>{}</code>").format(part) if place % 2 else part
        for place, part in enumerate(parts)
    )
