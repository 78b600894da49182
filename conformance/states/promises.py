"""The promises checked in every state: rules of the specification, and the session's own."""

from typing import Final

from attrs import frozen

OWN: Final = "the session's own"
"""Stands in for a rule id in a promise that the session makes to its driver."""


@frozen
class Promise:
    """A property that must always hold; `rule` is a rule id or `OWN`, and `text` is a summary."""

    rule: str
    text: str

    @property
    def key(self) -> str:
        """The value that identifies this promise in a trace file."""
        return f"{self.rule}: {self.text}"


class Violated(Exception):
    """Raised when a promise is broken; `how` describes what happened."""

    def __init__(self, promise: Promise, how: str) -> None:
        super().__init__(promise, how)
        self.promise = promise
        self.how = how

    def __str__(self) -> str:
        return f"{self.promise.rule}: {self.how}"


def violated(rule: str, how: str) -> Violated:
    """Return the exception to raise when a rule is broken."""
    return Violated(PROMISES[rule], how)


_OF_RULES: Final = {
    "ARK-CRE-1": "start() resolves with the job's id once the create is accepted, and not before",
    "ARK-CRE-2": "no create is sent after one has been accepted",
    "ARK-CRE-3": "at most one create is in progress at a time",
    "ARK-CRE-4": "a stream is opened only while a wait is pending",
    "ARK-CRE-5": "after a failed create, the next start() or wait() submits the job again",
    "ARK-CRE-6": "a create is sent only when the application calls start() or wait()",
    "ARK-CRE-7": "a failed create rejects start()",
    "ARK-CRE-9": "wait() submits the job if it has not been submitted yet",
    "ARK-CRE-10": "a failed create rejects the wait that depends on it",
    "ARK-CRE-11": "every create has the same Idempotency-Key",
    "ARK-CRE-13": "no create is sent for an existing job",
    "ARK-STR-1": "a wait opens the stream once the job's id is known",
    "ARK-STR-2": "the wait resolves after the terminal event",
    "ARK-STR-4": "the wait resolves only when the job has ended",
    "ARK-STR-5": "a wait() called after the terminal event resolves immediately",
    "ARK-STR-6": "at most one stream is open at a time",
    "ARK-STR-7": "the stream is closed after the terminal event",
    "ARK-STR-15": "a wait opens its first stream without a delay",
    "ARK-STR-17": "the stream is closed when a callback fails",
    "ARK-STR-18": "job requests are sent only if the profile requires them, and one at a time",
    "ARK-STR-19": "a response that shows a running job does not end the wait",
    "ARK-RES-1": "no cursor is sent before an event id is known",
    "ARK-RES-2": "a reopened stream resumes from the cursor, and no event is delivered twice",
    "ARK-RES-16": "the cursor is never the id of an event that has not been delivered",
    "ARK-BUD-1": "a broken stream rejects the wait only if the budget is exhausted",
    "ARK-BUD-2": "a refused stream (5xx) rejects the wait only if the budget is exhausted",
    "ARK-BUD-3": "a stream that breaks after progress sets the count of failures to 1",
    "ARK-BUD-4": "a stream that ends without progress adds 1 to the count of failures",
    "ARK-BUD-5": "a clean end after progress is not a failure",
    "ARK-BUD-6": "without progress, the stream is reopened exactly as often as the budget allows",
    "ARK-BUD-7": "the error that reports an exhausted budget states the number of failures",
    "ARK-EVT-1": "no event is lost",
    "ARK-EVT-2": "callbacks run one at a time",
    "ARK-EVT-5": "a ping does not end the wait",
    "ARK-EVT-7": "a frame whose data is not JSON is skipped",
    "ARK-EVT-15": "under 2026-05, an exception in a callback does not reject the wait",
    "ARK-EVT-16": (
        "under the later profiles, an exception in a callback rejects the wait with that exception"
    ),
    "ARK-EVT-17": "the wait resolves even if the terminal event's callback raises an exception",
    "ARK-CAN-1": "cancel() resolves and sends nothing if there is no job",
    "ARK-CAN-2": "cancel() sends one request, and resolves when a 2xx response arrives",
    "ARK-CAN-4": "cancel() rejects if the backend refuses the cancel",
    "ARK-CAN-5": "a cancel is sent only when the application calls cancel()",
    "ARK-CAN-6": "a cancel does not end the wait",
    "ARK-CAN-7": "a cancel() called during the create sends its request once the job's id is known",
    "ARK-CAN-8": "at most one cancel is in progress at a time",
    "ARK-CAN-10": "a cancel() called during a create that fails resolves",
    "ARK-CAN-12": "cancel() rejects if its request gets no response",
    "ARK-ABT-1": "an abort immediately rejects the wait with Aborted",
    "ARK-ABT-2": "an abort closes the stream",
    "ARK-ABT-4": "an abort sends nothing, and no stream is opened after it",
    "ARK-ABT-6": "a wait() called after an abort rejects immediately and sends nothing",
    "ARK-ABT-7": "no event is delivered after an abort",
    "ARK-ABT-9": "an abort during the create immediately rejects the wait with Aborted",
    "ARK-ERR-10": "every operation settles exactly once, and can still settle from every reachable state",
}
PROMISES: Final = {rule: Promise(rule, text) for rule, text in _OF_RULES.items()}
LAST: Final = Promise(
    OWN, "after delivering an event, the session outputs nothing until its next input"
)
MISUSE: Final = Promise(OWN, "invalid input is refused and does not change the session")
CLOSES: Final = Promise(OWN, "the session closes only exchanges that are open")
CRASHES: Final = Promise(OWN, "no input makes the session raise an unexpected exception")
CIRCLES: Final = Promise(
    "ARK-BUD-6",
    "the session does not reconnect for ever: an event is delivered, or the budget runs out",
)
ALL: Final = (*PROMISES.values(), CIRCLES, LAST, CLOSES, CRASHES, MISUSE)
