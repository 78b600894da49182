"""The gates of a case: those that its server waits at, and those that its steps open."""

from collections.abc import Iterator, Mapping, Sequence

from conformance.casefile.model import OpenGate, Push, Step
from conformance.strict_data import Json, ReadingError, nearest

NEVER = "never"
"""The gate that no step opens: an answer that is meant to stall."""


def check_gates(where: str, server: Json, steps: Sequence[Step]) -> None:
    """Refuse a step that opens a gate which nothing waits at, and a gate that no step opens."""
    pushed = [frame for step in steps if isinstance(step, Push) for frame in step.frames]
    waited_at = {*_gates(server), *_gates(pushed)} - {NEVER}
    opened = {step.gate for step in steps if isinstance(step, OpenGate)}
    for name in sorted(opened - waited_at):
        meant = nearest(name, waited_at) if waited_at else "the server has no gate"
        raise ReadingError(where, f"opens the gate {name!r}, and nothing waits at it; {meant}")
    for name in sorted(waited_at - opened):
        meant = nearest(name, opened) if opened else f"one that stays shut is called {NEVER!r}"
        raise ReadingError(where, f"waits at the gate {name!r}, and no step opens it; {meant}")


def _gates(value: Json) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key == "gate" and isinstance(item, str):
                yield item
            elif key != "json":  # the data of a frame, whose words are its own
                yield from _gates(item)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from _gates(item)
