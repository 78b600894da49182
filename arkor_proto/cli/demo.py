"""`arkor-proto demo`: a mock backend breaks a stream, and the client still follows the job to its end.

No other module of `arkor_proto` uses the mock, and this one is imported only for this command.
"""

import logging
import signal
import sys
import textwrap
import time
from http import HTTPStatus
from typing import Final, assert_never

import anyio
from attrs import define, field

from arkor_proto._backoff import ReconnectPolicy
from arkor_proto._profile import Profile
from arkor_proto._types import (
    CheckpointSaved,
    Notice,
    Reconnecting,
    TrainingCompleted,
    TrainingEvent,
    TrainingFailed,
    TrainingLog,
    TrainingStarted,
)
from arkor_proto.cli.output import from_where
from arkor_proto.cli.shell import BAD, OK
from arkor_proto.transports.anyio import ArkorClient, Callbacks
from mock_server import (
    ExchangeEnded,
    MockServer,
    Record,
    RequestReceived,
    ResponseStarted,
    scenario_from_toml,
)
from mock_server.net.kernel import LOOP

_RULES: Final = """\
[[rule]]
on = {route = "stream", attempt = 1}
after = {frames = 4}
end = "rst"

[[rule]]
on = {route = "stream", attempt = 2}
status = 503
"""
_JOB: Final = """
[[job]]
events = 14
interval_ms = 500
"""
_NEXT: Final = """
What to type next:
  arkor-mock serve         start a mock backend for your own client
  arkor-conformance run    run every case against the reference client
"""


def demo() -> int:
    """Run the demonstration, which takes about seven seconds, and return the exit status."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    logging.getLogger("arkor_proto").addHandler(logging.NullHandler())  # the demo shows the same
    show = _Show()
    anyio.run(_follow, show, backend_options=LOOP)
    return show.finish()


async def _follow(show: "_Show") -> None:
    scenario = scenario_from_toml(f"schema = 1\n{_RULES}{_JOB}")
    async with MockServer(scenario, show.of_backend) as mock:
        show.begin(mock.base_url)
        client = ArkorClient(
            mock.base_url,
            token="demo",  # noqa: S106 - the mock accepts any token
            profile=Profile.named("hardened"),
            policy=ReconnectPolicy(initial_delay=0.7),
        )
        async with client:
            trainer = client.trainer(
                "demo",
                model="unsloth/gemma-3-4b-it",
                dataset={"type": "huggingface", "name": "acme/tickets"},
                callbacks=Callbacks(on_reconnect=show.notice),
            )
            async with trainer.events() as events:
                async for event in events:
                    show.event(event)


@define
class _Show:
    """Prints the demonstration and records what happened."""

    _began: float = field(factory=time.monotonic, init=False)
    _steps: list[int | float | None] = field(factory=list[int | float | None], init=False)
    _connects: int = field(default=0, init=False)
    _lost: OSError | None = field(default=None, init=False)

    def begin(self, base_url: str) -> None:
        self._print(
            f"A mock backend is listening at {base_url}. These rules break the stream twice:\n"
        )
        self._print(textwrap.indent(_RULES, "    "))
        self._say("client", "submits a job")

    def event(self, event: TrainingEvent) -> None:
        match event:
            case TrainingLog(step=step, loss=loss):
                self._steps.append(step)
                self._say("client", f"step {step}, loss {loss}")
            case CheckpointSaved(step=step):
                self._say("client", f"checkpoint at step {step}")
            case TrainingStarted():
                self._say("client", "the job has started")
            case TrainingCompleted():
                self._say("client", "the job is complete")
            case TrainingFailed():
                self._say("client", "the job has failed")
            case never:
                assert_never(never)

    def notice(self, notice: Notice) -> None:
        if isinstance(notice, Reconnecting):
            cause = "the stream ended" if notice.cause is None else notice.cause
            after = from_where(notice.last_event_id)
            self._say("client", f"{cause}. Reconnecting in {notice.delay:.1f} s, {after}")

    def of_backend(self, record: Record) -> None:
        match record:
            case RequestReceived(route="stream", last_event_id=cursor):
                self._connects += 1
                self._say("backend", f"gets a request for the stream, {from_where(cursor)}")
            case ResponseStarted(route="create", status=200):
                self._say("backend", "accepts the job")
            case ResponseStarted(route="stream", status=status) if status != HTTPStatus.OK:
                self._say("backend", f"answers {status}")
            case ExchangeEnded(route="stream", how="rst"):
                self._say("backend", "resets the connection")
            case _:
                pass

    def finish(self) -> int:
        """Print what the client saw, and return the exit status; raise OSError if printing failed."""
        whole = self._steps == list(range(1, len(self._steps) + 1))
        told = "each once and in order" if whole else "some missing, repeated or out of order"
        self._print(
            f"\nThe client saw {len(self._steps)} steps, {told}, over {self._connects} connections."
        )
        self._print(_NEXT, end="")
        if self._lost is not None:
            raise self._lost
        return OK if whole else BAD

    def _say(self, who: str, what: str) -> None:
        self._print(f"{time.monotonic() - self._began:5.1f} s  {who:7}  {what}")

    def _print(self, line: str, end: str = "\n") -> None:
        # Raised here, an error would look like one from the server or from a callback.
        try:
            sys.stdout.write(f"{line}{end}")
            sys.stdout.flush()
        except OSError as error:
            self._lost = error
