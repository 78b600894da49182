"""Every call of the protocol as it goes on the wire."""

import json
import math
import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkor_proto import Endpoint, Headers, JobSpec, Request, job_spec
from arkor_proto._calls import (
    anonymous_request,
    chat_request,
    create_project_request,
    me_request,
    projects_request,
)
from arkor_proto._secrets import Hider
from arkor_proto._wire import (
    cancel_request,
    coding_problem,
    create_request,
    cursor_problem,
    is_success,
    job_request,
    read_error,
    redirected,
    retry_after,
    stream_request,
)
from tests.arkor_proto.wire_samples import ENDPOINT, SPEC, TOKEN

MESSAGES = ({"role": "user", "content": "hi"},)
EVERY: Mapping[str, Callable[[], Request]] = {
    "create": lambda: create_request(ENDPOINT, SPEC, None),
    "stream": lambda: stream_request(ENDPOINT, "j", ""),
    "cancel": lambda: cancel_request(ENDPOINT, "j"),
    "job": lambda: job_request(ENDPOINT, "j"),
    "chat": lambda: chat_request(ENDPOINT, MESSAGES, job_id="j", step=1),
    "projects": lambda: projects_request(ENDPOINT),
    "new project": lambda: create_project_request(ENDPOINT, "Bots", "bots"),
    "anonymous": lambda: anonymous_request(ENDPOINT),
    "me": lambda: me_request(ENDPOINT),
}
everywhere = pytest.mark.parametrize("call", EVERY.values(), ids=EVERY)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def headers(request: Request) -> dict[str, str]:
    """Return the headers of a request; no name may come twice."""
    found = {name.decode().lower(): value.decode() for name, value in request.headers}
    assert len(found) == len(request.headers)
    return found


def body(request: Request) -> object:
    """Return the JSON that a request carries."""
    return json.loads(request.body)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("create", "POST /v1/jobs?orgSlug=acme&projectSlug=bots"),
        ("stream", "GET /v1/jobs/j/events/stream?orgSlug=acme&projectSlug=bots"),
        ("cancel", "POST /v1/jobs/j/cancel?orgSlug=acme&projectSlug=bots"),
        ("job", "GET /v1/jobs/j?orgSlug=acme&projectSlug=bots"),
        ("chat", "POST /v1/inference/chat?orgSlug=acme&projectSlug=bots"),
        ("projects", "GET /v1/projects?orgSlug=acme"),
        ("new project", "POST /v1/projects?orgSlug=acme"),
        ("anonymous", "POST /v1/auth/anonymous"),
        ("me", "GET /v1/me"),
    ],
)
def test_each_call_has_its_method_and_its_target(name: str, line: str) -> None:
    request = EVERY[name]()
    assert f"{request.method} {request.target}" == line


@everywhere
def test_every_call_says_who_calls(call: Callable[[], Request]) -> None:
    request = call()
    found = headers(request)
    assert (found["authorization"], found["x-arkor-client"]) == (f"Bearer {TOKEN}", "tests/1")
    assert found["host"] == "api.example"


@everywhere
def test_every_call_asks_for_bytes_as_they_are(call: Callable[[], Request]) -> None:
    request = call()
    assert headers(request)["accept-encoding"] == "identity"


@everywhere
def test_a_post_says_its_length_and_a_get_has_no_body(call: Callable[[], Request]) -> None:
    request = call()
    length = headers(request).get("content-length")
    expected = str(len(request.body)) if request.method == "POST" else None
    assert (length, request.method == "GET" and bool(request.body)) == (expected, False)


@everywhere
def test_a_body_is_json_and_says_so(call: Callable[[], Request]) -> None:
    request = call()
    declared = headers(request).get("content-type")
    assert declared == ("application/json" if request.body else None)


def test_header_names_are_written_as_the_specification_writes_them() -> None:
    assert [name for name, _ in create_request(ENDPOINT, SPEC, "k-1").headers] == [
        *(b"Host", b"Accept", b"Accept-Encoding", b"Authorization", b"X-Arkor-Client"),
        *(b"Content-Type", b"Content-Length", b"Idempotency-Key"),
    ]


def test_a_body_is_written_without_spaces() -> None:
    spec = JobSpec(name="bot", config={"steps": [1, 2]})
    assert create_request(ENDPOINT, spec, None).body == b'{"name":"bot","config":{"steps":[1,2]}}'


@pytest.mark.parametrize("name", ["create", "cancel", "job", "projects", "anonymous", "me"])
def test_a_call_that_is_answered_at_once_asks_for_json(name: str) -> None:
    assert headers(EVERY[name]())["accept"] == "application/json"


def test_a_caller_without_a_token_claims_none() -> None:
    request = anonymous_request(Endpoint(base_url="https://api.example"))
    assert "authorization" not in headers(request)
    assert body(request) == {"kind": "cli"}


def test_the_stream_asks_for_events_afresh() -> None:
    found = headers(EVERY["stream"]())
    assert (found["accept"], found["cache-control"]) == ("text/event-stream", "no-cache")
    assert "last-event-id" not in found
    assert (b"Cache-Control", b"no-cache") in EVERY["stream"]().headers


def test_a_cursor_is_sent_as_utf8() -> None:
    request = stream_request(ENDPOINT, "j", "é日")
    assert dict(request.headers)[b"Last-Event-ID"] == "é日".encode()


def test_the_create_carries_name_and_config() -> None:
    dataset = {"type": "huggingface", "name": "d", "split": None, "else": [1]}
    spec = job_spec("bot", model="m", dataset=dataset)
    assert body(create_request(ENDPOINT, spec, None)) == {
        "name": "bot",
        "config": {"model": "m", "datasetSource": dataset},
    }


def test_a_key_is_sent_when_there_is_one() -> None:
    request = create_request(ENDPOINT, SPEC, "k-1")
    assert headers(request)["idempotency-key"] == "k-1"


def test_a_chat_names_its_checkpoint() -> None:
    request = chat_request(ENDPOINT, MESSAGES, job_id="j/1", step=0, options={"maxTokens": 5})
    assert body(request) == {
        "messages": [{"role": "user", "content": "hi"}],
        "adapter": {"kind": "checkpoint", "jobId": "j/1", "step": 0},
        "stream": True,
        "maxTokens": 5,
    }
    assert headers(request)["accept"] == "text/event-stream, application/json"


def test_a_chat_that_json_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^request: the body cannot be written as JSON: Out"):
        chat_request(ENDPOINT, MESSAGES, job_id="j", step=0, options={"temperature": math.nan})


def test_a_new_project_has_a_name_and_a_slug() -> None:
    assert body(EVERY["new project"]()) == {"name": "Bots", "slug": "bots"}


@given(job_id=TEXT.filter(lambda text: text not in {".", ".."}))
def test_any_job_id_is_one_segment_of_every_path(job_id: str) -> None:
    for request in (
        stream_request(ENDPOINT, job_id, ""),
        cancel_request(ENDPOINT, job_id),
        job_request(ENDPOINT, job_id),
    ):
        segments = request.target.partition("?")[0].split("/")
        assert (segments[:3], unquote(segments[3])) == (["", "v1", "jobs"], job_id)


@given(org=TEXT)
def test_a_query_is_percent_encoded_as_by_the_standard_library(org: str) -> None:
    target = cancel_request(Endpoint(base_url="https://h", org=org), "j").target
    assert target.partition("?")[2] == urlencode(
        {"orgSlug": org, "projectSlug": ""}, quote_via=quote
    )


@given(org=TEXT, project=TEXT)
def test_any_scope_decodes_to_what_was_given(org: str, project: str) -> None:
    endpoint = Endpoint(base_url="https://h", org=org, project=project)
    target = urlsplit(cancel_request(endpoint, "j").target)
    assert target.path == "/v1/jobs/j/cancel"
    assert parse_qsl(target.query) == [("orgSlug", org), ("projectSlug", project)]


@pytest.mark.parametrize("base", ["https://h/p/q", "https://h/p/q/"])
def test_a_path_of_the_address_stays_in_front(base: str) -> None:
    assert me_request(Endpoint(base_url=base)).target == "/p/q/v1/me"


def test_a_port_belongs_to_the_host() -> None:
    assert headers(me_request(Endpoint(base_url="http://h:81")))["host"] == "h:81"


def test_lora_and_options_take_their_wire_names() -> None:
    spec = job_spec(
        "bot",
        model="m",
        dataset={"type": "huggingface", "name": "d"},
        lora={"r": 8, "alpha": 16, "max_length": 512, "load_in_4bit": False},
        options={"max_steps": 0, "lr_scheduler_type": None, "train_on_responses_only": True},
    )
    assert {key: value for key, value in spec.config.items() if key != "model"} == {
        "datasetSource": {"type": "huggingface", "name": "d"},
        "loraR": 8,
        "loraAlpha": 16,
        "maxLength": 512,
        "loadIn4bit": False,
        "maxSteps": 0,
        "lrSchedulerType": None,
        "trainOnResponsesOnly": True,
    }


@pytest.mark.parametrize(
    ("option", "value", "wire"),
    [
        ("num_train_epochs", 1.5, "numTrainEpochs"),
        ("learning_rate", 1, "learningRate"),
        ("batch_size", 1, "batchSize"),
        ("optim", "adamw", "optim"),
        ("weight_decay", 0.1, "weightDecay"),
        ("warmup_steps", 1, "warmupSteps"),
        ("logging_steps", 1, "loggingSteps"),
        ("save_steps", 1, "saveSteps"),
        ("eval_steps", None, "evalSteps"),
        ("dataset_format", "chat", "datasetFormat"),
        ("dataset_split", "train", "datasetSplit"),
        ("dry_run", False, "dryRun"),
    ],
)
def test_every_other_option_is_sent_in_camel_case(option: str, value: object, wire: str) -> None:
    spec = job_spec("b", model="m", dataset=DATASET, options={option: value})
    assert spec.config[wire] == value


DATASET = {"type": "huggingface", "name": "d"}


@pytest.mark.parametrize(
    ("lora", "options", "message"),
    [
        ({}, {"max_steps": "10"}, "trainer: max_steps: it is a str; pass a whole number, or None"),
        ({}, {"max_steps": True}, "trainer: max_steps: it is a bool; pass a whole number, or None"),
        ({}, {"max_steps": 1.5}, "trainer: max_steps: it is a float; pass a whole number"),
        ({}, {"learning_rate": "x"}, "trainer: learning_rate: it is a str; pass a number, or None"),
        ({}, {"dry_run": 1}, "trainer: dry_run: it is an int; pass True or False, or None"),
        ({}, {"optim": 1}, "trainer: optim: it is an int; pass a str, or None"),
        ({"r": "8"}, {}, "lora: r: it is a str; pass a whole number, or None"),
    ],
)
def test_an_option_of_a_wrong_type_is_named(
    lora: dict[str, object], options: dict[str, object], message: str
) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        job_spec("b", model="m", dataset=DATASET, lora=lora, options=options)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ({}, "dataset: unknown type None; write one of huggingface, blob"),
        ({"type": 1}, "dataset: unknown type 1; write one of huggingface, blob"),
        ({"type": "hugingface"}, "dataset: unknown type 'hugingface'; did you mean 'huggingface'?"),
        ({"type": "blob"}, "dataset: 'url' is missing; a blob dataset needs it"),
        ({"type": "blob", "url": ""}, "dataset: 'url' is missing; a blob dataset needs it"),
        ({"type": "blob", "url": 1}, "dataset['url']: it is an int; pass a str"),
        ({"type": "blob", "url": "u", "token": b""}, "dataset['token']: it is a bytes; pass a str"),
    ],
)
def test_a_dataset_that_cannot_be_one_is_named(dataset: dict[str, object], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        job_spec("b", model="m", dataset=dataset)


def test_a_dataset_is_sent_as_it_is() -> None:
    dataset = {"type": "blob", "url": "https://b.example/x", "revision": 3}
    assert job_spec("b", model="m", dataset=dataset).config["datasetSource"] == dataset


def test_a_job_has_a_model() -> None:
    with pytest.raises(ValueError, match="model: must not be empty"):
        job_spec("b", model="", dataset=DATASET)


def test_an_option_with_a_typing_error_gets_a_hint() -> None:
    with pytest.raises(ValueError, match=r"trainer: 'max_step' .* did you mean 'max_steps'\?"):
        job_spec(
            "b", model="m", dataset={"type": "huggingface", "name": "d"}, options={"max_step": 1}
        )


def test_an_option_like_no_other_gets_the_list() -> None:
    with pytest.raises(ValueError, match="lora: 'zzz' is not an option; write one of r, alpha"):
        job_spec("b", model="m", dataset={"type": "huggingface", "name": "d"}, lora={"zzz": 1})


@given(name=TEXT)
def test_any_name_arrives_as_given(name: str) -> None:
    request = create_request(ENDPOINT, JobSpec(name=name, config={}), None)
    assert body(request) == {"name": name, "config": {}}


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/a?b=c", "/a?b=c"),
        ("other", "/v1/jobs/j/events/other"),
        ("?x", "/v1/jobs/j/events/stream?x"),
        ("https://api.example", "/"),
        ("https://api.example:443/p", "/p"),
        ("HTTPS://API.example/p", "/p"),
        ("/a#fragment", "/a"),
        ("/sp ace/\xc3\xa9", "/sp%20ace/%C3%A9"),
        ("/kept%2Fas%20is", "/kept%2Fas%20is"),
    ],
)
def test_a_redirect_is_resolved_against_the_request(location: str, target: str) -> None:
    again = redirected(ENDPOINT, EVERY["stream"](), location)
    assert again is not None
    assert (again.method, again.target) == ("GET", target)
    assert again.headers == EVERY["stream"]().headers


@pytest.mark.parametrize(
    "location",
    [
        "",
        "https://api.example:8443/",
        "http://api.example:443/",
        "//other/",
        "https://api.example.:/",
        "https://api.example:0/",
        "https://api.example:70000/",
        "https://user:pw@api.example/p",
        "https://user@api.example/p",
        "https://:pw@api.example/p",
        "https://@api.example/p",
        "//user:pw@api.example/p",
    ],
)
def test_another_origin_or_one_with_credentials_is_never_followed(location: str) -> None:
    assert redirected(ENDPOINT, EVERY["stream"](), location) is None


@given(location=st.text(st.characters(max_codepoint=255)))
def test_a_redirect_never_leaves_the_request_line(location: str) -> None:
    again = redirected(ENDPOINT, EVERY["stream"](), location)
    assert again is None or (again.target.isascii() and " " not in again.target)
    assert again is None or again.target.isprintable()


@given(value=st.binary(max_size=40), date=st.none() | st.binary(max_size=40))
def test_no_retry_after_can_disturb(value: bytes, date: bytes | None) -> None:
    extra = () if date is None else ((b"date", date),)
    delay = retry_after(((b"retry-after", value), *extra))
    assert delay is None or 0 <= delay <= 10**9


DATES = st.from_regex(
    r"(Mon, )?[0-9]{1,3} (Jan|Feb|Foo) [0-9]{1,20} [0-9]{1,3}:[0-9]{1,3}(:[0-9]{1,9})? (GMT|[+-][0-9]{4,9}|)",
    fullmatch=True,
)


@given(then=DATES, now=DATES)
def test_no_date_of_any_calendar_can_disturb(then: str, now: str) -> None:
    delay = retry_after(((b"Retry-After", then.encode()), (b"Date", now.encode())))
    assert delay is None or 0 <= delay <= 10**9


@given(cursor=st.text())
def test_a_cursor_without_a_problem_is_a_header_value(cursor: str) -> None:
    if cursor_problem(cursor) is None:
        raw = cursor.encode()
        assert raw == raw.strip(b" \t\r\n")
        assert not any((byte < 32 and byte != 9) or byte == 127 for byte in raw)
        assert len(raw) <= 1024


@pytest.mark.parametrize(
    ("cursor", "problem"),
    [
        (" 1", "it begins or ends with white space, which a header does not preserve"),
        ("1\t", "it begins or ends with white space, which a header does not preserve"),
        ("a\nb", "it contains control characters, which are not allowed in a header"),
        ("a\x7fb", "it contains control characters, which are not allowed in a header"),
        ("\ud800", "it contains surrogates, which UTF-8 cannot encode"),
        ("x" * 1025, "it is 1025 bytes long, which is too long"),
        ("é" * 513, "it is 1026 bytes long, which is too long"),
        ("x" * 1024, None),
        ("a b\tc~", None),
        ("X1X", None),
        ("", None),
    ],
)
def test_what_a_header_cannot_carry_of_a_cursor_is_said(cursor: str, problem: str | None) -> None:
    assert cursor_problem(cursor) == problem


@pytest.mark.parametrize(
    ("codings", "problem"),
    [
        (b"gzip, Identity, br", "content coding 'gzip, br'; the request accepts only identity"),
        (b"identity, IDENTITY", ""),
        (b"identity\xa0", "content coding 'identity\\xa0'; the request accepts only identity"),
    ],
)
def test_every_coding_but_identity_is_a_problem(codings: bytes, problem: str) -> None:
    assert coding_problem(((b"Content-Encoding", codings),)) == problem


@pytest.mark.parametrize(("status", "expected"), [(199, 0), (200, 1), (299, 1), (300, 0)])
def test_the_2xx_are_a_success(status: int, expected: int) -> None:
    assert is_success(status) == expected


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": "no credit"}', "no credit"),
        (b'{"error": {"message": "no credit", "code": 7}}', "no credit"),
        (b'{"error": {"code": 7}}', '{"error": {"code": 7}}'),
        (b'{"error": ""}', '{"error": ""}'),
        (b'{"error": 7}', '{"error": 7}'),
        (b'{"errors": "no credit"}', '{"errors": "no credit"}'),
        (b" busy\n", "busy"),
        (b"\xffbusy", "\ufffdbusy"),
        (b" \n", "cloud-api 503"),
        (b"", "cloud-api 503"),
    ],
)
def test_an_error_says_what_the_backend_says(body: bytes, message: str) -> None:
    assert read_error(503, (), body, Hider()).message == message


LOCATION = (b"Location", b"/b")


@pytest.mark.parametrize(
    ("status", "headers", "message"),
    [
        (
            302,
            (LOCATION,),
            "redirected to '/b'; redirects are followed only for GET, within one origin and at most 5 times",
        ),
        (302, (), "cloud-api 302"),
        (302, (LOCATION, LOCATION), "cloud-api 302"),
        (503, (LOCATION,), "cloud-api 503"),
    ],
)
def test_an_error_says_where_a_redirect_was_not_followed_to(
    status: int, headers: Headers, message: str
) -> None:
    assert read_error(status, headers, b"", Hider()).message == message


def test_an_error_has_the_status_the_body_and_each_header_once() -> None:
    headers = ((b"X-A", b"1"), (b"x-a", b" 2\t"), (b"Empty", b""), (b"\xc9", b"\xe9"))
    error = read_error(402, headers, b'{"error": "no", "more": [1]}', Hider())
    assert (error.status, error.body) == (402, {"error": "no", "more": [1]})
    assert error.headers == {"x-a": "1, 2", "empty": "", "\xc9": "\xe9"}


def test_an_error_keeps_no_secret_anywhere() -> None:
    body = b'{"error": "for s3cr3t-t0ken", "s3cr3t-t0ken": ["s3cr3t-t0ken"]}'
    error = read_error(402, ((b"X", b"s3cr3t-t0ken!"),), body, Hider.of({"s3cr3t-t0ken"}))
    assert (error.message, error.body) == ("for ***", {"error": "for ***", "***": ["***"]})
    assert error.headers == {"x": "***!"}


DATE = (b"Date", b"Mon, 01 Jan 2024 00:00:00 GMT")


@pytest.mark.parametrize(
    ("value", "more", "delay"),
    [
        (b"0", (), 0),
        (b"007", (), 7),
        (b"000000000030", (), 30),
        (b"999999999", (), 999_999_999),
        (b"1000000000", (), 10**9),
        (b"9999999999", (), 10**9),
        (b"9" * 5000, (), 10**9),
        (b"\xb2", (), None),
        (b"1.5", (), None),
        (b"-1", (), None),
        (b"", (), None),
        (b"Mon, 01 Jan 2024 00:00:20 GMT", (DATE,), 20),
        (b"Mon, 01 Jan 2024 02:00:20 +0200", (DATE,), 20),
        (b"Sun, 31 Dec 2023 00:00:00 GMT", (DATE,), 0),
        (b"Thu, 01 Jan 2099 00:00:00 GMT", (DATE,), 10**9),
        (b"Mon, 01 Jan 2024 00:00:20 GMT", (), None),
        (b"soon", (DATE,), None),
    ],
)
def test_retry_after_is_seconds_or_a_date_after_the_answers_own(
    value: bytes, more: Headers, delay: float | None
) -> None:
    assert retry_after(((b"Retry-After", value), *more)) == delay


def test_without_retry_after_a_date_says_nothing() -> None:
    assert retry_after((DATE,)) is None
