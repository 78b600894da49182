"""Make random requests from a seed, with odd values anywhere and secrets wherever they can be."""

import json
import random
from collections.abc import Sequence
from typing import Final

from attrs import define, field

from mock_server.strict.shapes import is_array, is_table

SECRET: Final = "S3cret-of-the-random-requests"
METHODS: Final = (
    "GET",
    "POST",
    "PUT",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "PATCH",
    "TRACE",
    "CONNECT",
    "M~",
)
ROUTES: Final = (
    ("POST", "/v1/jobs"),
    ("GET", "/v1/jobs/job-1"),
    ("GET", "/v1/jobs/job-1/events/stream"),
    ("POST", "/v1/jobs/job-1/cancel"),
    ("POST", "/v1/inference/chat"),
    ("GET", "/v1/projects?orgSlug=a"),
    ("POST", "/v1/projects?orgSlug=a"),
    ("POST", "/v1/auth/anonymous"),
    ("GET", "/v1/me"),
)
TARGETS: Final = (
    "*",
    "/",
    "//",
    "",
    "host:1",
    "http://else/v1/me",
    f"http://me:{SECRET}@else/v1/me",
    f"//me:{SECRET}@else/v1/me",
    f"me:{SECRET}@else:443",
    f"/v1/me?token={SECRET}",
    f"/v1/me?a=b&Access-Token={SECRET}#x",
    f"/v1/me?%74oken={SECRET}",
    f"/v1/jobs/x?X-Amz-Signature={SECRET}",
    f"/v1/jobs/x;token={SECRET}/events/stream",
    "/v1/jobs/%00%FF/events/stream?orgSlug=%ff&orgSlug&=",
    "/v1/jobs/" + "a" * 30_000,
    "/v1/jobs/a%2Fb%zz",
    "/v1/me?" + "&a" * 5000,
)
VALUES: Final[tuple[object, ...]] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2.5,
    7,
    1000,
    10**400,
    "",
    "x",
    "\ud800",
    "\u0000\r\n",
    "y" * 3000,
    [],
    {},
    [[1]],
    ["x"],
    {"a": None},
)
BODIES: Final[tuple[object, ...]] = (
    {"name": "n", "config": {"model": "m", "datasetSource": {"token": SECRET, "url": "x"}}},
    {"messages": [{"role": "user", "content": "x"}], "adapter": {"jobId": "job-1"}, "stream": True},
    {"name": "n", "slug": "s", "Api-Key": [SECRET]},
    {"kind": "cli", "nested": [{"accessToken": {"a": SECRET}}]},
    {"url": f"https://me:{SECRET}@h/x?sig={SECRET}&a=b"},
    {"text": json.dumps({"password": SECRET})},
    [1],
    "x",
)
FIELDS: Final = (
    f"Authorization: Bearer {SECRET}",
    f"authorization: Basic {SECRET}",
    f"Authorization: {SECRET}",
    f"Authorization : Bearer {SECRET}",
    f"Authorization\t: Bearer {SECRET}",
    f"Authorization Bearer {SECRET}",
    f"X-Auth-Token: {SECRET}",
    f"Cookie: a={SECRET}",
    f"X-Forwarded-Uri: /x?token={SECRET}",
    f"Referer: https://me:{SECRET}@h/",
    "Last-Event-ID: 1",
    "Last-Event-ID: \xff\xe9",
    "Last-Event-ID: " + "9" * 3000,
    "Idempotency-Key: k",
    "Connection: keep-alive",
    "Connection: close",
    "Connection: keep-alive,\tclose",
    "Connection: Upgrade",
    "Upgrade: h2c",
    "Expect: 100-continue",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip",
    "Content-Length: 1",
    "Content-Length: 99999999999",
    "Content-Length: -1",
    "Content-Type: application/json",
    "Content-Type: application/x-www-form-urlencoded",
    "Content-Type: application/toml",
    "Host: b",
    "X: " + "x" * 9000,
    "X: a\x00b",
    ": x",
    " folded",
    "no colon",
)
SCENARIOS: Final[tuple[object, ...]] = (
    {},
    {"backend": {"authenticate": False, "unknown_cursor": "gone"}},
    {"backend": {"token": [SECRET]}},
    {"limits": {"connections": 9, "header_bytes": 300, "body_bytes": 50, "records": 100}},
    {"limits": {"request_ms": 5, "stall_ms": 50, "journal_bytes": 65_536}},
    {"job": [{"events": 40, "length": 900, "id": "job-1", "submitted": True, "emitted": True}]},
    {"job": [{"events": [{"data": "x"}, {"bytes_hex": "ff"}], "status": "running"}]},
    {"rule": [{"on": {"route": "me"}, "status": 500}, {"end": "rst"}]},
    {"rule": [{"on": {"route": "stream"}, "after": {"frames": 2}, "stall": {"ms": 20}}]},
    {"limits": {"stall_ms": 20}, "rule": [{"on": {"connection": "3-"}, "accept": "hang"}]},
    {
        "limits": {"stall_ms": 20},
        "rule": [{"on": {"route": "me"}, "delay_ms": 10}, {"end": "hang"}],
    },
    {"rule": [{"on": {"route": "create"}, "lose": "response"}, {"slice": 1, "rate": 900_000}]},
)
RULES: Final[tuple[object, ...]] = (
    {"on": {"route": "me", "attempt": "2-", "times": 1}, "status": 503, "retry_after": 0.1},
    {"on": {"route": "stream", "frame": 1}, "duplicate": 2, "corrupt": "bits"},
    {"on": {"header": {"X-Auth-Token": SECRET}}, "status": 401},
    {"on": {"route": "stream"}, "inject": {"before": [{"comment": "x"}]}},
)
ADMIN: Final[tuple[tuple[str, str, tuple[object, ...]], ...]] = (
    ("GET", "/health", ()),
    ("GET", "/failures", ()),
    ("GET", "/servers", ()),
    ("GET", "/servers/1", ()),
    ("GET", "/servers/1/scenario", ()),
    ("PUT", "/servers/1/scenario", SCENARIOS),
    ("POST", "/servers/1/reset", ()),
    ("GET", "/servers/1/rules", ()),
    ("POST", "/servers/1/rules", RULES),
    ("DELETE", "/servers/1/rules/1", ()),
    ("DELETE", "/servers/1/rules/" + "9" * 5000, ()),
    ("POST", "/servers/1/jobs", ({"id": "a", "events": 3}, {"events": 0, "status": "running"})),
    ("GET", "/servers/1/jobs/job-1", ()),
    ("POST", "/servers/1/jobs/job-1/events", ([{"data": "x"}], {"event": "end", "data": ""})),
    ("GET", "/servers/1/connections", ()),
    ("POST", "/servers/1/connections/1/end", ({"how": "rst"}, {"how": []})),
    ("POST", "/servers/1/gates/go/open", ()),
    ("POST", "/servers/1/gates/go/shut", ()),
    ("GET", "/servers/1/journal?after=1", ()),
    ("GET", "/servers/1/journal?format=jsonl", ()),
    ("GET", "/servers/1/journal?wait=1&after=999999999999", ()),
    ("GET", "/servers/1/journal?wait=" + "9" * 5000, ()),
    ("GET", f"/servers/1/journal?token={SECRET}&after=999999999999", ()),
    ("POST", "/servers/1/wait", ({"route": "me", "within_ms": 1}, {"route": "create", "frame": 1})),
    (
        "POST",
        "/servers/1/verify",
        ({"conduct": True}, {"requests": [{"request": {"route": "me"}, "times": 1}]}),
    ),
    ("POST", f"/servers/{SECRET[:3]}", ()),
)
_EOL: Final = "\r\n"


@define
class RandomRequests:
    """Makes requests; the same seed makes the same ones."""

    seed: str
    rng: random.Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.rng = random.Random(self.seed)  # noqa: S311 - seeded on purpose

    def to_mock(self) -> bytes:
        """Make one to four requests to the mock, on one connection."""
        return b"".join(self._one() for _ in range(self.rng.choice((1, 1, 1, 2, 4))))

    def to_admin(self, host: str, token: str) -> bytes:
        """Make one request to the admin, with its token."""
        rng = self.rng
        method, path, bodies = rng.choice(ADMIN)
        if rng.random() < 0.1 and path != "/servers/1":  # the admin refuses everything without it
            method = rng.choice(METHODS)
        body = self._body(bodies) if bodies else b""
        extra = [rng.choice(FIELDS[8:])] if rng.random() < 0.1 else []
        fields = [f"Host: {host}", f"Authorization: Bearer {token}", *extra]
        return self._rendered(method, "/__mock__/v1" + path, fields, body)

    def bytes_to_mock(self) -> bytes:
        """Make a request and damage its bytes, but not those of the secret itself."""
        rng = self.rng
        method, target = rng.choice(ROUTES)
        body = json.dumps(rng.choice(BODIES[:4])).replace(SECRET, "x").encode()
        raw = bytearray(self._rendered(method, target, ["Host: a", "X-Y: z"], body))
        name = bytearray(b"Authorization:")
        for part in (raw, name):
            for _ in range(rng.choice((0, 1, 1, 2, 8))):
                self._damage(part)
        start = raw.find(b"\r\n") + 2
        line = bytes(name) + b" Bearer " + SECRET.encode() + b"\r\n"
        return bytes(raw[:start]) + line + bytes(raw[start:]) if start > 1 else bytes(raw)

    def _damage(self, raw: bytearray) -> None:
        rng = self.rng
        at = rng.randrange(len(raw) + 1)
        odd = rng.choice(
            (b"\r\n", b"\r\n\r\n", b"\n", b"\0", b"\xff", b" ", b"\t", b":", b"0", b"%")
        )
        match rng.randrange(4):
            case 0:
                raw[at:at] = odd
            case 1:
                del raw[at : at + rng.choice((1, 1, 2, 20))]
            case 2:
                raw[at : at + 1] = bytes([rng.randrange(256)])
            case _:
                raw[at:at] = raw[at : at + rng.randrange(60)] * rng.choice((1, 3))

    def _one(self) -> bytes:
        rng = self.rng
        method, target = rng.choice(ROUTES)
        if rng.random() < 0.2:
            method = rng.choice(METHODS)
        if rng.random() < 0.3:
            target = rng.choice(TARGETS)
        fields = ["Host: a"] if rng.random() < 0.97 else []
        if rng.random() < 0.8:
            fields.append(f"Authorization: Bearer {SECRET}")
        if rng.random() < 0.5:
            fields += rng.choices(FIELDS, k=rng.choice((1, 1, 2, 5)))
        body = self._body(BODIES) if method != "GET" or rng.random() < 0.1 else b""
        return self._rendered(method, target, fields, body)

    def _body(self, bodies: Sequence[object]) -> bytes:
        rng = self.rng
        kind = rng.random()
        if kind < 0.03:
            depth = rng.choice((90, 101, 900, 2000, 50_000))
            return b'{"a":[' * depth + b"]}" * depth
        if kind < 0.06:
            return f"grant=x&client_secret={SECRET}&token={SECRET}".encode()
        value = rng.choice(bodies)
        if rng.random() < 0.5:
            value = self._changed(value)
        text = json.dumps(value).encode()
        if kind < 0.12:
            text = text[: rng.randrange(len(text) + 1)]
        return text.replace(b"null", b"9" * 5000) if kind > 0.98 else text

    def _changed(self, value: object) -> object:
        """Replace one value, somewhere inside."""
        rng = self.rng
        if is_table(value) and value and rng.random() < 0.8:
            key = rng.choice(list(value))
            return {**value, key: self._changed(value[key])}
        if is_array(value) and value and rng.random() < 0.8:
            return [self._changed(value[0]), *value[1:]]
        return rng.choice(VALUES)

    def _rendered(self, method: str, target: str, fields: Sequence[str], body: bytes) -> bytes:
        rng = self.rng
        version = "1.1" if rng.random() < 0.97 else rng.choice(("1.0", "0.9", "2.0", "11"))
        lines = [f"{method} {target} HTTP/{version}", *fields]
        if body and "Transfer-Encoding: chunked" in fields:
            cut = rng.randrange(len(body) + 1)
            parts = [part for part in (body[:cut], body[cut:]) if part]
            body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        elif body:
            lines.append(f"Content-Length: {len(body) + rng.choice((0,) * 30 + (-1, 1, 9))}")
        return _EOL.join([*lines, "", ""]).encode("latin-1") + body
