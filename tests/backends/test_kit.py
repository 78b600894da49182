"""What the kit says about both backends: as they are, with their stacks' defaults, behind proxies.

What takes long is left to a thorough run: watching a silent stream for 50 seconds, 2,000 resumes, and
1,000 dropped streams.
"""

import json
import sys
from pathlib import Path
from typing import Final, TypedDict

import pytest

from conformance.backends.cases import backend_cases
from tests.backends.nginx import needs_nginx
from tests.backends.program import PROGRAMS, ROOT, needs_node
from tests.conformance.commandline import kit

pytestmark = pytest.mark.timeout(600)

QUICK: Final = tuple(each.id for each in backend_cases().values() if not each.slow)
BEHIND: Final = (sys.executable, "-m", "tests.backends.behind")
HALF_CLOSE: Final = "ARK-SRV-59"
"""For nginx, and for both stacks by default, a client that half-closes has left."""


class Finding(TypedDict):
    """What a case found."""

    requires: list[str]
    not_reached: bool


class Result(TypedDict):
    """A case under a profile."""

    case: str
    verdict: str
    findings: list[Finding]


def judged(
    folder: Path, *words: str, cases: tuple[str, ...] = (), patience: float = 1
) -> dict[str, set[str]]:
    """Return the broken rules, each with the cases that found it so."""
    report = folder / "run.json"
    chosen = [word for case in cases for word in ("--case", case)]
    profile = ["--profile", "hardened"] if cases else []
    options = [*chosen, *profile, "--patience", str(patience), "--report", str(report)]
    done = kit("backend", "--control", *options, "--", *words, PYTHONPATH=str(ROOT))
    assert report.is_file(), done.out + done.err
    results: list[Result] = json.loads(report.read_text("utf-8"))["results"]
    assert {each["case"] for each in results} == set(cases or backend_cases())
    broken: dict[str, set[str]] = {}
    for result in results:
        for finding in result["findings"]:
            for rule in () if finding["not_reached"] else finding["requires"]:
                broken.setdefault(rule, set()).add(result["case"])
    return broken


def test_a_backend_keeps_every_rule(backend: str, tmp_path: Path) -> None:
    assert judged(tmp_path, *PROGRAMS[backend], cases=QUICK) == {}


@pytest.mark.thorough
def test_a_backend_keeps_every_rule_in_a_whole_run(backend: str, tmp_path: Path) -> None:
    assert judged(tmp_path, *PROGRAMS[backend]) == {}


@pytest.mark.parametrize(
    "proxy",
    [
        "mock",
        pytest.param("buffering", marks=needs_nginx),
        pytest.param("unbuffered", marks=[needs_nginx, pytest.mark.thorough]),
    ],
)
def test_a_proxy_in_front_breaks_no_rule(backend: str, proxy: str, tmp_path: Path) -> None:
    broken = judged(tmp_path, *BEHIND, proxy, "--", *PROGRAMS[backend], cases=QUICK)
    assert set(broken) == (set() if proxy == "mock" else {HALF_CLOSE})


DEFAULTS: Final = {
    "starlette": {"ARK-SRV-10", "ARK-SRV-21", "ARK-SRV-55", "ARK-SRV-58", HALF_CLOSE},
    "node": {"ARK-SRV-20", "ARK-SRV-43", "ARK-SRV-57", HALF_CLOSE},
}
SEEN: Final = (
    "create.errors-have-a-message",
    "end.whole-body",
    "limits.absolute-form",
    "limits.encoded-slash",
    "limits.half-close",
    "limits.head-of-the-stream",
    "stream.first-bytes",
    "stream.head-of-a-quiet-job",
)
"""Cases that find all of it quickly, but for `SLOWLY`, and one that finds nothing."""
SLOWLY: Final = {"ARK-SRV-43"}


def test_the_defaults_of_a_stack_break_rules(backend: str, tmp_path: Path) -> None:
    broken = judged(tmp_path, *PROGRAMS[backend], "--naive", cases=SEEN)
    assert set(broken) == DEFAULTS[backend] - SLOWLY


@pytest.mark.thorough
def test_the_defaults_of_a_stack_break_no_other_rules(backend: str, tmp_path: Path) -> None:
    broken = judged(tmp_path, *PROGRAMS[backend], "--naive", cases=QUICK)
    assert set(broken) == DEFAULTS[backend]


@needs_nginx
@pytest.mark.parametrize(
    "words",
    [
        pytest.param((*PROGRAMS["node"], "--naive"), id="node", marks=needs_node),
        pytest.param((sys.executable, "-P", "-m", "mock_server", "control"), id="mock"),
    ],
)
def test_the_kit_sees_that_a_proxy_holds_events_back(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    cases = ("stream.one-at-a-time",)
    behind = (*BEHIND, "buffering", "--", *words)
    # Nothing comes at all, however long the kit waits.
    assert judged(tmp_path, *behind, cases=cases, patience=0.2).keys() == {"ARK-SRV-22"}
    behind = (*BEHIND, "unbuffered", "--", *words)
    assert judged(tmp_path, *behind, cases=cases) == {}
