"""Cancel a job near its end, at random moments: either the cancel or the end wins, never both.

The number of a failing test is the seed that repeats it.
"""

import random

import anyio
import pytest

from mock_server import JobEnded, MockServer, ScriptedFrame, scenario_from_dict
from mock_server.backend.answers import Reply
from mock_server.backend.backend import Backend
from mock_server.requests import request_of
from tests.mock_server.rawclient import RawClient, follow

pytestmark = pytest.mark.anyio

LAST = ScriptedFrame(event="training.completed", json={"type": "training.completed"})
LOG = ScriptedFrame(event="training.log", json={"type": "training.log", "step": 1})
TERMINAL = {"end": "cancelled", "training.completed": "completed"}


def judge(answers: list[int], events: list[str], status: str) -> None:
    """Check that the answers, the log and the status agree."""
    ends = [event for event in events if event in TERMINAL]
    assert len(ends) == 1
    assert events[-1] == ends[0]
    assert status == TERMINAL[ends[0]]
    won = [200] if status == "cancelled" else []
    assert answers == won + [409] * (len(answers) - len(won))


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("seed", range(200))
def test_in_the_brain_one_of_cancel_and_end_wins(seed: int, anyio_backend: str) -> None:
    del anyio_backend
    rng = random.Random(seed)  # noqa: S311 - seeded on purpose
    count = rng.randint(1, 8)
    job = {"id": "j", "submitted": True, "events": count}
    backend = Backend(scenario_from_dict({"job": [job]}))
    authorized = (("authorization", "Bearer t"),)
    answers: list[int] = []
    steps = ["cancel"] * rng.randint(1, 4) + ["pull"] * (count + 1)
    rng.shuffle(steps)
    for step in steps:
        found = backend.jobs["j"]
        if step == "pull":
            found.pull(len(found.log), 1, 0.0)
            continue
        answer = backend.answer(request_of("POST", "/v1/jobs/j/cancel", authorized, b""), 0.0)
        assert isinstance(answer, Reply)
        answers.append(answer.status)
    found = backend.jobs["j"]
    judge(answers, [frame.event or "" for frame in found.log], found.status.value)


async def idle(turns: int) -> None:
    for _ in range(turns):
        await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("seed", range(40))
async def test_over_sockets_one_of_cancel_and_end_wins(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - seeded on purpose
    delays = [rng.randint(0, 90) for _ in range(3)]
    pauses = [rng.randint(0, 15) for _ in range(3)]
    job = {"id": "j", "submitted": True, "events": 1, "status": "running"}
    answers: list[int] = []
    bodies: list[bytes] = []
    async with MockServer(scenario_from_dict({"job": [job]})) as mock:

        async def cancel(after: int) -> None:
            async with RawClient(mock.port) as client:
                await idle(after)
                answers.append((await client.ask("POST", "/v1/jobs/j/cancel")).status)

        async def read() -> None:
            bodies.append((await follow(mock.port, "j")).unchunked)

        async def train(pauses: list[int]) -> None:
            for pause, frame in zip(pauses, (LOG, LOG, LAST), strict=True):
                await idle(pause)
                if not mock.jobs["j"].over:
                    mock.push("j", frame)

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(read)
            for after in delays:
                group.start_soon(cancel, after)
            group.start_soon(train, pauses)
        with pytest.raises(JobEnded):
            mock.push("j", LAST)
        await cancel(0)
        status = mock.jobs["j"].status.value
    assert len(set(bodies)) == 1
    events = [
        line.removeprefix("event: ")
        for line in bodies[0].decode().split("\n")
        if line.startswith("event: ")
    ]
    judge(sorted(answers), events, status)
