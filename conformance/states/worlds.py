"""The worlds to explore: the calls that the application may make, and how the backend behaves."""

from collections.abc import Mapping
from typing import Final

from attrs import frozen

from arkor_proto import HARDENED, PROFILE_2026_05, Profile
from conformance.states.samples import JOB, SPEC
from conformance.states.world import World, world


@frozen(kw_only=True)
class Setting:
    """One world: its name, the calls that the application may make, and how the backend behaves."""

    name: str
    about: str
    says: tuple[str, ...]
    attached: bool = False
    """Whether the job already exists; otherwise the client has to create it."""
    remembers: bool = True
    """Whether the backend resumes a stream after the event in `Last-Event-ID`."""

    def world(self, profile: Profile, *, filtered: bool = False) -> World:
        """Return the initial state; pass `filtered=True` if a fault is planted in the session."""
        job = JOB if self.attached else SPEC
        found = world(profile, job, says=self.says, remembers=self.remembers)
        found.filtered = filtered
        return found

    def spared(self, profile: Profile) -> frozenset[str] | None:
        """Return the moves that may be repeated for ever; None if any sequence of moves may be.

        Under the founding document (`2026-05`), a keep-alive counts as progress. Only
        `hardened` notices that a backend sends its log from the beginning every time.
        """
        if self.remembers:
            keep_alives = frozenset({"stream ping", "stream noise"})
            return keep_alives if profile.name == PROFILE_2026_05.name else frozenset()
        return frozenset() if profile.name == HARDENED.name else None


_ALL: Final = (
    Setting(
        name="cancel",
        about="start() and cancel() on a new job",
        says=("start", "cancel"),
    ),
    Setting(
        name="follow",
        about="one wait() on an existing job",
        says=("follow",),
        attached=True,
    ),
    Setting(
        name="cancel-wait",
        about="wait() and cancel() on an existing job",
        says=("follow", "cancel"),
        attached=True,
    ),
    Setting(
        name="submit",
        about="start(), wait() and abort() on a new job",
        says=("start", "follow", "abort"),
    ),
    Setting(
        name="leave",
        about="wait() on an existing job, abandoned and called again, and abort()",
        says=("follow", "leave", "abort"),
        attached=True,
    ),
    Setting(
        name="resend",
        about="one wait() against a backend that ignores Last-Event-ID and resends its whole log",
        says=("follow",),
        attached=True,
        remembers=False,
    ),
)
WORLDS: Final[Mapping[str, Setting]] = {each.name: each for each in _ALL}
