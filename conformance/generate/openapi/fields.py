"""The parameters of requests and the header fields of responses."""

from typing import Final

from attrs import frozen

from arkor_proto import HARDENED
from arkor_proto._wire import MAX_CURSOR_BYTES, MAX_HOPS
from conformance.generate.openapi.examples import ENDPOINT
from conformance.generate.openapi.schemas import TEXT
from mock_server.strict.schema import Schema


@frozen
class Parameter:
    """A request parameter, which is part of the path or the query, or is a header field."""

    about: str
    schema: Schema
    required: bool = True

    def described(self, name: str, place: str) -> Schema:
        """Return the OpenAPI description of this parameter; `place` is where it belongs."""
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
        "The client, as `<name>/<version>` (ARK-WIR-12). A client that is too old gets a 426 "
        "response.",
        {**TEXT, "pattern": "^[^/]+/.+$", "examples": [ENDPOINT.client]},
    ),
    "Idempotency-Key": Parameter(
        f"Under `{HARDENED.name}`, all attempts to create the same job have the same value, and "
        "every job has a different one (ARK-CRE-11, ARK-CRE-12).",
        {**TEXT, "minLength": 1},
        required=False,
    ),
    "Last-Event-ID": Parameter(
        "The cursor: the id of the last event that the client has received. The stream "
        "continues with the next event. Omitted while no id is known (ARK-RES-1). At most "
        f"{MAX_CURSOR_BYTES} bytes of UTF-8.",
        {**TEXT, "minLength": 1, "maxLength": MAX_CURSOR_BYTES},
        required=False,
    ),
    "Cache-Control": Parameter(
        "Keeps caches from answering with a stored stream, which would be stale (ARK-WIR-8).",
        {"const": "no-cache"},
        required=False,
    ),
    "Accept-Encoding": Parameter(
        "Asks for an uncompressed stream, because compression would delay events (ARK-WIR-9).",
        {"const": "identity"},
        required=False,
    ),
}
ELSEWHERE: Final = frozenset({"Host", "Accept", "Authorization", "Content-Type", "Content-Length"})
"""Request header fields that an OpenAPI document describes elsewhere, or not at all."""


@frozen
class Header:
    """A header field of a response."""

    about: str
    schema: Schema
    required: bool = False

    def described(self) -> Schema:
        """Return the OpenAPI description of the header field."""
        must = {"required": True} if self.required else {}
        return {"description": self.about, **must, "schema": self.schema}


HEADERS: Final = {
    "Deprecation": Header(
        "`true` if the request relies on something that will stop working. The response itself is still valid "
        "(ARK-ERR-8).",
        {"const": "true"},
    ),
    "Warning": Header(
        "A message for the user, sent together with `Deprecation` (ARK-ERR-9).",
        {**TEXT, "pattern": "^299 ", "examples": ['299 - "upgrade to 2.0"']},
    ),
    "Sunset": Header(
        "The HTTP date on which the deprecated use will stop working; sent together with "
        "`Deprecation`.",
        {**TEXT, "examples": ["Sat, 01 Jan 2028 00:00:00 GMT"]},
    ),
    "Retry-After": Header(
        "The number of seconds to wait, or the HTTP date until which to wait "
        "(ARK-SRV-54, ARK-BAK-10, ARK-BAK-12).",
        {**TEXT, "examples": ["30"]},
    ),
    "WWW-Authenticate": Header(
        "The kind of credentials that the backend requires (ARK-SRV-12).",
        {**TEXT, "examples": ["Bearer"]},
        required=True,
    ),
    "Location": Header(
        f"The URL to request instead. Clients follow at most {MAX_HOPS} redirects in a row.",
        {**TEXT, "format": "uri-reference"},
        required=True,
    ),
    "Cache-Control": Header(
        "Keeps caches from answering with a stored event stream (ARK-SRV-24).",
        {**TEXT, "examples": ["no-store"]},
    ),
}
NOTICES: Final = ("Deprecation", "Warning", "Sunset")
"""The header fields of a deprecation notice, which any response may have."""
