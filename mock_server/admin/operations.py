"""Every operation of the admin API: its path, what it does, its parameters and its response.

Requests that match no operation in this table are refused. The OpenAPI description is generated
from the table, so it cannot differ from what the admin API accepts.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from attrs import field, frozen

Schema = Mapping[str, object]

_OK: Final = HTTPStatus.OK
_CREATED: Final = HTTPStatus.CREATED


@frozen
class Operation:
    """One operation, such as `GET /servers/{server}/rules`; `path` leaves out the prefix."""

    method: str
    path: str
    does: str
    answer: Schema = field(repr=False)
    """The JSON Schema of the response."""
    status: HTTPStatus = field(default=_OK, kw_only=True)
    body: Schema | None = field(default=None, kw_only=True, repr=False)
    """The JSON Schema of the request body, if there is one."""
    query: Mapping[str, str] = field(factory=dict[str, str], kw_only=True)
    """The query parameters, and what each of them means."""
    kind: str = field(default="application/json", kw_only=True)
    """The media type of the response."""
    problems: Schema | None = field(default=None, kw_only=True, repr=False)
    """The JSON Schema of the 409 response, if it is not the usual one for errors."""
    always_needs_token: bool = field(default=False, kw_only=True)

    @property
    def segments(self) -> Sequence[str]:
        """The segments of the path."""
        return self.path.strip("/").split("/")

    @property
    def parameters(self) -> Sequence[str]:
        """The names of the path parameters."""
        return [part[1:-1] for part in self.segments if part.startswith("{")]

    @property
    def needs_token(self) -> bool:
        """Whether a request needs the token even if it comes from this machine."""
        return self.always_needs_token or self.method != "GET"

    def is_meant(self, method: str, segments: Sequence[str]) -> bool:
        """Return whether a request matches this operation."""
        return (
            method == self.method
            and len(segments) == len(self.segments)
            and all(
                own.startswith("{") or own == given
                for own, given in zip(self.segments, segments, strict=True)
            )
        )


def shared(name: str) -> Schema:
    """Return a reference to a schema under `components`."""
    return {"$ref": f"#/components/schemas/{name}"}


def table(**members: Schema) -> Schema:
    """Return the schema of a JSON object with exactly these members."""
    return {
        "type": "object",
        "required": list(members),
        "properties": members,
        "additionalProperties": False,
    }


def array(of: Schema) -> Schema:
    """Return the schema of an array whose items match `of`."""
    return {"type": "array", "items": of}


def one_of_types(*names: str) -> Schema:
    """Return the schema of a value that has one of these JSON types."""
    return {"type": list(names)}


TEXT: Final[Schema] = {"type": "string"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
FLAG: Final[Schema] = {"type": "boolean"}
ANY: Final[Schema] = {"type": "object"}
DONE: Final = table(ok={"const": True})
_RECORDS: Final = table(records=array(shared("Record")), dropped=COUNT, bodies_dropped=COUNT)
_OPERATION: Final = table(method=TEXT, path=TEXT, does=TEXT)
_RULE: Final = table(index=COUNT, acted=COUNT, about=TEXT, does=TEXT, rule=shared("Rule"))
_FAULT: Final = table(
    name=TEXT,
    phase=TEXT,
    means=TEXT,
    values=array(TEXT),
    rule=shared("Rule"),
    unavailable=one_of_types("string", "null"),
)
_GATE: Final = table(name=TEXT, open=FLAG, waiting=COUNT, waited_at=FLAG)
_SERVER: Final = "/servers/{server}"

OPERATIONS: Final = (
    Operation(
        "GET",
        "/",
        "List all operations and all running servers",
        table(
            name=TEXT,
            version=TEXT,
            page=TEXT,
            openapi=TEXT,
            servers=array(shared("Server")),
            requests=array(_OPERATION),
        ),
    ),
    Operation("GET", "/openapi.json", "Return the OpenAPI 3.1 description of the admin API", ANY),
    Operation(
        "GET", "/health", "Check that the mock is running", table(ok={"const": True}, servers=COUNT)
    ),
    Operation("GET", "/authorized", "Check a token", DONE, always_needs_token=True),
    Operation(
        "GET",
        "/failures",
        "List the internal errors of the admin API",
        table(failures=array(shared("Record"))),
    ),
    Operation("POST", "/shutdown", "End the process", DONE, status=HTTPStatus.ACCEPTED),
    Operation("GET", "/servers", "List the servers", table(servers=array(shared("Server")))),
    Operation(
        "POST",
        "/servers",
        "Start a server with a scenario, on a port of its own",
        shared("Server"),
        status=_CREATED,
        body=shared("Scenario"),
    ),
    Operation("GET", _SERVER, "Show a server", shared("Server")),
    Operation("DELETE", _SERVER, "Stop a server and free its port", DONE),
    Operation("GET", f"{_SERVER}/scenario", "Show the scenario", shared("Scenario")),
    Operation(
        "PUT",
        f"{_SERVER}/scenario",
        "Replace the scenario, keep the port, and start over",
        DONE,
        body=shared("Scenario"),
    ),
    Operation("POST", f"{_SERVER}/reset", "Start over with the same scenario", DONE),
    Operation(
        "GET",
        f"{_SERVER}/rules",
        "List the active rules and how often each has fired",
        table(rules=array(_RULE)),
    ),
    Operation(
        "POST",
        f"{_SERVER}/rules",
        "Add a rule",
        table(index=COUNT),
        status=_CREATED,
        body=shared("Rule"),
    ),
    Operation("DELETE", f"{_SERVER}/rules/{{rule}}", "Remove a rule", DONE),
    Operation(
        "GET",
        f"{_SERVER}/faults",
        "List every fault, with an example rule for each",
        table(faults=array(_FAULT)),
    ),
    Operation(
        "POST",
        f"{_SERVER}/jobs",
        "Add a job without a create request",
        table(job=ANY),
        status=_CREATED,
        body=shared("Job"),
    ),
    Operation(
        "GET",
        f"{_SERVER}/jobs/{{job}}",
        "Show a job and its events",
        table(job=ANY, events=array(ANY)),
    ),
    Operation(
        "POST",
        f"{_SERVER}/jobs/{{job}}/events",
        "Add one or more events to the job, and send them on its open streams",
        table(ids=array(one_of_types("string", "null"))),
        status=_CREATED,
        body={"anyOf": [shared("Event"), array(shared("Event"))]},
    ),
    Operation(
        "GET",
        f"{_SERVER}/gates",
        "List the gates and the number of streams waiting at each",
        table(gates=array(_GATE)),
    ),
    Operation("POST", f"{_SERVER}/gates/{{gate}}/open", "Open a gate", DONE),
    Operation("POST", f"{_SERVER}/gates/{{gate}}/shut", "Shut a gate for later streams", DONE),
    Operation(
        "GET",
        f"{_SERVER}/connections",
        "List the open connections",
        table(connections=array(COUNT)),
    ),
    Operation(
        "POST",
        f"{_SERVER}/connections/{{connection}}/end",
        "End a connection now, with RST or FIN",
        DONE,
        body={
            "type": "object",
            "properties": {"how": {"enum": ["rst", "fin"], "default": "rst"}},
            "additionalProperties": False,
        },
    ),
    Operation(
        "GET",
        f"{_SERVER}/journal",
        "List the journal's records, immediately or once there is a new one",
        _RECORDS,
        query={
            "after": "return only records whose number is higher than this",
            "wait": "how many milliseconds to wait for a new record, at most 60,000",
            "format": "`json`, or `jsonl` for one record per line",
        },
    ),
    Operation(
        "GET",
        f"{_SERVER}/journal/tail",
        "Follow the journal as an event stream",
        TEXT,
        kind="text/event-stream",
        query={"after": "return only records whose number is higher than this"},
    ),
    Operation(
        "POST",
        f"{_SERVER}/wait",
        "Wait for a request, for a frame of its response, or for the end of its response",
        table(record=shared("Record")),
        body=shared("Wait"),
    ),
    Operation(
        "POST",
        f"{_SERVER}/verify",
        "Check what the client did: 200 if all is well, or 409 with the problems",
        DONE,
        body=shared("Verification"),
        problems=table(ok={"const": False}, problems=array(TEXT)),
    ),
)


def operation_of(method: str, segments: Sequence[str]) -> Operation | None:
    """Return the operation that a request matches, or None."""
    return next((each for each in OPERATIONS if each.is_meant(method, segments)), None)
