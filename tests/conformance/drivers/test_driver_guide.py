"""The driver guide is executed: its drivers conform, its examples parse, its mistakes are caught."""

import json
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from conformance.drive.protocol import COMMANDS, ENDINGS, EVENTS, PURPOSES, parse_message
from conformance.words import CAPABILITIES, ERROR_KINDS
from tests.conformance.commandline import ROOT, kit
from tests.conformance.npm import installed_adapters
from tests.forked import Finished

GUIDE: Final = (ROOT / "spec" / "driver-guide.md").read_text("utf-8")
EXAMPLES: Final = re.findall(r"^([→←]) (\{.*\})$", GUIDE, re.MULTILINE)
LISTED: Final = re.findall(r"^\| (.+?) \| `(.+?)` \| `(.+?)` \|$", GUIDE, re.MULTILINE)
RUN_A_TASK: Final = "tasks.add(asyncio.create_task(case.answer(number, name)))"
OPENED: Final = 'if name == "open":'
ANSWERED: Final = 'say({"re": number, "ok": ok or {}})'
ANNOUNCED: Final = '"purpose": purpose})'
HEARD: Final = 'say({"event": "callback", "name": name, "data": data})'

MISTAKES: Final = {
    "output is buffered and not flushed": (", flush=True", ""),
    "a debug print on standard output": (HEARD, f"print('heard', name); {HEARD}"),
    "`wait` is awaited before the next line is read": (
        RUN_A_TASK,
        "await case.answer(number, name)",
    ),
    "an operation is answered twice": (ANSWERED, f"{ANSWERED}; {ANSWERED}"),
    "a `wake` without an `id` is answered": ("if number is not None:", "if True:"),
    "a sleep is announced, but the client does not sleep": (
        ANNOUNCED,
        f"{ANNOUNCED}\n        if purpose == 'reconnect':\n            return",
    ),
    "delays are given in seconds": ("(deadline - self.now) * 1000", "(deadline - self.now)"),
    "the driver sets its own default for an absent key": (
        "given, policy = self.config, {}",
        'given, policy = {"initial_ms": 500, **self.config}, {}',
    ),
    "the client is reused in the next case": (OPENED, 'if name == "open" and case is None:'),
    "the kind of an error is guessed from the error's base class": (
        'arkor_proto.GaveUp: "gave_up", ',
        "",
    ),
    "a missing number is left out instead of being null": ("{**NUMBERS, **data}", "data"),
    "the driver declares a capability that the client lacks": (
        '"concurrent",',
        '"concurrent", "create", "attach",',
    ),
    "the driver logs the configuration, including the token": (
        OPENED,
        f"print(line, file=sys.stderr)\n        {OPENED}",
    ),
}
"""How each mistake in the guide's table changes the guide's Python driver."""


def code_of(name: str) -> str:
    fenced = rf"<!-- file: {re.escape(name)} -->\n```\w+\n(.*?)^```$"
    found = re.search(fenced, GUIDE, re.MULTILINE | re.DOTALL)
    assert found is not None, f"the guide shows no {name}"
    return found[1]


def judged(source: str, folder: Path, *arguments: str) -> Finished:
    driver = folder / "my_driver.py"
    driver.write_text(source, "utf-8")
    return kit("run", "--profile", "2026-07", *arguments, "--", sys.executable, str(driver))


MOST = [
    word
    for family in ("abort", "budget", "cancel", "create", "errors", "events", "resume", "wire")
    for word in ("--filter", f"{family}.*")
]
"""The families of cases that exercise a driver; the others are about the parser."""


def test_the_python_driver_of_the_guide_is_sound(tmp_path: Path) -> None:
    driver = tmp_path / "my_driver.py"
    driver.write_text(code_of("my_driver.py"), "utf-8")
    done = kit("smoke", "--", sys.executable, str(driver))
    assert (done.status, "the driver works" in done.out) == (0, True), done.out + done.err


@pytest.mark.thorough
def test_the_python_driver_of_the_guide_conforms(tmp_path: Path) -> None:
    done = judged(code_of("my_driver.py"), tmp_path, *MOST)
    assert (done.status, "conforms in the" in done.out) == (0, True), done.out + done.err


@pytest.mark.skipif(shutil.which("perl") is None, reason="perl is not on this machine")
def test_the_first_ten_minutes_of_the_guide_get_so_far_as_it_says(tmp_path: Path) -> None:
    driver = tmp_path / "first.pl"
    driver.write_text(code_of("first.pl"), "utf-8")
    driver.chmod(0o755)
    case = ("--case", "create.accepted[200]", "--profile", "2026-05")
    done = kit("run", *case, "--", str(driver))
    assert (done.status, "1 pass" in done.out) == (0, True), done.out + done.err


@pytest.mark.thorough
def test_the_javascript_driver_of_the_guide_conforms(tmp_path: Path) -> None:
    driver = installed_adapters(tmp_path) / "node" / "my-driver.mjs"
    driver.write_text(code_of("my-driver.mjs"), "utf-8")
    done = kit("run", "--profile", "2026-05", *MOST, "--", "node", str(driver))
    assert (done.status, "(no callbacks.async)" in done.out) == (0, True), done.out
    assert (
        "cases n/a, 2 MUST rules not judged at all: the driver does not declare attach" in done.out
    )


@pytest.mark.parametrize(("mistake", "case", "verdict"), LISTED)
@pytest.mark.thorough
def test_each_mistake_of_the_guide_gets_the_verdict_that_it_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: str, case: str, verdict: str
) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    right, wrong = MISTAKES[mistake]
    driver = code_of("my_driver.py")
    assert right in driver, f"the driver has nothing to change: {right}"
    done = judged(
        driver.replace(right, wrong), tmp_path, "--strict", "--patience", "1", "--filter", case
    )
    assert done.status in {1, 3}, done.out + done.err
    assert verdict in done.out + done.err


def test_every_mistake_stands_in_the_guide() -> None:
    assert {mistake for mistake, _, _ in LISTED} == set(MISTAKES)


@pytest.mark.parametrize("line", [text for arrow, text in EXAMPLES if arrow == "←"])
def test_the_examples_of_what_a_driver_says_are_understood(line: str) -> None:
    parse_message(line.encode())


@pytest.mark.parametrize("line", [text for arrow, text in EXAMPLES if arrow == "→"])
def test_the_examples_of_what_the_kit_says_are_commands(line: str) -> None:
    assert json.loads(line)["do"] in COMMANDS


@pytest.mark.parametrize("words", [CAPABILITIES, ERROR_KINDS, COMMANDS, EVENTS, PURPOSES, ENDINGS])
def test_the_guide_explains_every_word_of_the_protocol(words: Sequence[str]) -> None:
    assert [word for word in words if f"`{word}`" not in GUIDE] == []
