"""Locust users: each creates jobs one at a time, follows each job to its end and cancels some.

    locust -f LOCUSTFILE --headless -u 100 -r 20 -t 60s

`python -m conformance.load` prints the path of this file. Without `--host`, Locust starts
`arkor-mock serve` as the backend, with the faults in `faults.toml`, and stops it when the run ends.
Locust patches the sockets of the blocking client with gevent, so one process can run hundreds of
users; `--master` and `--worker` distribute the users over several processes.

Environment variables set the other options: ARKOR_TOKEN, ARKOR_ORG and ARKOR_PROJECT; ARKOR_CANCEL,
the share of jobs to cancel (default 0.1); ARKOR_VERIFY, the share of jobs whose log is read again
from its start, to find lost or duplicate events (default 1.0); ARKOR_SEED, the seed for the random
choices.
"""

# pyright: reportUnknownMemberType=false
# Locust's events have no type annotations.

import json
import logging
import math
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path
from random import Random
from threading import Timer
from typing import Final, TypeVar

from attrs import define, field
from locust import User, constant, events, task
from locust.env import Environment

from arkor_proto import Reconnecting, StatusError, TrainingEvent, TransportError
from arkor_proto.transports.blocking import ArkorClient, Callbacks, Checkpoint
from mock_server.strict.shapes import is_table

_R = TypeVar("_R")
_FRAMES: Final = "frames"
_COUNTS: Final = (_FRAMES, "lost", "duplicated", "jobs")
_MILLI: Final = 1000.0
_SERVE: Final = (sys.executable, "-m", "mock_server", "serve", "--exit-on-stdin-eof")
RANDOM: Final = Random(os.environ.get("ARKOR_SEED") or None)  # noqa: S311 - a sample, no secret
HERE: Final[Counter[str]] = Counter()
"""The counts of this process since its last report to the master."""
TOTAL: Final[Counter[str]] = Counter()
"""The counts of all processes."""
SERVED: Final[list["subprocess.Popen[str]"]] = []
"""The arkor-mock process, if this process has started one."""
BEGAN: Final = time.monotonic()


def share(name: str, otherwise: float) -> float:
    """Read a share from the environment; exit the program if it is not a number from 0 to 1."""
    given = os.environ.get(name, "")
    try:
        found = float(given) if given else otherwise
    except ValueError:
        found = math.nan
    if not 0.0 <= found <= 1.0:
        sys.exit(f"{name}: {given} is not a number from 0 to 1")
    return found


logging.getLogger("arkor_proto").setLevel(logging.ERROR)  # no line for each broken stream
CANCELLED: Final = share("ARKOR_CANCEL", 0.1)
VERIFIED: Final = share("ARKOR_VERIFY", 1.0)


class Amiss(Exception):
    """Events were lost, duplicated or reordered."""


@define
class Heard:
    """Collects the events of one job, and times the first event and each resume."""

    tell: Callable[[str, float], None]
    """A function that reports a duration, in seconds, under the given name."""
    since: float = field(factory=time.monotonic)
    events: list[tuple[str, int | None]] = field(factory=list[tuple[str, int | None]])
    broken_at: float | None = None

    def take(self, event: TrainingEvent | Checkpoint) -> None:
        """Record an event; called by the client's callbacks."""
        now = time.monotonic()
        if not self.events:
            self.tell("first frame", now - self.since)
        if self.broken_at is not None:
            self.tell("resume gap", now - self.broken_at)
            self.broken_at = None
        self.events.append(_told(event))

    def lose(self, notice: Reconnecting) -> None:
        """Record the time at which the stream broke; called by `on_reconnect`."""
        del notice
        self.broken_at = self.broken_at or time.monotonic()

    def callbacks(self) -> Callbacks:
        """Return the callbacks for the client."""
        return Callbacks(
            on_started=self.take,
            on_log=self.take,
            on_checkpoint=self.take,
            on_completed=self.take,
            on_failed=self.take,
            on_reconnect=self.lose,
        )


def _told(event: TrainingEvent | Checkpoint) -> tuple[str, int | None]:
    kind = "CheckpointSaved" if isinstance(event, Checkpoint) else type(event).__name__
    return kind, getattr(event, "step", None)


class Follower(User):
    """A user that submits a job, follows it to its end, and then submits the next one."""

    wait_time = constant(0)

    def on_start(self) -> None:
        """Create this user's client; it keeps a connection open for short requests."""
        self.stopping = False
        self.client = ArkorClient(
            self.host or "",
            token=os.environ.get("ARKOR_TOKEN", "any"),
            org=os.environ.get("ARKOR_ORG", "org"),
            project=os.environ.get("ARKOR_PROJECT", "project"),
        )

    def on_stop(self) -> None:
        """Close the client."""
        self.stopping = True
        self.client.close()

    @task
    def follow_a_job(self) -> None:
        """Create a job and follow it to its end; for a share of jobs, check the events received."""
        heard = Heard(self._time)
        trainer = self.client.trainer(
            name="load",
            model="load/model",
            dataset={"type": "huggingface", "name": "load/dataset"},
            callbacks=heard.callbacks(),
        )
        job = self._timed("create", trainer.start)
        if job is None:
            return
        heard.since = time.monotonic()
        cancels = RANDOM.random() < CANCELLED
        canceller = Timer(RANDOM.random(), self._cancel, (job,))  # a greenlet, patched by Locust
        if cancels:
            canceller.start()
        self._timed("wait", trainer.wait)
        if cancels:
            canceller.join()
        HERE.update(frames=len(heard.events), jobs=1)
        if RANDOM.random() < VERIFIED:
            self._verify(job, heard)

    def _cancel(self, job: str) -> None:
        """Cancel a job by its id, as another process would."""
        if not self.stopping:
            self._timed("cancel", partial(self._cancel_unless_over, job))

    def _cancel_unless_over(self, job: str) -> None:
        try:
            self.client.attach(job).cancel()
        except StatusError as error:
            if error.status != HTTPStatus.CONFLICT:  # the job was already over
                raise
        except TransportError:
            if not self.stopping:  # the client is closed at the end of the run
                raise

    def _verify(self, job: str, heard: Heard) -> None:
        """Read the log of a job from its start and compare it with the events received."""
        with self.client.attach(job).events() as again:
            log = [_told(event) for event in again]
        lost = sum((Counter(log) - Counter(heard.events)).values())
        duplicated = sum((Counter(heard.events) - Counter(log)).values())
        HERE.update(lost=lost, duplicated=duplicated)
        self._count("lost", lost, len(log))
        self._count("duplicated", duplicated, len(log))
        swapped = heard.events != log and not lost and not duplicated
        amiss = Amiss("the events did not arrive in the order of the log") if swapped else None
        self._report("log", 0.0, len(log), amiss)

    def _count(self, name: str, events: int, length: int) -> None:
        """Report a count of events to Locust as if it were a time; a count above 0 is a failure."""
        amiss = Amiss(f"{events} events {name} of {length}") if events else None
        self._report(name, events / _MILLI, length, amiss)

    def _timed(self, name: str, do: Callable[[], _R]) -> _R | None:
        """Call `do`, report how long it took, and return its result, or None if it failed."""
        began = time.monotonic()
        try:
            found = do()
        except Exception as error:  # noqa: BLE001 - failures are counted
            self._report(name, time.monotonic() - began, 0, error)
            return None
        self._report(name, time.monotonic() - began)
        return found

    def _time(self, name: str, seconds: float) -> None:
        self._report(name, seconds)

    def _report(
        self, name: str, seconds: float, length: int = 0, error: Exception | None = None
    ) -> None:
        self.environment.events.request.fire(
            request_type="arkor",
            name=name,
            response_time=seconds * _MILLI,
            response_length=length,
            exception=error,
            context={},
        )


@events.init.add_listener
def _serve(environment: Environment, **_: object) -> None:
    """Start the mock if no host is given; a worker gets the host from its master."""
    if environment.host or type(environment.runner).__name__ == "WorkerRunner":
        return
    mock = subprocess.Popen(  # noqa: S603 - the mock of this package
        [*_SERVE, str(Path(__file__).with_name("faults.toml"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C reaches only Locust, which then ends the mock
    )
    line = mock.stdout.readline() if mock.stdout else ""
    told: object = json.loads(line) if line else None
    if not is_table(told):
        sys.exit("arkor-mock did not start; see its message above")
    environment.host = str(told["base_url"])
    sys.stderr.write(
        f"arkor: no --host was given, so the target is arkor-mock at {environment.host}\n"
    )
    SERVED.append(mock)


@events.quit.add_listener
def _end(**_: object) -> None:
    for mock in SERVED:
        if mock.stdin:
            mock.stdin.close()
        mock.wait()


@events.report_to_master.add_listener
def _tell_the_master(client_id: str, data: dict[str, object]) -> None:
    del client_id
    data["arkor"] = dict(HERE)
    HERE.clear()


@events.worker_report.add_listener
def _hear_a_worker(client_id: str, data: dict[str, object]) -> None:
    del client_id
    told = data.get("arkor")
    if is_table(told):
        counts = {name: told.get(name) for name in _COUNTS}
        TOTAL.update({name: n for name, n in counts.items() if isinstance(n, int)})


@events.quitting.add_listener
def _sum_up(environment: Environment) -> None:
    """Print the counts, except on workers; exit with status 1 if events were lost or duplicated."""
    if type(environment.runner).__name__ == "WorkerRunner":
        return
    TOTAL.update(HERE)
    rate = TOTAL[_FRAMES] / max(0.001, time.monotonic() - BEGAN)
    sys.stdout.write(
        f"arkor: {TOTAL['jobs']} jobs, {TOTAL[_FRAMES]} frames ({rate:.0f}/s), "
        f"{TOTAL['lost']} lost, {TOTAL['duplicated']} duplicated\n"
    )
    if TOTAL["lost"] or TOTAL["duplicated"]:
        environment.process_exit_code = 1
