"""Follow a job with Tornado: `ARKOR_TOKEN=… python tornado_client.py BASE_URL JOB`."""

import os
import sys
from contextlib import closing
from time import monotonic

import h11
from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.iostream import IOStream
from tornado.tcpclient import TCPClient

import arkor_proto as arkor


async def exchange(number: int, it: arkor.Request, http: h11.Connection) -> None:
    head = h11.Request(method=it.method, target=it.target, headers=[*it.headers])
    try:
        with closing(await TCPClient().connect(origin.host, origin.port)) as streams[number]:
            await streams[number].write(http.send(head) or b"")  # a follow sends no body
            while not isinstance(event := http.next_event(), h11.EndOfMessage):
                if isinstance(event, h11.Response):
                    tell(arkor.Responded(number, event.status_code, tuple(event.headers)))
                elif isinstance(event, h11.Data):
                    tell(arkor.Received(number, bytes(event.data)))
                elif event is h11.NEED_DATA:
                    http.receive_data(await streams[number].read_bytes(65536, partial=True))
        tell(arkor.Finished(number))
    except (OSError, h11.RemoteProtocolError) as error:
        tell(arkor.Broken(number, error))


def tell(happened: arkor.Input) -> None:
    session.handle(happened, monotonic())
    while not isinstance(output := session.poll(), arkor.Idle | arkor.Done):
        match output:
            case arkor.Send(number, request):
                loop.add_callback(exchange, number, request, h11.Connection(h11.CLIENT))
            case arkor.Close(number):
                streams[number].close()
            case arkor.Deliver(number, event):
                print(event.loss if isinstance(event, arkor.TrainingLog) else event)
                session.handle(arkor.Handled(number), monotonic())
            case arkor.Notify(notice):
                print(notice, file=sys.stderr)
            case arkor.Settle(_, outcome):
                sys.exit(str(outcome.error) if isinstance(outcome, arkor.Rejected) else None)


sys.tracebacklimit = 0  # one line on Ctrl-C
try:
    endpoint = arkor.Endpoint(base_url=sys.argv[1], token=os.environ["ARKOR_TOKEN"])
    session = arkor.Session(arkor.SessionConfig(endpoint=endpoint, job=sys.argv[2]))
except (IndexError, KeyError, ValueError) as error:
    sys.exit(f"{__doc__} {error}")
origin = endpoint.origin if endpoint.origin.scheme == "http" else sys.exit("no TLS: use http://")
loop, streams = IOLoop(make_current=False), dict[int, IOStream]()
tell(arkor.Follow())
loop.add_callback(PeriodicCallback(lambda: tell(arkor.Tick()), 100).start)  # early ticks do nothing
loop.start()
