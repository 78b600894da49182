"""Relay jobs to browsers: `ARKOR_TOKEN=… python starlette_relay.py BASE_URL PORT`."""

import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from arkor_proto import HARDENED, ArkorError, encode_event, encode_event_data
from arkor_proto.transports.anyio import ArkorClient, Trainer

KEEP_ALIVE = 15.0  # seconds; proxies close a connection that is silent for longer
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def frames(trainer: Trainer) -> AsyncGenerator[bytes]:
    async with trainer.events() as events:  # ends when the browser disconnects
        while True:
            try:
                with anyio.fail_after(KEEP_ALIVE):
                    event = await anext(events)
                data = json.dumps(encode_event_data(event))
                yield encode_event(data, id=trainer.last_event_id)
            except TimeoutError:
                yield encode_event(None, comment="keep-alive")
            except (StopAsyncIteration, ArkorError) as end:  # the page closes its EventSource
                yield encode_event(str(end) or "the job is over", type="end")
                return


def relay(client: ArkorClient) -> Starlette:
    async def follow(request: Request) -> Response:  # no access control: anyone sees every job
        cursor = request.headers.get("last-event-id", "")
        try:
            body = frames(client.attach(request.path_params["job"], last_event_id=cursor))
        except ValueError as error:
            return PlainTextResponse(str(error), 400)
        return StreamingResponse(body, headers=HEADERS, media_type="text/event-stream")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with client:
            yield

    return Starlette(routes=[Route("/jobs/{job}", follow)], lifespan=lifespan)


if __name__ == "__main__":
    try:
        whom = ArkorClient(sys.argv[1], token=os.environ["ARKOR_TOKEN"], profile=HARDENED)
        uvicorn.run(relay(whom), port=int(sys.argv[2]), timeout_graceful_shutdown=1)
    except (IndexError, KeyError, ValueError) as error:
        sys.exit(f"{__doc__} {error}")
