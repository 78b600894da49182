"""A trainer: one job from its create to its end, on a pool of connections."""

from collections.abc import Mapping
from typing import Final

from anyio.abc import TaskGroup
from attrs import define, field, frozen

from conformance.strict_data import Json
from tests.conformance.pooled.errors import Aborted, GaveUp, Setback
from tests.conformance.pooled.http import Wire
from tests.conformance.pooled.options import Options
from tests.conformance.pooled.rules import CALLBACKS, Backoff, event_for
from tests.conformance.pooled.shared import Shared
from tests.conformance.pooled.stream import Cursor, Stream

NEW_JOB_MS: Final = 30_000.0


@frozen
class Result:
    """The result of `wait()`."""

    job: Mapping[str, Json]
    artifacts: Json


@define
class Trainer:
    """`start()`, `wait()`, `cancel()` and `abort()`; `group` runs the tasks that outlive a call."""

    options: Options
    wire: Wire
    group: TaskGroup
    _job: dict[str, Json] | None = field(default=None, init=False)
    _accepted_at: float = field(default=float("-inf"), init=False)
    _cursor: Cursor = field(init=False)
    _result: Result | None = field(default=None, init=False)
    _reason: Aborted | None = field(default=None, init=False)
    _creating: Shared[dict[str, Json]] | None = field(default=None, init=False)
    _waiting: Shared[Result] | None = field(default=None, init=False)
    _cancelling: Shared[None] | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        """Follow the job in the options, if they name one."""
        if self.options.job is not None:
            self._job = {"id": self.options.job}
        self._cursor = Cursor(self.options.last_event_id)

    async def start(self) -> str:
        """Submit the job, once; return its id."""
        job = self._job or await self._create()
        return str(job["id"])

    async def wait(self) -> Result:
        """Follow the job to its end."""
        if self._result is not None:
            return self._result
        if self._reason is not None:
            raise self._reason
        if self._waiting is None:
            self._waiting = Shared()
            self.group.start_soon(self._waiting.run, self._follow, self._no_longer_waiting)
        return await self._waiting.outcome()

    async def cancel(self) -> None:
        """Ask the backend to stop the job; does nothing if there is no job yet."""
        if self._job is None and self._creating is None:
            return
        if self._cancelling is None:
            self._cancelling = Shared()
            self.group.start_soon(self._cancelling.run, self._cancel, self._no_longer_cancelling)
        await self._cancelling.outcome()

    def abort(self, reason: str) -> None:
        """End the wait for good; the job goes on."""
        if self._reason is None and self._result is None:
            self._reason = Aborted(reason)
            if self._waiting is not None:
                self._waiting.reject(self._reason)

    def _no_longer_waiting(self) -> None:
        self._waiting = None

    def _no_longer_cancelling(self) -> None:
        self._cancelling = None

    def _no_longer_creating(self) -> None:
        self._creating = None

    async def _create(self) -> dict[str, Json]:
        if self._creating is None:
            self._creating = Shared()
            self.group.start_soon(self._creating.run, self._submit, self._no_longer_creating)
        return await self._creating.outcome()

    async def _submit(self) -> dict[str, Json]:
        self._job = await self.wire.create(self.options.body, self.options.idempotency_key)
        self._accepted_at = self.options.clock.now()
        return self._job

    async def _cancel(self) -> None:
        if self._creating is not None:
            try:
                await self._creating.outcome()
            except Exception:  # noqa: BLE001 - it is start() that reports it (ARK-CAN-7)
                return
        if self._job is not None:
            await self.wire.cancel(str(self._job["id"]))

    async def _follow(self) -> Result:
        job = self._job or await self._create()
        backoff = self._backoff()
        while True:
            try:
                terminal = await self._stream(str(job["id"]), backoff).run()
                if terminal is not None:
                    return await self._conclude(terminal)
                delay = backoff.after_clean_end()
            except Setback as setback:
                backoff.failures += 1
                if backoff.failures > backoff.budget:
                    raise GaveUp(backoff.failures, setback.cause) from setback.cause
                delay = backoff.after_failure()
            await self.options.clock.sleep(delay, "reconnect")

    def _backoff(self) -> Backoff:
        given = self.options
        hardened = given.place.hardened
        backoff = Backoff(given.base, given.cap, given.budget, hardened, given.random)
        backoff.lasting_floor = self._cursor.floor
        return backoff

    def _stream(self, job_id: str, backoff: Backoff) -> Stream:
        return Stream(
            options=self.options,
            wire=self.wire,
            job_id=job_id,
            cursor=self._cursor,
            backoff=backoff,
            call=self._call,
            is_new_job=self._is_new_job,
        )

    async def _conclude(self, frame: Mapping[str, Json]) -> Result:
        if isinstance(found := frame.get("job"), Mapping) and frame["type"] == "job":
            self._job = dict(found)
            self._result = Result(self._job, [])
            return self._result
        job = dict(self._job or {})
        kind = frame["type"]
        artifacts: Json = []
        if kind != "end":
            job["status"] = str(kind).removeprefix("training.")
            if isinstance(frame.get("timestamp"), str):
                job["completedAt"] = frame["timestamp"]
            event = event_for(str(job["id"]), frame)
            job.pop("error", None)
            if kind == "training.failed":
                job["error"] = event["error"]
            artifacts = event.get("artifacts", []) if kind == "training.completed" else []
        self._job = job
        result = Result(job, artifacts)
        try:
            await self._call(frame)
        except Exception:
            if self._reason is None:
                self._result = result
            if self.options.profile != "2026-05":
                raise
        if self._reason is not None:
            raise self._reason
        self._result = result
        return result

    async def _call(self, frame: Mapping[str, Json]) -> None:
        """Pass an event to its callback."""
        kind = frame.get("type")
        if not isinstance(kind, str) or kind not in CALLBACKS or self._job is None:
            return
        if self._reason is not None:
            raise self._reason
        if kind == "training.started":
            self._job["status"] = "running"
            if isinstance(frame.get("timestamp"), str):
                self._job["startedAt"] = frame["timestamp"]
        await self.options.hear(CALLBACKS[kind], event_for(str(self._job["id"]), frame))
        if self._reason is not None:
            raise self._reason

    def _is_new_job(self) -> bool:
        """Return whether the job is so young that a replica may not have it yet (ARK-ERR-5)."""
        return self.options.clock.now() - self._accepted_at <= NEW_JOB_MS
