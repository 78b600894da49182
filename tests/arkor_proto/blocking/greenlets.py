"""A program that follows many jobs at once in greenlets, and prints what came of it.

`python -m tests.arkor_proto.blocking.greenlets URL NUMBER` follows `job-0`, `job-1` and so on.
"""

# ruff: noqa: E402 - gevent has to come first
from importlib import import_module

import_module("gevent.monkey").patch_all()

import json
import sys
from functools import partial

from arkor_proto import Aborted
from arkor_proto.transports.blocking import ArkorClient, Callbacks
from tests.arkor_proto.wire_samples import TOKEN


def follow(url: str, number: int) -> tuple[str, int]:
    """Follow one job; every tenth is aborted at its first log."""
    heard: list[object] = []

    def hear(event: object) -> None:
        heard.append(event)
        if number % 10 == 0:
            trainer.abort()

    with ArkorClient(url, token=TOKEN, org="acme", project="bots") as client:
        trainer = client.attach(f"job-{number}", callbacks=Callbacks(on_log=hear))
        try:
            return trainer.wait().job.status, len(heard)
        except Aborted:
            return "aborted", len(heard)


def main(url: str, number: str) -> None:
    """Follow all of them at once."""
    pool = import_module("gevent.pool").Pool(int(number))
    found = pool.map(partial(follow, url), range(int(number)))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
