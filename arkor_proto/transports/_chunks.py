"""Merges many small chunks of a chunked body into a few large ones before h11 parses them.

h11 takes longer to parse a chunk than a session does to handle the event in it. Only plain chunks
are merged; anything unusual is forwarded unchanged, and h11 decides whether it is valid. The body
stays the same, and none of its data is delayed.
"""

import re
from typing import Final

from attrs import define, field

# The head of a plain chunk (RFC 9112 §7.1): without extensions, and of a reasonable size.
_HEAD: Final = re.compile(rb"([0-9a-fA-F]{1,7})\r\n")
_BEGUN: Final = re.compile(rb"[0-9a-fA-F]{1,7}\r?\Z")


@define
class ChunkMerger:
    """Takes a chunked body as it arrives; `feed` returns an equivalent encoding of it."""

    _owed: int = field(default=0, init=False)
    """How many bytes of the current chunk, including its CRLF, have not arrived yet."""
    _held: bytes = field(default=b"", init=False)
    """The start of a chunk's head, held until the head is complete; holding it delays no data."""
    _gone: bytes = field(default=b"", init=False)
    """The start of an unfinished chunk head, which has already been forwarded."""
    _plain: bool = field(default=True, init=False)

    def feed(self, data: bytes) -> bytes:
        """Return what can be forwarded now; `data` is b"" once the connection has ended."""
        if not self._plain or not data:
            held, self._held = self._held, b""
            return held + data
        if self._gone and not self._ends_head(data):
            return data
        if self._owed > len(data):
            self._owed -= len(data)
            return data
        begun, data = data[: self._owed], self._held + data[self._owed :]
        self._owed, self._held = 0, b""
        return begun + self._merge(data)

    def skip(self, data: bytes) -> None:
        """Account for the first bytes of the body, which were forwarded unchanged."""
        self._merge(data)
        self._gone, self._held = self._held, b""

    def _ends_head(self, data: bytes) -> bool:
        """Return whether `data` completes the head begun in `_gone`; if so, set `_owed`."""
        head = self._gone + data
        found = _HEAD.match(head)
        if found is not None and int(found[1], 16):
            self._owed = found.end() + int(found[1], 16) + 2 - len(self._gone)
            self._gone = b""
            return True
        begun = _BEGUN.match(head) is not None
        self._plain = begun
        self._gone = head if begun else b""
        return False

    def _merge(self, data: bytes) -> bytes:
        whole: list[bytes] = []
        at = 0
        while found := _HEAD.match(data, at):
            start = found.end()
            end = start + int(found[1], 16)
            if end == start or not data.startswith(b"\r\n", end):
                break
            whole.append(data[start:end])
            at = end + 2
        body = b"".join(whole)
        merged = b"%x\r\n%b\r\n" % (len(body), body) if whole else b""
        return merged + self._rest(data[at:])

    def _rest(self, rest: bytes) -> bytes:
        """Return what can be forwarded of `rest`, the data after the last complete chunk."""
        found = _HEAD.match(rest)
        if found is not None and int(found[1], 16):
            self._owed = found.end() + int(found[1], 16) + 2 - len(rest)
            self._plain = self._owed > 0
        elif rest and _BEGUN.match(rest):
            self._held, rest = rest, b""
        else:
            self._plain = not rest
        return rest
