"""Time modes: what the kit can judge if it does not control the client's clock.

A case is reduced to what can be judged in a mode, and every dropped expectation is reported.

*virtual*: the driver announces its sleeps and the kit ends them; everything is judged exactly.
*scaled*: the client really sleeps, for a tenth of each delay if the driver can set its delays; the
kit judges order and counts, and that no delay is too short. *real*: the client really sleeps, and
the kit judges only order and counts. A busy machine makes events later but never earlier, so in
these two modes the kit does not judge whether something happens too late.
"""

import math
import re
from collections.abc import Mapping
from enum import Enum
from typing import Final, assert_never

from attrs import evolve, frozen

from conformance.casefile.model import Advance, Case, Elapse, Expectation, Wake
from conformance.casefile.server import Server
from conformance.casefile.steps import references
from conformance.drive.process import DriverUnusable
from conformance.drive.protocol import Identity
from conformance.expect.delays import Gaps, Sleeps, SleepsDiffer, SleepsSpread
from conformance.expect.mismatch import Assertion
from conformance.expect.order import Before, Never, Reached
from conformance.expect.premise import FirstSleeps, Premise
from conformance.strict_data import Json
from conformance.verdict.waiting import back_off, delays, has_hint, longest_delay
from conformance.words import VIRTUAL_CLOCK
from mock_server.scenario.vocabulary import ScriptedFrame
from mock_server.scenario.words.head import HeadFault
from mock_server.strict.words import changed

DIVISOR: Final = 10
"""In scaled time, delays are divided by this; they are still easy to tell apart from no delay."""
LONGEST: Final = 10.0
"""The longest delay, in seconds; without virtual time, a case with a longer one is not played."""
LONGEST_IN_ALL: Final = 60.0
"""The maximum sum of delays, in seconds; without virtual time, a case with more is not played."""
_ONLY_LONGER: Final = frozenset({"ARK-BAK-2", "ARK-BAK-3", "ARK-BAK-9", "ARK-BAK-13"})
"""Rules broken only by a delay that is too long, and by wrong default delays (never scaled)."""
_SLEEP_NAME: Final = re.compile(r"(sleep|idle)#\d+")
_RETRY_LINE: Final = re.compile(r"(?m)^(retry:\s?0*)([1-9]\d*)0$")
_LOWER_ONLY: Final = "judged in part, by lower bounds only: a busy machine can make a delay longer"
_NO_UPPER: Final = (
    "not judged: it limits how long a delay may be, and a busy machine can make a delay longer"
)
_NO_SPREAD: Final = "not judged: a busy machine can make equal delays differ"
_NO_EVENT: Final = "not judged: only virtual time shows when a sleep begins and ends"
_NO_WIRE: Final = "not judged: a refused connection leaves no trace on the wire"
_NO_LENGTH: Final = (
    "judged in part, by the number of delays only: a busy machine can change a delay"
)


class TimeMode(Enum):
    """The time mode of a run; the module's docstring explains each mode."""

    VIRTUAL = "virtual"
    SCALED = "scaled"
    REAL = "real"


@frozen
class Unjudged:
    """An expectation that is not judged, or is judged only in part; `word` names its assertion."""

    word: str
    why: str


@frozen(kw_only=True)
class Adapted:
    """A case, reduced to what a time mode can judge; `unplayable` says why it is not played."""

    case: Case
    unplayable: str = ""
    unjudged: tuple[Unjudged, ...] = ()
    silence: float = 0.0
    """The longest single sleep of a correct client, in seconds."""


@frozen
class Timing:
    """How time passes in a run: its time mode, and the number by which delays are divided."""

    mode: TimeMode
    divisor: int = 1

    @classmethod
    def of(cls, asked: TimeMode | None, identity: Identity) -> "Timing":
        """Choose the time mode for a driver; raise DriverUnusable if it does not support `asked`."""
        virtual = VIRTUAL_CLOCK in identity.capabilities
        mode = asked or (TimeMode.VIRTUAL if virtual else TimeMode.SCALED)
        if virtual and mode is not TimeMode.VIRTUAL:
            raise DriverUnusable(
                f"declares {VIRTUAL_CLOCK}, but --time {mode.value} was given; if `hello` "
                f'contains "time": "{mode.value}", the driver must really sleep and must not '
                f"declare {VIRTUAL_CLOCK}"
            )
        if not virtual and mode is TimeMode.VIRTUAL:
            raise DriverUnusable(
                f"does not declare {VIRTUAL_CLOCK}, but --time virtual was given; leave out --time "
                "to judge the driver in scaled time"
            )
        scaled = mode is TimeMode.SCALED and "config.backoff" in identity.capabilities
        return cls(mode, DIVISOR if scaled else 1)

    def __str__(self) -> str:
        match self.mode:
            case TimeMode.VIRTUAL:
                return "virtual time"
            case TimeMode.SCALED if self.divisor == 1:
                return "scaled time, but with the client's own delays (no config.backoff)"
            case TimeMode.SCALED:
                return f"scaled time, with delays divided by {self.divisor}"
            case TimeMode.REAL:
                return "real time"
            case _:
                assert_never(self.mode)

    def adapt(self, case: Case) -> Adapted:
        """Return a case reduced to what this time mode can judge."""
        if self.mode is TimeMode.VIRTUAL:
            return Adapted(case=case)
        if why := _unplayable(case) or self._too_long(case):
            return Adapted(case=case, unplayable=why)
        kept, given_up = self._expectations(case)
        if not kept:
            words = "; ".join(f"{each.word}: {each.why}" for each in given_up)
            return Adapted(
                case=case,
                unplayable=f"in {self.mode.value} time, nothing is left to judge; {words}",
            )
        scaled = evolve(
            case,
            needs=tuple(need for need in case.needs if need != VIRTUAL_CLOCK),
            config=self._config(case),
            server=self._scaled(case.server),
            expect=kept,
            premise=tuple(each for each in case.premise if not _is_of_a_sleep(each)),
        )
        return Adapted(
            case=scaled, unjudged=given_up, silence=longest_delay(case) / 1000 / self.divisor
        )

    def waits(self, case: Case) -> float:
        """Estimate the seconds that a correct client really sleeps; 0 if the case is not played."""
        if self.mode is TimeMode.VIRTUAL or _unplayable(case) or self._too_long(case):
            return 0.0
        kept, _ = self._expectations(case)
        return sum(delays(case)) / 1000 / self.divisor if kept else 0.0

    def _expectations(self, case: Case) -> tuple[tuple[Expectation, ...], tuple[Unjudged, ...]]:
        kept: list[Expectation] = []
        given_up: list[Unjudged] = []
        for each in case.expect:
            assertion, why = self._assertion(case, each)
            if assertion is not None:
                kept.append(evolve(each, assertion=assertion))
            if why:
                given_up.append(Unjudged(each.assertion.word, why))
        return tuple(kept), tuple(given_up)

    def _assertion(  # noqa: PLR0911 - one arm per kind of assertion
        self, case: Case, expected: Expectation
    ) -> tuple[Assertion | None, str]:
        """Return the assertion to judge instead, if any, and a remark on what is not judged."""
        match expected.assertion:
            case Sleeps() if any(rule.end.listener for rule in case.server.scenario.rules):
                return None, _NO_WIRE
            case Sleeps(delays=delays) if self.mode is TimeMode.REAL:
                return Gaps((0.0,) * len(delays)), _NO_LENGTH
            case Sleeps() if _ONLY_LONGER.issuperset(expected.requires):
                return None, _NO_UPPER
            case Sleeps(delays=delays) if has_hint(case) and not any(d.asked for d in delays):
                return None, _NO_UPPER  # the hint must not make a delay longer
            case Sleeps(delays=delays):
                return Gaps(tuple(each.low / self.divisor for each in delays)), _LOWER_ONLY
            case SleepsDiffer() | SleepsSpread():
                return None, _NO_SPREAD
            case Never(reference=name) if _SLEEP_NAME.match(name):
                return None, _NO_EVENT
            case Before(earlier=one, later=other) if any(map(_SLEEP_NAME.match, (one, other))):
                return None, _NO_EVENT
            case assertion:
                return assertion, ""

    def _config(self, case: Case) -> Mapping[str, Json]:
        if self.divisor == 1:
            return case.config
        base, cap = (_shorter(ms, self.divisor) for ms in back_off(case))
        return {**case.config, "initial_ms": base, "max_ms": cap}

    def _scaled(self, server: Server) -> Server:
        """Divide the delays that the backend asks for, except those that do not divide evenly."""
        found = changed(server, _shorter_hint) if self.divisor == DIVISOR else server
        return found if isinstance(found, Server) else server

    def _too_long(self, case: Case) -> str:
        seconds = [each / 1000 / self.divisor for each in delays(case)]
        longest, total = max(seconds, default=0.0), sum(seconds)
        if longest <= LONGEST and total <= LONGEST_IN_ALL:
            return ""
        return (
            f"the delays of the case take {total:.0f} s in all in this time mode "
            f"(the longest takes {longest:.0f} s), which is too long to wait for; "
            f"the case needs {VIRTUAL_CLOCK}"
        )


IN_VIRTUAL_TIME: Final = Timing(TimeMode.VIRTUAL)


def _unplayable(case: Case) -> str:
    """Return why a case needs virtual time; empty if it does not."""
    if case.hold or any(isinstance(step, Elapse | Advance | Wake) for step in case.steps):
        return f"the case holds a sleep or lets time pass, so it needs {VIRTUAL_CLOCK}"
    named = [name for step in case.steps for _, name in references(step)]
    if any(map(_SLEEP_NAME.match, named)):
        return f"a step waits for a sleep to begin, so the case needs {VIRTUAL_CLOCK}"
    expects = any(
        isinstance(e.assertion, Sleeps | SleepsDiffer | SleepsSpread) for e in case.expect
    )
    if VIRTUAL_CLOCK in case.needs and not expects and case.config.get("initial_ms", 1):
        return f"the case depends on the client's own clock, so it needs {VIRTUAL_CLOCK}"
    return ""


def _is_of_a_sleep(premise: Premise) -> bool:
    if isinstance(premise, FirstSleeps):
        return True
    return isinstance(premise, Reached) and bool(_SLEEP_NAME.match(premise.reference))


def _shorter_hint(part: object) -> object:
    """Divide the delay that a rule or a frame asks for, unless that leaves a fraction."""
    match part:
        case HeadFault(retry_after=float(seconds)) if seconds % DIVISOR == 0:
            return evolve(part, retry_after=seconds // DIVISOR)
        case ScriptedFrame(raw=str(raw)):
            return evolve(part, raw=_RETRY_LINE.sub(r"\1\2", raw))
        case ScriptedFrame(retry=int(ms)) if ms % DIVISOR == 0:
            return evolve(part, retry=ms // DIVISOR)
        case _:
            return part


def _shorter(milliseconds: float, divisor: int) -> float:
    """Divide a delay; return a whole result as an int, because some clients accept nothing else."""
    exact = milliseconds / divisor
    return int(exact) if math.isclose(exact, round(exact)) else exact
