"""The gates of a case: those that its server waits at, and those that its steps open."""

from collections.abc import Sequence

from conformance.casefile.model import OpenGate, Push, Step
from mock_server.scenario.gates import gates_of_frames, gates_of_job, gates_of_rule
from mock_server.scenario.model import Scenario
from mock_server.scenario.words.end import NEVER
from mock_server.strict.shapes import ScenarioError, nearest


def check_gates(where: str, scenario: Scenario, steps: Sequence[Step]) -> None:
    """Refuse a step that opens a gate which nothing waits at, and a gate that no step opens."""
    waited_at = {
        *(gate for rule in scenario.rules for gate in gates_of_rule(rule)),
        *(gate for job in scenario.jobs for gate in gates_of_job(job)),
        *(
            gate
            for step in steps
            if isinstance(step, Push)
            for gate in gates_of_frames(step.frames)
        ),
    } - {NEVER}
    opened = {step.gate for step in steps if isinstance(step, OpenGate)}
    for name in sorted(opened - waited_at):
        meant = nearest(name, waited_at) if waited_at else "the server has no gate"
        raise ScenarioError(f"{where}: opens the gate {name!r}, and nothing waits at it; {meant}")
    for name in sorted(waited_at - opened):
        meant = nearest(name, opened) if opened else f"one that stays shut is called {NEVER!r}"
        raise ScenarioError(f"{where}: waits at the gate {name!r}, and no step opens it; {meant}")
