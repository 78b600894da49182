"""Mutants of the requests themselves, and of what they must not do."""

# Mutants patch private names.
# ruff: noqa: D401
# pyright: reportPrivateUsage=false

import json
from collections.abc import Collection, Mapping
from urllib.parse import quote, quote_plus, urlencode

from attrs import evolve

from arkor_proto import _exchange, _session, _wire
from arkor_proto._errors import StatusError
from arkor_proto._exchange import Outbox, Pending
from arkor_proto._types import Bounds, Endpoint, Headers, Request
from arkor_proto._wire import cancel_request, read_error
from conformance.mutants.patching import (
    body_of,
    breaks,
    edit_cancel,
    edit_create,
    edit_stream,
    replace,
    with_body,
    with_header,
    without,
)
from conformance.strict_data import Json


def _edit_config(request: Request, config: Mapping[str, Json]) -> Request:
    body = {**body_of(request), "config": config}
    return with_body(request, json.dumps(body).encode())


def _config_of(request: Request) -> Mapping[str, Json]:
    config = body_of(request).get("config")
    return config if isinstance(config, Mapping) else {}


@breaks("ARK-WIR-1", "ARK-WIR-6", "ARK-WIR-10", follows=("ARK-WIR-14",))
def forgets_the_query() -> None:
    """No request says which organisation and project it is about."""

    def scope(_: Endpoint) -> Mapping[str, str]:
        return {}

    replace(_wire, "_scope", scope)


@breaks("ARK-WIR-14")
def glues_the_query_together() -> None:
    """Values of the query are put in as they are, but for spaces."""

    def urlencode(pairs: Mapping[str, str], *, quote_via: object) -> str:
        assert quote_via
        return "&".join(f"{key}={value.replace(' ', '%20')}" for key, value in pairs.items())

    replace(_wire, "urlencode", urlencode)


@breaks("ARK-WIR-13")
def leaves_the_job_id_unencoded() -> None:
    """The job id goes into paths as it is."""

    def job_path(job_id: str, rest: str = "") -> str:
        return f"/v1/jobs/{job_id.replace(' ', '%20')}{rest}"

    replace(_wire, "_job_path", job_path)


@breaks("ARK-WIR-13")
def encodes_the_job_id_in_latin_1() -> None:
    """An id beyond ASCII goes into paths as its bytes in Latin-1."""

    def job_path(job_id: str, rest: str = "") -> str:
        return f"/v1/jobs/{quote(job_id, safe='', encoding='latin-1', errors='replace')}{rest}"

    replace(_wire, "_job_path", job_path)


@breaks("ARK-WIR-13")
def leaves_the_job_id_unencoded_on_cancel() -> None:
    """The job id is encoded everywhere but on cancel, as the real SDK does it."""

    def cancel(endpoint: Endpoint, job_id: str) -> Request:
        request = cancel_request(endpoint, "ID")
        return evolve(request, target=request.target.replace("/ID/", f"/{job_id}/", 1))

    replace(_session, "cancel_request", cancel)


@breaks("ARK-WIR-2", "ARK-WIR-3")
def sends_the_config_without_an_envelope() -> None:
    """The body of the create is the config alone."""
    edit_create(lambda r: with_body(r, json.dumps(_config_of(r)).encode()))


@breaks("ARK-WIR-2")
def forgets_the_content_type() -> None:
    """The create does not say that its body is JSON."""
    edit_create(lambda request: with_header(request, b"Content-Type", b"text/plain"))


@breaks("ARK-WIR-3")
def renames_the_dataset() -> None:
    """The dataset is sent as `dataset`."""

    def rename(request: Request) -> Request:
        config = _config_of(request)
        rest = {key: value for key, value in config.items() if key != "datasetSource"}
        return _edit_config(request, {**rest, "dataset": config.get("datasetSource")})

    edit_create(rename)


@breaks("ARK-WIR-4")
def nests_the_lora() -> None:
    """The members of `lora` are sent as a table of their own."""

    def nest(request: Request) -> Request:
        config = _config_of(request)
        names = {"loraR", "loraAlpha", "maxLength", "loadIn4bit"}
        inner = {key: value for key, value in config.items() if key in names}
        outer = {key: value for key, value in config.items() if key not in names}
        return _edit_config(request, {**outer, "lora": inner})

    edit_create(nest)


@breaks("ARK-WIR-5")
def drops_falsy_options() -> None:
    """Options that are null, 0 or false are left out."""
    edit_create(lambda r: _edit_config(r, {k: v for k, v in _config_of(r).items() if v}))


@breaks("ARK-WIR-5")
def sends_absent_options_as_null() -> None:
    """Options that were not given are sent as null."""
    absent = dict.fromkeys(("loraR", "maxSteps", "numTrainEpochs", "learningRate", "dryRun"))
    edit_create(lambda request: _edit_config(request, {**absent, **_config_of(request)}))


@breaks("ARK-WIR-6")
def opens_the_stream_with_a_post() -> None:
    """The stream is asked for with a POST."""
    edit_stream(lambda r: evolve(with_header(r, b"Content-Length", b"0"), method="POST"))


@breaks("ARK-WIR-7")
def accepts_anything() -> None:
    """The stream request says `Accept: */*`."""
    edit_stream(lambda request: with_header(request, b"Accept", b"*/*"))


@breaks("ARK-WIR-8")
def allows_caches() -> None:
    """The stream request says nothing about caches."""
    edit_stream(lambda request: without(request, b"cache-control"))


@breaks("ARK-WIR-10")
def cancels_with_delete() -> None:
    """The cancel request is a DELETE."""
    edit_cancel(lambda request: evolve(request, method="DELETE"))


@breaks("ARK-WIR-10")
def cancels_with_a_body() -> None:
    """The cancel request has a body."""
    edit_cancel(lambda request: with_body(request, b"{}"))


@breaks("ARK-WIR-11")
def opens_the_stream_without_a_token() -> None:
    """The stream request carries no token."""
    edit_stream(lambda request: without(request, b"authorization"))


@breaks("ARK-WIR-11")
def cancels_without_a_token() -> None:
    """The cancel request carries no token."""
    edit_cancel(lambda request: without(request, b"authorization"))


@breaks("ARK-WIR-11")
def submits_with_another_token() -> None:
    """The create request carries a token that is not the caller's."""
    edit_create(lambda request: with_header(request, b"Authorization", b"Bearer another"))


@breaks("ARK-WIR-12")
def does_not_name_the_client() -> None:
    """The stream request does not say which client it comes from."""
    edit_stream(lambda request: without(request, b"x-arkor-client"))


@breaks("ARK-SEC-4")
def reads_error_bodies_without_bound() -> None:
    """The body of an error is read to its end, whenever that is."""

    def keep(_: Outbox, pending: Pending, data: bytes) -> bool:
        pending.body += data
        return False

    replace(Outbox, "keep", keep)


@breaks("ARK-SEC-5")
def takes_events_of_any_size() -> None:
    """There is no bound on the size of an event."""
    defaults = {"event": 2**40, "create_body": 2**20, "error_body": 2**16}
    waits = {"create_wait": 30.0, "error_wait": 5.0}
    replace(Bounds.__init__, "__kwdefaults__", {**defaults, **waits})


@breaks("ARK-SEC-7")
def takes_create_answers_of_any_size() -> None:
    """There is no bound on the answer to the create."""
    defaults = {"event": 2**23, "create_body": 2**40, "error_body": 2**16}
    waits = {"create_wait": 30.0, "error_wait": 5.0}
    replace(Bounds.__init__, "__kwdefaults__", {**defaults, **waits})


@breaks("ARK-SEC-8")
def tells_the_token() -> None:
    """Errors repeat whatever the backend says, a token that it echoes included."""

    def told(
        status: int, headers: Headers, body: bytes, *, secrets: Collection[str]
    ) -> StatusError:
        error = read_error(status, headers, body, secrets=())
        return StatusError(status, f"{error.message} (sent {', '.join(secrets)})")

    replace(_exchange, "read_error", told)


@breaks("ARK-SEC-5")
def has_a_small_bound_on_events() -> None:
    """An event of more than a mebibyte is too large."""
    defaults = {"event": 2**20, "create_body": 2**20, "error_body": 2**16}
    waits = {"create_wait": 30.0, "error_wait": 5.0}
    replace(Bounds.__init__, "__kwdefaults__", {**defaults, **waits})


@breaks("ARK-WIR-5")
def forgets_an_option() -> None:
    """One option has no name on the wire."""
    edit_create(
        lambda r: _edit_config(r, {k: v for k, v in _config_of(r).items() if k != "evalSteps"})
    )


@breaks("ARK-WIR-13")
def writes_spaces_of_the_job_id_as_plus() -> None:
    """The job id is encoded as if it stood in a form."""

    def job_path(job_id: str, rest: str = "") -> str:
        return f"/v1/jobs/{quote_plus(job_id)}{rest}"

    replace(_wire, "_job_path", job_path)


@breaks("ARK-WIR-14")
def encodes_the_query_twice() -> None:
    """Values of the query that are encoded already are encoded once more."""
    original = urlencode

    def twice(pairs: Mapping[str, str], *, quote_via: object) -> str:
        assert quote_via
        return original({key: quote(value) for key, value in pairs.items()}, quote_via=quote)

    replace(_wire, "urlencode", twice)
