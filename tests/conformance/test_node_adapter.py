"""The adapters in JavaScript: the kit judges a client that nobody wrote for its engine.

They run wherever node and npm are and the client's one dependency can be installed.
"""

import shutil
from pathlib import Path

import pytest

from tests.conformance.commandline import ROOT, kit
from tests.conformance.npm import OURS, installed_adapters

BREAKS = {
    "forgets-the-cursor": ("resume.*", "ARK-RES-2"),
    "creates-twice": ("create.*", "ARK-CRE-1"),
    "reopens-without-token": ("wire.every-request-is-authorized", "ARK-WIR-11"),
}


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the adapters, and put the stand-in for the SDK beside them."""
    home = installed_adapters(tmp_path_factory.mktemp("adapters"))
    shutil.copy(OURS / "stand_in_sdk.mjs", home)
    return home


def test_the_node_client_conforms_to_every_profile(adapters: Path) -> None:
    done = kit("run", "-j", "2", "--", "node", str(adapters / "node" / "driver.mjs"))
    assert done.status == 0, done.out + done.err
    assert done.out.count("CONFORMS") == 3
    assert "not applicable" not in done.out


@pytest.mark.parametrize(("broken", "cases", "rule"), [(b, *c) for b, c in BREAKS.items()])
def test_a_broken_node_client_is_caught_by_the_rule_that_it_breaks(
    adapters: Path, monkeypatch: pytest.MonkeyPatch, broken: str, cases: str, rule: str
) -> None:
    monkeypatch.setenv("BREAK", broken)
    driver = ("node", str(OURS / "broken.mjs"), str(adapters / "node" / "driver.mjs"))
    done = kit("run", "--filter", cases, "--profile", "2026-07", "--", *driver)
    assert (done.status, f"{rule} MUST" in done.out) == (1, True), done.out + done.err


def test_the_adapter_of_the_sdk_says_that_the_sdk_is_not_installed(adapters: Path) -> None:
    done = kit("run", "--", "node", str(adapters / "arkor-sdk" / "driver.mjs"))
    assert (done.status, "npm install arkor" in done.err) == (3, True), done


def test_the_adapter_of_the_sdk_brings_its_timers_and_dice_under_control(
    adapters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARKOR_SDK", str(adapters / "stand_in_sdk.mjs"))
    names = ("backoff.*", "budget.*", "abort.*", "cancel.*", "create.*", "events.*")
    chosen = [word for name in names for word in ("--filter", name)]
    driver = ("node", str(adapters / "arkor-sdk" / "driver.mjs"))
    done = kit("run", "--profile", "2026-07", *chosen, "--", *driver)
    assert done.status == 0, done.out + done.err


@pytest.mark.parametrize(
    "driver", ["drivers/reference.py", "adapters/node/driver.mjs", "adapters/arkor-sdk/driver.mjs"]
)
def test_a_shipped_adapter_has_at_most_sixty_lines(driver: str) -> None:
    lines = (ROOT / "conformance" / driver).read_text("utf-8").splitlines()
    assert len(lines) <= 60
