"""The addon's two options: which scenario it carries, and where its journal goes.

What the mitmproxy carrier can carry is checked here, without importing mitmproxy.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mock_server.journal.records import Journal, Record, record_to_dict
from mock_server.scenario.files import check_capabilities, scenario_from_file
from mock_server.scenario.gates import gates_of_rule
from mock_server.scenario.model import Scenario
from mock_server.scenario.vocabulary import Capability
from mock_server.scenario.words.end import NEVER
from mock_server.strict.shapes import ScenarioError

ADDON_CAPABILITIES: Final = frozenset({Capability.FRAME, Capability.RAW})


def read_scenario(path: Path) -> Scenario:
    """Read a scenario for a mitmproxy that nobody controls; raises ScenarioError naming the file.

    Whoever embeds mitmproxy can open gates, so there they are no mistake.
    """
    scenario = scenario_from_file(path)
    try:
        check_carried(scenario)
        check_gates(scenario)
    except ScenarioError as error:
        raise ScenarioError(f"{path}: {error}") from None
    return scenario


def write_journal(journal: Journal, path: Path) -> Callable[[], None]:
    """Begin a file that gets every record as a line of JSON; return what stops that.

    Raises OSError.
    """
    path.write_text("", encoding="utf-8")

    def write(record: Record) -> None:
        with path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(record_to_dict(record)) + "\n")

    return journal.listen(write)


def check_carried(scenario: Scenario) -> None:
    """Refuse what only another carrier can carry; raises ScenarioError naming the rule."""
    check_capabilities(scenario, ADDON_CAPABILITIES, "mitmproxy")
    if scenario.jobs:
        raise ScenarioError("job: the mitmproxy carrier has no jobs, the real backend has")
    for number, rule in enumerate(scenario.rules, 1):
        if rule.request.slow_read is not None:
            raise ScenarioError(
                f"rule {number}: 'slow_read' is beyond the mitmproxy carrier: mitmproxy has read a "
                "request whole before a rule sees it; the mock and the native proxy can"
            )


def check_gates(scenario: Scenario) -> None:
    """Refuse gates where nobody can open them; raises ScenarioError naming the rule."""
    for number, rule in enumerate(scenario.rules, 1):
        gates = [name for name in gates_of_rule(rule) if name != NEVER]
        if gates:
            raise ScenarioError(
                f"rule {number}: nobody can open the gate {gates[0]!r} within mitmproxy; stall for "
                "a time, {ms = n}, or embed mitmproxy in the process that opens it"
            )
