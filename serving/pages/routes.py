"""The pages, put together."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.pages.login import login_routes
from serving.pages.oidc import oidc_routes
from serving.pages.paths import STYLE
from serving.pages.render import FOLDER, renderer
from serving.pages.work_list import work_list_routes
from serving.parts import Parts


def page_routes(parts: Parts) -> list[Route]:
    """Give the routes of the pages; all but the login and its style need a session."""
    render = renderer()
    return [
        _style_route(),
        *login_routes(parts, render),
        *oidc_routes(parts, render),
        *work_list_routes(parts, render),
    ]


def _style_route() -> Route:
    style = (FOLDER / "tenure.css").read_text(encoding="utf-8")

    async def style_sheet(_request: Request) -> Response:
        return Response(style, media_type="text/css")

    return Route(STYLE, style_sheet)
