"""The parameters of requests and the header fields of answers."""

from typing import Final

from attrs import frozen

from arkor_proto import HARDENED
from arkor_proto._wire import MAX_CURSOR_BYTES, MAX_HOPS
from conformance.generate.openapi.examples import ENDPOINT
from conformance.generate.openapi.schemas import TEXT
from mock_server.strict.schema import Schema


@frozen
class Parameter:
    """A parameter, wherever it is sent."""

    about: str
    schema: Schema
    required: bool = True

    def described(self, name: str, place: str) -> Schema:
        """Return the description of it under a name, in the path, the query or the header."""
        return {
            "name": name,
            "in": place,
            "description": self.about,
            "required": self.required,
            "schema": self.schema,
        }


PARAMETERS: Final = {
    "id": Parameter(
        "The job's id, percent-encoded as one segment of the path (ARK-WIR-13).",
        {**TEXT, "minLength": 1, "not": {"enum": [".", ".."]}},
    ),
    "orgSlug": Parameter("The organisation.", TEXT),
    "projectSlug": Parameter("The project.", TEXT),
    "X-Arkor-Client": Parameter(
        "The client, as `<name>/<version>` (ARK-WIR-12). One that is too old is refused with 426.",
        {**TEXT, "pattern": "^[^/]+/.+$", "examples": [ENDPOINT.client]},
    ),
    "Idempotency-Key": Parameter(
        f"Under `{HARDENED.name}`: the same every time that the same create is tried, and another "
        "for every other job (ARK-CRE-11, ARK-CRE-12).",
        {**TEXT, "minLength": 1},
        required=False,
    ),
    "Last-Event-ID": Parameter(
        "The cursor: the id of the last event that the client has. The stream begins after it. It "
        "is left out while no id is known (ARK-RES-1). At most "
        f"{MAX_CURSOR_BYTES} bytes of UTF-8.",
        {**TEXT, "minLength": 1, "maxLength": MAX_CURSOR_BYTES},
        required=False,
    ),
    "Cache-Control": Parameter(
        "A cached stream is stale (ARK-WIR-8).", {"const": "no-cache"}, required=False
    ),
    "Accept-Encoding": Parameter(
        "Compression holds back events that have happened (ARK-WIR-9).",
        {"const": "identity"},
        required=False,
    ),
}
ELSEWHERE: Final = frozenset({"Host", "Accept", "Authorization", "Content-Type", "Content-Length"})
"""Header fields of a request that OpenAPI describes in other places, or not at all."""


@frozen
class Header:
    """A header field of an answer."""

    about: str
    schema: Schema
    required: bool = False

    def described(self) -> Schema:
        """Return the description of it."""
        must = {"required": True} if self.required else {}
        return {"description": self.about, **must, "schema": self.schema}


HEADERS: Final = {
    "Deprecation": Header(
        "What the client does will stop working. The answer is as good as any other (ARK-ERR-8).",
        {"const": "true"},
    ),
    "Warning": Header(
        "With `Deprecation`: what to tell the user (ARK-ERR-9).",
        {**TEXT, "pattern": "^299 ", "examples": ['299 - "upgrade to 2.0"']},
    ),
    "Sunset": Header(
        "With `Deprecation`: when it stops working, as an HTTP date.",
        {**TEXT, "examples": ["Sat, 01 Jan 2028 00:00:00 GMT"]},
    ),
    "Retry-After": Header(
        "How long to wait, in seconds or as an HTTP date (ARK-SRV-54, ARK-BAK-10, ARK-BAK-12).",
        {**TEXT, "examples": ["30"]},
    ),
    "WWW-Authenticate": Header(
        "Which credentials the backend wants (ARK-SRV-12).",
        {**TEXT, "examples": ["Bearer"]},
        required=True,
    ),
    "Location": Header(
        f"Where to ask instead. At most {MAX_HOPS} redirects in a row are followed.",
        {**TEXT, "format": "uri-reference"},
        required=True,
    ),
    "Cache-Control": Header(
        "An event stream is not stored (ARK-SRV-24).", {**TEXT, "examples": ["no-store"]}
    ),
}
NOTICES: Final = ("Deprecation", "Warning", "Sunset")
"""What any answer may carry."""
