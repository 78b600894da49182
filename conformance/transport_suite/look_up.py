"""A host name whose look-up takes as long as a check needs."""

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final
from unittest import mock

URL: Final = "http://slow-name.invalid"
_NAME: Final = "slow-name.invalid"


@contextmanager
def slow_look_up() -> Generator[threading.Event, None, None]:
    """Make looking up the host of `URL` hang; yield an event that is set when a look-up starts.

    This replaces `socket.getaddrinfo`, which asyncio, trio and `socket` call. At the end of the
    `with` block, the look-up fails.
    """
    began, over = threading.Event(), threading.Event()

    def effect(  # noqa: PLR0917 - the standard library's signature
        host: bytes | str | None,
        port: bytes | str | int | None,  # noqa: ARG001
        family: int = 0,  # noqa: ARG001
        type: int = 0,  # noqa: A002, ARG001
        proto: int = 0,  # noqa: ARG001
        flags: int = 0,
    ) -> object:
        if host not in {_NAME, _NAME.encode()} or flags & socket.AI_NUMERICHOST:
            return mock.DEFAULT
        began.set()
        over.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    real = socket.getaddrinfo
    with mock.patch.object(socket, "getaddrinfo", wraps=real, side_effect=effect):
        try:
            yield began
        finally:
            over.set()
