"""The jobs of a run: how many it may make, and that none of them goes on."""

import time

import anyio
import pytest
from attrs import evolve

from conformance.backends.ledger import Ledger, OverBudget
from conformance.backends.target import Address, Target
from tests.conformance.backends.small_backend import (
    TOKEN,
    Err,
    Handler,
    Job,
    Request,
    SmallBackend,
    serving,
)

pytestmark = pytest.mark.timeout(60)


def target_of(backend: SmallBackend) -> Target:
    """Return a backend as the kit knows it."""
    return Target(address=Address.of(backend.url), token=TOKEN)


def settled(backend: SmallBackend, *jobs: str, at: Target | None = None) -> list[str]:
    """Let a ledger cancel these jobs; return the commands for those that are left."""

    async def run() -> list[str]:
        target = target_of(backend)
        ledger = Ledger(10)
        for job in jobs:
            await ledger.made(job, at or target)
        return await ledger.settle(target)

    return anyio.run(run)


def long_jobs(backend: SmallBackend, *jobs: str) -> None:
    """Give a backend jobs that go on for an hour."""
    backend.pace = 1000
    for each in jobs:
        backend.jobs[each] = Job(each)


def test_no_more_jobs_are_made_than_the_budget_allows() -> None:
    async def spend() -> None:
        ledger = Ledger(2)
        await ledger.spend()
        await ledger.spend()
        with pytest.raises(
            OverBudget, match="limit of 2 jobs was reached; raise it with --max-jobs"
        ):
            await ledger.spend()

    anyio.run(spend)


def test_an_id_is_written_down_once_before_it_is_used() -> None:
    told: list[str] = []

    async def make() -> None:
        ledger = Ledger(2, told.append)
        for job in ("a", "b", "a"):
            await ledger.made(job, Target())

    anyio.run(make)
    assert told == ["a", "b"]


def test_what_was_made_is_cancelled() -> None:
    with serving() as backend:
        long_jobs(backend, "a", "b/c ä")
        assert settled(backend, "a", "b/c ä") == []
        assert backend.running == []


def test_a_job_that_is_over_or_never_was_is_no_trouble() -> None:
    with serving(pace=0.001) as backend:
        backend.jobs["a"] = Job("a", time.monotonic() - 10)
        assert settled(backend, "a", "never") == []


def refusing(status: int) -> Err:
    """Return a backend's way to answer every cancel with this status."""

    def err(_: SmallBackend, request: Request, handler: Handler) -> bool:
        if request.route == "cancel":
            handler.answer(status, {"error": "not now"}, {"Location": "/elsewhere"})
        return request.route == "cancel"

    return err


@pytest.mark.parametrize("status", [302, 403, 500])
def test_a_job_that_cannot_be_cancelled_is_left_to_its_owner(status: int) -> None:
    with serving(err=refusing(status)) as backend:
        long_jobs(backend, "a b")
        command = settled(backend, "a b")
        path = "/v1/jobs/a%20b/cancel?orgSlug=kit-org&projectSlug=kit-project"
        assert command == [
            f"curl -X POST -H \"Authorization: Bearer $ARKOR_TOKEN\" '{backend.url}{path}'"
        ]


def test_a_job_is_cancelled_where_it_was_made() -> None:
    with serving() as backend:
        other = evolve(target_of(backend), org="o", project="p", token="tok-of-another")
        settled(backend, "a", at=other)
        request = backend.requests[0]
        assert request.target == "/v1/jobs/a/cancel?orgSlug=o&projectSlug=p"
        assert request.headers["Authorization"] == "Bearer tok-of-another"


def test_the_job_of_another_tenant_is_left_with_its_variable() -> None:
    with serving(err=refusing(500)) as backend:
        other = evolve(target_of(backend), token="tok-of-another")
        (command,) = settled(backend, "a", at=other)
        assert "$ARKOR_OTHER_TOKEN" in command
        assert "tok-of-another" not in command


def test_a_backend_that_comes_back_is_told_again() -> None:
    with serving() as backend:
        long_jobs(backend, "a")

        async def run() -> list[str]:
            target, ledger = target_of(backend), Ledger(10)
            await ledger.made("a", target)
            backend.stop()
            found: list[str] = []

            async def settle() -> None:
                found.extend(await ledger.settle(target))

            async with anyio.create_task_group() as group:
                group.start_soon(settle)
                await anyio.wait_all_tasks_blocked()
                await anyio.to_thread.run_sync(backend.start)
            return found

        assert anyio.run(run) == []
        assert backend.running == []
