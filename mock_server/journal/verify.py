# ruff: noqa: RUF009 - word() declares an attribute, as attrs.field() does
"""Check which requests the client sent, how often and in what order.

A check uses the records so far and never waits. `conduct.py` checks the rules of the protocol.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from attrs import field, frozen

from arkor_proto import HARDENED, Profile
from mock_server.backend.jobs import Job
from mock_server.journal.conduct import conduct_problems, resume_problems
from mock_server.journal.records import Record, RequestReceived
from mock_server.requests import header_matches
from mock_server.scenario.rule import Rule
from mock_server.scenario.vocabulary import Route
from mock_server.secret_names import REDACTED, is_secret_name
from mock_server.strict.shapes import (
    ScenarioError,
    Shape,
    anything,
    choice,
    count_of,
    flag,
    is_table,
    mapping,
    text,
)
from mock_server.strict.values import Span, span
from mock_server.strict.words import given, table, word

_MISSING: Final = "nothing"
_LISTED: Final = 8


class VerificationError(AssertionError):
    """A check of the client failed; `problems` has one entry for each problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@frozen(kw_only=True)
class Wanted:
    """An expected request; a field that is None matches any value."""

    route: Route | None = word(choice(Route), "the kind of request", default=None)
    attempt: Span | None = word(
        span(), "the request's number within its route, counting from 1", default=None
    )
    method: str | None = word(text(), "the method", default=None)
    target: str | None = word(text(), "the target, exactly as sent", default=None)
    job: str | None = word(text(), "the job's id, percent-decoded", default=None)
    headers: Mapping[str, str] | None = word(
        mapping(text()),
        "the headers; `*` matches any value, and `!` matches if the header is absent",
        default=None,
    )
    json: object = word(anything(), "what the JSON body must contain", default=None)
    last_event_id: str | None = word(
        text(), "the cursor; `!` matches if there is none", default=None
    )
    authorized: bool | None = word(
        flag(), "whether the request had an Authorization header", default=None
    )

    def differences(self, request: RequestReceived) -> list[str]:
        """Describe, field by field, how a request differs from the expected one."""
        found = [
            f"{name}: expected {_shown(wanted)}, got {_shown(got)}"
            for name, wanted, got in (
                ("route", self.route and self.route.value, request.route.value),
                ("method", self.method, request.method),
                ("target", self.target, request.target),
                ("job", self.job, request.job),
                ("authorized", self.authorized, request.authorized),
            )
            if wanted is not None and wanted != got
        ]
        if self.attempt is not None and request.attempt not in self.attempt:
            found.append(f"attempt: expected {self.attempt}, got {request.attempt}")
        if self.last_event_id is not None:
            found += _header("last-event-id", self.last_event_id, request)
        for name, value in (self.headers or {}).items():
            found += _header(name.lower(), value, request)
        if self.json is not None:
            found += _json_differences("json", self.json, request.json)
        return found

    def __str__(self) -> str:
        words = [f"{word.name}={value!s}" for word, value in given(self) if word.name != "route"]
        return f"{self.route.value if self.route else 'any route'}({', '.join(words)})"


def _shown(value: object) -> str:
    return _MISSING if value is None else repr(value)


def _header(name: str, wanted: str, request: RequestReceived) -> list[str]:
    got = [value for key, value in request.headers if key == name]
    if header_matches(wanted, got):
        return []
    expected = {"!": _MISSING, "*": "any value"}.get(wanted, repr(wanted))
    return [f"header {name}: expected {expected}, got {_shown(', '.join(got) or None)}"]


def _json_differences(where: str, wanted: object, got: object) -> list[str]:
    """Return the differences; compare tables key by key, ignoring keys missing from `wanted`."""
    if is_table(wanted) and is_table(got):
        return [
            difference
            for key, value in wanted.items()
            for difference in _json_differences(f"{where}.{key}", value, got.get(key))
        ]
    return [] if wanted == got else [f"{where}: expected {_shown(wanted)}, got {_shown(got)}"]


@frozen(repr=False)
class Requests:
    """The requests that match `wanted`; a failed check raises VerificationError."""

    _records: Sequence[Record] = field(repr=False)
    wanted: Wanted

    def __repr__(self) -> str:
        return f"<Requests {self.wanted}: {len(self.found)} of {len(self._all)} so far>"

    @property
    def found(self) -> list[RequestReceived]:
        """The matching requests so far, in order."""
        return [each for each in self._all if not self.wanted.differences(each)]

    @property
    def _all(self) -> list[RequestReceived]:
        return [each for each in self._records if isinstance(each, RequestReceived)]

    def times(self, count: int) -> list[RequestReceived]:
        """Require exactly `count` matching requests and return them."""
        return self._demand(f"exactly {count}", count, count)

    def once(self) -> RequestReceived:
        """Require exactly one matching request and return it."""
        return self.times(1)[0]

    def never(self) -> None:
        """Require that no request matches."""
        self.times(0)

    def at_least(self, count: int) -> list[RequestReceived]:
        """Require at least `count` matching requests and return them."""
        return self._demand(f"at least {count}", count, None)

    def at_most(self, count: int) -> list[RequestReceived]:
        """Require at most `count` matching requests and return them."""
        return self._demand(f"at most {count}", 0, count)

    def before(self, other: "Requests") -> None:
        """Require that the first of these requests arrived before the first of `other`."""
        first, second = self.at_least(1)[0], other.at_least(1)[0]
        if first.seq >= second.seq:
            problem = (
                f"{self.wanted}: expected before {other.wanted}, "
                f"but arrived after it (records {first.seq} and {second.seq})"
            )
            raise VerificationError([problem])

    def _demand(self, says: str, least: int, most: int | None) -> list[RequestReceived]:
        found = self.found
        too_many = most is not None and len(found) > most
        if len(found) >= least and not too_many:
            return found
        problem = f"{self.wanted}: expected {says}, got {len(found)}"
        raise VerificationError([problem + (_listed(found) if too_many else self._nearest(found))])

    def _nearest(self, found: list[RequestReceived]) -> str:
        others = [each for each in self._all if each not in found]
        if not others:
            return "" if found else "; no request arrived"
        same_route = [each for each in others if each.route is self.wanted.route]
        nearest = min(same_route or others, key=lambda each: len(self.wanted.differences(each)))
        lines = "".join(f"\n    {line}" for line in self.wanted.differences(nearest))
        return f"\n  nearest: {_place(nearest)}{lines}"


def _listed(found: list[RequestReceived]) -> str:
    """List the matching requests, for a message that says there are too many."""
    lines = [f"\n  matched: {_place(each)}" for each in found[:_LISTED]]
    more = len(found) - _LISTED
    return "".join(lines) + (f"\n  and {more} more" if more > 0 else "")


def _place(request: RequestReceived) -> str:
    return f"{request.method} {request.target} (record {request.seq})"


@frozen(repr=False)
class Verify:
    """Checks on what the client has done so far; a failed check raises VerificationError."""

    _records: Sequence[Record] = field(repr=False)
    _rules: Sequence[tuple[int, Rule, int]] = field(factory=tuple, repr=False)
    _unopened: Sequence[str] = field(factory=tuple, repr=False)

    def __repr__(self) -> str:
        return f"<Verify: {count_of(len(self.requests(Wanted()).found), 'request')} so far>"

    def requests(self, wanted: Wanted) -> Requests:
        """Select the requests that match `wanted`."""
        return Requests(self._records, wanted)

    def route(self, route: Route | str, **words: object) -> Requests:
        """Select a route's requests by fields of `Wanted`; an unknown field raises ScenarioError."""
        return self.requests(WANTED.read({"route": str(route), **words}, "verify"))

    def create(self, **words: object) -> Requests:
        """Select the requests that create a job."""
        return self.route(Route.CREATE, **words)

    def stream(self, **words: object) -> Requests:
        """Select the requests that open a stream."""
        return self.route(Route.STREAM, **words)

    def cancel(self, **words: object) -> Requests:
        """Select the requests that cancel a job."""
        return self.route(Route.CANCEL, **words)

    def resume_chain(self, job: Job | str | None = None) -> None:
        """Require the right Last-Event-ID in every stream request for one job, or for all jobs."""
        _raise(resume_problems(self._records, job.id if isinstance(job, Job) else job))

    def conduct(self, profile: Profile = HARDENED, *, max_attempts: int | None = None) -> None:
        """Require that the client has followed the protocol's rules; see `conduct_problems`."""
        _raise(conduct_problems(self._records, profile, max_attempts))

    def gates_opened(self) -> None:
        """Require that every gate that was waited at has been opened, except the gate `never`."""
        _raise(self.unopened_gates())

    def unopened_gates(self) -> list[str]:
        """Return a message for every gate that was waited at but never opened."""
        return list(self._unopened)

    def rules_fired(self) -> None:
        """Require that every active rule fired at least once."""
        _raise(self.idle_rules())

    def idle_rules(self) -> list[str]:
        """List the rules that never fired, each with the number of requests to its route."""
        return [
            f"{_named(index, rule)}: never fired{self._seen(rule)}"
            for index, rule, fired in self._rules
            if not fired
        ]

    def _seen(self, rule: Rule) -> str:
        if rule.on.route is None:
            return ""
        of_route = [
            each
            for each in self._records
            if isinstance(each, RequestReceived) and each.route is rule.on.route
        ]
        attempt = rule.on.attempt
        asked = "" if attempt is None else f"; the rule applies only if attempt is {attempt}"
        return f"; requests to route {rule.on.route.value}: {len(of_route)}{asked}"


def _named(index: int, rule: Rule) -> str:
    return f"rule {index} ({rule.name})" if rule.name else f"rule {index}"


def _raise(problems: Sequence[str]) -> None:
    if problems:
        raise VerificationError(problems)


def _check_wanted(wanted: Wanted, where: str) -> None:
    for name, value in (wanted.headers or {}).items():
        if is_secret_name(name) and value not in {"*", "!"} and REDACTED not in value:
            raise ScenarioError(
                f"{where or 'verify'}: headers: the journal does not keep credentials; for {name}, "
                "use '*' (any value) or '!' (no such header)"
            )


WANTED: Final[Shape[Wanted]] = table(Wanted, "a request", _check_wanted)
