"""Follow a job with asyncio and httpx: `ARKOR_TOKEN=… python asyncio_httpx.py BASE_URL JOB`."""

import asyncio
import os
import signal
import sys

import httpx

import arkor_proto as arkor


async def follow(session: arkor.Session, http: httpx.AsyncClient) -> str | None:
    now = asyncio.get_running_loop().time
    exchanges: dict[int, asyncio.Task[None]] = {}
    reports: asyncio.Queue[arkor.Input] = asyncio.Queue(1)  # a slow application slows the server

    async def send(number: int, it: arkor.Request) -> None:
        try:
            async with http.stream(it.method, it.target, headers=it.headers, content=it.body) as r:
                await reports.put(arkor.Responded(number, r.status_code, tuple(r.headers.raw)))
                async for data in r.aiter_raw():
                    await reports.put(arkor.Received(number, data))
            await reports.put(arkor.Finished(number))
        except httpx.HTTPError as error:
            await reports.put(arkor.Broken(number, error))

    session.handle(arkor.Follow(), now())
    async with http, asyncio.TaskGroup() as tasks:
        while not isinstance(output := session.poll(), arkor.Done):
            match output:
                case arkor.Send(number, request):
                    exchanges[number] = tasks.create_task(send(number, request))
                case arkor.Close(number):
                    exchanges[number].cancel()
                case arkor.Deliver(number, event):
                    print(event.loss if isinstance(event, arkor.TrainingLog) else event)
                    session.handle(arkor.Handled(number), now())
                case arkor.Notify(notice):
                    print(notice, file=sys.stderr)
                case arkor.Idle(until):
                    try:
                        async with asyncio.timeout_at(until):
                            session.handle(await reports.get(), now())
                    except TimeoutError:
                        session.handle(arkor.Tick(), now())
                case arkor.Settle(_, outcome):
                    return str(outcome.error) if isinstance(outcome, arkor.Rejected) else None
    return None


signal.signal(signal.SIGINT, signal.SIG_DFL)  # end without a traceback on Ctrl-C
try:
    endpoint = arkor.Endpoint(base_url=sys.argv[1], token=os.environ["ARKOR_TOKEN"])
    config = arkor.SessionConfig(endpoint=endpoint, job=sys.argv[2])
except (IndexError, KeyError, ValueError) as error:
    sys.exit(f"{__doc__} {error}")
origin = httpx.URL(endpoint.base_url).join("/")
client = httpx.AsyncClient(base_url=origin, timeout=httpx.Timeout(10, read=None))
sys.exit(asyncio.run(follow(arkor.Session(config, profile=arkor.PROFILE_2026_07), client)))
