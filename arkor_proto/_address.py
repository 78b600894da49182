"""Strict parsing of a base URL into scheme, host and port (RFC 3986 §3.2, RFC 9110 §4.2).

The standard library's `urlsplit` accepts some invalid URLs, depending on the Python version: junk
after the bracket of an IPv6 address, port 0, and signs or spaces in a port. This module rejects
them.
"""

import re
from typing import Final

from attrs import frozen

from arkor_proto._value import Value

_URL: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)")
_BRACKETS: Final = re.compile(r"\[(?P<host>[^\[\]]*)\](?P<rest>.*)")
_NAME: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=-]+")
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LAST_PORT: Final = 65535


@frozen(repr=False, eq=False)
class Origin(Value):
    """Scheme, host and port of a URL.

    `host` is the host to connect to: a name, an IPv4 address, or an IPv6 address without brackets
    but with its zone. `authority` is the value of the `Host` header, which never has a zone
    (RFC 6874 §4).
    """

    scheme: str
    host: str
    port: int
    authority: str

    @property
    def server_name(self) -> str:
        """The server name for TLS: without a zone or a trailing dot (RFC 6066 §3)."""
        return self.host.partition("%")[0].removesuffix(".")

    @property
    def compared(self) -> tuple[str, str, int]:
        """The key for comparing origins; it omits the zone, whose meaning is only local."""
        return self.scheme, self.host.partition("%")[0].lower(), self.port


def read_origin(url: str) -> Origin:
    """Return the origin of `url`; raise a ValueError that says what is wrong with it."""
    found = _URL.match(url)
    scheme = "" if found is None else found["scheme"].lower()
    if found is None or scheme not in _DEFAULT_PORTS:
        raise ValueError("not an HTTP address; write it like https://host[:port][/path]")
    authority = found["authority"]
    if "@" in authority:
        raise ValueError("must not contain credentials; pass them as token=")
    if authority.startswith("["):
        host, shown, rest = _bracketed(authority)
    else:
        shown, colon, digits = authority.partition(":")
        host, rest = _name(shown), colon + digits
    port = _port(rest)
    return Origin(scheme, host, port or _DEFAULT_PORTS[scheme], shown + (rest if port else ""))


def _bracketed(authority: str) -> tuple[str, str, str]:
    """Return the address to connect to, the one for `Host`, and the text after the `]`."""
    from ipaddress import AddressValueError, IPv6Address  # noqa: PLC0415 - only for IPv6
    from urllib.parse import unquote  # noqa: PLC0415 - as above

    found = _BRACKETS.fullmatch(authority)
    if found is None or not (found["rest"] == "" or found["rest"].startswith(":")):
        raise ValueError("an IPv6 address must look like [::1] or [::1]:8080")
    address, percent, zone = found["host"].partition("%")
    # In a URL the % is written %25 (RFC 6874 §2), but people often copy the address unescaped.
    zone = unquote(zone.removeprefix("25") if zone != "25" else "", errors="strict")
    try:
        IPv6Address(address)
    except AddressValueError as error:
        raise ValueError(f"not a valid IPv6 address: {error}") from error
    if percent and not _VISIBLE.fullmatch(zone):
        raise ValueError(
            "the zone of the IPv6 address must consist of one or more visible ASCII characters"
        )
    return (f"{address}%{zone}" if percent else address), f"[{address}]", found["rest"]


def _name(name: str) -> str:
    """Return the host to connect to; keep a trailing dot: it stops resolvers appending domains."""
    undotted = name.removesuffix(".")
    labels = undotted.lower().split(".")
    if not _NAME.fullmatch(name) or "" in labels:
        raise ValueError("the host must be a name, an IPv4 address or an IPv6 address in brackets")
    # With a trailing dot, resolvers may not find `localhost` or an address. Neither needs the dot:
    # resolvers append no domain to `localhost` (RFC 6761 §6.3) or to an address.
    return undotted if labels[-1] == "localhost" or labels[-1].isdigit() else name


def _port(rest: str) -> int | None:
    """Return the port in `:port`; None if the port is absent or empty (RFC 9110 §4.2.3)."""
    digits = rest.removeprefix(":")
    if not digits:
        return None
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError("the port is not a number")
    significant = digits.lstrip("0")
    port = int(significant or "0") if len(significant) <= len(str(_LAST_PORT)) else _LAST_PORT + 1
    if not 0 < port <= _LAST_PORT:
        raise ValueError(f"the port must be from 1 to {_LAST_PORT}")
    return port
