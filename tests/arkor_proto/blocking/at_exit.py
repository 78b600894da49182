"""A program that uses the blocking client when the interpreter exits, and prints what came of it.

`python -m tests.arkor_proto.blocking.at_exit URL`; with a second argument no thread can be started
by then, as on Python 3.12.
"""

import atexit
import json
import sys
import threading
from unittest.mock import patch

from arkor_proto.transports.blocking import ArkorClient, Callbacks
from tests.arkor_proto.wire_samples import TOKEN


def refuse(_: threading.Thread) -> None:
    """Take the place of `Thread.start`."""
    raise RuntimeError("can't create new thread at interpreter shutdown")


def use(client: ArkorClient) -> None:
    """Make every kind of call, and print what came of it."""
    heard: list[int | None] = []
    callbacks = Callbacks(on_log=lambda event: heard.append(event.step))
    with client:
        followed = client.trainer(
            "bot", model="m", dataset={"type": "huggingface", "name": "d"}, callbacks=callbacks
        )
        cancelled = client.trainer("bot", model="m", dataset={"type": "huggingface", "name": "d"})
        status = followed.wait().job.status
        started = cancelled.start()
        cancelled.cancel()
        report = [status, heard, started, client.job(started).status]
    sys.stdout.write(json.dumps(report))


def main(url: str, *refused: str) -> None:
    """Have it done at exit."""
    atexit.register(use, ArkorClient(url, token=TOKEN, org="acme", project="bots"))
    if refused:
        patch.object(threading.Thread, "start", refuse).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
