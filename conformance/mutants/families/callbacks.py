"""Mutants of what an exception from a callback leads to."""

# Mutants patch private names.
# ruff: noqa: D401, SLF001
# pyright: reportPrivateUsage=false

from attrs import evolve

from arkor_proto._messages import Handled
from arkor_proto._profile import CallbackErrors
from arkor_proto._table import Stream
from arkor_proto._types import TrainingEvent
from arkor_proto._wait import Wait
from conformance.mutants.patching import breaks, change_profiles, replace


@breaks("ARK-EVT-16")
def swallows_errors_of_callbacks() -> None:
    """An exception from a callback goes down the failure path, where it must reject."""
    change_profiles(
        lambda p: evolve(p, callback_errors=CallbackErrors.RETRY), "2026-07", "hardened"
    )


@breaks("ARK-EVT-15", "ARK-EVT-17")
def rejects_at_errors_of_callbacks() -> None:
    """An exception from a callback rejects, where it must be retried."""
    change_profiles(lambda p: evolve(p, callback_errors=CallbackErrors.REJECT), "2026-05")


@breaks("ARK-EVT-15", "ARK-EVT-16")
def ignores_errors_of_callbacks() -> None:
    """An exception from a callback changes nothing."""
    original = Wait.handled

    def handled(wait: Wait, report: Handled, now: float) -> None:
        concludes = wait.machines.stream is Stream.CONCLUDING
        original(wait, report if concludes else Handled(report.delivery), now)

    replace(Wait, "handled", handled)


@breaks("ARK-EVT-28")
def asks_again_for_the_event_whose_callback_failed() -> None:
    """After an exception the stream is reopened before that event, not after it."""
    original = Wait._callback_failed

    def failed(wait: Wait, event: TrainingEvent, error: Exception, now: float) -> None:
        wait.reader.cursor = wait._cursor_before
        original(wait, event, error, now)

    replace(Wait, "_callback_failed", failed)


@breaks("ARK-STR-17")
def leaves_the_stream_of_a_failed_callback_open() -> None:
    """After an exception from a callback the connection of the stream stays open."""
    original = Wait._callback_failed

    def failed(wait: Wait, event: TrainingEvent, error: Exception, now: float) -> None:
        wait._exchange = None
        original(wait, event, error, now)

    replace(Wait, "_callback_failed", failed)


@breaks("ARK-EVT-18")
def forgets_the_result_after_a_failed_callback() -> None:
    """After an exception from the last callback the next wait streams again."""
    original = Wait._conclude

    def conclude(wait: Wait, event: TrainingEvent, error: Exception | None) -> None:
        original(wait, event, error)
        if error is not None:
            wait.machines.stream = Stream.IDLE

    replace(Wait, "_conclude", conclude)
