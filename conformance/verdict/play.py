"""A case as it was played, whether it applies to the client, and which secrets it has."""

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from conformance.casefile.model import Case
from conformance.trace.events import Failure, Settled, Trace


@frozen(kw_only=True)
class Play:
    """A case as it was played: the trace, and what went wrong while the kit played it."""

    case: Case
    trace: Trace
    profile: str
    stuck: Sequence[tuple[str, str]] = ()
    unanswered: Sequence[str] = ()
    broken: str | None = None
    endless: bool = False
    log: str = ""
    """What the driver wrote to its standard error during the case."""


def does_not_apply(play: Play) -> str:
    """Say why a case that was played does not apply to the client; empty if it does."""
    for event in play.trace.events:
        match event.fact:
            case Settled(operation="open", failure=Failure(message=message)):
                return f"the driver could not open the case: {message}"
            case Settled(operation=operation, failure=Failure(kind="unsupported", message=message)):
                return f"the driver does not support {operation}: {message}"
            case _:
                pass
    for shape in play.case.applies:
        if play.trace.first(f"{shape.request}.requested") and (found := shape.judge(play.trace)):
            return f"the case is for other clients: {found.actual}"
    return ""


def secrets_of(case: Case) -> Iterator[str]:
    """Yield the secrets of a case: its token and the token of its dataset."""
    if "token" in case.config:
        yield str(case.config["token"])
    training = case.config.get("input")
    dataset = training.get("dataset") if isinstance(training, Mapping) else None
    if isinstance(dataset, Mapping) and isinstance(dataset.get("token"), str):
        yield str(dataset["token"])
