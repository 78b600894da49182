"""Names that resolve slowly, wrongly or not at all, for clients in this process.

The resolver replaces `socket.getaddrinfo`, which asyncio, trio, anyio, `http.client` and everything
built on them call. Clients in another process, and clients with their own resolver (uvloop,
c-ares), ask the real DNS, where names under `.invalid` do not exist (RFC 6761, 6.4).
"""

import socket
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final, Self, TypeAlias

from attrs import define, field, frozen

Found: TypeAlias = tuple[
    socket.AddressFamily,
    socket.SocketKind,
    int,
    str,
    tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes],
]
_SUFFIX: Final = "arkor-mock.invalid"


@frozen
class _Name:
    """What one name resolves to; if there are no addresses, lookups fail with a temporary error."""

    addresses: tuple[str, ...]
    seconds: float = 0.0
    """How long a lookup takes."""


@define(eq=False)
class Resolver:
    """Resolves its own names, and passes all others to the real resolver."""

    _names: dict[str, _Name] = field(factory=dict[str, _Name], init=False)
    _released: threading.Event = field(factory=threading.Event, init=False)

    def add(self, addresses: Sequence[str], seconds: float = 0.0) -> str:
        """Return a new name for these addresses, in this order; each lookup takes `seconds`.

        Without addresses, every lookup fails with EAI_AGAIN, a temporary failure.
        """
        name = f"name-{len(self._names) + 1}.{_SUFFIX}"
        self._names[name] = _Name(tuple(addresses), seconds)
        return name

    def getaddrinfo(  # noqa: PLR0917 - the standard library's signature
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,  # noqa: A002 - the standard library's signature
        proto: int = 0,
        flags: int = 0,
    ) -> list[Found]:
        """Resolve a name as `socket.getaddrinfo` does; raise socket.gaierror if that fails."""
        name = host.decode("idna") if isinstance(host, bytes) else host or ""
        known = self._names.get(name.removesuffix(".").lower())
        if known is None or flags & socket.AI_NUMERICHOST:
            return [*_REAL(host, port, family, type, proto, flags)]
        self._released.wait(known.seconds)
        if not known.addresses:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [
            found
            for address in known.addresses
            for found in _REAL(address, port, family, type, proto, flags)
        ]

    @contextmanager
    def installed(self) -> Generator[Self, None, None]:
        """Replace `socket.getaddrinfo` in this process for the duration of a `with` block.

        When the block ends, lookups that are still waiting return at once.
        """
        self._released.clear()
        before: object = socket.getaddrinfo
        _install(self.getaddrinfo)
        try:
            yield self
        finally:
            _install(before)
            self._released.set()


def _install(found: object) -> None:
    # unittest.mock could do this too, but importing it takes as long as starting a server.
    setattr(socket, "getaddrinfo", found)  # noqa: B010 - its type is narrower than its use


_REAL: Final = socket.getaddrinfo
