"""Explain why h11 rejected a message, without quoting the peer.

h11's errors quote the offending line, and a malformed `Authorization : Bearer …` still contains a
credential.
"""

from typing import Final

import h11

_WORDS: Final = (
    ("Receive buffer too long", "the head, or a line of it, is too long"),
    ("illegal request line", "the request line is malformed"),
    ("no request line", "the request line is missing"),
    ("illegal status line", "the status line is malformed"),
    ("no response line", "the status line is missing"),
    ("illegal header line", "a header field is malformed"),
    ("Illegal header", "a header field is malformed"),
    ("continuation line", "a header field is malformed"),
    ("conflicting Content-Length", "the Content-Length fields contradict each other"),
    ("bad Content-Length", "the Content-Length is not a number"),
    ("multiple Transfer-Encoding", "there are several Transfer-Encoding fields"),
    ("Only Transfer-Encoding", "the transfer coding is not chunked"),
    ("Missing mandatory Host", "the Host field is missing"),
    ("Found multiple Host", "there are several Host fields"),
    ("Illegal method", "the method is malformed"),
    ("Illegal target", "the target is malformed"),
    ("illegal chunk header", "the size of a chunk is malformed"),
    ("malformed chunk footer", "a chunk does not end where its size says"),
    ("peer closed connection", "the connection ended inside the message"),
    ("peer unexpectedly closed", "the connection ended inside the message"),
)


def what_is_wrong(error: h11.ProtocolError) -> str:
    """Explain an error of h11 without quoting what it read."""
    said = str(error)
    return next((ours for theirs, ours in _WORDS if said.startswith(theirs)), "not HTTP/1.1")
