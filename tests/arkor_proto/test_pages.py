"""An answer that is a web page, as captive portals and proxies send them, is called one."""

import pytest

from arkor_proto import Bounds, Headers, Operation, Responded, ResponseError
from arkor_proto._calls import WholeBody
from arkor_proto._secrets import Hider
from arkor_proto._wire import page_problem
from tests.arkor_proto.session_driver import Trainer
from tests.arkor_proto.wire_samples import TOKEN, job_answer

HTML = ((b"Content-Type", b"text/html; charset=utf-8"),)
PAGE = b"<html><head><title>Log in</title></head></html>"


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (PAGE, "Log in"),
        (b'\r\n<TITLE lang="de">\n  An\n  meldung </TITLE>', "An meldung"),
        (b"<p>Sorry, <b>no</b></p><script>let x = 1</script>", "Sorry, no"),
        (b"<p>" + b"x" * 100, "x" * 80 + "…"),
        (b"<p>\xff", "\ufffd"),
        (b"<" * 100_000, "<" * 80 + "…"),
    ],
)
def test_a_page_is_shown_by_its_title_or_its_first_words(body: bytes, shown: str) -> None:
    assert page_problem(HTML, body) == f'got text/html: "{shown}"'


@pytest.mark.parametrize(
    ("media", "body"), [(b"application/json", PAGE), (b"text/html", b"{}"), (b"text/html", b"")]
)
def test_what_is_no_page_is_not_called_one(media: bytes, body: bytes) -> None:
    assert page_problem(((b"Content-Type", media),), body) == ""


def test_a_create_that_a_page_answers_says_so_without_the_token() -> None:
    page = b"<title>no " + TOKEN.encode() + b"</title>"
    trainer = Trainer().start().answer("create", 200, page, headers=HTML)
    error = trainer.error(Operation.START)
    assert isinstance(error, ResponseError)
    assert str(error) == 'create: got text/html: "no ***"'


def test_a_create_with_the_media_type_of_a_page_is_read_if_it_is_json() -> None:
    trainer = Trainer().start().answer("create", 200, job_answer(), headers=HTML)
    assert trainer.outcomes(Operation.START)


def test_another_call_that_a_page_answers_says_so_without_the_token() -> None:
    whole = WholeBody(Hider.of({TOKEN}), Bounds())
    head = Responded(1, 200, HTML)
    assert not whole.take(head, b"<title>no " + TOKEN.encode())
    with pytest.raises(ResponseError, match=r'^response: got text/html: "no \*\*\*"$'):
        whole.take(head, b"")


@pytest.mark.parametrize(
    ("headers", "body", "problem"),
    [
        ((), b"x" * 11, "larger than 10 bytes"),
        (
            ((b"Content-Encoding", b"gzip"),),
            b"x",
            "content coding 'gzip'; the request accepts only identity",
        ),
    ],
)
def test_another_call_whose_answer_cannot_be_read_says_why(
    headers: Headers, body: bytes, problem: str
) -> None:
    whole = WholeBody(Hider.of({TOKEN}), Bounds(create_body=10))
    with pytest.raises(ResponseError, match=f"^response: {problem}"):
        whole.take(Responded(1, 200, headers), body)
