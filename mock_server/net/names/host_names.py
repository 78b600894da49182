"""Hosts: which address to bind, how to write it in a URL, and which Host headers to accept."""

import re
import socket
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address
from typing import Final

from attrs import frozen

_NAME: Final = re.compile(
    r"(?P<host>[a-z0-9]([a-z0-9._-]*[a-z0-9.])?|\[[0-9a-f:.]+\])(:(?P<port>\d{1,5}))?"
)


class OddHost(ValueError):
    """A string is not a usable host; the message explains why."""


def address_of(host: str) -> str:
    """Return a host's address, IPv4 if there is one; raise OddHost if there is no address.

    An IPv4-mapped IPv6 address is returned as IPv4.
    """
    if not host:
        raise OddHost("is empty; use 0.0.0.0 or :: to listen on every address of this machine")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        found = socket.getaddrinfo(bare, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise OddHost("does not resolve; give an address, such as 127.0.0.1 or ::1") from None
    addresses = [str(where[0]) for *_, where in found]
    address = min(addresses, key=lambda each: ":" in each)
    mapped = ip_address(address)
    if isinstance(mapped, IPv6Address) and mapped.ipv4_mapped is not None:
        return str(mapped.ipv4_mapped)
    return address


def is_loopback(address: str) -> bool:
    """Return whether only this machine can reach an address."""
    return ip_address(address).is_loopback


def is_everywhere(address: str) -> bool:
    """Return whether an address stands for every address of this machine."""
    return ip_address(address).is_unspecified


def in_url(host: str) -> str:
    """Return a host as it is written in a URL: an IPv6 address gets brackets (RFC 3986, 3.2.2).

    0.0.0.0 and :: become the loopback address, which a client can connect to.
    """
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - only shown
    return f"[{shown}]" if ":" in shown and not shown.startswith("[") else shown


def checked_name(name: str) -> str:
    """Return a name for the allow-list in lower case; raise OddHost if it is not a valid Host."""
    lower = name.lower()
    bare = f"[{lower}]" if lower.count(":") > 1 and not lower.startswith("[") else lower
    found = _NAME.fullmatch(bare)
    if found is None:
        raise OddHost("is not a host or host:port; write it as it appears in a Host header")
    host, port = found["host"].rstrip("."), found["port"]
    return host if port is None else f"{host}:{port}"


@frozen
class HostNames:
    """The Host headers that the admin API accepts; it refuses requests with any other.

    A web page can make its own name resolve to any address (DNS rebinding) and so reach this
    server, but the browser then sends that name as the Host.
    """

    bound: str
    """The address that the server listens on."""
    port: int
    own: frozenset[str]
    """Names that are accepted only with the server's own port."""
    given: frozenset[str]
    """Names on the allow-list; a name without a port is accepted with any port."""

    @classmethod
    def of(cls, host: str, port: int, given: Iterable[str] = ()) -> "HostNames":
        """Return the names of a server that listens on `host`, plus those in `given`."""
        own = {host.lower(), in_url(host).lower(), "localhost", f"[{host.lower()}]"}
        address = address_of(host)
        if is_loopback(address) or is_everywhere(address):
            own |= {"127.0.0.1", "[::1]"}
        return cls(address, port, frozenset(own), frozenset(map(checked_name, given)))

    def admit(self, said: str) -> bool:
        """Return whether to accept a request with this Host header."""
        found = _NAME.fullmatch(said.lower())
        if found is None:
            return False
        host, port = found["host"].rstrip("."), found["port"]
        if host in self.given or f"{host}:{port}" in self.given:
            return True
        if is_everywhere(self.bound) and _is_address(host):
            return True  # DNS rebinding needs a name, not an address
        return host in self.own and port == str(self.port)


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
