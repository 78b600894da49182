"""Filters around the session, which change its inputs and outputs."""

from collections.abc import Callable, Iterable
from typing import Final

from attrs import evolve

from arkor_proto import (
    Broken,
    Finished,
    GaveUp,
    Headers,
    Input,
    Notify,
    Operation,
    Outcome,
    Output,
    Received,
    Reconnecting,
    Request,
    Resolved,
    Responded,
    Send,
    Settle,
    StreamEnded,
    TrainingResult,
)
from conformance.mutants.around import Call, Client, Exchange, call_of, surround, surround_once
from conformance.mutants.patching import ByObject, Stream, replace

_MOST_SPREAD: Final = 1.25


def filter_inputs(change: Callable[[Client, Input], Iterable[Input]]) -> None:
    """Replace each input of the session with the inputs that `change` yields.

    Code after a `yield` in `change` runs once the session has handled that input.
    """
    surround_once()
    original = Client.into

    def into(client: Client, event: Input) -> None:
        for each in change(client, event):
            original(client, each)

    replace(Client, "into", into)


def filter_outputs(change: Callable[[Client, Output], Iterable[Output]]) -> None:
    """Replace each output of the session with the outputs that `change` yields."""
    surround_once()
    original = Client.out

    def out(client: Client, output: Output) -> Iterable[Output]:
        for each in original(client, output):
            yield from change(client, each)

    replace(Client, "out", out)


def drop_inputs(unwanted: Callable[[Client, Input], bool]) -> None:
    """Drop inputs before they reach the session if `unwanted` returns true for them."""
    filter_inputs(lambda client, event: () if unwanted(client, event) else (event,))


def drop_outputs(unwanted: Callable[[Client, Output], bool]) -> None:
    """Drop outputs before they reach the driver if `unwanted` returns true for them."""
    filter_outputs(lambda client, output: () if unwanted(client, output) else (output,))


def after_inputs(act: Callable[[Client, Input], None]) -> None:
    """Call `act` each time the session has handled an input."""

    def change(client: Client, event: Input) -> Iterable[Input]:
        yield event
        act(client, event)

    filter_inputs(change)


def change_outcomes(change: Callable[[Client, Operation, Outcome], Outcome | None]) -> None:
    """Replace the outcome of each operation; if `change` returns None, it never settles."""

    def changed(client: Client, output: Output) -> Iterable[Output]:
        if not isinstance(output, Settle):
            yield output
        elif (outcome := change(client, output.operation, output.outcome)) is not None:
            yield Settle(output.operation, outcome)

    filter_outputs(changed)


def change_results(change: Callable[[Client, TrainingResult], TrainingResult]) -> None:
    """Replace the result that `wait()` resolves with."""

    def changed(client: Client, _: Operation, outcome: Outcome) -> Outcome:
        if not isinstance(outcome, Resolved):
            return outcome
        return Resolved(change(client, outcome.result))

    change_outcomes(changed)


def edit_requests(change: Callable[[Client, Request], Request], *calls: Call) -> None:
    """Change the requests for `calls`, or all requests if none are given, before they are sent."""

    def changed(client: Client, output: Output) -> Iterable[Output]:
        edits = isinstance(output, Send) and (not calls or call_of(output.request) in calls)
        if not edits or not isinstance(output, Send):
            yield output
            return
        request = change(client, output.request)
        if output.exchange > 0:
            client.sent[call_of(output.request)].request = request
        yield Send(output.exchange, request)

    filter_outputs(changed)


def edit_create(change: Callable[[Request], Request]) -> None:
    """Change every create request before it is sent."""
    edit_requests(lambda _, request: change(request), Call.CREATE)


def edit_stream(change: Callable[[Request], Request]) -> None:
    """Change every stream request before it is sent."""
    edit_requests(lambda _, request: change(request), Call.STREAM)


def edit_cancel(change: Callable[[Request], Request]) -> None:
    """Change every cancel request before it is sent."""
    edit_requests(lambda _, request: change(request), Call.CANCEL)


def change_heads(change: Callable[[Client, Responded], Responded], *calls: Call) -> None:
    """Change the status and headers of responses to `calls`, or of all responses if none are given."""

    def changed(client: Client, event: Input) -> Iterable[Input]:
        if isinstance(event, Responded) and (not calls or client.exchange_of(event).call in calls):
            yield change(client, event)
        else:
            yield event

    filter_inputs(changed)


def with_field(head: Responded, name: bytes, value: str | None) -> Responded:
    """Return `head` with the header `name` (lower case) set to `value`; None removes the header."""
    kept: Headers = tuple(pair for pair in head.headers if pair[0].lower() != name)
    added = () if value is None else ((name, value.encode("latin-1")),)
    return evolve(head, headers=(*kept, *added))


def as_no_stream(head: Responded) -> Responded:
    """Return the head with a content coding that makes the session refuse the stream."""
    return with_field(head, b"content-encoding", "refused")


def change_bodies(call: Call, change: Callable[[Client, Exchange, bytes], bytes]) -> None:
    """Change the bodies of 2xx responses to a call; a body is delivered once it is complete."""
    held = ByObject[bytes]()

    def changed(client: Client, event: Input) -> Iterable[Input]:
        if not isinstance(event, Received | Finished):
            yield event
            return
        exchange = client.exchange_of(event)
        if exchange.call is not call or not exchange.succeeded:
            yield event
            return
        if isinstance(event, Received):
            body = held[exchange] = held.get(exchange, b"") + event.data
            if len(body) > client.setup.config.bounds.create_body:
                yield Received(event.exchange, body)
            return
        yield Received(event.exchange, change(client, exchange, held.get(exchange, b"")))
        yield event

    filter_inputs(changed)


def change_bytes(change: Callable[[Client, bytes], bytes]) -> None:
    """Change the bytes of each chunk of a stream."""

    def changed(client: Client, event: Input) -> Iterable[Input]:
        if client.is_of_stream(event) and isinstance(event, Received):
            yield Received(event.exchange, change(client, event.data))
        else:
            yield event

    filter_inputs(changed)


def before_the_end(rest: Callable[[Client, Finished | Broken], bytes]) -> None:
    """Add bytes to each stream just before it ends."""

    def changed(client: Client, event: Input) -> Iterable[Input]:
        if client.is_of_stream(event) and not isinstance(event, Received):
            yield Received(event.exchange, rest(client, event))
        yield event

    filter_inputs(changed)


def _notice_of(output: Output) -> Reconnecting | None:
    notice = output.notice if isinstance(output, Notify) else None
    return notice if isinstance(notice, Reconnecting) else None


def change_delays(change: Callable[[Client, Reconnecting], float]) -> None:
    """Change the delay, in seconds, before each reopening of the stream."""

    def changed(client: Client, output: Output) -> Iterable[Output]:
        notice = _notice_of(output)
        if notice is None:
            yield output
            return
        delay = change(client, notice)
        client.postpone(delay - notice.delay)
        yield Notify(evolve(notice, delay=delay))

    filter_outputs(changed)


def reject_for(reason: Callable[[Client, Reconnecting], Exception | None]) -> None:
    """If `reason` returns an exception, reject `wait()` with it instead of reconnecting."""

    def changed(client: Client, output: Output) -> Iterable[Output]:
        notice = _notice_of(output)
        error = None if notice is None else reason(client, notice)
        if error is None:
            yield output
        else:
            client.reject(error)

    filter_outputs(changed)


def recount(rule: Callable[[Client, Reconnecting, int], int]) -> None:
    """Replace the rule by which consecutive failures are counted.

    `rule` takes the count so far and returns the new one; a correct rule returns 0 after a clean
    end that follows progress. Each new `wait()` starts counting from 0.
    """
    surround(lambda setup: evolve(setup, policy=evolve(setup.policy, max_attempts=None)))
    counts = ByObject[int]()

    def forget(client: Client, _: Input) -> None:
        if client.came_from is Stream.IDLE and client.stream is not Stream.IDLE:
            counts[client] = 0

    def changed(client: Client, output: Output) -> Iterable[Output]:
        notice, policy = _notice_of(output), client.setup.policy
        if notice is None:
            yield output
            return
        count = counts[client] = rule(client, notice, counts.get(client, 0))
        if policy.max_attempts is not None and count > policy.max_attempts:
            cause = notice.cause or StreamEnded("stream: it ended")
            job_id = client.session.job.id if client.session.job else ""
            client.reject(GaveUp(count, cause, job_id=job_id, cursor=notice.last_event_id))
            return
        usual = policy.nominal_delay(max(notice.failures - 1, 0))
        nominal = policy.nominal_delay(max(count - 1, 0))
        # A delay beyond the formula and its spread was requested by the server, so keep it.
        asked = not 0 < notice.delay <= _MOST_SPREAD * usual
        delay = max(notice.delay, nominal) if asked else notice.delay * nominal / usual
        client.postpone(delay - notice.delay)
        yield Notify(evolve(notice, failures=count, delay=delay))

    after_inputs(forget)
    filter_outputs(changed)
