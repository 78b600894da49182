"""The examples that drive a session follow a job through outages to its end."""

import importlib.util
import signal
from typing import Final

import pytest

from mock_server.testing.sync import SyncMock
from tests.examples.running import EXAMPLES as FOLDER
from tests.examples.running import PATIENCE, run, running

NEEDED: Final = {
    "asyncio_httpx.py": "httpx",
    "plain_sockets.py": "h11",
    "tornado_client.py": "tornado",
}
EXAMPLES: Final = [
    pytest.param(
        example,
        marks=pytest.mark.skipif(
            importlib.util.find_spec(package) is None, reason=f"needs the package {package}"
        ),
    )
    for example, package in NEEDED.items()
]
LOSSES: Final = [0.9, 0.7, 0.5, 0.3]
EVENTS: Final = [
    {"type": "training.started"},
    *({"type": "training.log", "step": step, "loss": loss} for step, loss in enumerate(LOSSES, 1)),
    {"type": "training.completed"},
]
JOB: Final = {"id": "job-1", "submitted": True, "events": [{"json": each} for each in EVENTS]}
OUTAGES: Final = [
    {"on": {"route": "stream", "attempt": 1}, "after": {"frames": 2}, "end": "rst"},
    {"on": {"route": "stream", "attempt": 2}, "after": {"frames": 2}, "end": "fin"},
]


@pytest.mark.scenario(rule=OUTAGES, job=[JOB])
@pytest.mark.parametrize("example", EXAMPLES)
def test_every_event_is_printed_once_and_in_order_across_outages(
    example: str, mock_server: SyncMock
) -> None:
    done = run(example, mock_server.base_url, "job-1")
    assert done.returncode == 0, done.stderr
    printed = [line.partition("(")[0] for line in done.stdout.splitlines()]
    assert printed == ["TrainingStarted", *map(str, LOSSES), "TrainingCompleted"]
    reconnects = [line.partition("(")[0] for line in done.stderr.splitlines()]
    assert reconnects == ["Reconnecting", "Reconnecting"], done.stderr
    mock_server.verify.resume_chain()
    for cursor in ("2", "4"):
        mock_server.verify.stream(last_event_id=cursor).once()


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize(
    ("arguments", "said"),
    [((), "BASE_URL JOB"), (("nowhere", "job-1"), "base_url"), (("http://h.example", ""), "job")],
)
def test_what_is_wrong_with_the_arguments_is_one_line(
    example: str, arguments: tuple[str, ...], said: str
) -> None:
    done = run(example, *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert said in done.stderr


@pytest.mark.scenario({"on": {"route": "stream"}, "status": 401}, job=[JOB])
@pytest.mark.parametrize("example", EXAMPLES[:1])
def test_a_token_that_is_refused_is_one_line(example: str, mock_server: SyncMock) -> None:
    done = run(example, mock_server.base_url, "job-1")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert done.stderr.startswith("401: ")
    mock_server.verify.stream().once()


@pytest.mark.parametrize("example", ["plain_sockets.py", EXAMPLES[2]])
def test_no_token_is_sent_in_clear_to_an_https_address(example: str) -> None:
    done = run(example, "https://h.example", "job-1")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "no TLS: use http://\n")


@pytest.mark.scenario(
    {"on": {"route": "stream"}, "after": {"frames": 2}, "stall": {"gate": "never"}}, job=[JOB]
)
@pytest.mark.parametrize("example", EXAMPLES)
def test_ctrl_c_ends_an_example_in_a_line_at_most(example: str, mock_server: SyncMock) -> None:
    with running(str(FOLDER / example), mock_server.base_url, "job-1") as process:
        mock_server.wait_for("stream", frame=2)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGINT
    assert said in {"", "KeyboardInterrupt\n"}
