"""The addon's two options: the scenario and the journal file. Does not import mitmproxy."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mock_server.journal.journal import Journal
from mock_server.journal.records import Record, record_to_dict
from mock_server.scenario.files import check_capabilities, scenario_from_file
from mock_server.scenario.gates import gates_of_rule
from mock_server.scenario.model import Scenario
from mock_server.scenario.vocabulary import Capability
from mock_server.scenario.words.end import NEVER
from mock_server.strict.shapes import ScenarioError

ADDON_CAPABILITIES: Final = frozenset({Capability.FRAME, Capability.RAW})


def read_scenario(path: Path) -> Scenario:
    """Read a scenario for mitmdump, or raise a ScenarioError that names the file.

    Gates other than `never` are refused: only a process that embeds mitmproxy can open them.
    """
    scenario = scenario_from_file(path)
    try:
        check_carried(scenario)
        check_gates(scenario)
    except ScenarioError as error:
        raise ScenarioError(f"{path}: {error}") from None
    return scenario


def write_journal(journal: Journal, path: Path) -> Callable[[], None]:
    """Write every new record to a file as a line of JSON; return a function that stops this.

    The file is emptied first. Raise OSError if that fails.
    """
    path.write_text("", encoding="utf-8")

    def write(record: Record) -> None:
        with path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(record_to_dict(record)) + "\n")

    return journal.listen(write)


def check_carried(scenario: Scenario) -> None:
    """Raise a ScenarioError if a scenario uses something that mitmproxy does not support."""
    check_capabilities(scenario, ADDON_CAPABILITIES, "mitmproxy")
    if scenario.jobs:
        raise ScenarioError("job: mitmproxy cannot add jobs; create them in the real backend")
    for number, rule in enumerate(scenario.rules, 1):
        if rule.request.slow_read is not None:
            raise ScenarioError(
                f"rule {number}: 'slow_read' does not work in mitmproxy, which reads the whole "
                "request before a rule sees it; use the mock or the native proxy"
            )


def check_gates(scenario: Scenario) -> None:
    """Raise a ScenarioError that names the first rule with a gate other than `never`."""
    for number, rule in enumerate(scenario.rules, 1):
        gates = [name for name in gates_of_rule(rule) if name != NEVER]
        if gates:
            raise ScenarioError(
                f"rule {number}: the gate {gates[0]!r} cannot be opened in mitmdump; stall for a "
                "fixed time ({ms = n}), or embed mitmproxy in a process that opens the gate"
            )
