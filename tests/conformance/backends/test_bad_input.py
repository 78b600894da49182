"""What is not a backend, or cannot be judged: one clear line, and the right exit status."""

import json
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trustme

from tests.conformance.backends import wrong_control
from tests.conformance.backends.commands import QUICK, judge, reports
from tests.conformance.backends.small_backend import (
    TOKEN,
    Err,
    Handler,
    Job,
    Request,
    SmallBackend,
    serving,
)
from tests.conformance.commandline import kit
from tests.forked import Finished

pytestmark = pytest.mark.timeout(120)
CREATES_NOTHING = "/steal"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a key and a certificate for 127.0.0.1, from an unknown authority."""
    found = tmp_path_factory.mktemp("tls") / "server.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(found)
    return found


def page(status: int, location: str = "") -> Err:
    """Return a way to answer everything with a page of HTML."""

    def err(_: SmallBackend, __: Request, handler: Handler) -> bool:
        headers = {"Location": location} if location else {}
        handler.whole(status, "text/html", b"<html>hello</html>", headers)
        return True

    return err


def silent(_: SmallBackend, __: Request, ___: Handler) -> bool:
    time.sleep(5)
    return True


def closes(_: SmallBackend, __: Request, handler: Handler) -> bool:
    handler.close_connection = True
    return True


def is_no_verdict(done: Finished, why: str) -> None:
    """Check that there is no verdict, for this reason, in one line."""
    assert (done.status, done.out) == (3, "")
    assert len(done.err.splitlines()) == 1
    assert done.err.startswith("arkor-conformance: no verdict: ")
    assert why in done.err


BAD: dict[str, tuple[Err, Sequence[str], str]] = {
    "a page for everything": (page(200), (), "is not an Arkor backend"),
    "a page, followed": (page(200), ("--follow", "x"), "is not an Arkor backend"),
    "404 for everything": (page(404), (), "check the path in --base-url"),
    "403 for everything": (page(403), (), "check the path in --base-url"),
    "502 for everything": (page(502), (), "502 text/html"),
    "503 for everything": (page(503), (), "503"),
    "accepts and is silent": (silent, QUICK, "did not respond within 2 s"),
    "closes": (closes, (), "without a response"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_a_backend_gets_no_verdict(name: str) -> None:
    err, options, why = BAD[name]
    with serving(err=err) as backend:
        is_no_verdict(judge(backend, *options), why)
        assert backend.jobs == {}


def test_a_wrong_token_is_named_but_not_shown() -> None:
    with serving() as backend:
        is_no_verdict(judge(backend, token="tok-that-is-wrong"), "check ARKOR_TOKEN")


def test_a_job_to_follow_that_does_not_exist_is_named() -> None:
    with serving() as backend:
        is_no_verdict(judge(backend, "--follow", "job-77"), "job-77")


def test_the_token_follows_no_redirect() -> None:
    with serving() as elsewhere:
        with serving(err=page(307, elsewhere.url + CREATES_NOTHING)) as backend:
            is_no_verdict(judge(backend), "redirects to")
        assert elsewhere.requests == []


def on_create(err: Err) -> Err:
    """Return a way to err with creates alone."""
    return lambda backend, request, handler: (
        request.route == "create" and err(backend, request, handler)
    )


def test_a_create_that_is_redirected_goes_nowhere_else() -> None:
    with serving() as elsewhere:
        with serving(err=on_create(page(307, elsewhere.url + CREATES_NOTHING))) as backend:
            done = judge(backend)
            assert done.status == 3
            assert "no verdict: the backend did not accept a job (307 text/html)" in done.err
        assert elsewhere.requests == []


def test_a_token_that_may_create_nothing_gets_no_verdict() -> None:
    def forbids(_: SmallBackend, __: Request, handler: Handler) -> bool:
        handler.answer(403, {"error": "you may look only"})
        return True

    with serving(err=on_create(forbids)) as backend:
        done = judge(backend)
    assert done.status == 3
    (line,) = done.err.splitlines()
    assert '403 application/json "you may look only"' in line
    assert "--follow ID" in line


def endless(beginning: Callable[[str], bytes], more: bytes) -> Err:
    """Return a way to make a job and to answer with a body that never ends."""

    def err(backend: SmallBackend, request: Request, handler: Handler) -> bool:
        job = request.job
        if request.route == "create":
            job = f"job-{len(backend.jobs) + 1}"
            backend.jobs[job] = Job(job)
        handler.begin("application/json")
        handler.chunk(beginning(job))
        until = time.monotonic() + 10
        while time.monotonic() < until:
            handler.chunk(more)
            time.sleep(0.02)
        return True

    return err


ALONE = ("--case", "create.accepted", "--profile", "2026-05", "--patience", "0.1")


def test_a_create_whose_answer_never_ends_breaks_a_rule_and_its_job_is_cancelled() -> None:
    answer = endless(lambda job: f'{{"job": {{"id": "{job}", "x": "'.encode(), b"x" * 100)
    with serving(pace=1000, err=on_create(answer)) as backend:
        done = judge(backend, *ALONE)
        assert done.status == 1
        assert "ARK-SRV-1" in done.out
        assert len(backend.jobs) == 1
        assert backend.running == []


def test_a_job_whose_answer_never_ends_is_cancelled_all_the_same() -> None:
    answer = endless(lambda _: b"{", b" " * 100)

    def err(backend: SmallBackend, request: Request, handler: Handler) -> bool:
        known = request.job in backend.jobs and request.route == "job"
        return known and answer(backend, request, handler)

    with serving(pace=1000, err=err) as backend:
        done = judge(backend, "--case", "isolation.other-org", "--patience", "0.02")
        assert done.status in {1, 3, 4}
        assert backend.jobs
        assert backend.running == []


def test_a_stream_without_an_end_is_left() -> None:
    def floods(_: SmallBackend, request: Request, handler: Handler) -> bool:
        if request.route != "stream":
            return False
        handler.begin("text/event-stream")
        events = b'id: 1\ndata: {"type": "training.log"}\n\n' * 1000
        while True:
            handler.chunk(events)

    with serving(pace=1000, err=floods) as backend:
        done = judge(backend, "--case", "end.response-ends", "--profile", "hardened")
        assert done.status == 4
        assert "did not end in the time allowed" in done.out
        assert backend.running == []


def test_a_backend_that_goes_down_halfway_is_not_blamed_for_it() -> None:
    def goes(backend: SmallBackend, request: Request, _: Handler) -> bool:
        if request.route == "stream" and len(backend.requests) > 8:
            threading.Thread(target=backend.stop).start()
            return True
        return False

    with serving(pace=0.2, length=4, err=goes) as backend:
        done = judge(backend)
    assert done.status == 3, done.out
    assert "no verdict: lost the backend" in done.err
    assert "$ARKOR_TOKEN" in done.out + done.err


@contextmanager
def tls_server(certificate: Path) -> Generator[int]:
    """Accept TLS with this certificate, and answer nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):  # the listener is closed
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(ssl.SSLError):
                        context.wrap_socket(connection, server_side=True).recv(1)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def test_a_certificate_that_is_not_trusted_is_named(certificate: Path) -> None:
    with tls_server(certificate) as port:
        is_no_verdict(judge(f"https://127.0.0.1:{port}"), "--ca-file")


def test_plain_http_on_a_port_of_tls_is_not_a_backend(certificate: Path) -> None:
    with tls_server(certificate) as port:
        is_no_verdict(judge(f"http://127.0.0.1:{port}"), f"http://127.0.0.1:{port}")


def test_tls_on_a_port_of_plain_http_is_named() -> None:
    with serving() as backend:
        is_no_verdict(judge(backend.url.replace("http:", "https:")), "TLS")


USAGE = {
    "ftp://x": "--base-url ftp://x",
    "http://": "--base-url http://",
    "http://user:pass@x": "--base-url",
    "http://127.0.0.1:0": "port 0",
    "http://127.0.0.1:99999": "--base-url",
}


@pytest.mark.parametrize("url", USAGE)
def test_a_url_that_is_not_one_is_a_mistake_of_use(url: str) -> None:
    done = judge(url)
    assert (done.status, done.out) == (2, "")
    assert USAGE[url] in done.err


@pytest.mark.parametrize(
    "words",
    [
        ("--base-url", "http://127.0.0.1:9"),
        ("--follow", "x"),
        ("--control",),
        ("--", "./program"),
        ("--follow", "x", "--control", "--", "./program"),
        ("--case", "no.such-case"),
    ],
)
def test_options_that_do_not_go_together_are_a_mistake_of_use(words: Sequence[str]) -> None:
    done = kit("backend", *words, ARKOR_TOKEN="")
    assert (done.status, done.out) == (2, "")


def test_a_backend_elsewhere_costs_something_so_that_yes_is_needed() -> None:
    with serving() as backend:
        port = backend.url.rpartition(":")[2]
        done = judge(f"http://127.0.0.1.nip.invalid:{port}")
        assert done.status == 2
        assert "--yes" in done.err
        assert "up to 4 jobs" in done.err
        assert backend.requests == []


def test_a_token_that_no_header_can_carry_is_not_sent_and_not_shown() -> None:
    with serving() as backend:
        done = kit("backend", "--base-url", backend.url, ARKOR_TOKEN="two words-secret")
        assert done.status == 2
        assert "words-secret" not in done.err
        assert backend.requests == []


def test_a_token_that_the_backend_repeats_is_in_no_report(tmp_path: Path) -> None:
    def repeats(_: SmallBackend, request: Request, handler: Handler) -> bool:
        if request.route != "job" or "Authorization" in request.headers:
            return False
        # The kit shows the start of a long message, here with a part of the token at its end.
        error = f"{'x' * 190}{TOKEN}"
        handler.answer(200, {"error": error, "job": {"id": f"j{TOKEN}", "status": f"s{TOKEN}"}})
        return True

    names = ("run.json", "r.xml", "r.md", "r.html")
    reports = [word for name in names for word in ("--report", str(tmp_path / name))]
    with serving(pace=0.02, err=repeats) as backend:
        backend.ids = lambda number: f"{number}-{TOKEN}"
        done = judge(backend, *reports, "--patience", "0.05")
    text = done.out + done.err + "".join((tmp_path / name).read_text("utf-8") for name in names)
    assert "x[secret]… (" in text
    assert "id 1-[secret], event training.started" in text
    assert TOKEN[:6] not in text


def test_a_token_of_the_control_program_is_not_shown_either() -> None:
    def refuses(_: SmallBackend, request: Request, handler: Handler) -> bool:
        handler.answer(401, {"error": f"unknown: {request.headers.get('Authorization')}"})
        return True

    with serving(err=refuses) as backend:
        program = (sys.executable, str(wrong_control.__file__), "away", backend.url)
        done = kit("backend", "--control", "--", *program)
    assert '"unknown: Bearer [secret]"' in done.err
    assert str(wrong_control.HELLO["token"]) not in done.err
    assert (done.status, done.out) == (3, "")


def test_hostile_text_of_a_backend_reaches_the_reports_as_text(tmp_path: Path) -> None:
    def hostile(_: SmallBackend, request: Request, handler: Handler) -> bool:
        if request.route != "job" or request.method != "GET":
            return False
        body = b'{"error": "\\ud800 \\u001b[31m <script>", "job": {"id": "\\udfff", "status": "\\ud800"}}'
        handler.whole(404, "application/json", body)
        return True

    names = ("run.json", "r.xml", "r.md", "r.html")
    with serving(pace=0.01, err=hostile) as backend:
        done = judge(backend, *reports(tmp_path, *names), "--patience", "0.05")
        assert done.status in {1, 3}
        assert backend.running == []
    text = "".join((tmp_path / name).read_text("utf-8") for name in names)
    assert TOKEN not in text
    assert "\x1b" not in text + done.out
    assert '<script>"' not in text
    assert json.loads((tmp_path / "run.json").read_text("utf-8"))["judged"] == "backend"
