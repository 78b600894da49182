"""One follower: it takes a job, follows it to its end, and takes the next; in a task, or in a thread."""

import math
import os
import time
from collections.abc import Mapping
from random import Random
from typing import Final

import anyio
from attrs import define, evolve, field

from arkor_proto import HARDENED, Aborted, Profile, ReconnectPolicy, StatusError, TransportError
from arkor_proto.transports import anyio as tasks
from arkor_proto.transports import blocking as threads
from tests.soak.backend import Pace
from tests.soak.checks import LAST, Plan, Plant, Tally, Todo

_PAUSE: Final = 0.2
"""Seconds until a create that failed is tried again, with the same key."""
_DATASET: Final[Mapping[str, object]] = {"type": "huggingface", "name": "soak/dataset"}


@define(eq=False)
class Run:
    """What all followers of one run share."""

    base_url: str
    pace: Pace
    seed: int
    plants: frozenset[Plant]
    tally: Tally = field(factory=Tally)
    ending_since: float = math.inf
    """Since when followers cancel their jobs, follow them to the end, and take no other; each in its turn."""
    is_over: bool = False
    """Whether they drop everything: the run was interrupted, the backend is gone, or time is up."""
    clients: set[threads.ArkorClient] = field(factory=set[threads.ArkorClient])
    """The open clients of threads."""

    def begin(self, number: int) -> "Turn":
        """Note that a follower has begun."""
        self.tally.add("followers")
        if Plant.DESCRIPTOR in self.plants:
            self.tally.kept.append(os.dup(0))
        random = Random(f"{self.seed}/{number}")  # noqa: S311 - seeded on purpose
        return Turn(self, random, random.random() * self.pace.spread)

    @property
    def policy(self) -> ReconnectPolicy:
        """How every client reconnects: it never gives up."""
        return ReconnectPolicy(self.pace.interval / 4, self.pace.interval * 2)

    @property
    def profile(self) -> Profile:
        """The profile of every client: an open stream may not be silent for long."""
        return evolve(HARDENED, byte_timeout=self.pace.silence)

    def fail(self, error: Exception) -> None:
        """Note that a job was not followed to its end, unless everything is being dropped."""
        if not self.is_over:
            self.tally.fail(error)


@define(eq=False)
class Turn:
    """When one follower begins and ends, and what it does."""

    run: Run
    random: Random
    late: float
    """How many seconds after the first one it begins and ends."""

    @property
    def is_ending(self) -> bool:
        """Whether it cancels its job and takes no other."""
        return time.monotonic() > self.run.ending_since + self.late

    @property
    def goes_on(self) -> bool:
        """Whether it takes another job."""
        return not self.is_ending and not self.run.is_over

    def plan(self) -> Plan:
        """Draw what it does with its next job."""
        return Plan.drawn(self.random, self.run.tally, lambda: self.is_ending, self.run.plants)


async def follow(run: Run, number: int) -> None:
    """Follow jobs in a task until the run ends."""
    turn = run.begin(number)
    await anyio.sleep(turn.late)
    while turn.goes_on:
        async with tasks.ArkorClient(
            run.base_url,
            token="any",
            org="org",
            project="project",
            profile=run.profile,
            policy=run.policy,
        ) as client:
            try:
                await _TaskJob(run, client, turn.plan()).follow()
            except Exception as error:  # noqa: BLE001 - a failure is a figure here
                run.fail(error)


@define(eq=False)
class _TaskJob:
    """One job, followed in a task."""

    run: Run
    client: tasks.ArkorClient
    plan: Plan
    trainer: tasks.Trainer = field(init=False)
    job: str = field(default="", init=False)

    async def follow(self) -> None:
        self.trainer = self.client.trainer(
            "soak", model="soak/model", dataset=_DATASET, callbacks=self._callbacks()
        )
        while not self.job:
            try:
                self.job = await self.trainer.start()
            except (TransportError, StatusError):
                self.run.tally.add("creates tried again")
                await anyio.sleep(_PAUSE)
        self.run.tally.create(self.job)
        while not await self._waited():
            cursor = self.plan.resume(self.trainer.last_event_id)
            self.trainer = self.client.attach(
                self.job, last_event_id=cursor, callbacks=self._callbacks()
            )

    async def _waited(self) -> bool:
        """Wait for the end of the job; return whether it has come."""
        try:
            result = await self.trainer.wait()
        except Aborted:
            self.run.tally.add("aborted")
            return False
        self.plan.check.end(result.last_event_id)
        return True

    def _callbacks(self) -> tasks.Callbacks:
        return tasks.Callbacks(
            on_started=lambda event: self._hear(event, 0),
            on_log=lambda event: self._hear(event, event.step),
            on_checkpoint=lambda event: self._hear(event, event.step),
            on_completed=lambda event: self._hear(event, LAST),
            on_reconnect=self.plan.reconnect,
        )

    async def _hear(self, event: object, number: int | None) -> None:
        match self.plan.hear(event, number):
            case Todo.CANCEL:
                try:
                    await self.client.attach(self.job).cancel()
                except (TransportError, StatusError):
                    return
            case Todo.ABORT:
                self.trainer.abort()
            case Todo.GO_ON:
                return
        self.plan.done = True


def follow_in_thread(run: Run, number: int) -> None:
    """Follow jobs in this thread until the run ends."""
    turn = run.begin(number)
    time.sleep(turn.late)
    while turn.goes_on:
        with threads.ArkorClient(
            run.base_url,
            token="any",
            org="org",
            project="project",
            profile=run.profile,
            policy=run.policy,
        ) as client:
            run.clients.add(client)
            try:
                _ThreadJob(run, client, turn.plan()).follow()
            except Exception as error:  # noqa: BLE001 - a failure is a figure here
                run.fail(error)
            finally:
                run.clients.discard(client)


@define(eq=False)
class _ThreadJob:
    """One job, followed in a thread."""

    run: Run
    client: threads.ArkorClient
    plan: Plan
    trainer: threads.Trainer = field(init=False)
    job: str = field(default="", init=False)

    def follow(self) -> None:
        self.trainer = self.client.trainer(
            "soak", model="soak/model", dataset=_DATASET, callbacks=self._callbacks()
        )
        while not self.job and not self.run.is_over:
            try:
                self.job = self.trainer.start()
            except (TransportError, StatusError):
                self.run.tally.add("creates tried again")
                time.sleep(_PAUSE)
        if not self.job:
            return
        self.run.tally.create(self.job)
        while not self._waited():
            cursor = self.plan.resume(self.trainer.last_event_id)
            self.trainer = self.client.attach(
                self.job, last_event_id=cursor, callbacks=self._callbacks()
            )

    def _waited(self) -> bool:
        """Wait for the end of the job; return whether it has come."""
        try:
            result = self.trainer.wait()
        except Aborted:
            self.run.tally.add("aborted")
            return False
        self.plan.check.end(result.last_event_id)
        return True

    def _callbacks(self) -> threads.Callbacks:
        return threads.Callbacks(
            on_started=lambda event: self._hear(event, 0),
            on_log=lambda event: self._hear(event, event.step),
            on_checkpoint=lambda event: self._hear(event, event.step),
            on_completed=lambda event: self._hear(event, LAST),
            on_reconnect=self.plan.reconnect,
        )

    def _hear(self, event: object, number: int | None) -> None:
        match self.plan.hear(event, number):
            case Todo.CANCEL:
                try:
                    self.client.attach(self.job).cancel()
                except (TransportError, StatusError):
                    return
            case Todo.ABORT:
                self.trainer.abort()
            case Todo.GO_ON:
                return
        self.plan.done = True
