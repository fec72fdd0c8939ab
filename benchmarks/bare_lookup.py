"""The least that can look scores up: Starlette and orjson, without any check, token or log.

What `benchmarks.service` holds the service against: one dictionary from account to its answer.

    uvicorn benchmarks.bare_lookup:app   (BARE_ANSWERS names a file of JSON: account to answer)
"""

import os
from pathlib import Path

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

ANSWERS = orjson.loads(Path(os.environ["BARE_ANSWERS"]).read_bytes())


async def scores(request: Request) -> Response:
    """Answer the ids of a body."""
    asked = orjson.loads(await request.body())
    found = [ANSWERS[account_id] for account_id in asked["account_ids"]]
    return Response(orjson.dumps({"accounts": found}), media_type="application/json")


async def alive(_request: Request) -> Response:
    """Tell that it runs."""
    return Response(b"{}", media_type="application/json")


app = Starlette(routes=[Route("/v1/scores", scores, methods=["POST"]), Route("/livez", alive)])
