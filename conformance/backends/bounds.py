"""How long the kit waits for a backend, and how much it asks of it."""

from typing import Final

from attrs import asdict, evolve, frozen

from conformance.strict_data import Json


@frozen(kw_only=True)
class Bounds:
    """All waits in seconds. The rules give some of them; a user may widen them all at once."""

    connect: float = 10.0
    """For a connection."""
    answer: float = 10.0
    """For a whole answer that is not a stream."""
    head: float = 5.0
    """For the head of a stream that has nothing to send yet (ARK-SRV-20)."""
    first: float = 5.0
    """For the first bytes after the head (ARK-SRV-21)."""
    event: float = 10.0
    """For an event that is in the log (ARK-SRV-22)."""
    silence: float = 45.0
    """How long a stream may say nothing (ARK-SRV-23)."""
    end: float = 10.0
    """From a terminal frame to the end of the response (ARK-SRV-45)."""
    known: float = 30.0
    """Until a new job is known to every route (ARK-SRV-4)."""
    agrees: float = 30.0
    """Until the job route agrees with the stream (ARK-SRV-46)."""
    cancelled: float = 60.0
    """Until a cancelled job has ended (ARK-SRV-48)."""
    revoked: float = 60.0
    """Until a revoked token ends an open stream (ARK-SRV-16)."""
    job: float = 600.0
    """How long a job may take that the kit cannot finish itself."""
    control: float = 10.0
    """For an answer of the control program."""

    def times(self, patience: float) -> "Bounds":
        """Return the bounds multiplied by `patience`."""
        return Bounds(**{name: value * patience for name, value in asdict(self).items()})

    def with_silence(self, seconds: float) -> "Bounds":
        """Return the bounds with another silence, for a backend that promises a shorter one."""
        return evolve(self, silence=seconds)

    def plain(self) -> dict[str, Json]:
        """Return them as data for reports, in milliseconds."""
        return {f"{name}_ms": round(value * 1000) for name, value in asdict(self).items()}


@frozen(kw_only=True)
class Amounts:
    """How much a run asks of a backend."""

    jobs: int = 4
    """How many jobs it may create, refused ones included."""
    streams: int = 8
    """How many streams are open at once."""
    resumes: int = 400
    """How often the hand-off from replay to live is tried."""
    drops: int = 20
    """How many streams are dropped in a row (ARK-SRV-53)."""
    races: int = 5
    """How often a cancel races the end of a job (ARK-SRV-51)."""


CAREFUL: Final = Amounts()
"""For a backend elsewhere."""
GENEROUS: Final = Amounts(jobs=40, streams=64, resumes=2000, drops=1000, races=20)
"""For a backend on this machine, whose jobs a control program makes free of cost."""
