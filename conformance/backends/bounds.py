"""How long the kit waits for a backend, and how many jobs and streams the kit may use."""

from typing import Final

from attrs import asdict, evolve, frozen

from conformance.strict_data import Json


@frozen(kw_only=True)
class Bounds:
    """Time limits in seconds. The rules set some of them; `--patience` multiplies all of them."""

    connect: float = 10.0
    """The time limit for opening a connection."""
    answer: float = 10.0
    """The time limit for a complete response that is not a stream."""
    head: float = 5.0
    """The time limit for the response head of a stream that has no events yet (ARK-SRV-20)."""
    first: float = 5.0
    """The longest time from the response head to the first byte of the body (ARK-SRV-21)."""
    event: float = 10.0
    """The longest time between adding an event to the log and sending it (ARK-SRV-22)."""
    silence: float = 45.0
    """The longest silence allowed on a stream (ARK-SRV-23)."""
    end: float = 10.0
    """The longest time from a terminal frame to the end of the response (ARK-SRV-45)."""
    known: float = 30.0
    """The longest time from the creation of a job until every route knows about it (ARK-SRV-4)."""
    agrees: float = 30.0
    """The longest time from a terminal event until the job route agrees with it (ARK-SRV-46)."""
    cancelled: float = 60.0
    """The longest time from a cancel to the end of the job (ARK-SRV-48)."""
    revoked: float = 60.0
    """The longest time from revoking a token to the end of its open streams (ARK-SRV-16)."""
    job: float = 600.0
    """How long to wait for a job to end if the kit cannot end it itself."""
    control: float = 10.0
    """The time limit for an answer from the control program."""

    def times(self, patience: float) -> "Bounds":
        """Return the bounds, each multiplied by `patience`."""
        return Bounds(**{name: value * patience for name, value in asdict(self).items()})

    def with_silence(self, seconds: float) -> "Bounds":
        """Return a copy with a different `silence`, for a backend that promises a shorter one."""
        return evolve(self, silence=seconds)

    def plain(self) -> dict[str, Json]:
        """Return the bounds as data for reports, in milliseconds."""
        return {f"{name}_ms": round(value * 1000) for name, value in asdict(self).items()}


@frozen(kw_only=True)
class Amounts:
    """How many jobs and streams a run may use, and how often it repeats some of its tests."""

    jobs: int = 4
    """The most jobs that a run may create, including refused creates."""
    streams: int = 8
    """The largest number of streams that may be open at the same time."""
    resumes: int = 400
    """How many times to resume a stream to test the hand-off from replayed to live events."""
    drops: int = 20
    """How many streams the kit opens and drops, one after another (ARK-SRV-53)."""
    races: int = 5
    """How many times to send a cancel just as a job ends (ARK-SRV-51)."""


CAREFUL: Final = Amounts()
"""The limits for a run against a backend on another machine."""
GENEROUS: Final = Amounts(jobs=40, streams=64, resumes=2000, drops=1000, races=20)
"""The limits for a run against a backend on this machine, where jobs cost nothing."""
