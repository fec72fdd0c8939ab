"""The pages, put together."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.pages import disagreements, feedback
from serving.pages.account import account_routes
from serving.pages.login import login_routes
from serving.pages.oidc import oidc_routes
from serving.pages.operations import operations_routes
from serving.pages.paths import DISAGREEMENTS, SCRIPT, STYLE, TELL
from serving.pages.portfolio import portfolio_routes
from serving.pages.render import FOLDER, renderer
from serving.pages.work_list import work_list_routes
from serving.parts import Parts


def page_routes(parts: Parts) -> list[Route]:
    """Give the routes of the pages; all but the login, the style and the script need a session."""
    render = renderer()
    forms = {
        TELL: partial(feedback.ask_again, parts, render, problem="feedback.again"),
        DISAGREEMENTS: partial(disagreements.ask_again, parts, render),
    }
    return [
        _file_route(STYLE, "tenure.css", "text/css"),
        _file_route(SCRIPT, "tenure.js", "text/javascript"),
        *login_routes(parts, render, forms),
        *oidc_routes(parts, render),
        *work_list_routes(parts, render),
        *portfolio_routes(parts, render),
        *operations_routes(parts, render),
        *account_routes(parts, render),
        *feedback.feedback_routes(parts, render),
        *disagreements.disagreement_routes(parts, render),
    ]


def _file_route(path: str, name: str, media_type: str) -> Route:
    text = (FOLDER / name).read_text(encoding="utf-8")

    async def file(_request: Request) -> Response:
        return Response(text, media_type=media_type)

    return Route(path, file)
