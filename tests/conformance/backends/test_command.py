"""`arkor-conformance backend` and its neighbours, as their user calls them."""

import json
import re
import shlex
from pathlib import Path

import pytest

from conformance.backends.cases import backend_cases
from conformance.casefile.requirements import specification_directory
from tests.conformance.backends.commands import judge, reports
from tests.conformance.backends.small_backend import (
    TOKEN,
    Handler,
    Request,
    SmallBackend,
    serving,
)
from tests.conformance.commandline import kit
from tests.json_schema import problem

pytestmark = pytest.mark.timeout(180)
CASE = "create.errors-have-a-message"
FAST = ("--case", "cancel.accepted", "--case", "end.completed", "--case", CASE)


def html_errors(_: SmallBackend, request: Request, handler: Handler) -> bool:
    """Answer a look at a job that is not there with a page: it breaks ARK-SRV-10, a SHOULD."""
    if request.route != "job" or "no-such-job" not in request.job:
        return False
    handler.whole(404, "text/html", b"<p>x")
    return True


def bad_bodies(_: SmallBackend, request: Request, handler: Handler) -> bool:
    """Accept a create without a name: it breaks ARK-SRV-9."""
    if request.route != "create" or request.headers.get("Content-Length") not in {"0", "2"}:
        return False
    handler.answer(200, {"ok": True})
    return True


BAD_CREATES = ("--case", "create.empty", "--case", "create.not-an-object")
BROKEN = (*BAD_CREATES, "--profile", "hardened")


def test_the_mock_conforms_in_a_few_cases() -> None:
    done = kit("backend", *FAST)
    assert done.status == 0, done.out
    assert "conforms in the" in done.out


@pytest.mark.thorough
def test_the_mock_conforms() -> None:
    done = kit("backend")
    assert done.status == 0, done.out
    assert done.out.count("CONFORMS ") == 3
    assert "could not" not in done.out


def test_the_job_of_a_revoked_token_is_ended_by_the_control_program() -> None:
    done = kit("backend", "--case", "isolation.revoked-token")
    assert "1 pass" in done.out
    assert "could not" not in done.out


def test_nothing_is_judged_where_nothing_was_chosen() -> None:
    assert kit("backend", "--case", "cancel.accepted", "--profile", "2026-05").status == 4


def test_a_pattern_chooses_cases() -> None:
    done = kit("list", "--backend", "--filter", "isolation.*")
    listed = {line.split()[0] for line in done.out.splitlines() if "." in line.split(" ")[0]}
    assert listed >= {each for each in backend_cases() if each.startswith("isolation.")}


def test_a_proposal_warns_and_counts_only_when_strict() -> None:
    words = ("--case", CASE, "--profile", "2026-05")
    with serving(err=html_errors) as backend:
        assert judge(backend, *words).status == 0
    with serving(err=bad_bodies) as backend:
        older = (*BAD_CREATES, "--profile", "2026-05")
        assert judge(backend, *older).status == 0
        assert judge(backend, *older, "--strict").status == 1
        assert judge(backend, *BROKEN).status == 1


def test_known_failures_are_kept_in_a_baseline_which_may_get_stale(tmp_path: Path) -> None:
    known = tmp_path / "known.toml"
    with serving(err=bad_bodies) as backend:
        done = judge(backend, *BROKEN, "--write-baseline", str(known))
        assert done.status == 1
        assert "create.empty" in known.read_text("utf-8")
        done = judge(backend, *BROKEN, "--baseline", str(known))
        assert done.status == 0
        assert "known failure" in done.out
    with serving() as backend:
        assert judge(backend, *BROKEN, "--baseline", str(known)).status == 5


def test_the_command_that_reruns_a_case_can_be_pasted(tmp_path: Path) -> None:
    job = tmp_path / "my job.toml"
    job.write_text('name = "n"\n[config]\nmodel = "m"\n', "utf-8")
    with serving(err=bad_bodies) as backend:
        done = judge(backend, *BROKEN, "--job", str(job))
        line = re.search(r"To run only the first failure: (.*)", done.out)
        assert line is not None
        words = shlex.split(line[1])
        assert words[:2] == ["arkor-conformance", "backend"]
        again = kit(*words[1:], ARKOR_TOKEN=TOKEN)
        assert again.status == 1
        assert "1 case" in again.out


def test_every_report_is_written_and_tells_no_token(tmp_path: Path) -> None:
    names = ("run.json", "junit.xml", "summary.md", "page.html", "badge.json")
    with serving(err=bad_bodies) as backend:
        assert judge(backend, *BROKEN, *reports(tmp_path, *names)).status == 1
    texts = {name: (tmp_path / name).read_text("utf-8") for name in names}
    assert [name for name in names if TOKEN in texts[name]] == []
    schema = specification_directory() / "schemas" / "run.schema.json"
    run = json.loads(texts["run.json"])
    assert problem(schema.read_text("utf-8"), run) == ""
    assert run["judged"] == "backend"
    assert "ARK-SRV-9" in texts["junit.xml"]
    assert "ARK-SRV-9" in texts["summary.md"]
    assert "ARK-SRV-9" in texts["page.html"]


def test_show_tells_what_a_case_is_about() -> None:
    done = kit("show", "resume.at-the-end")
    assert done.status == 0
    assert "ARK-SRV-42" in done.out


def test_show_tells_about_a_client_unless_it_is_asked_about_a_backend() -> None:
    """Both kinds of cases have this id."""
    client, backend = (kit("show", "create.accepted", *words) for words in ((), ("--backend",)))
    assert ("ARK-CRE-1" in client.out, "ARK-SRV-" in client.out) == (True, False)
    assert ("ARK-SRV-1" in backend.out, "ARK-CRE-" in backend.out) == (True, False)


def test_show_refuses_a_case_that_no_backend_has() -> None:
    done = kit("show", "--backend", "create.acepted")
    assert done.status == 2
    assert "did you mean 'create.accepted'?" in done.err


def test_the_coverage_of_the_rules_has_no_holes() -> None:
    done = kit("coverage", "--backend")
    assert done.status == 0, done.out


def test_a_mutant_can_be_tried_alone() -> None:
    done = kit("mutants", "--backend", "--mutant", "create.without-a-job")
    assert done.status == 0, done.out
    assert "1 of 1 broken backends caught" in done.out


def test_an_unknown_mutant_is_a_mistake_of_use() -> None:
    done = kit("mutants", "--backend", "--mutant", "create.without-a-jo")
    assert done.status == 2
    assert "create.without-a-job" in done.err
