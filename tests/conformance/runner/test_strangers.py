"""Requests from other programs are shown but never judged; late requests go to their own case."""

import sys
from collections.abc import Sequence

import anyio
import httpx
import pytest

from conformance.casefile.loader import filled
from conformance.casefile.model import Case
from conformance.casefile.nonces import Nonces, draw, nonces_in
from conformance.casefile.requirements import PROFILE_NAMES
from conformance.casefile.selection import select
from conformance.drive.recorder import Recorder
from conformance.runner.backend import Backends, CaseBackend
from conformance.runner.run import Plan, run
from conformance.trace.events import Closed, Connected, Fact, Requested, Stranger, Trace
from conformance.verdict.statuses import Verdict
from tests.conformance.catalogue import all_cases

HAUNTED = (sys.executable, "-m", "tests.conformance.wrong_drivers.haunted")
FAMILIES = ("create.accepted*", "resume.cursor-*", "budget.allows*", "cancel.*", "abort.*")
FEW = ("create.accepted*", "resume.cursor-f*", "cancel.s*", "abort.on*")
SHORT = 250
"""A number of events; the traces of the cases here have fewer than a hundred."""
ONE, OTHER = Nonces("0123456789abcdef"), Nonces("fedcba9876543210")


def nothing() -> None:
    """Do nothing: there is no driver to drain."""


@pytest.fixture(scope="module")
def cases() -> tuple[Case, ...]:
    return all_cases()


@pytest.mark.parametrize(
    ("families", "profiles"),
    [
        (FEW, ("hardened",)),
        pytest.param(FAMILIES, PROFILE_NAMES, marks=pytest.mark.thorough),
    ],
    ids=["a few cases", "many cases"],
)
def test_a_stranger_changes_no_verdict(
    families: Sequence[str], profiles: Sequence[str], cases: tuple[Case, ...]
) -> None:
    chosen = select(cases, (), families)
    plan = Plan(command=HAUNTED, cases=chosen, profiles=profiles, lanes=2)
    outcome = anyio.run(run, plan)
    wrong = {r.name: [f.actual for f in r.findings] for r in outcome.results if r.findings}
    strangers = [sum(1 for _ in r.trace.of(Stranger)) for r in outcome.results if r.trace.events]
    assert (wrong, set(strangers)) == ({}, {6})


@pytest.mark.thorough
def test_a_scanner_that_knocks_without_end_changes_no_verdict(cases: tuple[Case, ...]) -> None:
    few = select(cases, ("resume.cursor-follows-the-stream", "cancel.sends-one-request"))
    # The driver itself does the knocking, and must not be taken for one that hangs meanwhile.
    plan = Plan(command=(*HAUNTED, "1200"), cases=few, profiles=("2026-05",), lanes=2, patience=60)
    outcome = anyio.run(run, plan)
    assert {r.name: r.verdict.value for r in outcome.results if r.verdict is not Verdict.PASS} == {}
    assert max(len(r.trace.events) for r in outcome.results) < SHORT


@pytest.mark.parametrize(
    "fact", [Connected(1), Stranger("GET", "/"), Closed(1, "eof", "client", ())]
)
def test_what_any_program_can_do_keeps_no_case_alive(fact: Fact) -> None:
    recorder = Recorder()
    before = recorder.heard, recorder.proven
    recorder.add(fact)
    assert (recorder.heard, recorder.proven) == before


async def knock(backend: CaseBackend, *knocks: tuple[str, str, str]) -> list[int]:
    """Send requests, each a path, a token and a body; return the statuses of the answers."""
    async with httpx.AsyncClient(base_url=backend.base_url) as client:
        return [
            (
                await client.request(
                    "POST" if body else "GET",
                    path,
                    headers={"Authorization": f"Bearer {token}"} if token else {},
                    content=body,
                )
            ).status_code
            for path, token, body in knocks
        ]


def requests_in(trace: Trace) -> list[str]:
    return [f"{fact.route}#{fact.attempt}" for _, fact in trace.of(Requested)]


async def opened(case: Case, *knocks: tuple[str, str, str]) -> tuple[list[int], Trace, Trace]:
    """Open the backends of two plays of a case, and send requests to the first."""
    mine, theirs = Recorder(), Recorder()
    async with Backends.opened(2, lambda _: None) as backends:
        first = await backends.open(filled(case, ONE), ONE, mine, nothing)
        await backends.open(filled(case, OTHER), OTHER, theirs, nothing)
        statuses = await knock(first, *knocks)
    return statuses, mine.trace, theirs.trace


STREAM = "/v1/jobs/{}/events/stream"


@pytest.mark.parametrize(
    "own",
    [
        (STREAM.format(ONE.values["{job}"]), "", ""),
        (STREAM.format("undefined"), ONE.values["{token}"], ""),
        ("/v1/jobs", "", f'{{"name": "{ONE.values["{name}"]}"}}'),
    ],
    ids=["by the job", "by the token", "by the name"],
)
def test_one_nonce_is_enough_to_be_the_clients(
    cases: tuple[Case, ...], own: tuple[str, str, str]
) -> None:
    (case,) = select(cases, ("resume.cursor-follows-the-stream",))
    _, trace, _ = anyio.run(opened, case, own)
    assert (len(requests_in(trace)), list(trace.of(Stranger))) == (1, [])


def test_a_stranger_takes_no_attempt_from_the_client(cases: tuple[Case, ...]) -> None:
    (case,) = select(cases, ("resume.cursor-follows-the-stream",))
    foreign, own = ("/v1/jobs/x/events/stream", "foreign", ""), (STREAM.format("a"), "", "")
    mine = (own[0], ONE.values["{token}"], "")
    statuses, trace, _ = anyio.run(opened, case, foreign, mine, foreign, mine)
    assert (statuses, requests_in(trace)) == ([421, 200, 421, 200], ["stream#1", "stream#2"])


def test_a_late_request_goes_into_the_trace_of_its_own_case(cases: tuple[Case, ...]) -> None:
    (case,) = select(cases, ("resume.cursor-follows-the-stream",))
    late = (STREAM.format(OTHER.values["{job}"]), OTHER.values["{token}"], "")
    statuses, trace, other = anyio.run(opened, case, late)
    assert (statuses, requests_in(trace), requests_in(other)) == ([421], [], ["stream#1"])


def test_a_strangers_path_is_shown_and_its_secrets_are_not(cases: tuple[Case, ...]) -> None:
    (case,) = select(cases, ("resume.cursor-follows-the-stream",))
    _, trace, _ = anyio.run(opened, case, ("/v1/jobs/x?token=hush", "hush", ""))
    assert [fact for _, fact in trace.of(Stranger)] == [Stranger("GET", "/v1/jobs/x")]


def test_nonces_are_drawn_anew_and_are_found_again() -> None:
    first, second = draw(), draw()
    assert first != second
    assert nonces_in(*Nonces(first).values.values()) == (first,) * 4


def test_a_reader_sees_no_nonce() -> None:
    assert ONE.plain(f"GET /v1/jobs/{ONE.values['{job}']}/cancel") == "GET /v1/jobs/job-1/cancel"
