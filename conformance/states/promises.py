"""The promises that are checked in every state: the rules of the specification, and the session's own."""

from typing import Final

from attrs import frozen

OWN: Final = "the session's own"
"""What stands in the place of a rule for a promise of the session to its driver."""


@frozen
class Promise:
    """What must hold: the rule of the specification that says so, and what it says in short."""

    rule: str
    text: str

    @property
    def key(self) -> str:
        """What tells it from the other promises, in a trace file."""
        return f"{self.rule}: {self.text}"


class Violated(Exception):
    """A promise was broken: which one, and how."""

    def __init__(self, promise: Promise, how: str) -> None:
        super().__init__(promise, how)
        self.promise = promise
        self.how = how

    def __str__(self) -> str:
        return f"{self.promise.rule}: {self.how}"


def violated(rule: str, how: str) -> Violated:
    """Return the breach of a rule."""
    return Violated(PROMISES[rule], how)


_OF_RULES: Final = {
    "ARK-CRE-1": "start() resolves with the job's id once the create is accepted, and not before",
    "ARK-CRE-2": "no second create after one was accepted",
    "ARK-CRE-3": "never two creates at once",
    "ARK-CRE-4": "no stream unless a wait was asked for",
    "ARK-CRE-5": "a failed create is not remembered",
    "ARK-CRE-6": "a create is sent only when the application asks for it",
    "ARK-CRE-7": "a failed create rejects start()",
    "ARK-CRE-9": "wait() submits the job if nothing else has",
    "ARK-CRE-10": "a failed create rejects the wait that asked for it",
    "ARK-CRE-11": "the create has the same Idempotency-Key every time",
    "ARK-CRE-13": "no create for a job that exists",
    "ARK-STR-1": "the stream is opened once the job is known",
    "ARK-STR-2": "the wait resolves after the terminal event",
    "ARK-STR-4": "the wait resolves for no other reason",
    "ARK-STR-5": "a wait after the end resolves at once",
    "ARK-STR-6": "never two streams at once",
    "ARK-STR-7": "the stream is closed after the terminal event",
    "ARK-STR-15": "the first open is not delayed",
    "ARK-STR-17": "a stream is closed when its callback failed",
    "ARK-STR-18": "the job is read at most once at a time, and only if the profile asks for it",
    "ARK-STR-19": "the wait goes on if the job, once it is read, is not over",
    "ARK-RES-1": "no cursor while no id is known",
    "ARK-RES-2": "a reopened stream carries the cursor, so that no event is called back twice",
    "ARK-RES-16": "the cursor is never ahead of the callbacks",
    "ARK-BUD-1": "a broken connection does not reject the wait by itself",
    "ARK-BUD-2": "a 5xx does not reject the wait by itself",
    "ARK-BUD-3": "a stream that breaks after progress is the first failure of a row",
    "ARK-BUD-4": "a stream without progress is one more failure of the row",
    "ARK-BUD-5": "a clean end after progress is not a failure",
    "ARK-BUD-6": "no more opens in a row than the budget allows, and no fewer",
    "ARK-BUD-7": "the error of an exhausted budget has the number of failures",
    "ARK-EVT-1": "no event is lost",
    "ARK-EVT-2": "one callback at a time",
    "ARK-EVT-5": "a ping does not end the wait",
    "ARK-EVT-7": "a frame that is not JSON is skipped",
    "ARK-EVT-15": "an exception of a callback does not reject the wait",
    "ARK-EVT-16": "an exception of a callback rejects the wait with that exception",
    "ARK-EVT-17": "an exception of the last callback does not keep the wait from resolving",
    "ARK-CAN-1": "a cancel without a job resolves and sends nothing",
    "ARK-CAN-2": "a cancel sends one request, and resolves when it is answered",
    "ARK-CAN-4": "a refused cancel rejects",
    "ARK-CAN-5": "a cancel is sent only when the application asks for it",
    "ARK-CAN-6": "a cancel does not end the wait",
    "ARK-CAN-7": "a cancel during the create is sent once the job is known",
    "ARK-CAN-8": "never two cancels at once",
    "ARK-CAN-10": "a cancel resolves if the create fails",
    "ARK-CAN-12": "a cancel without an answer rejects",
    "ARK-ABT-1": "an abort rejects the wait at once, as aborted",
    "ARK-ABT-2": "an abort closes the stream",
    "ARK-ABT-4": "an abort sends nothing, and no stream is opened after it",
    "ARK-ABT-6": "a wait after an abort rejects at once and sends nothing",
    "ARK-ABT-7": "no event is called back after an abort",
    "ARK-ABT-9": "an abort during the create rejects the wait at once, as aborted",
    "ARK-ERR-10": "every operation settles exactly once, and always can",
}
PROMISES: Final = {rule: Promise(rule, text) for rule, text in _OF_RULES.items()}
LAST: Final = Promise(OWN, "an event is the last output before the session is at rest")
MISUSE: Final = Promise(OWN, "an input that cannot be true is refused, and changes nothing")
CLOSES: Final = Promise(OWN, "only what is open is closed")
CRASHES: Final = Promise(OWN, "no input makes the session raise an error of its own")
CIRCLES: Final = Promise(
    "ARK-BUD-6", "no way goes round for ever without an event or an exhausted budget"
)
ALL: Final = (*PROMISES.values(), CIRCLES, LAST, CLOSES, CRASHES, MISUSE)
