"""The worlds that are explored: what the application may say, and what the backend does."""

from collections.abc import Mapping
from typing import Final

from attrs import frozen

from arkor_proto import HARDENED, PROFILE_2026_05, Profile
from conformance.states.samples import JOB, SPEC
from conformance.states.world import World, world


@frozen(kw_only=True)
class Setting:
    """One world: its name, what can happen in it, and which promises hold on the whole of it."""

    name: str
    about: str
    says: tuple[str, ...]
    attached: bool = False
    """Whether the job exists already; otherwise it has to be created."""
    remembers: bool = True
    """Whether the backend resumes a stream after `Last-Event-ID`."""

    def world(self, profile: Profile, *, filtered: bool = False) -> World:
        """Return this world before anything happened; `filtered` if a broken client is planted."""
        job = JOB if self.attached else SPEC
        found = world(profile, job, says=self.says, remembers=self.remembers)
        found.filtered = filtered
        return found

    def spared(self, profile: Profile) -> frozenset[str] | None:
        """Return the moves that may go round for ever; None if no way round is ruled out.

        The founding document takes a keep-alive for progress, and only `hardened` notices a backend
        that sends its log from the beginning every time.
        """
        if self.remembers:
            keep_alives = frozenset({"stream ping", "stream noise"})
            return keep_alives if profile.name == PROFILE_2026_05.name else frozenset()
        return frozenset() if profile.name == HARDENED.name else None


_ALL: Final = (
    Setting(
        name="cancel",
        about="start() and cancel() of a job that is created",
        says=("start", "cancel"),
    ),
    Setting(
        name="follow",
        about="one wait() of a job that exists",
        says=("follow",),
        attached=True,
    ),
    Setting(
        name="cancel-wait",
        about="wait() and cancel() of a job that exists",
        says=("follow", "cancel"),
        attached=True,
    ),
    Setting(
        name="submit",
        about="start(), wait() and abort() of a job that is created",
        says=("start", "follow", "abort"),
    ),
    Setting(
        name="leave",
        about="wait() of a job that exists, left and taken up again, and abort()",
        says=("follow", "leave", "abort"),
        attached=True,
    ),
    Setting(
        name="resend",
        about="one wait() with a backend that ignores Last-Event-ID and sends its log again",
        says=("follow",),
        attached=True,
        remembers=False,
    ),
)
WORLDS: Final[Mapping[str, Setting]] = {each.name: each for each in _ALL}
