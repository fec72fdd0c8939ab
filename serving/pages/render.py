"""Templates, and how figures are written for people."""

import math
from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from starlette.responses import HTMLResponse, Response

from serving.api import schema
from serving.pages.paths import STYLE
from serving.scoring.plays import NO_REASON, leading_reason

FOLDER = Path(__file__).parent
UNKNOWN = "unknown"

Render = Callable[..., Response]


def renderer() -> Render:
    """Give what fills a template with values; all pages know where the style lies."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, money=money, why=why)

    def render(name: str, status: int = HTTPStatus.OK, **values: Any) -> Response:  # noqa: ANN401 - a template's values
        return HTMLResponse(environment.get_template(name).render(style=STYLE, **values), status)

    return render


def percent(share: float | None) -> str:
    """Write a probability for people: ``34 %``, and never a rounded 0 or 100."""
    if share is None:
        return UNKNOWN
    if 0 < share < 0.01:  # noqa: PLR2004 - one percent
        return "< 1 %"
    if 0.99 < share < 1:  # noqa: PLR2004 - ninety-nine percent
        return "> 99 %"
    return f"{share * 100:.0f} %"


def money(amount: float | None, currency: str) -> str:
    """Write an amount for people, without cents: ``USD 12,300``."""
    return UNKNOWN if amount is None or math.isnan(amount) else f"{currency} {amount:,.0f}"


def why(reasons: Sequence[schema.ReasonAnswer]) -> str:
    """Give the sentence of the leading reason."""
    leading = leading_reason([msgspec.structs.asdict(reason) for reason in reasons])
    return str(leading["text"]) if leading else NO_REASON
