"""The adapters in JavaScript: the kit judges a client that was not written for it.

They run if node and npm are installed and the client's only dependency can be installed.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from conformance.casefile.selection import in_turn
from conformance.strict_data import Json
from tests.conformance.catalogue import all_cases
from tests.conformance.commandline import ROOT, kit
from tests.conformance.dialogue import dialogue
from tests.conformance.mutants.test_kit_itself import play, verdicts
from tests.conformance.npm import ADAPTERS, OURS, installed_adapters

MODEL: Final = "kit/model"
CONFIG: Final[Mapping[str, Json]] = {
    "base_url": "http://127.0.0.1:9",
    "token": "a-token",
    "org": "acme",
    "project": "bots",
    "name": "a-run",
    "profile": "2026-07",
    "input": {"model": MODEL, "dataset": {"type": "huggingface", "name": "acme/chats"}},
}
BREAKS = {
    "forgets-the-cursor": ("resume.*", "ARK-RES-2"),
    "creates-twice": ("create.*", "ARK-CRE-1"),
    "reopens-without-token": ("wire.every-request-is-authorized", "ARK-WIR-11"),
}


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the adapters, and put the double of the SDK next to them."""
    home = installed_adapters(tmp_path_factory.mktemp("adapters"))
    for module in ("stand_in_sdk.mjs", "model_lists.mjs"):
        shutil.copy(OURS / module, home)
    return home


@pytest.fixture
def sdk_driver(adapters: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Return the driver of the SDK, with the double instead of the SDK."""
    monkeypatch.setenv("ARKOR_SDK", str(adapters / "stand_in_sdk.mjs"))
    return ("node", str(adapters / "arkor-sdk" / "driver.mjs"))


@pytest.mark.thorough
def test_the_node_client_passes_every_case(adapters: Path) -> None:
    cases = in_turn(all_cases())
    outcome = play(cases, 2, ("node", str(adapters / "node" / "driver.mjs")))
    found = verdicts(outcome)
    assert {name: verdict for name, verdict in found.items() if verdict != "pass"} == {}
    assert len(found) == len(cases)


@pytest.mark.thorough
def test_the_node_client_conforms_on_the_command_line_too(adapters: Path) -> None:
    driver = ("node", str(adapters / "node" / "driver.mjs"))
    done = kit("run", "--filter", "cancel.*", "-j", "2", "--", *driver)
    assert done.status == 0, done.out + done.err
    assert done.out.count("conforms in the") == 3


@pytest.mark.parametrize(("broken", "cases", "rule"), [(b, *c) for b, c in BREAKS.items()])
@pytest.mark.thorough
def test_a_broken_node_client_is_caught_by_the_rule_that_it_breaks(
    adapters: Path, monkeypatch: pytest.MonkeyPatch, broken: str, cases: str, rule: str
) -> None:
    monkeypatch.setenv("BREAK", broken)
    driver = ("node", str(OURS / "broken.mjs"), str(adapters / "node" / "driver.mjs"))
    done = kit("run", "--filter", cases, "--profile", "2026-07", "--", *driver)
    assert (done.status, f"{rule} MUST" in done.out) == (1, True), done.out + done.err


@pytest.mark.parametrize(
    ("adapter", "package", "install"),
    [
        ("node", "eventsource-parser", "--no-package-lock"),
        ("arkor-sdk", "arkor", "arkor"),
    ],
)
def test_an_adapter_whose_package_is_not_installed_says_what_to_type(
    tmp_path: Path, adapter: str, package: str, install: str
) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not on this machine")
    shutil.copytree(ADAPTERS, tmp_path / "a", ignore=shutil.ignore_patterns("node_modules"))
    folder = tmp_path / "a" / adapter
    done = kit("run", "--", "node", str(folder / "driver.mjs"))
    said = f"Cannot find package '{package}'; type: npm install {install} --prefix '{folder}/'"
    assert (done.status, said in done.err) == (3, True), done
    assert done.err.count("\n") == 2


def test_a_driver_that_is_not_there_is_named_as_node_names_it(tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not on this machine")
    driver = str(tmp_path / "my-driver.mjs")
    done = kit("run", "--", "node", driver)
    assert (done.status, f"Cannot find module '{driver}'" in done.err) == (3, True), done


@pytest.mark.thorough
def test_the_adapter_of_the_sdk_plays_every_case_of_its_profile(
    sdk_driver: tuple[str, ...], tmp_path: Path
) -> None:
    """The double refuses the models of the cases, so each has to get past its list."""
    report = tmp_path / "run.json"
    told = ("--report", str(report))
    done = kit("run", "--profile", "2026-07", "-j", "2", *told, "--", *sdk_driver)
    assert done.status == 0, done.out + done.err
    results = json.loads(report.read_text("utf-8"))["results"]
    lacking = {"attach", "config.idle", "clock.advance"}
    reasons = {each["reason"] for each in results if each["verdict"] == "n/a"}
    assert [reason for reason in reasons if not any(name in reason for name in lacking)] == []
    played = [each["case"] for each in results if each["verdict"] == "pass"]
    assert len(played) > 600
    assert {case for case in played if case.startswith("wire.")} != set()


@pytest.mark.parametrize(
    ("environment", "value"), [("STAND_IN_LIST", "Map get"), ("STAND_IN_ASYNC", "yes")]
)
@pytest.mark.thorough
def test_the_adapter_gets_past_another_list_and_past_one_that_is_asked_later(
    sdk_driver: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, environment: str, value: str
) -> None:
    monkeypatch.setenv(environment, value)
    done = kit("run", "--profile", "2026-07", "--filter", "wire.*", "--", *sdk_driver)
    assert done.status == 0, done.out + done.err


def test_a_model_is_admitted_however_the_list_is_held_and_only_during_the_call() -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not on this machine")
    models = ROOT / "conformance" / "drivers" / "arkor-sdk" / "models.mjs"
    command = ["node", str(OURS / "admits.mjs"), str(models)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    ways = [json.loads(line) for line in done.stdout.splitlines()]
    *open_ways, closed = ways
    assert [each for each in open_ways if each["alone"] != each["after"]] == []
    assert [each for each in open_ways if each["alone"] == each["now"]] == []
    assert [each for each in open_ways if (each["now"], each["later"]) != (MODEL, MODEL)] == []
    assert {each["known"] for each in ways} == {"arkor/small"}
    assert (closed["now"], closed["later"]) == (closed["alone"], closed["alone"])
    assert [each["way"] for each in ways if not each["restored"]] == []


def test_an_sdk_that_refuses_the_model_for_good_is_told_by_the_answer_to_open(
    sdk_driver: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STAND_IN_LIST", "closed")
    with dialogue(sdk_driver, tmp_path / "log") as driver:
        driver.ask("hello", protocol="arkor-drive/1")
        kind, message = driver.failure("open", case="a-case", config=CONFIG)
        assert (kind, 'Unsupported model "kit/model"' in message) == ("unsupported", True)
        assert driver.failure("start")[0] == "unsupported"
        assert driver.ask("close")["ok"] == {}


@pytest.mark.parametrize("time", ["real", "scaled"])
@pytest.mark.parametrize("adapter", ["arkor-sdk", "node"])
def test_a_javascript_adapter_leaves_time_alone_when_the_kit_wants_real_time(
    adapters: Path, sdk_driver: tuple[str, ...], adapter: str, time: str
) -> None:
    assert sdk_driver
    driver = ("node", str(adapters / adapter / "driver.mjs"))
    case = ("--case", "resume.cursor-is-sent-on-reopen[eof]", "--profile", "2026-07")
    done = kit("run", *case, "--time", time, "--", *driver)
    assert done.status == 0, done.out + done.err
    assert "1 pass" in done.out


def test_the_adapter_of_the_sdk_declares_no_clock_when_the_kit_wants_real_time(
    sdk_driver: tuple[str, ...], tmp_path: Path
) -> None:
    with dialogue(sdk_driver, tmp_path / "log") as driver:
        hello = driver.ask("hello", protocol="arkor-drive/1", time="real")["ok"]
        assert isinstance(hello, Mapping)
        assert "clock.virtual" not in str(hello["capabilities"])
        assert "config.backoff" in str(hello["capabilities"])


@pytest.mark.parametrize(
    "driver", ["python/reference.py", "node/driver.mjs", "arkor-sdk/driver.mjs"]
)
def test_a_shipped_adapter_has_at_most_sixty_lines(driver: str) -> None:
    lines = (ROOT / "conformance" / "drivers" / driver).read_text("utf-8").splitlines()
    assert len(lines) <= 60
