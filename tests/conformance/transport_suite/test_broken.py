"""Each fault of a transport is caught, by the check that is there for it."""

from typing import Final

import pytest

from conformance.transport_suite import CHECKS, ContractBroken
from tests.conformance.transport_suite import broken
from tests.conformance.transport_suite.plain import Plain

HASTE: Final = 1.0
"""Seconds after which a transport hangs whose fault it is to hang."""
PATIENCE: Final = 10.0
"""Seconds for one that is to be seen doing something wrong."""

CAUGHT: Final[list[tuple[type[Plain], str, str]]] = [
    (
        broken.SwallowsErrors,
        "an-error-of-a-callback-takes-the-failure-path",
        "errors that were reported: .., not ",
    ),
    (broken.ReadsOn, "a-slow-callback-slows-the-backend", "bytes were read"),
    (broken.DoesNotAwait, "callbacks-do-not-overlap", "overlaps: "),
    (
        broken.CallsAfterTheEnd,
        "an-abort-in-a-hook-comes-before-the-event-after-it",
        r"steps: .2., not ..",
    ),
    (broken.SettlesTwice, "a-refused-start-raises-and-may-be-tried-again", "422: bad model"),
    (broken.LetsAHookFail, "a-hook-that-raises-changes-nothing", "did not (return|finish)"),
    (broken.LosesAByte, "a-large-event-is-heard-whole", "broke HTTP/1.1"),
    (
        broken.FillsItsBuffer,
        "an-event-does-not-wait-for-the-rest-of-its-chunk",
        "did not (return|finish)",
    ),
    (
        broken.IgnoresClose,
        "the-stream-is-closed-after-the-terminal-event",
        "a connection was still open",
    ),
    (broken.TakesACutForAnEnd, "a-body-cut-between-chunks-is-broken", "'clean'"),
    (broken.TakesAnEndForACut, "a-whole-chunked-body-is-a-clean-end", "'OSError'"),
    (broken.NeverTicks, "delays-are-those-of-the-session", "did not (return|finish)"),
    (broken.TicksLate, "delays-are-those-of-the-session", r"delays: .2\.0, 3\.0"),
    (broken.RepeatsRequests, "a-create-that-was-reset-is-not-repeated", "creates: 2, not 1"),
    (
        broken.SendsFirst,
        "an-answer-before-the-request-was-read-is-heard",
        "did not (return|finish)",
    ),
    (broken.LeavesHeadersOut, "a-reopened-stream-carries-the-cursor", "None, None"),
    (broken.StopsAtInterimAnswers, "interim-answers-are-passed-over", "did not (return|finish)"),
    (broken.TrustsEveryone, "an-unknown-authority-is-refused", "ended with 'job-1'"),
    (broken.TakesARaggedEnd, "a-cut-under-tls-is-no-end", "'clean'"),
    (
        broken.LooksUpWithoutLimit,
        "a-look-up-has-the-limit-of-the-connect",
        "did not (return|finish)",
    ),
    (
        broken.LimitsEachRead,
        "interim-answers-do-not-extend-the-limit-of-a-head",
        "did not (return|finish)",
    ),
    (
        broken.LimitsTheStream,
        "an-open-stream-has-no-limit",
        "reconnects: .'TransportError'., not ..",
    ),
    (broken.ConnectsUnderItsLock, "an-abort-ends-a-look-up", r"abort\(\) did not (return|finish)"),
    (
        broken.OneAtATime,
        "a-cancel-during-a-wait-does-not-end-it",
        r"cancel\(\) did not (return|finish)|ended wait\(\)",
    ),
    (broken.ForgetsItsCallers, "a-close-ends-a-delay", r"wait\(\) did not (return|finish)"),
    (broken.LogsRequests, "no-token-is-logged", "a token is in the log"),
    (
        broken.QuotesThePeer,
        "an-echo-that-is-not-http-is-not-quoted",
        "a token is in the error",
    ),
]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("transport", "name", "seen"), CAUGHT, ids=[kind.__name__ for kind, _, _ in CAUGHT]
)
def test_a_fault_is_caught_by_the_check_that_is_there_for_it(
    transport: type[Plain], name: str, seen: str
) -> None:
    (check,) = (each for each in CHECKS if each.name == name)
    hangs = "did not" in seen or "still open" in seen
    with pytest.raises(ContractBroken, match=f"(?s)^{name}: .*\nbut .*({seen})"):
        check.run(transport, patience=HASTE if hangs else PATIENCE)
