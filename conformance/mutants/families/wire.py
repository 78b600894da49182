"""Mutants that send wrong requests, misapply response size limits, or leak secrets in errors."""

# ruff: noqa: D401

import json
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, quote, quote_plus, urlencode

from attrs import evolve

from arkor_proto import Operation, Outcome, Rejected, Request, StatusError
from conformance.mutants.around import Call, Client, Setup, surround
from conformance.mutants.filters import (
    change_outcomes,
    edit_cancel,
    edit_create,
    edit_requests,
    edit_stream,
)
from conformance.mutants.patching import body_of, breaks, with_body, with_header, without
from conformance.strict_data import Json


def _edit_config(request: Request, config: Mapping[str, Json]) -> Request:
    body = {**body_of(request), "config": config}
    return with_body(request, json.dumps(body).encode())


def _config_of(request: Request) -> Mapping[str, Json]:
    config = body_of(request).get("config")
    return config if isinstance(config, Mapping) else {}


def edit_queries(change: Callable[[Mapping[str, str]], str]) -> None:
    """Change the query of every request, except stream requests that follow a redirect."""

    def edit(client: Client, request: Request) -> Request:
        path, _, query = request.target.partition("?")
        stream = client.sent.get(Call.STREAM)
        if stream is not None and stream.request is request and stream.hops:
            return request
        new = change(dict(parse_qsl(query, keep_blank_values=True)))
        return evolve(request, target=f"{path}?{new}" if new else path)

    edit_requests(edit)


def _encode_ids(encode: Callable[[str], str], *calls: Call) -> None:
    """Change how the job id is encoded in the paths of some calls."""

    def edit(client: Client, request: Request) -> Request:
        job_id = client.session.job.id if client.session.job else ""
        usual, new = f"/jobs/{quote(job_id, safe='')}", f"/jobs/{encode(job_id)}"
        return evolve(request, target=request.target.replace(usual, new, 1))

    edit_requests(edit, *calls)


@breaks("ARK-WIR-1", "ARK-WIR-6", "ARK-WIR-10", follows=("ARK-WIR-14",))
def forgets_the_query() -> None:
    """The client leaves the organisation and the project out of the query of every request."""
    edit_queries(lambda _: "")


@breaks("ARK-WIR-14")
def glues_the_query_together() -> None:
    """The client does not percent-encode query values, except for spaces."""
    edit_queries(
        lambda pairs: "&".join(f"{key}={v.replace(' ', '%20')}" for key, v in pairs.items())
    )


def _plain(job_id: str) -> str:
    return job_id.replace(" ", "%20")


@breaks("ARK-WIR-13")
def leaves_the_job_id_unencoded() -> None:
    """The client does not percent-encode the job id in paths, except for spaces."""
    _encode_ids(_plain, Call.STREAM, Call.CANCEL, Call.ASK)


@breaks("ARK-WIR-13")
def encodes_the_job_id_in_latin_1() -> None:
    """The client percent-encodes the job id as Latin-1 instead of UTF-8."""
    _encode_ids(
        lambda job_id: quote(job_id, safe="", encoding="latin-1", errors="replace"),
        *(Call.STREAM, Call.CANCEL, Call.ASK),
    )


@breaks("ARK-WIR-13")
def leaves_the_job_id_unencoded_on_cancel() -> None:
    """Like the real SDK, the client does not percent-encode the job id in the path of a cancel."""
    _encode_ids(str, Call.CANCEL)


@breaks("ARK-WIR-2", "ARK-WIR-3")
def sends_the_config_without_an_envelope() -> None:
    """The body of the create request is the bare config, not an object with `name` and `config`."""
    edit_create(lambda r: with_body(r, json.dumps(_config_of(r)).encode()))


@breaks("ARK-WIR-2")
def forgets_the_content_type() -> None:
    """The create request has `Content-Type: text/plain` although its body is JSON."""
    edit_create(lambda request: with_header(request, b"Content-Type", b"text/plain"))


@breaks("ARK-WIR-3")
def renames_the_dataset() -> None:
    """The create request calls the dataset `dataset` instead of `datasetSource`."""

    def rename(request: Request) -> Request:
        config = _config_of(request)
        rest = {key: value for key, value in config.items() if key != "datasetSource"}
        return _edit_config(request, {**rest, "dataset": config.get("datasetSource")})

    edit_create(rename)


@breaks("ARK-WIR-4")
def nests_the_lora() -> None:
    """The create request nests the LoRA options in a `lora` object instead of sending them flat."""

    def nest(request: Request) -> Request:
        config = _config_of(request)
        names = {"loraR", "loraAlpha", "maxLength", "loadIn4bit"}
        inner = {key: value for key, value in config.items() if key in names}
        outer = {key: value for key, value in config.items() if key not in names}
        return _edit_config(request, {**outer, "lora": inner})

    edit_create(nest)


@breaks("ARK-WIR-5")
def drops_falsy_options() -> None:
    """The create request leaves out options that are null, 0 or false."""
    edit_create(lambda r: _edit_config(r, {k: v for k, v in _config_of(r).items() if v}))


@breaks("ARK-WIR-5")
def sends_absent_options_as_null() -> None:
    """The create request sends null for options that the caller did not set."""
    absent = dict.fromkeys(("loraR", "maxSteps", "numTrainEpochs", "learningRate", "dryRun"))
    edit_create(lambda request: _edit_config(request, {**absent, **_config_of(request)}))


@breaks("ARK-WIR-6")
def opens_the_stream_with_a_post() -> None:
    """The client opens the stream with POST instead of GET."""
    edit_stream(lambda r: evolve(with_header(r, b"Content-Length", b"0"), method="POST"))


@breaks("ARK-WIR-7")
def accepts_anything() -> None:
    """The stream request has `Accept: */*` instead of `Accept: text/event-stream`."""
    edit_stream(lambda request: with_header(request, b"Accept", b"*/*"))


@breaks("ARK-WIR-8")
def allows_caches() -> None:
    """The stream request has no `Cache-Control` header."""
    edit_stream(lambda request: without(request, b"cache-control"))


@breaks("ARK-WIR-10")
def cancels_with_delete() -> None:
    """The client sends the cancel request as a DELETE instead of a POST."""
    edit_cancel(lambda request: evolve(request, method="DELETE"))


@breaks("ARK-WIR-10")
def cancels_with_a_body() -> None:
    """The cancel request has a body, although the protocol requires it to be empty."""
    edit_cancel(lambda request: with_body(request, b"{}"))


@breaks("ARK-WIR-11")
def opens_the_stream_without_a_token() -> None:
    """The stream request has no `Authorization` header."""
    edit_stream(lambda request: without(request, b"authorization"))


@breaks("ARK-WIR-11")
def cancels_without_a_token() -> None:
    """The cancel request has no `Authorization` header."""
    edit_cancel(lambda request: without(request, b"authorization"))


# If a case fixes the job's name, the kit attributes this create request to another client.
@breaks("ARK-WIR-11", follows=("ARK-CRE-1",))
def submits_with_another_token() -> None:
    """The create request has a token other than the caller's."""
    edit_create(lambda request: with_header(request, b"Authorization", b"Bearer another"))


@breaks("ARK-WIR-12")
def does_not_name_the_client() -> None:
    """The stream request has no `X-Arkor-Client` header."""
    edit_stream(lambda request: without(request, b"x-arkor-client"))


def _change_bounds(**bounds: int) -> None:
    """Replace the limits, in bytes, that the caller set on the sizes of responses and events."""

    def change(setup: Setup) -> Setup:
        changed = evolve(setup.config.bounds, **bounds)
        return evolve(setup, config=evolve(setup.config, bounds=changed))

    surround(change)


@breaks("ARK-SEC-4")
def reads_error_bodies_without_bound() -> None:
    """The client reads error bodies to the end, without a size limit."""
    _change_bounds(error_body=2**40)


@breaks("ARK-SEC-5")
def takes_events_of_any_size() -> None:
    """The client does not limit the size of an event."""
    _change_bounds(event=2**40)


@breaks("ARK-SEC-7")
def takes_create_answers_of_any_size() -> None:
    """The client does not limit the size of the create response."""
    _change_bounds(create_body=2**40)


@breaks("ARK-SEC-8")
def tells_the_token() -> None:
    """Error messages contain the client's secrets, such as its token."""

    def change(client: Client, _: Operation, outcome: Outcome) -> Outcome:
        error = outcome.error if isinstance(outcome, Rejected) else None
        if not isinstance(error, StatusError):
            return outcome
        secrets = ", ".join(client.setup.config.secrets)
        return Rejected(StatusError(error.status, f"{error.message} (sent {secrets})"))

    change_outcomes(change)


@breaks("ARK-SEC-5")
def has_a_small_bound_on_events() -> None:
    """The client rejects events larger than 1 MiB, which is too low a limit."""
    _change_bounds(event=2**20)


@breaks("ARK-WIR-5")
def forgets_an_option() -> None:
    """The create request leaves out the option `evalSteps`."""
    edit_create(
        lambda r: _edit_config(r, {k: v for k, v in _config_of(r).items() if k != "evalSteps"})
    )


@breaks("ARK-WIR-13")
def writes_spaces_of_the_job_id_as_plus() -> None:
    """The client encodes spaces in the job id as `+`, as in a form."""
    _encode_ids(quote_plus, Call.STREAM, Call.CANCEL, Call.ASK)


@breaks("ARK-WIR-14")
def encodes_the_query_twice() -> None:
    """The client percent-encodes query values twice."""
    edit_queries(lambda pairs: urlencode({k: quote(v) for k, v in pairs.items()}, quote_via=quote))
