"""The table of hostile peers: what each sends, and the outcome that a client owes its caller."""

from typing import Final

from tests.arkor_proto.hostile.peers import (
    BROKEN,
    CHUNKED,
    CHUNKED_JSON,
    COMPLETED,
    EMPTY,
    JSON,
    LAST,
    LOG,
    NOT_CONNECTED,
    REFUSED,
    RESOLVES,
    STREAM,
    WAITS,
    Call,
    Ends,
    Group,
    Hostile,
    Place,
    answer,
    chunk,
    refusal,
    stream,
)

OK: Final = b"HTTP/1.1 200 OK\r\n"
AFTER_PROGRESS: Final = ("keeps reconnecting", "keeps reconnecting", BROKEN)
START_BROKEN: Final = "raises TransportError"
START_REFUSED: Final = "raises ResponseError"
DEEP: Final = b"[" * 2_000

_HEADS = Group("The response head")
_HEADS.add("a connection closed without a response", b"", BROKEN)
_HEADS.add("a protocol other than HTTP", b"SSH-2.0-OpenSSH\r\n\r\n", BROKEN)
_HEADS.add("an endless status line", b"HTTP/1.1 200 ", BROKEN, endless=b"O" * 4096)
_HEADS.add("an endless header", OK + b"X: ", BROKEN, endless=b"x" * 4096)
_HEADS.add("endless headers", OK, BROKEN, endless=b"X: y\r\n" * 500)
_HEADS.add("a header without a colon", OK + b"nonsense\r\n\r\n", BROKEN)
_HEADS.add("a head that is cut off", OK + b"Content-Type: text/ev", BROKEN)
_HEADS.add("a head that contains NUL", OK + b"X: a\0b\r\n\r\n", BROKEN)
_HEADS.add("status 99", b"HTTP/1.1 99 No\r\n\r\n", BROKEN)
_HEADS.add("status 1000", b"HTTP/1.1 1000 No\r\n\r\n", BROKEN)
_HEADS.add("a status line that says HTTP/2", b"HTTP/2 200\r\n\r\n", BROKEN)
_HEADS.add(
    "endless responses with status 100",
    b"",
    BROKEN,
    endless=b"HTTP/1.1 100 Continue\r\n\r\n",
    slow=True,
)
_HEADS.add(
    "endless responses with status 103",
    b"",
    BROKEN,
    endless=b"HTTP/1.1 103 Hints\r\n\r\n",
    slow=True,
)
_HEADS.add(
    "status 101, which switches to another protocol",
    b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
    BROKEN,
)

_FRAMING = Group("Lengths and chunks")
_FRAMING.add("a Content-Length of -1", STREAM + b"Content-Length: -1\r\n\r\n", BROKEN)
_FRAMING.add(
    "a Content-Length that is not a number", STREAM + b"Content-Length: many\r\n\r\n", BROKEN
)
_FRAMING.add(
    "a Content-Length of 5,000 digits",
    STREAM + b"Content-Length: %b\r\n\r\n" % (b"9" * 5000),
    BROKEN,
)
_FRAMING.add(
    "two different Content-Length headers",
    STREAM + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    BROKEN,
)
_FRAMING.add(
    "the same Content-Length header twice",
    STREAM + b"Content-Length: %d\r\n" % len(COMPLETED) * 2 + b"\r\n" + COMPLETED,
    RESOLVES,
)
_FRAMING.add(
    "a Content-Length that is too large",
    STREAM + b"Content-Length: 999\r\n\r\n" + LOG,
    AFTER_PROGRESS,
)
_FRAMING.add(
    "a Content-Length that is too small", STREAM + b"Content-Length: 9\r\n\r\n" + COMPLETED, EMPTY
)
_FRAMING.add(
    "both a Content-Length and chunked encoding",
    STREAM + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST,
    EMPTY,
)
_FRAMING.add("an unknown transfer coding", STREAM + b"Transfer-Encoding: gzip\r\n\r\n", BROKEN)
_FRAMING.add("a chunk size that is not a number", CHUNKED + b"zz\r\n", BROKEN)
_FRAMING.add("a chunk of 2**64 bytes", CHUNKED + b"1" + b"0" * 16 + b"\r\n" + LOG, AFTER_PROGRESS)
_FRAMING.add("an endless chunk size", CHUNKED, BROKEN, endless=b"0" * 4096)
_FRAMING.add("an endless chunk extension", CHUNKED + b"5;x=", BROKEN, endless=b"y" * 4096)
_FRAMING.add("a chunk that is cut off", CHUNKED + b"ff\r\n" + LOG, AFTER_PROGRESS)
_FRAMING.add("a chunked body without a last chunk", CHUNKED + chunk(b": hello\n\n"), BROKEN)
_FRAMING.add("endless trailers", CHUNKED + b"0\r\n", BROKEN, endless=b"X: y\r\n" * 500)

_BODIES = Group("The stream")
_BODIES.add(
    "an endless line", CHUNKED, "raises EventTooLarge", endless=chunk(b"data: " + b"x" * 4096)
)
_BODIES.add(
    "an endless comment",
    CHUNKED + chunk(b":"),
    "raises EventTooLarge",
    endless=chunk(b"x" * 4096),
)
_BODIES.add("an endless event", CHUNKED, "raises EventTooLarge", endless=chunk(b"data: x\n" * 500))
_BODIES.add(
    "an endless id",
    CHUNKED + chunk(b"id: "),
    "raises EventTooLarge",
    endless=chunk(b"x" * 4096),
)
_BODIES.add("endless comments", CHUNKED, WAITS, endless=chunk(b": x\n\n" * 500))
_BODIES.add("endless pings", CHUNKED, WAITS, endless=chunk(b"event: ping\ndata: x\n\n" * 100))
_BODIES.add("endless blank lines", CHUNKED, WAITS, endless=chunk(b"\n" * 4096))
_BODIES.add("endless events that are not JSON", CHUNKED, WAITS, endless=chunk(b"data: x\n\n" * 100))
_BODIES.add(
    "a ping, then the end of the stream",
    stream(b"event: ping\ndata: x\n\n"),
    ("keeps reconnecting", EMPTY, EMPTY),
)
_BODIES.add(
    "events that are not JSON, then the end of the stream",
    stream(b"data: \xff\xfe\n\n" * 9),
    ("keeps reconnecting", EMPTY, EMPTY),
)
_BODIES.add(
    "an event with deeply nested JSON",
    stream(b"data: " + DEEP + b"\n\n"),
    ("keeps reconnecting", EMPTY, EMPTY),
)
_BODIES.add("an event without the blank line that ends it", stream(COMPLETED[:-1]), EMPTY)
_BODIES.add("an empty stream", stream(), EMPTY)
_BODIES.add("bytes that are not UTF-8", stream(b"data: \xc3\n\n", COMPLETED), RESOLVES)
_BODIES.add(
    "NaN in the terminal event",
    stream(b'data: {"type": "training.completed", "x": NaN}\n\n'),
    ("keeps reconnecting", EMPTY, EMPTY),
)
_BODIES.add("an id that contains NUL", stream(b"id: a\0b\n" + LOG, COMPLETED), RESOLVES)
_BODIES.add(
    "an id that contains control characters",
    stream(b"id: a\x01b\n" + LOG[6:]),
    "raises UnsendableCursor",
)
_BODIES.add(
    "an id of 2,000 bytes",
    stream(b"id: " + b"x" * 2000 + b"\n" + LOG[6:]),
    "raises UnsendableCursor",
)
_BODIES.add(
    "the same event on every stream",
    stream(LOG),
    ("keeps reconnecting", "keeps reconnecting", EMPTY),
)
_BODIES.add(
    "a retry field of 5,000 digits", stream(b"retry: " + b"9" * 5000 + b"\n\n", COMPLETED), RESOLVES
)
_BODIES.add("a retry field of 0", stream(b"retry: 0\n\n"), EMPTY)

_ANSWERS = Group("Unexpected responses to a stream request")
_ANSWERS.add(
    "HTML instead of a stream",
    OK + b"Content-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
    (EMPTY, EMPTY, REFUSED),
)
_ANSWERS.add("no content type", OK + b"Content-Length: 0\r\n\r\n", (EMPTY, EMPTY, REFUSED))
_ANSWERS.add(
    "two content types",
    STREAM + b"Content-Type: text/html\r\nContent-Length: 0\r\n\r\n",
    (EMPTY, EMPTY, REFUSED),
)
for _coding in (b"gzip", b"br", b"identity, deflate"):
    _ANSWERS.add(
        f"Content-Encoding: {_coding.decode()}",
        STREAM + b"Content-Encoding: " + _coding + b"\r\n\r\n" + COMPLETED,
        REFUSED,
    )
_ANSWERS.add(
    "an HTTP/1.0 response",
    b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + COMPLETED,
    RESOLVES,
)
_ANSWERS.add("status 204", b"HTTP/1.1 204 No\r\n\r\n", (EMPTY, EMPTY, "raises StatusError 204"))
_ANSWERS.add("status 205", refusal(205), (EMPTY, EMPTY, "gives up (StatusError 205)"))
_ANSWERS.add("status 304", b"HTTP/1.1 304 No\r\n\r\n", "gives up (StatusError 304)")
_ANSWERS.add(
    "status 401",
    refusal(401),
    ("gives up (StatusError 401)", "raises StatusError 401", "raises StatusError 401"),
)
_ANSWERS.add("status 999", refusal(999), "gives up (StatusError 999)")
_ANSWERS.add(
    "an error response with 60 KB of HTML",
    refusal(503, b"<html>\r\n\x1b[2J" * 5000),
    "gives up (StatusError 503)",
)
_ANSWERS.add(
    "an error response with deeply nested JSON",
    refusal(503, b'{"d":' + DEEP),
    "gives up (StatusError 503)",
)
_ANSWERS.add(
    "an error response that is cut off",
    b"HTTP/1.1 503 No\r\nContent-Length: 99\r\n\r\nbusy",
    "gives up (StatusError 503)",
)
_ANSWERS.add(
    "an endless error response",
    b"HTTP/1.1 503 No\r\n\r\n",
    "gives up (StatusError 503)",
    endless=b"x" * 4096,
)
_ANSWERS.add(
    "an error response that stalls",
    b"HTTP/1.1 503 No\r\n\r\nbusy",
    "gives up (StatusError 503)",
    ends=Ends.SILENT,
    slow=True,
)
for _after in (b"-1", b"9" * 5000, b"1e9", b"Fri, 99 Nov 9999 00:00:00 GMT", b"30, 60"):
    _ANSWERS.add(
        f"Retry-After: {_after.decode() if len(_after) < 40 else 'a number of 5,000 digits'}",
        refusal(503, b"", b"Retry-After: " + _after),
        "gives up (StatusError 503)",
    )
for _to in (
    b"/v1/jobs/job-1/events/stream",
    b"http://evil.example/",
    b"https://[::1",
    b"/%zz\xff",
    b"",
):
    _ANSWERS.add(
        f"a redirect to {_to.decode('latin-1') or 'an empty location'}",
        refusal(302, b"", b"Location: " + _to),
        "gives up (StatusError 302)",
    )

_ENDS = Group("Silence, resets and failed connections")
_ENDS.add("silence before the head", b"", BROKEN, ends=Ends.SILENT, slow=True)
_ENDS.add("silence in the middle of the head", OK + b"X: ", BROKEN, ends=Ends.SILENT, slow=True)
_ENDS.add(
    "silence after the head",
    CHUNKED,
    (WAITS, WAITS, "gives up (IdleTimeout)"),
    ends=Ends.SILENT,
    slow=True,
)
_ENDS.add(
    "silence in the middle of an event",
    CHUNKED + chunk(LOG[:-1]),
    (WAITS, WAITS, "gives up (IdleTimeout)"),
    ends=Ends.SILENT,
    slow=True,
)
_ENDS.add(
    "silence after the terminal event", CHUNKED + chunk(COMPLETED), RESOLVES, ends=Ends.SILENT
)
_ENDS.add("a reset before the head", b"", BROKEN, ends=Ends.RESET)
_ENDS.add("a reset mid-stream", CHUNKED + chunk(b": x\n\n"), BROKEN, ends=Ends.RESET)
_ENDS.add("no server at the address", b"", NOT_CONNECTED, place=Place.REFUSED)
_ENDS.add(
    "a connection that is never accepted", b"", NOT_CONNECTED, place=Place.UNREACHABLE, slow=True
)
_ENDS.add("an unknown host name", b"", NOT_CONNECTED, place=Place.NAMELESS)

_TLS = Group("TLS")
_TLS.add("a certificate that is not trusted", b"", NOT_CONNECTED, place=Place.UNTRUSTED)
_TLS.add("a certificate for another name", b"", NOT_CONNECTED, place=Place.MISNAMED)
_TLS.add(
    "no TLS at an https address", b"HTTP/1.1 400 No\r\n\r\n", NOT_CONNECTED, place=Place.NOT_TLS
)
_TLS.add("TLS at an http address", b"", BROKEN, place=Place.UNEXPECTED_TLS)
_TLS.add(
    "a TLS handshake that is never answered", b"", NOT_CONNECTED, place=Place.HANDSHAKE, slow=True
)
_TLS.add("a connection cut without a close_notify, before the head", b"", BROKEN, place=Place.CUT)
_TLS.add(
    "a connection cut without a close_notify, mid-stream",
    CHUNKED + chunk(b": x\n\n"),
    BROKEN,
    place=Place.CUT,
)
_TLS.add(
    "a connection cut without a close_notify, in a body without a length",
    STREAM + b"\r\n: x\n\n",
    BROKEN,
    place=Place.CUT,
)

_CREATES = Group("The response to `start()`")
for _name, _body in {
    "HTML instead of JSON": b"<html>",
    "an empty body": b"",
    "deeply nested JSON": b'{"job": ' + DEEP,
    "JSON that is not an object": b"[]",
    "a job without an id": b'{"job": {}}',
    "a job whose id is a number": b'{"job": {"id": 7}}',
    "a job whose id cannot be used in a path": b'{"job": {"id": ".."}}',
    "JSON that contains NaN": b'{"job": {"id": "j", "x": NaN}}',
    "bytes that are not UTF-8": b'{"job": {"id": "\xff"}}',
    "a body over the size limit": b" " * 20_000,
}.items():
    _CREATES.add(_name, answer(_body), START_REFUSED, call=Call.START)
_CREATES.add(
    "a number too large for a double",
    answer(b'{"job": {"id": "j", "x": 1e999}}'),
    RESOLVES,
    call=Call.START,
)
_CREATES.add(
    "an endless body", CHUNKED_JSON, START_REFUSED, endless=chunk(b" " * 4096), call=Call.START
)
_CREATES.add(
    "a body that stalls",
    JSON + b"Content-Length: 9\r\n\r\n{",
    START_BROKEN,
    ends=Ends.SILENT,
    call=Call.START,
    slow=True,
)
_CREATES.add(
    "a body that is cut off", JSON + b"Content-Length: 9\r\n\r\n{", START_BROKEN, call=Call.START
)
_CREATES.add(
    "a redirect",
    refusal(307, b"", b"Location: /v1/jobs"),
    "raises StatusError 307",
    call=Call.START,
)
_CREATES.add(
    "an error response with deeply nested JSON",
    refusal(422, b'{"d":' + DEEP),
    "raises StatusError 422",
    call=Call.START,
)

_CALLS = Group("The response to `job()`")
_CALLS.add("deeply nested JSON", answer(b'{"job": ' + DEEP), START_REFUSED, call=Call.JOB)
_CALLS.add("HTML instead of JSON", answer(b"<html>"), START_REFUSED, call=Call.JOB)
_CALLS.add(
    "Content-Encoding: gzip",
    JSON + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b",
    START_REFUSED,
    call=Call.JOB,
)
_CALLS.add(
    "an endless body", CHUNKED_JSON, START_REFUSED, endless=chunk(b" " * 4096), call=Call.JOB
)
_CALLS.add(
    "a body that stalls",
    JSON + b"Content-Length: 9\r\n\r\n{",
    START_BROKEN,
    ends=Ends.SILENT,
    call=Call.JOB,
    slow=True,
)
_CALLS.add(
    "an endless error response",
    b"HTTP/1.1 503 No\r\n\r\n",
    "raises StatusError 503",
    endless=b"x" * 4096,
    call=Call.JOB,
)

GROUPS: Final = (_HEADS, _FRAMING, _BODIES, _ANSWERS, _ENDS, _TLS, _CREATES, _CALLS)
KINDS: Final[tuple[Hostile, ...]] = tuple(kind for group in GROUPS for kind in group.kinds)
