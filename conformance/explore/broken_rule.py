"""Find the rule that a client broke by taking a step that the oracle did not predict.

The rule depends on the predicted step, the actual step, and what the backend did before.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Final

from attrs import frozen

from conformance.explore.oracle import (
    INITIAL_MS,
    MAX_MS,
    Attempt,
    Does,
    Frame,
    Kind,
    Prediction,
    Schedule,
    Step,
    after,
)

NEVER: Final = Step(Does.SETTLES, "never")
"""Stands for a missing step: the client does nothing more."""
_OK: Final = 200
_SERVER_ERROR: Final = 500
_SKIPPED: Final[Mapping[Kind, str]] = {
    Kind.MALFORMED: "ARK-EVT-7",
    Kind.NAN: "ARK-EVT-20",
    Kind.NOT_AN_OBJECT: "ARK-EVT-26",
    Kind.BEYOND: "ARK-EVT-22",
    Kind.UNKNOWN: "ARK-EVT-8",
    Kind.PING: "ARK-EVT-5",
}
"""The kinds of frame that can trip a client up, each with the rule about it."""
_NO_PROGRESS: Final[Mapping[Kind, str]] = {
    Kind.PING: "ARK-BUD-13",
    Kind.MALFORMED: "ARK-BUD-13",
    Kind.NAN: "ARK-BUD-13",
    Kind.NOT_AN_OBJECT: "ARK-BUD-18",
    Kind.COMMENT: "ARK-BUD-16",
    Kind.ID_ONLY: "ARK-BUD-16",
}
_ENDS: Final[Mapping[str, str]] = {
    "resolved, job completed": "ARK-STR-2",
    "resolved, job failed": "ARK-STR-3",
    "resolved": "ARK-EVT-6",
    "aborted": "ARK-ABT-1",
    "callback": "ARK-EVT-16",
    "gave_up": "ARK-BUD-6",
}
"""The outcomes of a wait, each with the rule that requires it."""


@frozen
class Past:
    """What happened before a client first deviated from the prediction, and its later steps."""

    schedule: Schedule
    prediction: Prediction
    steps: Sequence[Step]
    later: Sequence[Step]
    """The client's steps after the first unpredicted one."""

    @property
    def attempts(self) -> Sequence[Attempt]:
        """The backend's responses to all stream requests so far."""
        opens = sum(step.does is Does.OPENS for step in self.steps)
        known = self.schedule.attempts
        return [known[min(n, len(known) - 1)] for n in range(opens)]

    @property
    def last(self) -> Attempt:
        """The backend's response to the latest stream request."""
        return self.attempts[-1] if self.attempts else Attempt()

    def rule(self, expected: Step, actual: Step) -> str:
        """Return the rule that a client breaks by taking `actual` instead of `expected`."""
        own = self._of_an_application(expected, actual)
        return self._of_steps(expected, actual) if own is None else own

    def _of_steps(  # noqa: C901, PLR0911 - one arm per pair of steps
        self, expected: Step, actual: Step
    ) -> str:
        match expected.does, actual.does:
            case Does.OPENS, Does.OPENS:
                return self._of_a_cursor(expected, actual)
            case (Does.SLEEPS, Does.SLEEPS) | (Does.SLEEPS, Does.OPENS):
                return self._of_a_delay(expected, actual)
            case Does.ASKS, Does.SETTLES if actual.what != "gave_up":
                return self._of_an_early_end(actual)
            case Does.ASKS, _:
                return "ARK-STR-18"
            case _, Does.ASKS:
                return "ARK-STR-19"
            case Does.CALLS, _:
                return self._of_an_event(expected, actual)
            case Does.SETTLES, Does.CALLS:
                return "ARK-EVT-9"
            case _, Does.CALLS:
                return self._of_an_extra_event(actual)
            case Does.SETTLES, _:
                return self._of_an_end(expected, actual)
            case _, Does.SETTLES:
                return self._of_an_early_end(actual)
            case _:
                return "ARK-BAK-1"

    def _of_an_application(self, expected: Step, actual: Step) -> str | None:
        """Return the rule about what the application did in the last callback, or None."""
        trigger = self.schedule.trigger
        if (
            trigger is None
            or not self.steps
            or self.steps[-1] != Step(Does.CALLS, trigger.callback)
        ):
            return None
        if sum(step == self.steps[-1] for step in self.steps) != trigger.nth:
            return None
        match trigger.does:
            case "abort_in":
                return "ARK-ABT-7" if actual.does is Does.CALLS else "ARK-ABT-1"
            case "cancel_in":
                return "ARK-CAN-6" if actual.does is Does.SETTLES else None
            case _ if self.schedule.profile != "2026-05":
                return "ARK-EVT-16"
            case _:
                return "ARK-EVT-17" if expected.does is Does.SETTLES else "ARK-EVT-15"

    def _of_a_cursor(  # noqa: PLR0911 - one arm per rule
        self, expected: Step, actual: Step
    ) -> str:
        """Return the rule that a client breaks by reopening a stream with the wrong cursor."""
        none = after("")
        if expected.what == none:
            return "ARK-RES-1"
        if actual.what.replace(" ", "") == expected.what.replace(" ", ""):
            return "ARK-RES-9"
        sent = {step.what for step in self.steps if step.does is Does.OPENS}
        if actual.what == none and expected.what in sent:
            return "ARK-RES-3"
        source, age = self._source()
        if not expected.what.isascii():
            return "ARK-RES-10"
        if source.kind is Kind.ID_ONLY:
            return "ARK-RES-5"
        if source.kind in _SKIPPED and source.kind is not Kind.BEYOND:
            return "ARK-RES-8"
        if age:
            return "ARK-RES-3"
        return "ARK-RES-2"

    def _source(self) -> tuple[Frame, int]:
        """Return the frame that set the cursor, and the total of frames and streams after it."""
        age = 0
        for attempt in reversed(self.attempts):
            for frame in reversed(attempt.frames if attempt.status == _OK else ()):
                if frame.id is not None:
                    return frame, age
                age += 1
            age += 1
        return Frame(Kind.LOG), 0

    def _of_a_delay(self, expected: Step, actual: Step) -> str:
        """Return the rule that a wrong delay breaks; it is about delays or failure counts."""
        wanted = float(expected.what.removesuffix(" ms"))
        found = float(actual.what.removesuffix(" ms")) if actual.does is Does.SLEEPS else 0.0
        progressed = self.prediction.progress[len(self.attempts) - 1]
        clean = self.last.status == _OK and self.last.clean
        nominal = found > 0 and (found / INITIAL_MS).is_integer()
        if not nominal or found > MAX_MS:
            if clean and progressed:
                return "ARK-BAK-5" if self.schedule.profile == "hardened" else "ARK-BAK-4"
            return "ARK-BAK-2" if found > MAX_MS else "ARK-BAK-1"
        if found > wanted:
            return self._of_lost_progress()
        return self._of_false_progress("ARK-BAK-1")

    def _of_lost_progress(self) -> str:  # noqa: PLR0911 - one arm per rule
        """Return the rule that a client breaks by counting too many failures."""
        opens = range(len(self.attempts))
        place = next((n for n in reversed(opens) if self.prediction.progress[n]), None)
        if place is None:
            return "ARK-BAK-1"
        attempt, profile = self.attempts[place], self.schedule.profile
        kinds = {frame.kind for frame in attempt.frames}
        if not kinds & set(Kind) - _NO_PROGRESS.keys() - {Kind.UNKNOWN}:
            if Kind.UNKNOWN in kinds and profile == "2026-07":
                return "ARK-BUD-19"
            return "ARK-BUD-11" if profile == "2026-05" else "ARK-BUD-15"
        if profile != "hardened" and self._is_replay(place):
            return "ARK-BUD-12" if profile == "2026-07" else "ARK-BUD-11"
        if profile == "hardened" and all(
            frame.id is None for frame in attempt.frames if frame.kind not in _NO_PROGRESS
        ):
            return "ARK-BUD-15"
        if not attempt.clean:
            return "ARK-BUD-3"
        return "ARK-BUD-5" if place == opens[-1] else "ARK-BUD-9"

    def _is_replay(self, place: int) -> bool:
        """Return whether a stream has events, all with ids that earlier streams had sent."""
        before = self.attempts[:place]
        known = {frame.id for attempt in before for frame in attempt.frames} - {None}
        frames = self.attempts[place].frames
        own = [frame.id for frame in frames if frame.kind not in _NO_PROGRESS]
        return bool(own) and known.issuperset(own)

    def _of_false_progress(self, otherwise: str) -> str:
        """Return the rule that a client breaks by counting too few failures."""
        for n, attempt in reversed(list(enumerate(self.attempts))):
            if attempt.status != _OK:
                continue
            newest = n == len(self.attempts) - 1
            if self.prediction.progress[n]:
                if newest and not attempt.clean:
                    return "ARK-BUD-3"
                continue
            if rule := self._of_no_progress(attempt):
                return rule
            if attempt.clean or newest:
                # A client with a budget of 0 has no count to reset.
                return "ARK-BUD-10" if self.schedule.max_attempts else "ARK-BUD-4"
        return otherwise

    def _of_no_progress(self, attempt: Attempt) -> str:
        """Return the rule by which an attempt's frames are not progress; empty if there is none."""
        kinds = [frame.kind for frame in attempt.frames]
        rule = next((_NO_PROGRESS[kind] for kind in kinds if kind in _NO_PROGRESS), "")
        if self.schedule.profile == "2026-05":
            return rule if rule == "ARK-BUD-16" else ""
        return rule or ("ARK-BUD-14" if kinds else "")

    def _of_an_event(self, expected: Step, actual: Step) -> str:
        """Return the rule that a client breaks by not making the predicted call to a callback."""
        if actual.does is Does.CALLS:
            own = itertools.takewhile(lambda step: step.does is Does.CALLS, self.later)
            return "ARK-EVT-2" if expected in own else "ARK-EVT-1"
        frames = self.last.frames
        heard = _calls_of_the_last_stream(self.steps)
        handed = [n for n, frame in enumerate(frames) if frame.kind in _HANDED]
        place = handed[heard] if heard < len(handed) else len(frames) - 1
        frame = frames[place] if frames else Frame(Kind.LOG)
        if frame.kind is Kind.BEYOND:
            return "ARK-EVT-22"
        if actual.does is Does.SETTLES and actual.what not in {"gave_up", NEVER.what}:
            start = handed[heard - 1] + 1 if heard else 0
            stumbled = (_SKIPPED.get(each.kind) for each in frames[start:place])
            return next((rule for rule in stumbled if rule), "ARK-EVT-1")
        before = [each for attempt in self.attempts[:-1] for each in attempt.frames]
        earlier = {each.id for each in [*before, *frames[:place]]} - {None}
        if frame.id in earlier:
            return "ARK-EVT-25"
        return "ARK-EVT-1" if self.last.clean else "ARK-RES-13"

    def _of_an_extra_event(self, actual: Step) -> str:
        """Return the rule that a client breaks by calling a callback when no call was predicted."""
        kinds = {frame.kind for frame in self.last.frames}
        if actual.what == "completed" and kinds & {Kind.NAN, Kind.NOT_AN_OBJECT}:
            return "ARK-EVT-20" if Kind.NAN in kinds else "ARK-EVT-26"
        named = (_SKIPPED[kind] for kind in _SKIPPED if kind in kinds)
        return next(named, "ARK-EVT-1")

    def _of_an_end(self, expected: Step, actual: Step) -> str:
        """Return the rule that a client breaks by not settling a wait or settling it wrongly."""
        if expected.what.startswith("http"):
            return "ARK-ERR-2" if self.schedule.profile == "2026-07" else "ARK-ERR-3"
        if expected.what.startswith("resolved") and self.steps[-1].does is Does.ASKS:
            return "ARK-STR-18"
        if expected.what == "gave_up" and actual.does is Does.SETTLES:
            return self._of_an_early_end(actual)
        if expected.what == "gave_up":
            return self._of_false_progress("ARK-BUD-6")
        return _ENDS.get(expected.what, "ARK-ERR-10")

    def _of_an_early_end(self, actual: Step) -> str:  # noqa: PLR0911 - one arm per kind of end
        """Return the rule about a wait that settled although it should have continued."""
        if actual == NEVER:
            return "ARK-ERR-10"
        kind = actual.what.partition(" ")[0].rstrip(",")
        stumbled = (_SKIPPED.get(frame.kind) for frame in self.last.frames)
        skipped = next((rule for rule in stumbled if rule), "")
        if kind == "resolved":
            return skipped or "ARK-STR-4"
        if kind == "gave_up":
            rule = self._of_lost_progress()
            return "ARK-BUD-6" if rule == "ARK-BAK-1" else rule
        if kind == "callback":
            return "ARK-EVT-15"
        status = self.last.status
        if status >= _SERVER_ERROR:
            return "ARK-BUD-2"
        if status != _OK:
            rules = {"2026-05": "ARK-ERR-1", "2026-07": "ARK-ERR-11", "hardened": "ARK-ERR-4"}
            known = {(404, "hardened"): "ARK-ERR-5", (404, "2026-07"): "ARK-ERR-2"}
            profile = self.schedule.profile
            return known.get((status, profile), rules[profile])
        return skipped or ("ARK-BUD-4" if self.last.clean else "ARK-BUD-3")


_HANDED: Final = frozenset(
    {Kind.STARTED, Kind.LOG, Kind.CHECKPOINT, Kind.COMPLETED, Kind.FAILED, Kind.BEYOND}
)


def _calls_of_the_last_stream(steps: Sequence[Step]) -> int:
    count = 0
    for step in reversed(steps):
        if step.does is Does.OPENS:
            break
        count += step.does is Does.CALLS
    return count
