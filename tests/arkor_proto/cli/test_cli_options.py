"""`status`, and the options that change how the backend is reached."""

import json
import ssl
from pathlib import Path

import pytest
import trustme

from tests.arkor_proto.blocking.fixtures_blocking import answering, serving
from tests.arkor_proto.cli.command import run
from tests.arkor_proto.transports.peer import Visit, json_answer

STREAM = {"route": "stream"}


@pytest.mark.parametrize(
    ("job", "code", "last"),
    [
        ({"status": "completed"}, 0, "j completed"),
        ({"status": "failed", "error": "no memory"}, 1, "j failed: no memory"),
        ({"status": "running"}, 0, "j running"),
    ],
)
def test_status_tells_how_a_job_is(job: dict[str, str], code: int, last: str) -> None:
    with serving(job=[{"id": "j", "submitted": True, "emitted": True, **job}]) as backend:
        ran = run("status", "j", ARKOR_BASE_URL=backend.base_url)
        told = run("status", "j", "--json", ARKOR_BASE_URL=backend.base_url)
        assert backend.asked("stream") == []
    assert (ran.code, ran.err, ran.out.splitlines()[-1]) == (code, "", last)
    (line,) = told.json
    assert (line["type"], line["status"], line["jobId"]) == ("status", job["status"], "j")


def test_status_shows_the_name_and_the_times_and_nothing_of_the_configuration() -> None:
    job = {
        "id": "j",
        "name": "bot",
        "status": "completed",
        "createdAt": "2026-05-01T10:00:00Z",
        "completedAt": "2026-05-01T11:00:00Z",
        "config": {"datasetSource": {"token": "tok-dataset-file-secret"}},
    }

    async def answer(visit: Visit) -> None:
        await visit.request()
        await visit.send(json_answer(json.dumps({"job": job}).encode()))

    with answering(answer) as backend:
        ran = run("status", "j", "--base-url", backend.base_url)
    assert ran.out.splitlines() == [
        "  name       bot",
        "  created    2026-05-01T10:00:00Z",
        "  completed  2026-05-01T11:00:00Z",
        "j completed",
    ]


def test_status_of_a_job_that_does_not_exist_says_so() -> None:
    with serving() as backend:
        ran = run("status", "j", ARKOR_BASE_URL=backend.base_url)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("404: job 'j' not found; ")


def test_a_certificate_is_trusted_if_the_file_of_its_authority_is_named(tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))

    async def answer(visit: Visit) -> None:
        await visit.request()
        await visit.send(json_answer(b'{"job": {"id": "j", "status": "running"}}'))

    with answering(answer, tls=context) as backend:
        trusted = run("status", "j", f"--ca-file={path}", ARKOR_BASE_URL=backend.base_url)
        refused = run("status", "j", ARKOR_BASE_URL=backend.base_url)
    assert (trusted.code, trusted.out) == (0, "j running\n")
    assert refused.code == 3
    assert "the certificate is not trusted: " in refused.err
    assert "; pass --ca-file to trust another authority" in refused.err


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "No such file or directory"), ("", "contains no PEM certificate")],
)
def test_a_file_of_certificates_that_has_none_is_refused(
    tmp_path: Path, content: str | None, problem: str
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    ran = run("status", "j", f"--ca-file={path}", ARKOR_BASE_URL="https://h")
    assert (ran.code, ran.err) == (2, f"arkor-proto: --ca-file {path}: {problem}\n")


def test_a_silent_stream_is_reopened_after_the_time_that_was_given() -> None:
    held = {"on": {**STREAM, "attempt": 1}, "after": {"frames": 2}, "stall": {"gate": "never"}}
    with serving(job=[{"id": "j", "submitted": True}], rule=[held]) as backend:
        arguments = ("follow", "j", "--idle-timeout=0.2", "--initial-delay=0.001")
        ran = run(*arguments, ARKOR_BASE_URL=backend.base_url)
    assert ran.code == 0
    assert ran.err.startswith(
        "stream: nothing received for 0.2 seconds (failure 1). Reconnecting in "
    )
