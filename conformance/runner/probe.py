"""The start-up probe: whether the client tells a body that was cut off from one that ended.

Some HTTP stacks cannot, and no rule asks it of them, so no client is judged by it: cases that
depend on it do not apply where it cannot. It shows in the budget. With one attempt allowed, a break
and a refused reopen are one failure too many; a clean end after progress is no failure at all.
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

_CUT: Final = {
    PROBED[0]: 'end = "fin"',
    PROBED[1]: 'content_length = [4000], end = "fin"',
}
_CASE: Final = """
id = "probe.{name}"
requires = ["ARK-BUD-3"]
why = "A cut body that looks like a clean end costs no attempt."
needs = ["config.backoff"]
config = {{ initial_ms = 10, max_attempts = 1 }}
server.stream = [
    {{ frames = [{{ id = "1", json = {{ type = "training.log", step = 1 }} }}], {cut} }},
    {{ status = 503 }},
    {{ frames = [{{ id = "2", json = {{ type = "training.completed" }} }}], end = "eof" }},
]
step = [{{ do = "wait" }}]
[expect]
requests = {{ create = 1 }}
"""


def worth_probing(cases: Iterable[Case]) -> bool:
    """Tell whether any case depends on it."""
    return any(set(case.needs) & set(PROBED) for case in cases)


async def probe(player: Player, connection: DriverConnection, profiles: Sequence[str]) -> Stack:
    """Find out with a driver that was just started; never fails, at worst nothing is known."""
    declared = player.identity.profiles
    profile = next((name for name in declared if name in profiles), declared[0])
    if "config.backoff" not in player.identity.capabilities:
        return Stack(dict.fromkeys(PROBED, Sight.UNKNOWN), "the driver lacks config.backoff")
    sights: dict[str, Sight] = {}
    for name, cut in _CUT.items():
        text = _CASE.format(name=name.replace(".", "-"), cut=cut)
        (case,) = read_case_file("probe", text, load_requirements())
        if connection.broken or connection.unanswered:
            sights[name] = Sight.UNKNOWN
            continue
        played = await player.play(Assignment(0, case, profile), connection)
        settled = played.result.trace.first("wait.settled")
        sights[name] = _sight(settled.fact if settled is not None else None)
    why = "the client did neither" if Sight.UNKNOWN in sights.values() else ""
    return Stack(sights, why)


def _sight(fact: object) -> Sight:
    match fact:
        case Settled(failure=None):
            return Sight.MISSED
        case Settled(failure=Failure(kind="gave_up")):
            return Sight.TOLD
        case _:
            return Sight.UNKNOWN
