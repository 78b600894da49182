"""What a control program does wrong, and what the kit says of it."""

import sys
import time
from collections.abc import Awaitable, Callable

import anyio
import pytest

from conformance.backends.control import Control, ControlFailed
from tests.conformance.backends import wrong_control
from tests.conformance.commandline import kit

pytestmark = pytest.mark.timeout(60)
SECONDS = 0.2


def program(mistake: str) -> tuple[str, ...]:
    """Return the command that starts the program."""
    return (sys.executable, str(wrong_control.__file__), mistake)


def talk(mistake: str, then: Callable[[Control], Awaitable[None]]) -> str:
    """Start a control program and do something with it; return what failed."""
    failed = ""

    async def run() -> None:
        nonlocal failed
        control = Control(program(mistake), patience=5.0)
        async with anyio.create_task_group() as group:
            try:
                await control.start(group)
                await then(control)
            except ControlFailed as error:
                failed = str(error)
            await control.stop()
            group.cancel_scope.cancel()

    anyio.run(run)
    return failed


async def _emit(control: Control) -> None:
    await control.ask("emit", {"job": "j", "n": 1})


async def _emit_soon(control: Control) -> None:
    await control.ask("emit", {"job": "j", "n": 1}, seconds=SECONDS)


ANSWERS = {
    "refuses": "the control program refused `emit`: no such job",
    "hangs": "the control program did not answer `emit` within 0.2 s",
}


@pytest.mark.parametrize("mistake", ANSWERS)
def test_a_command_that_fails_says_why(mistake: str) -> None:
    assert talk(mistake, _emit_soon) == ANSWERS[mistake]


def test_an_answer_of_neither_kind_is_shown() -> None:
    assert '"fine"' in talk("no ok", _emit)


def test_the_death_of_the_program_is_told_with_the_last_line_of_its_log() -> None:
    failed = talk("dies", _emit)
    assert "emit" in failed or "exited" in failed
    assert failed.endswith("its last line: out of memory")


def test_a_program_that_hangs_is_asked_three_times() -> None:
    async def ask(control: Control) -> None:
        for _ in range(3):
            with pytest.raises(ControlFailed, match=r"did not answer `job` within 0\.05 s"):
                await control.ask("job", seconds=0.05)
        await control.ask("job")

    expected = "the control program did not answer 3 commands in a row; the last was `job`"
    assert talk("hangs", ask) == expected


def test_an_answer_that_comes_too_late_belongs_to_no_other_command() -> None:
    async def twice(control: Control) -> None:
        with pytest.raises(ControlFailed, match="did not answer"):
            await control.ask("job", seconds=0.05)
        found = await control.ask("emit", seconds=5.0)
        assert found.text("impl") == "wrong"

    assert talk("late", twice) == ""


def test_a_program_that_has_ended_is_asked_nothing() -> None:
    async def ask(control: Control) -> None:
        await control.stop()
        began = time.monotonic()
        try:
            await control.ask("emit")
        finally:
            assert time.monotonic() - began < SECONDS

    assert talk("refuses", ask).startswith("the control program ")


COMMANDS = {
    "dies at once": "no module named backend",
    "garbage": "'Server started!', which is not JSON",
    "a list": "[1]",
    "no impl": "impl",
    "strange word": "'fly' is not a known command",
    "no token": "returned no token",
    "token with a space": "cannot be sent in a header",
    "wrong base_url": "invalid base_url",
    "no base_url": "returned no base_url",
    "away": "cannot connect to 127.0.0.1:9",
}


@pytest.mark.parametrize("mistake", COMMANDS)
def test_the_command_gives_no_verdict_and_says_why_in_one_line(mistake: str) -> None:
    done = kit("backend", "--control", "--", *program(mistake))
    assert (done.status, done.out) == (3, "")
    assert COMMANDS[mistake] in done.err
    assert len(done.err.splitlines()) == 1
    assert "two words" not in done.err


def test_a_program_that_does_not_exist_is_named() -> None:
    done = kit("backend", "--control", "--", "/no/such/program")
    assert done.status == 3
    assert "/no/such/program" in done.err
