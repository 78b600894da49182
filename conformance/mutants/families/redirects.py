"""Mutants that mishandle redirects."""

# ruff: noqa: D401

import re
from collections.abc import Callable, Iterable
from urllib.parse import urljoin, urlsplit, urlunsplit

from attrs import evolve

from arkor_proto import Deliver, Input, Output, Reconnecting, Request, Responded, StatusError
from conformance.mutants.around import Call, Client
from conformance.mutants.filters import (
    after_inputs,
    change_heads,
    edit_requests,
    filter_inputs,
    filter_outputs,
    recount,
    with_field,
)
from conformance.mutants.patching import (
    ByObject,
    Stream,
    breaks,
    header,
    is_redirect,
    with_header,
    without,
)

_MOST_HOPS = 5


def _change_locations(change: Callable[[Client, str], str | None]) -> None:
    """Change the `Location` of each redirect of the stream; remove it if `change` returns None."""

    def changed(client: Client, head: Responded) -> Responded:
        location = header(head.headers, b"location")
        if location is None or not is_redirect(head.status, head.headers):
            return head
        return with_field(head, b"location", change(client, location))

    change_heads(changed, Call.STREAM)


def _edit_redirected(change: Callable[[Client, Request], Request]) -> None:
    """Change each stream request that the client sends to follow a redirect."""

    def changed(client: Client, request: Request) -> Request:
        return change(client, request) if client.sent[Call.STREAM].hops else request

    edit_requests(changed, Call.STREAM)


def _goes_anywhere(*forgotten: bytes) -> None:
    """Follow redirects to other origins, but do not send the `forgotten` headers there.

    The mutant keeps using the same connection, because the test backend serves both origins on
    it; only the `Host` header differs.
    """
    places = ByObject[str]()

    def change(client: Client, location: str) -> str:
        there = urlsplit(location)
        if not there.netloc:
            return location
        places[client] = there.netloc
        return urlunsplit(("", "", there.path or "/", there.query, ""))

    def edit(client: Client, request: Request) -> Request:
        if not client.sent[Call.STREAM].hops:
            places.pop(client, None)
        place = places.get(client)
        if place is None:
            return request
        for name in forgotten:
            request = without(request, name)
        return with_header(request, b"Host", place.encode())

    _change_locations(change)
    edit_requests(edit, Call.STREAM)


@breaks("ARK-SEC-1", "ARK-SEC-11", "ARK-SEC-12")
def follows_redirects_anywhere() -> None:
    """The client follows a redirect to another origin and sends the token and the cursor there."""
    _goes_anywhere()


@breaks("ARK-SEC-1", "ARK-SEC-12")
def goes_elsewhere_without_the_token() -> None:
    """The client follows a redirect to another origin and sends the cursor but not the token."""
    _goes_anywhere(b"authorization")


@breaks("ARK-SEC-1")
def goes_elsewhere_without_credentials() -> None:
    """The client follows a redirect to another origin, but sends neither token nor cursor there."""
    _goes_anywhere(b"authorization", b"last-event-id")


@breaks("ARK-SEC-2")
def follows_no_redirect() -> None:
    """The client treats every redirect of the stream as a failure."""
    _change_locations(lambda _, __: None)


def _follow(where: Callable[[Client, Responded], str | None], call: Call) -> None:
    """Make the client repeat a request at the target that `where` returns, unless it is None."""

    def change(client: Client, event: Input) -> Iterable[Input]:
        follows = isinstance(event, Responded) and client.exchange_of(event).call is call
        target = where(client, event) if isinstance(event, Responded) and follows else None
        if target is None or not isinstance(event, Responded):
            yield event
        else:
            exchange = client.exchange_of(event)
            client.send_instead(exchange, evolve(exchange.request, target=target))

    filter_inputs(change)


def _target(client: Client, head: Responded) -> str:
    """Return the request target that a redirect within the same origin leads to."""
    location = header(head.headers, b"location") or ""
    there = urlsplit(urljoin(client.exchange_of(head).request.target, location))
    return urlunsplit(("", "", there.path, there.query, ""))


@breaks("ARK-SEC-2")
def follows_redirects_for_ever() -> None:
    """The client does not limit the number of redirects in a row."""

    def where(client: Client, head: Responded) -> str | None:
        at_the_limit = client.exchange_of(head).hops >= _MOST_HOPS
        redirects = at_the_limit and is_redirect(head.status, head.headers)
        return _target(client, head) if redirects else None

    _follow(where, Call.STREAM)


@breaks("ARK-SEC-2")
def forgets_the_headers_on_a_redirect() -> None:
    """When the client follows a redirect, it sends neither `Authorization` nor `Accept`."""
    _edit_redirected(lambda _, request: without(without(request, b"authorization"), b"accept"))


def _posts_again(call: Call) -> None:
    def where(_: Client, head: Responded) -> str | None:
        return header(head.headers, b"location") if 300 <= head.status < 400 else None  # noqa: PLR2004

    _follow(where, call)


@breaks("ARK-SEC-3")
def redirects_the_create() -> None:
    """The client follows a redirect of the create request and posts the job to the new address."""
    _posts_again(Call.CREATE)


@breaks("ARK-SEC-3")
def redirects_the_cancel() -> None:
    """The client follows a redirect of the cancel request and posts again, to the new address."""
    _posts_again(Call.CANCEL)


@breaks("ARK-SEC-2")
def counts_a_followed_redirect() -> None:
    """A followed redirect counts against the failure budget."""
    failures = ByObject[int]()

    def count(client: Client, event: Input) -> None:
        followed = client.came_from is Stream.OPENING and client.stream is Stream.OPENING
        limit = client.setup.policy.max_attempts
        if not isinstance(event, Responded) or not followed:
            return
        failures[client] = failures.get(client, 0) + 1
        if limit is not None and failures[client] > limit:
            client.reject(StatusError(event.status, "redirected"))

    def rule(client: Client, notice: Reconnecting, _: int) -> int:
        failures[client] = failures.get(client, 0) + 1 if notice.cause else 0
        return failures[client]

    def forget(client: Client, output: Output) -> Iterable[Output]:
        if isinstance(output, Deliver):
            failures[client] = 0
        yield output

    after_inputs(count)
    recount(rule)
    filter_outputs(forget)


@breaks("ARK-SEC-2")
def follows_a_redirect_to_nowhere() -> None:
    """After a redirect without a `Location`, the client repeats the request at the same address."""
    hops = ByObject[int]()

    def where(client: Client, head: Responded) -> str | None:
        exchange = client.exchange_of(head)
        nowhere = header(head.headers, b"location") is None
        leads = nowhere and is_redirect(head.status, ((b"location", b"nowhere"),))
        hops[exchange] = hops.get(exchange, 0) + 1
        return exchange.request.target if leads and hops[exchange] <= _MOST_HOPS else None

    _follow(where, Call.STREAM)


@breaks("ARK-SEC-1")
def follows_a_redirect_with_credentials() -> None:
    """The client drops the credentials from a `Location` and follows the redirect."""
    _change_locations(lambda _, location: re.sub(r"//[^/@]*@", "//", location))


@breaks("ARK-SEC-2")
def follows_an_empty_location() -> None:
    """After a redirect with an empty `Location`, the client repeats the request."""
    followed = ByObject[bool]()

    def where(client: Client, head: Responded) -> str | None:
        exchange = client.exchange_of(head)
        empty = header(head.headers, b"location") == ""
        leads = empty and is_redirect(head.status, ((b"location", b"nowhere"),))
        first = not exchange.hops and exchange not in followed
        if leads and first:
            followed[exchange] = True
            return exchange.request.target
        return None

    _follow(where, Call.STREAM)


@breaks("ARK-SEC-2")
def follows_whole_addresses_alone() -> None:
    """A redirect whose `Location` has no scheme counts as a failure."""
    _change_locations(lambda _, location: location if "://" in location else None)


@breaks("ARK-SEC-2", follows=("ARK-SEC-13",))
def drops_the_query_of_a_redirect() -> None:
    """The client drops the query of a `Location` and follows the redirect."""
    _change_locations(lambda _, location: location.partition("?")[0])


@breaks("ARK-SEC-13")
def takes_a_location_for_latin_1() -> None:
    """The client decodes a UTF-8 `Location` as Latin-1 and encodes the result in UTF-8."""
    _change_locations(lambda _, location: location.encode().decode("latin-1"))


@breaks("ARK-SEC-14")
def remembers_a_redirect() -> None:
    """After one redirect, the client opens all later streams at the new address."""
    places = ByObject[str]()

    def edit(client: Client, request: Request) -> Request:
        if client.sent[Call.STREAM].hops:
            places[client] = request.target
        return evolve(request, target=places.get(client, request.target))

    edit_requests(edit, Call.STREAM)
