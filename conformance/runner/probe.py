"""Find out, at start-up, whether the client can tell a truncated body from a complete one.

Some HTTP stacks cannot, and no rule requires it, so the probe does not affect the verdict; cases
that need the ability do not apply to such a client. The probe allows the client one retry and
serves it a truncated stream, then a 503. A client that notices the truncation counts two failures
and gives up. A client that takes it for a clean end counts only the 503 and reopens the stream.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from conformance.casefile.loader import read_case_file
from conformance.casefile.model import Case
from conformance.casefile.requirements import load_requirements
from conformance.drive.connection import DriverConnection
from conformance.runner.player import Assignment, Player
from conformance.runner.stack import Sight, Stack
from conformance.trace.events import Failure, Settled
from conformance.words import PROBED

_CUT: Final = {PROBED[0]: 'end = "fin"', PROBED[1]: 'content_length = [4000], end = "fin"'}
_CASE: Final = """
id = "probe.{name}"
requires = ["ARK-BUD-3"]
why = "A truncated body that looks like a clean end costs no attempt."
needs = ["config.backoff"]
config = {{ initial_ms = 10, max_attempts = 1 }}
server.stream = [
    {{ frames = [{{ id = "1", json = {{ type = "training.log", step = 1 }} }}], {cut} }},
    {{ status = 503 }},
    {{ frames = [{{ id = "2", json = {{ type = "training.completed" }} }}], end = "eof" }},
]
step = [{{ do = "wait" }}]
expect.reached = ["stream#1.requested"]
"""


def worth_probing(cases: Iterable[Case]) -> bool:
    """Return whether any of the cases depends on the result of the probe."""
    return any(set(case.needs) & set(PROBED) for case in cases)


async def probe(player: Player, connection: DriverConnection, profiles: Sequence[str]) -> Stack:
    """Probe a client whose driver has just started. If that fails, the result is unknown."""
    declared = player.identity.profiles
    profile = next((name for name in declared if name in profiles), declared[0])
    if "config.backoff" not in player.identity.capabilities:
        return Stack(dict.fromkeys(PROBED, Sight.UNKNOWN), "the driver lacks config.backoff")
    sights: dict[str, Sight] = {}
    why = ""
    for name, cut in _CUT.items():
        text = _CASE.format(name=name.replace(".", "-"), cut=cut)
        (case,) = read_case_file("probe", text, load_requirements())
        if connection.broken or connection.unanswered:
            sights[name] = Sight.UNKNOWN
            continue
        played = await player.play(Assignment(0, case, profile), connection)
        settled = played.result.trace.first("wait.settled")
        sights[name] = _sight(settled.fact if settled is not None else None)
        if settled is None:
            why = played.result.reason
    if Sight.UNKNOWN in sights.values():
        why = why or "its wait() neither resolved nor rejected with gave_up"
    return Stack(sights, why)


def _sight(fact: object) -> Sight:
    match fact:
        case Settled(failure=None):
            return Sight.MISSED
        case Settled(failure=Failure(kind="gave_up")):
            return Sight.TOLD
        case _:
            return Sight.UNKNOWN
