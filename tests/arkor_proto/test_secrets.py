"""Tokens, the endpoint's and a dataset's, are in no repr and in no message."""

import json
import pickle

import pytest

from arkor_proto import (
    Endpoint,
    FrameSkipped,
    GaveUp,
    JobSpec,
    Operation,
    Responded,
    Send,
    SessionConfig,
    StatusError,
    Tick,
    UnsendableCursor,
    decode_event,
    decode_job,
    job_spec,
)
from tests.arkor_proto.session_driver import Trainer, streaming
from tests.arkor_proto.wire_samples import (
    COMPLETED,
    DATASET_TOKEN,
    ENDPOINT,
    SPEC,
    STARTED,
    TOKEN,
    job_answer,
    log,
)

CONFIG = {"datasetSource": {"type": "blob", "token": DATASET_TOKEN}}
SECRETS = pytest.mark.parametrize("secret", [TOKEN, DATASET_TOKEN])


@SECRETS
@pytest.mark.parametrize(
    "value",
    [
        ENDPOINT,
        SPEC,
        SessionConfig(endpoint=ENDPOINT, job=SPEC),
        JobSpec(name="x", config={"nested": [{"deeper": {"Token": DATASET_TOKEN}}]}),
        decode_job({"id": "j", "config": CONFIG, "else": CONFIG}),
        decode_event({**STARTED, "metadata": CONFIG, "else": CONFIG}),
        decode_event({**COMPLETED, "metrics": CONFIG, "artifacts": [CONFIG]}),
        decode_event({"type": "checkpoint.saved", "artifacts": [CONFIG]}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_value_shows_a_secret(value: object, secret: str) -> None:
    assert secret not in repr(value)
    assert secret not in str(value)


@SECRETS
def test_nothing_that_leaves_a_session_shows_a_secret(secret: str) -> None:
    trainer = Trainer().follow().answer("create", 200, job_answer(config=CONFIG))
    trainer.open().frame({**STARTED, "metadata": CONFIG}).cancel().answer("cancel")
    trainer.frame({**COMPLETED, "artifacts": [CONFIG]})
    assert secret not in repr(trainer.outputs)
    assert secret not in repr(trainer.session.job)


def test_a_session_shows_nothing_at_all() -> None:
    assert TOKEN not in repr(Trainer().start().session)


def test_a_request_shows_its_headers_but_not_their_secrets() -> None:
    (send,) = [output for output in Trainer().start().outputs if isinstance(output, Send)]
    assert "'Authorization': '***'" in repr(send)
    assert "bytes>" in repr(send)


@SECRETS
@pytest.mark.parametrize(
    "template", ['{"error": "bad SECRET", "SECRET": [{"SECRET": 1}]}', "bad SECRET"]
)
def test_what_a_backend_echoes_is_cut_out(template: str, secret: str) -> None:
    body = template.replace("SECRET", secret).encode()
    headers = ((b"X-Echo", secret.encode()),)
    trainer = Trainer().start().refuse(401, body, headers, name="create")
    error = trainer.error(Operation.START)
    assert isinstance(error, StatusError)
    assert secret not in f"{error} {error!r} {error.message} {error.body} {error.headers}"
    assert "bad ***" in str(error)


@pytest.mark.parametrize("token", ['quo"ted-token', "back\\slash-token", "sla/shed-token"])
def test_a_secret_that_json_escapes_is_cut_out_as_well(token: str) -> None:
    endpoint = Endpoint(base_url="https://api.example", token=token)
    body = json.dumps({"error": f"bad {token}"}).replace("/", "\\/").encode()
    error = Trainer(endpoint=endpoint).start().refuse(401, body, name="create")
    assert token not in str(error.error(Operation.START))


def test_an_escaped_echo_is_cut_out() -> None:
    escaped = "".join(f"\\u{ord(char):04x}" for char in TOKEN)
    trainer = Trainer().start().refuse(401, f'{{"error": "{escaped}"}}'.encode(), name="create")
    assert TOKEN not in str(trainer.error(Operation.START))


@pytest.mark.parametrize(
    "address",
    [
        "ftp://user:hunter22@h",
        "https://user:hunter22@h",
        "user:hunter22@h",
    ],
)
def test_an_address_with_credentials_is_refused_without_showing_them(address: str) -> None:
    with pytest.raises(ValueError, match="base_url") as caught:
        Endpoint(base_url=address, token=TOKEN)
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize("token", ["two words!!", "line\nbreak!", "ünicode-token", "del\x7f-token"])
def test_a_token_that_no_header_can_hold_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(ValueError, match="token: ") as caught:
        Endpoint(base_url="https://h", token=token)
    assert token not in str(caught.value)


def test_a_config_that_is_no_json_is_refused_without_showing_its_secrets() -> None:
    dataset = {"type": "blob", "url": "u", "token": DATASET_TOKEN, "x": object()}
    with pytest.raises(ValueError, match="JSON") as caught:
        job_spec("bot", model="m", dataset=dataset)
    assert DATASET_TOKEN not in str(caught.value)


def test_the_refusal_of_a_misuse_shows_no_secret() -> None:
    trainer = Trainer().start()
    with pytest.raises(Exception, match="status") as caught:
        trainer.session.handle(Responded(1, 100, ((b"Authorization", TOKEN.encode()),)), 0.0)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        StatusError(401, "no", body={"a": 1}, headers={"b": "2"}),
        GaveUp(3, OSError("x"), job_id="j", cursor="c"),
        UnsendableCursor("a\x01", "it is bad"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_can_cross_a_process_boundary(error: Exception) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - written by this test
    assert (type(again), str(again)) == (type(error), str(error))


def test_a_result_can_cross_a_process_boundary() -> None:
    result = streaming().frame(log(1)).frame(COMPLETED).take(Tick()).result
    assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301 - written by this test


def test_a_token_that_a_session_learns_of_later_is_cut_out_as_well() -> None:
    trainer = Trainer().start()
    trainer.session.hide("tok-renewed-1")
    trainer.session.hide("tok-renewed-10")
    trainer.refuse(401, b"tok-renewed-10 tok-renewed-1 " + TOKEN.encode(), name="create")
    assert str(trainer.error(Operation.START)) == "401: *** *** ***"


def test_a_skipped_frame_is_without_the_tokens_of_its_session() -> None:
    trainer = streaming()
    trainer.session.hide("tok-renewed-1")
    trainer.frame("no JSON but tok-renewed-1")
    (notice,) = trainer.notices
    assert isinstance(notice, FrameSkipped)
    assert notice.data == "no JSON but ***"


def test_a_session_hides_the_latest_eight_tokens_and_its_own() -> None:
    trainer = Trainer().start()
    tokens = [f"tok-renewed-{number}" for number in range(10)]
    for token in (*tokens[:3], *tokens):  # one that comes again is not another one
        trainer.session.hide(token)
    trainer.refuse(401, " ".join([TOKEN, *tokens]).encode(), name="create")
    shown = str(trainer.error(Operation.START))
    assert shown == f"401: *** {tokens[0]} {tokens[1]}{' ***' * 8}"


def test_a_stand_in_is_not_hidden() -> None:
    trainer = Trainer().start()
    trainer.session.hide("key")
    trainer.refuse(401, b"the key is old", name="create")
    assert str(trainer.error(Operation.START)) == "401: the key is old"


def test_only_a_text_can_be_hidden() -> None:
    with pytest.raises(TypeError, match="secret: it is a bytes; pass a str"):
        Trainer().session.hide(b"tok-renewed-1")  # type: ignore[arg-type]  # what is tested
