"""A driver of the reference that declares less than its client can do.

`python -m tests.conformance.partial.follower [neither|no-cancel]`: without `create`; with `neither`
without `attach`, and with `no-cancel` without `cancel` as well.
"""

import sys

import anyio

from conformance.drivers.python import translation as to
from conformance.drivers.python.reference import open_client
from conformance.drivers.python.stdio import serve
from conformance.words import CAPABILITIES

HIDDEN = {"create", "tls", *{"neither": ["attach"], "no-cancel": ["cancel"]}.get(sys.argv[-1], [])}
HELLO = {**to.HELLO, "capabilities": [name for name in CAPABILITIES if name not in HIDDEN]}

if __name__ == "__main__":
    anyio.run(serve, HELLO, open_client, to.explain)
