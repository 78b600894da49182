"""A wrong id, token, host or page ends the command at once, with the likely cause."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.arkor_proto.blocking.fixtures_blocking import answering, serving
from tests.arkor_proto.cli.command import job_file, run
from tests.arkor_proto.transports.peer import JSON_HEAD, Visit, json_answer, refusal, refused

PAGE = b"<!doctype html><html><head><title>\n Captive   portal</title></head><body>Log in</body>"
HTML = JSON_HEAD.replace("application/json", "text/html; charset=utf-8")
JOB = {"id": "j", "submitted": True}


def always(answer: bytes) -> Callable[[Visit], Awaitable[None]]:
    """Answer every request with the same bytes."""

    async def handle(visit: Visit) -> None:
        await visit.request()
        await visit.send(answer)

    return handle


@pytest.mark.parametrize("profile", ["2026-05", "2026-07", "hardened"])
def test_a_wrong_token_ends_at_once_under_every_profile(profile: str) -> None:
    with serving(backend={"token": "another"}, job=[JOB]) as backend:
        ran = run("follow", "j", f"--profile={profile}", ARKOR_BASE_URL=backend.base_url)
        assert backend.asked("stream") == []
    assert ran.code == 3
    assert ran.err.startswith("401: ")
    assert ran.err.endswith("; is ARKOR_TOKEN right?\n")


def test_a_wrong_token_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("wrong")
    with serving(backend={"token": "another"}, job=[JOB]) as backend:
        ran = run("follow", "j", f"--token-file={path}", ARKOR_BASE_URL=backend.base_url)
    assert ran.err.endswith(f"; is the token in {path} right?\n")


def test_a_wrong_id_ends_at_once() -> None:
    with serving(job=[JOB]) as backend:
        ran = run("follow", "job-2", "--org=acme", ARKOR_BASE_URL=backend.base_url)
    asked = "does a job with this id exist in org 'acme'?"
    assert (ran.code, ran.err) == (3, f"404: job 'job-2' not found; {asked}\n")


def test_a_token_without_the_right_ends_at_once() -> None:
    with answering(always(refusal(403, b"no"))) as backend:
        ran = run("follow", "j", "--project=bots", ARKOR_BASE_URL=backend.base_url)
    assert (ran.code, ran.err) == (3, "403: no; may ARKOR_TOKEN be used for project 'bots'?\n")


@pytest.mark.parametrize("command", ["follow", "run"])
def test_a_page_is_named_for_what_it_is(tmp_path: Path, command: str) -> None:
    operand = "j" if command == "follow" else job_file(tmp_path)
    with answering(always(json_answer(PAGE, head=HTML))) as backend:
        ran = run(command, operand, ARKOR_BASE_URL=backend.base_url)
    asked = "is ARKOR_BASE_URL the address of an Arkor backend?"
    assert ran.code == 3
    assert f'got text/html: "Captive portal"; {asked}' in ran.err


def test_a_page_that_refuses_is_named_as_well() -> None:
    page = b"<h1>404</h1><script>let x</script>\n<p>no &lt;page</p>" + b" here" * 30
    with answering(always(refusal(404, page, "Content-Type: text/html"))) as backend:
        ran = run("follow", "j", "--base-url", backend.base_url)
    assert ran.err.startswith('404: got text/html: "404 no &lt;page here here')
    assert ran.err.endswith(' here…"; is --base-url the address of an Arkor backend?\n')


@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:9"])
def test_a_name_that_does_not_exist_ends_at_once(proxy: str | None) -> None:
    changes = {"ARKOR_BASE_URL": "http://nowhere.invalid", "HTTPS_PROXY": proxy}
    ran = run("follow", "j", **changes)
    unused = " (HTTPS_PROXY is set; arkor-proto does not use it)" if proxy else ""
    assert ran.code == 3
    assert ran.err.startswith("connection: cannot connect to nowhere.invalid:80: ")
    assert ran.err.endswith(f"; is ARKOR_BASE_URL right?{unused}\n")


def test_a_job_that_was_followed_before_is_waited_for() -> None:
    arguments = ("--last-event-id=4", "--max-attempts=1", "--initial-delay=0.001")
    ran = run("follow", "j", *arguments, ARKOR_BASE_URL=refused())
    assert ran.code == 3
    assert "Reconnecting in " in ran.err
    assert "to continue: arkor-proto follow " in ran.err


def test_a_backend_that_is_out_of_order_is_waited_for() -> None:
    rule = {"on": {"route": "job", "attempt": 1}, "status": 503}
    with serving(job=[JOB], rule=[rule]) as backend:
        ran = run("follow", "j", ARKOR_BASE_URL=backend.base_url)
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "j completed")


def test_a_lost_create_says_that_the_backend_may_have_the_job(tmp_path: Path) -> None:
    rule = {"on": {"route": "create"}, "lose": "response"}
    with serving(rule=[rule]) as backend:
        arguments = ("run", job_file(tmp_path), "--org=acme")
        ran = run(*arguments, ARKOR_BASE_URL=backend.base_url)
        (create,) = backend.asked("create")
    key = next(value for name, value in create.headers if name.lower() == "idempotency-key")
    assert ran.code == 3
    first, *hints = ran.err.splitlines()
    assert first.startswith("the submission was interrupted: connection: ")
    assert first.endswith(". The backend may have created the job")
    assert hints == [
        "  before you submit it again, check for a job named 'bot' in org 'acme'",
        f"  the create was sent with Idempotency-Key {key}",
    ]


def test_a_create_that_never_left_says_nothing_of_the_kind(tmp_path: Path) -> None:
    ran = run("run", job_file(tmp_path), ARKOR_BASE_URL=refused())
    assert ran.code == 3
    assert "may have" not in ran.err
    assert ran.err.endswith("; is ARKOR_BASE_URL right?\n")
