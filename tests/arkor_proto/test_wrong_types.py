"""Arguments of a wrong type: one TypeError that names the argument and says what to pass."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

import pytest

import arkor_proto
from arkor_proto import (
    EventStreamParser,
    Follow,
    ServerSentEvent,
    Session,
    SessionConfig,
    TrainingJob,
    TrainingLog,
)
from arkor_proto.transports import anyio as asynchronous
from arkor_proto.transports import blocking
from tests.arkor_proto.wire_samples import ENDPOINT


class Loose(Protocol):
    """A function as a program without type hints sees it."""

    def __call__(self, *arguments: object, **named: object) -> object:
        """Call it."""
        ...


def loose(name: str, owner: object = arkor_proto) -> Loose:
    """Return a function of the package, or a method, that takes anything."""
    function: Loose = getattr(owner, name)
    return function


def session() -> Session:
    """Return a session of a job that exists."""
    return Session(SessionConfig(endpoint=ENDPOINT, job="j"))


LOG: Final = TrainingLog(step=1)
FRAME: Final = ServerSentEvent("message", "{}", "")
feed = loose("feed", EventStreamParser())
handle = loose("handle", session())
encode, decode_event, decode_job = (
    loose(name) for name in ("encode_event", "decode_event", "decode_job")
)
CALLS: Final[Mapping[str, tuple[Callable[[], object], str]]] = {
    "feed: a str": (
        lambda: feed("text"),
        "feed: it is a str; pass the bytes of the body, as received$",
    ),
    "feed: None": (lambda: feed(None), "feed: it is None; pass the bytes"),
    "feed: a list": (lambda: feed([1]), "feed: it is a list; pass the bytes"),
    "feed: an event": (lambda: feed(FRAME), "feed: it is a ServerSentEvent"),
    "parser: a cursor of bytes": (
        lambda: loose("EventStreamParser")(last_event_id=b"1"),
        'last_event_id: it is a bytes; pass the id as a str, or "" if there is none$',
    ),
    "parser: a bound of text": (
        lambda: loose("EventStreamParser")(max_event_size="8"),
        "max_event_size: it is a str; pass a whole number of bytes$",
    ),
    "encode: an event": (
        lambda: encode(LOG),
        r"data: it is a TrainingLog; .* data; for an event, json\.dumps\(encode_event_data\(event\)\)$",
    ),
    "encode: a frame": (lambda: encode(FRAME), "data: it is a ServerSentEvent; pass the text"),
    "encode: a dict": (lambda: encode({}), "data: it is a dict; pass the text"),
    "encode: bytes": (lambda: encode(b"x"), "data: it is a bytes; pass the text"),
    "encode: an id": (lambda: encode("x", id=1), "id: it is an int; pass the id as a str$"),
    "encode: a type": (
        lambda: encode("x", type=None),
        "type: it is None; pass the name of the event as a str$",
    ),
    "encode: a comment": (
        lambda: encode("x", comment=b"c"),
        "comment: it is a bytes; pass the comment as a str$",
    ),
    "encode: a delay": (
        lambda: encode("x", retry=1.5),
        "retry: it is a float; pass a whole number of milliseconds$",
    ),
    "encode: a flag": (lambda: encode("x", retry=True), "retry: it is a bool; pass a whole"),
    "decode event: text": (lambda: decode_event("{}"), "decode_event: it is a str; .*json.loads"),
    "decode event: bytes": (lambda: decode_event(b"{}"), "decode_event: it is a bytes"),
    "decode event: a list": (lambda: decode_event([]), "decode_event: it is a list"),
    "decode event: None": (lambda: decode_event(None), "decode_event: it is None"),
    "decode job: text": (lambda: decode_job("{}"), "decode_job: it is a str; .*json.loads"),
    "decode job: a job": (lambda: decode_job(TrainingJob(id="j")), "decode_job: it is a Training"),
    "encode job: a dict": (lambda: loose("encode_job")({}), "encode_job: it is a dict"),
    "encode job: an event": (lambda: loose("encode_job")(LOG), "encode_job: it is a TrainingLog"),
    "encode data: a dict": (
        lambda: loose("encode_event_data")({}),
        "encode_event_data: it is a dict; pass an event",
    ),
    "encode data: a job": (
        lambda: loose("encode_event_data")(TrainingJob(id="j")),
        "encode_event_data: it is a TrainingJob; pass an event",
    ),
    "spec: a dataset": (
        lambda: loose("job_spec")("n", model="m", dataset="d"),
        "dataset: it is a str; pass a mapping",
    ),
    "spec: a model": (
        lambda: loose("job_spec")("n", model=None, dataset={"type": "huggingface", "name": "d"}),
        "model: it is None; pass the name",
    ),
    "spec: a name": (
        lambda: loose("job_spec")(1, model="m", dataset={"type": "huggingface", "name": "d"}),
        "name: it is an int",
    ),
    "spec: lora": (
        lambda: loose("job_spec")(
            "n", model="m", dataset={"type": "huggingface", "name": "d"}, lora="x"
        ),
        "lora: it is a str; pass a mapping",
    ),
    "spec: options": (
        lambda: loose("job_spec")(
            "n", model="m", dataset={"type": "huggingface", "name": "d"}, options=5
        ),
        "options: it is an int; pass a mapping",
    ),
    "endpoint: an address": (lambda: loose("Endpoint")(base_url=None), "base_url: it is None"),
    "endpoint: a token": (
        lambda: loose("Endpoint")(base_url="http://h", token=b"tok-secret"),
        "token: it is a bytes; pass a str$",
    ),
    "policy: a delay": (
        lambda: loose("ReconnectPolicy")("1"),
        "initial_delay: it is a str; pass a number of seconds$",
    ),
    "policy: attempts": (
        lambda: loose("ReconnectPolicy")(max_attempts=1.5),
        "max_attempts: it is a float; pass a whole number, or None for no limit$",
    ),
    "policy: jitter": (
        lambda: loose("ReconnectPolicy")(jitter="full"),
        "jitter: it is a str; pass a Jitter",
    ),
    "config: a job": (
        lambda: loose("SessionConfig")(endpoint=ENDPOINT, job=5),
        "job: it is an int; pass a JobSpec, or the id",
    ),
    "config: an endpoint": (
        lambda: loose("SessionConfig")(endpoint="http://h", job="j"),
        "endpoint: it is a str; pass an Endpoint",
    ),
    "config: a cursor": (
        lambda: loose("SessionConfig")(endpoint=ENDPOINT, job="j", last_event_id=7),
        "last_event_id: it is an int",
    ),
    "session: a config": (lambda: loose("Session")("j"), "config: it is a str"),
    "session: a profile": (
        lambda: loose("Session")(SessionConfig(endpoint=ENDPOINT, job="j"), profile="hardened"),
        "profile: it is a str; pass a Profile",
    ),
    "session: a policy": (
        lambda: loose("Session")(SessionConfig(endpoint=ENDPOINT, job="j"), policy=3),
        "policy: it is an int; pass a ReconnectPolicy",
    ),
    "session: a time": (lambda: handle(Follow(), "now"), "now: it is a str; pass a number"),
}
CLIENTS = pytest.mark.parametrize("module", [asynchronous, blocking], ids=["anyio", "blocking"])
SETTINGS: Final[Mapping[str, tuple[object, str]]] = {
    "profile": ("hardened", "profile: it is a str; pass a Profile"),
    "policy": (5, "policy: it is an int; pass a ReconnectPolicy"),
    "bounds": (5, "bounds: it is an int; pass a Bounds object"),
    "timeouts": (5.0, "timeouts: it is a float; pass Timeouts"),
    "token": (None, "token: it is None; pass a str"),
}


@pytest.mark.parametrize(("call", "said"), CALLS.values(), ids=CALLS)
def test_an_argument_of_a_wrong_type_is_named(call: Callable[[], object], said: str) -> None:
    with pytest.raises(TypeError, match=f"^{said}"):
        call()


@CLIENTS
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_of_a_client_of_a_wrong_type_is_named(module: object, setting: str) -> None:
    value, said = SETTINGS[setting]
    new = loose("ArkorClient", module)
    with pytest.raises(TypeError, match=f"^{said}"):
        new("http://h", **{setting: value})


@pytest.mark.parametrize("callbacks", [print, {"on_log": print}, False, 0])
def test_what_is_not_callbacks_is_refused(callbacks: object) -> None:
    attach = loose("attach", blocking.ArkorClient("http://h"))
    with pytest.raises(TypeError, match=r"^callbacks: it is .*; pass Callbacks"):
        attach("j", callbacks=callbacks)


def test_a_callback_that_cannot_be_called_is_refused() -> None:
    new = loose("Callbacks", blocking)
    with pytest.raises(TypeError, match=r"^on_log: it is an int; pass a function"):
        new(on_log=5)


@pytest.mark.parametrize("job_id", ["", ".", "..", "\ud800"])
def test_a_job_id_that_no_path_can_hold_is_refused_before_anything_is_sent(job_id: str) -> None:
    with (
        blocking.ArkorClient("http://h") as client,
        pytest.raises(ValueError, match=r"^job id: .* cannot be used as a path segment"),
    ):
        client.job(job_id)


def test_any_kind_of_bytes_can_be_fed() -> None:
    data = b"data: x\n\n"

    class Bytes(bytes):
        """A subclass."""

    for given in (data, bytearray(data), memoryview(data), Bytes(data)):
        assert [event.data for event in EventStreamParser().feed(given)] == ["x"]
