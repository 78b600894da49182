"""The adapters in JavaScript: the kit judges a client that nobody wrote for its engine.

They run wherever node and npm are and the client's one dependency can be installed.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conformance.commandline import ROOT, kit

ADAPTERS = ROOT / "conformance" / "adapters"
OURS = Path(__file__).parent / "javascript"
BREAKS = {
    "forgets-the-cursor": ("resume.*", "ARK-RES-2"),
    "creates-twice": ("create.*", "ARK-CRE-1"),
    "reopens-without-token": ("wire.every-request-is-authorized", "ARK-WIR-11"),
}


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the adapters into a folder of their own and install their dependency there."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not on this machine")
    home = tmp_path_factory.mktemp("adapters") / "adapters"
    shutil.copytree(ADAPTERS, home, ignore=shutil.ignore_patterns("node_modules"))
    shutil.copy(OURS / "stand_in_sdk.mjs", home)
    quietly = ("--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts")
    done = subprocess.run(  # noqa: S603 - installs what package.json names
        [npm, "install", *quietly],
        cwd=home / "node",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"npm cannot install the client's dependency: {done.stderr[-300:]}")
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
