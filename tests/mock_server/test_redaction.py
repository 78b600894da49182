"""No secret is recorded, wherever it is and however its name is spelled."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_server.redaction import (
    redacted_answer,
    redacted_body,
    redacted_frame,
    redacted_headers,
    redacted_json,
    redacted_target,
)
from mock_server.secret_names import is_secret_name

SECRET = "hunter2"
NAMES = [
    "token",
    "Token",
    "TOKEN",
    "access_token",
    "accessToken",
    "refresh-token",
    "id_token",
    "X-Auth-Token",
    "api_key",
    "ApiKey",
    "x-api-key",
    "password",
    "client_secret",
    "Authorization",
    "cookie",
    "credentials",
    "signature",
    "sig",
    "privateKey",
    "\uff34oken",
]
ORDINARY = [
    "model",
    "max_tokens_limit",
    "tokenizer",
    "token_type",
    "Idempotency-Key",
    "Last-Event-ID",
    "key",
    "name",
    "author",
    "passed",
    "signal",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_secret_name_is_known_in_every_spelling(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_name_stays(name: str) -> None:
    assert not is_secret_name(name)


VALUES = ['"S"', '["S"]', '{"a":"S"}', "{'a':[[\"S\"]]}", "12345", "true", '"a\\"S"', '"\\\\"']


@pytest.mark.parametrize("name", NAMES[:-1])
@pytest.mark.parametrize("value", ['"hunter2"', '["hunter2"]', '[{"a":"hunter2"}]', '"\\"hunter2"'])
@pytest.mark.parametrize(
    "shape",
    [
        '{{"{name}":{value}}}',
        '{{ "{name}" :\n{value} ,"b":[1]}}',
        '[[{{"x":{{"{name}":{value}}}}}]]',
        '{{"{name}":{value},"{name}":{value}}}',
        '{{"{name}":1,"a":2,"{name}":{value}}}',
    ],
)
def test_any_value_of_a_secret_name_in_json_is_hidden(name: str, value: str, shape: str) -> None:
    found = redacted_json(shape.format(name=name, value=value))
    json.loads(found)
    assert SECRET not in found
    assert "[redacted]" in found


def test_numbers_and_flags_of_a_secret_name_are_hidden_and_null_tells_that_there_is_none() -> None:
    found = redacted_json('{"token":12345,"password":true,"secret":null,"max_tokens":64}')
    assert json.loads(found) == {
        "token": "[redacted]",
        "password": "[redacted]",
        "secret": None,
        "max_tokens": 64,
    }


@pytest.mark.parametrize(
    "text",
    [
        r'{"\u0074oken":"hunter2"}',
        r'{"a":"{\"token\":\"hunter2\"}"}',
        r'{"a":"{\"token\": \"hunter2"}',
        '{"url":"https://bucket.invalid/a?X-Amz-Signature=hunter2&b=1"}',
        r'{"url":"https:\/\/bucket.invalid\/a?b=1\u0026X-Goog-Signature=hunter2"}',
        '{"url":"https://me:hunter2@host.invalid/"}',
        '{"url":"//hunter2@host.invalid/"}',
        '{"hint":"curl -H \'Authorization: Bearer hunter2\'"}',
        '["token=hunter2"]',
    ],
)
def test_escapes_urls_and_json_inside_strings_hide_nothing_from_us(text: str) -> None:
    found = redacted_json(text)
    json.loads(found)
    assert SECRET not in found


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text('ab"\\:{}[],\u0301 '),
        lambda inner: st.lists(inner) | st.dictionaries(st.text('ab"\\:, '), inner),
        max_leaves=12,
    )
)
def test_json_without_a_secret_name_is_left_as_it_is(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert json.loads(redacted_json(text)) == value


@given(st.lists(st.sampled_from(["token", "a", "Api-Key"]), min_size=1, max_size=4), st.data())
def test_json_keeps_its_shape_and_loses_its_secrets(names: list[str], data: st.DataObject) -> None:
    value: object = data.draw(st.sampled_from([SECRET, [SECRET], {"x": SECRET}]))
    secret = any(name != "a" for name in names)
    for name in names:
        value = [{name: value, "b": 1}]
    found = redacted_json(json.dumps(value))
    json.loads(found)
    assert (SECRET in found) is not secret


@pytest.mark.parametrize(
    "target",
    [
        "/v1/me?token=hunter2",
        "/v1/me?a=1&Access_Token=hunter2#x",
        "/v1/me?a=1;token=hunter2",
        "/v1/me?%74oken=hunter2",
        "/v1/me?key=hunter2",
        "/v1/me?token=hunter2/hunter2?hunter2",
        "/v1/me#access_token=hunter2",
        "/v1/me;token=hunter2/x",
        "http://me:hunter2@host/v1/me",
        "http://hunter2@host/v1/me",
        "http://me:hun/hunter2@host/v1/me",
        "http:\\\\me:hunter2@host",
        "//me:hunter2@host/v1/me",
        "me:hunter2@host:443",
        "/v1/jobs/http://me:hunter2@host/",
    ],
)
def test_a_target_loses_its_secrets_and_keeps_its_path(target: str) -> None:
    assert SECRET not in redacted_target(target)


@pytest.mark.parametrize(
    "target",
    [
        "/v1/me?orgSlug=a&b=%20",
        "*",
        "",
        "/@me?x=a@b",
        "http://host:80/v1/me?x=1",
        "host:443",
        "?&;=",
    ],
)
def test_a_target_without_secrets_is_left_as_it_is(target: str) -> None:
    assert redacted_target(target) == target


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("authorization", "Bearer hunter2", "Bearer [redacted]"),
        ("x-auth-token", "hunter2", "[redacted]"),
        ("Set-Cookie", "a=hunter2", "[redacted]"),
        (
            "location",
            "https://me:hunter2@host/?sig=hunter2",
            "https://[redacted]@host/?sig=[redacted]",
        ),
        (
            "link",
            '<https://h/?token=hunter2>; rel="next"',
            '<https://h/?token=[redacted]>; rel="next"',
        ),
        ("host", "me:hunter2@host", "[redacted]@host"),
        ("x-tokens", "hunter2", "[redacted]"),
        ("x-ratelimit-remaining-tokens", "100", "100"),
        ("idempotency-key", "abc", "abc"),
        ("accept", "text/html;q=0.9,*/*", "text/html;q=0.9,*/*"),
    ],
)
def test_header_fields(name: str, value: str, shown: str) -> None:
    assert redacted_headers([(name, value)]) == ((name, shown),)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"token":"hunter2"', "application/json"),
        (b"{'token':'hunter2'}", "application/json"),
        (b'{"a":NaN,"token":"hunter2"}', "application/json"),
        (b"[" * 101 + b'"hunter2"' + b"]" * 101, "application/json"),
        (b"\xff hunter2", "application/json"),
        (b"hunter2", "text/plain"),
        (b"a=hunter2", ""),
    ],
)
def test_a_body_that_cannot_be_parsed_is_dropped_and_its_length_told(
    body: bytes, kind: str
) -> None:
    assert redacted_body(body, kind) == b"[dropped: %d bytes that could not be parsed]" % len(body)


def test_a_form_is_kept_without_its_secrets() -> None:
    kind = "application/x-www-form-urlencoded; charset=utf-8"
    body = b"grant_type=x&client%5Fsecret=hunter2&refresh_token=hunter2&a=b"
    shown = b"grant_type=x&client%5Fsecret=[redacted]&refresh_token=[redacted]&a=b"
    assert redacted_body(body, kind) == shown


@pytest.mark.parametrize(
    "body",
    [
        b"<h1>Sign in, you have no token</h1>",
        b"\xff\x00plain",
        b'{"cut":"of',
        b"",
        b"missing token",
    ],
)
def test_an_answer_without_a_secret_is_the_same_bytes(body: bytes) -> None:
    assert redacted_answer(body) == body


@pytest.mark.parametrize(
    "body",
    [
        b'{"token":"hunter2","cut":"of',
        b'{"t":1,"\\u0074oken":"hunter2',
        b"<token>hunter2</token>",
        b'<input name="token" value="hunter2">',
        b"api_key: hunter2",
        b"\xfftoken=hunter2",
        b"see https://me:hunter2@host/",
    ],
)
def test_an_answer_that_is_not_understood_and_gives_a_secret_loses_it(body: bytes) -> None:
    assert SECRET.encode() not in redacted_answer(body)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (
            b'id: 1\r\ndata: {"token":"hunter2"}\r\n\r\n',
            b'id: 1\r\ndata: {"token":"[redacted]"}\r\n\r\n',
        ),
        (
            b'data: {"token":\ndata: "hunter2"}\nid: 7\n\n',
            b'data: {"token": "[redacted]"}\nid: 7\n\n',
        ),
        (b": token=hunter2\ndata: x\n\n", b": token=[redacted]\ndata: x\n\n"),
        (b'data: {"a":1}\r\ndata\n\n', b'data: {"a":1}\r\ndata\n\n'),
        (b'data: {"token":"hun', b"data: [dropped: 13 bytes that could not be parsed]"),
    ],
)
def test_a_frame_keeps_its_lines_and_loses_its_secrets(raw: bytes, shown: bytes) -> None:
    assert redacted_frame(raw) == shown


@given(st.text("tokenTOKEN=:&?/@\"'{}[]\\ \n<>", max_size=200))
def test_no_text_is_too_odd(text: str) -> None:
    redacted_target(text)
    redacted_answer(text.encode())
    redacted_frame(text.encode())
    redacted_headers([("location", text)])


@pytest.mark.parametrize(
    "unit",
    ["a", "//", "://a:", "?", "=", "token", '"', "[", "\\", " ", "authorization ", "a=", "@"],
)
@pytest.mark.timeout(60)
def test_hiding_takes_time_that_is_linear_in_the_text(unit: str) -> None:
    text = "=:" + unit * (400_000 // len(unit))  # with quadratic time, this would take minutes
    redacted_answer(text.encode())
    redacted_headers([("x", text)])
    redacted_body(text.encode(), "application/x-www-form-urlencoded")
    redacted_answer(json.dumps([text, {text: text}]).encode())
