"""Follow a job with sockets and `select`: `ARKOR_TOKEN=… python plain_sockets.py BASE_URL JOB`."""

import os
import sys
from collections.abc import Generator
from select import select
from socket import create_connection, socket
from time import monotonic

import h11

import arkor_proto as arkor


def exchange(number: int, it: arkor.Request, http: h11.Connection) -> Generator[arkor.Input]:
    head = h11.Request(method=it.method, target=it.target, headers=[*it.headers])
    try:
        with create_connection((endpoint.origin.host, endpoint.origin.port), timeout=10) as sock:
            sock.sendall(http.send(head) or b"")  # requests that follow a job have no body
            while not isinstance(event := http.next_event(), h11.EndOfMessage):
                if isinstance(event, h11.Response):
                    yield arkor.Responded(number, event.status_code, tuple(event.headers))
                elif isinstance(event, h11.Data):
                    yield arkor.Received(number, bytes(event.data))
                elif event is h11.NEED_DATA:
                    yield from ticks(sock)
                    http.receive_data(sock.recv(65536))
        yield arkor.Finished(number)
    except (OSError, h11.RemoteProtocolError) as error:
        yield arkor.Broken(number, error)


def ticks(*readable: socket) -> Generator[arkor.Input]:  # until a socket is readable
    while not select(readable, [], [], until and max(0.0, until - monotonic()))[0]:
        yield arkor.Tick()  # the session's deadline, `until`, has been reached


sys.tracebacklimit = 0  # one line on Ctrl-C
try:
    endpoint = arkor.Endpoint(base_url=sys.argv[1], token=os.environ["ARKOR_TOKEN"])
    session = arkor.Session(arkor.SessionConfig(endpoint=endpoint, job=sys.argv[2]))
except (IndexError, KeyError, ValueError) as error:
    sys.exit(f"{__doc__} {error}")
happening = ticks() if endpoint.origin.scheme == "http" else sys.exit("no TLS: use http://")
session.handle(arkor.Follow(), monotonic())
while not isinstance(output := session.poll(), arkor.Done):
    match output:
        case arkor.Send(number, request):
            happening = exchange(number, request, h11.Connection(h11.CLIENT))
        case arkor.Close():
            happening.close()
        case arkor.Deliver(number, event):
            print(event.loss if isinstance(event, arkor.TrainingLog) else event)
            session.handle(arkor.Handled(number), monotonic())
        case arkor.Notify(notice):
            print(notice, file=sys.stderr)
        case arkor.Idle(until):
            session.handle(next(happening, None) or next(ticks()), monotonic())
        case arkor.Settle(_, outcome):
            sys.exit(str(outcome.error) if isinstance(outcome, arkor.Rejected) else None)
