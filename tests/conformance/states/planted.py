"""The faults that are planted, and the counter-example that each one gives."""

from arkor_proto import HARDENED, PROFILE_2026_05, Profile
from conformance.mutants import all_mutants
from conformance.mutants.patching import planted
from conformance.states.graph import Breach
from conformance.states.search import explored
from conformance.states.worlds import WORLDS

MUTANTS = {each.name: each for each in all_mutants()}
FAULTS = [
    ("budget.never-gives-up", "follow", HARDENED, "ARK-BUD-6"),
    ("budget.tries-once-more", "follow", HARDENED, "ARK-BUD-6"),
    ("budget.tries-once-less", "follow", HARDENED, "ARK-BUD-6"),
    ("resume.starts-over", "follow", PROFILE_2026_05, "ARK-RES-2"),
    ("resume.sends-an-empty-cursor", "follow", HARDENED, "ARK-RES-1"),
    ("resume.invents-a-cursor", "follow", HARDENED, "ARK-RES-1"),
    ("create.submits-again-on-a-second-start", "cancel", HARDENED, "ARK-CRE-2"),
    ("create.overlapping-starts-submit-twice", "cancel", HARDENED, "ARK-CRE-3"),
    ("create.repeats-the-create-on-5xx", "cancel", HARDENED, "ARK-CRE-6"),
    ("create.remembers-a-failed-start", "cancel", HARDENED, "ARK-CRE-5"),
    ("create.start-opens-the-stream", "cancel", HARDENED, "ARK-CRE-4"),
    ("create.wait-does-not-submit", "submit", HARDENED, "ARK-CRE-9"),
    ("create.wait-submits-beside-a-create", "submit", HARDENED, "ARK-CRE-3"),
    ("create.changes-the-job-id", "cancel", HARDENED, "ARK-CRE-1"),
    ("create.sends-no-idempotency-key", "cancel", HARDENED, "ARK-CRE-11"),
    ("cancel.does-not-send-the-cancel", "cancel-wait", HARDENED, "ARK-CAN-2"),
    ("cancel.loses-a-cancel-during-the-create", "cancel", HARDENED, "ARK-CAN-7"),
    ("stream.takes-a-break-for-the-result", "follow", HARDENED, "ARK-STR-4"),
    ("stream.takes-the-end-of-the-stream-for-the-result", "follow", HARDENED, "ARK-STR-4"),
    ("stream.opens-a-stream-for-every-wait", "follow", HARDENED, "ARK-STR-6"),
    ("budget.takes-a-ping-for-progress", "follow", HARDENED, "ARK-BUD-4"),
    ("budget.counts-on-after-a-break", "follow", HARDENED, "ARK-BUD-3"),
    ("budget.counts-a-clean-end", "follow", HARDENED, "ARK-BUD-5"),
    ("resume.runs-ahead-of-the-callbacks", "follow", HARDENED, "ARK-RES-16"),
    ("resume.forgets-the-cursor-on-the-second-reconnect", "follow", HARDENED, "ARK-RES-2"),
    ("callbacks.swallows-errors-of-callbacks", "follow", HARDENED, "ARK-EVT-16"),
    ("asking.takes-any-job-for-one-that-is-over", "follow", HARDENED, "ARK-STR-19"),
    ("cancel.cancel-ends-the-wait", "cancel-wait", HARDENED, "ARK-CAN-6"),
    ("cancel.sends-overlapping-cancels", "cancel", HARDENED, "ARK-CAN-8"),
    ("cancel.swallows-the-error-of-a-cancel", "cancel-wait", HARDENED, "ARK-CAN-2"),
    ("abort.ignores-an-abort-while-it-backs-off", "submit", HARDENED, "ARK-ABT-1"),
    ("abort.ignores-an-abort-while-it-streams", "submit", HARDENED, "ARK-ABT-1"),
    ("abort.abort-cancels-the-job", "submit", HARDENED, "ARK-ABT-4"),
    ("abort.forgets-an-abort", "submit", HARDENED, "ARK-ABT-6"),
    ("abort.delivers-what-is-buffered-after-an-abort", "submit", HARDENED, "ARK-ABT-1"),
]


def counter_example(name: str, world: str, profile: Profile) -> Breach:
    with planted(MUTANTS[name]):
        found = explored(WORLDS[world], profile, filtered=True).breach
    assert found is not None, f"{name} breaks nothing in {world}"
    return found
