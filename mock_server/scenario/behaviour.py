"""Values in `[backend]`: how the backend treats jobs, followers, cursors, keys and tenants.

The first value of each enum is the default. Most of the others are mistakes of real backends.
"""

from attrs import frozen

from mock_server.scenario.words.declaring import Phrased
from mock_server.strict.shapes import array, text
from mock_server.strict.words import needed


class UnknownCursor(Phrased):
    """What the backend does with a `Last-Event-ID` that it never sent or no longer keeps."""

    REPLAY = "replay", "sends every event again if it never sent the Last-Event-ID of a request"
    GONE = "gone", "answers 410 to a Last-Event-ID that it never sent"
    LIVE = "live", "sends only new events if it never sent the Last-Event-ID of a request"


class AtEnd(Phrased):
    """How the backend responds to a resume at the last event of a job that has ended."""

    EMPTY = "empty", "sends nothing after a resume at the last event of a job that has ended"
    END = "end", "sends an `end` frame after a resume at the last event of a job that has ended"
    GONE = "gone", "answers 410 to a resume at the last event of a job that has ended"
    NO_CONTENT = "no_content", "answers 204 to a resume at the last event of a job that has ended"


class Following(Phrased):
    """How a job depends on its followers."""

    FREE = "free", "lets its jobs continue without followers"
    NEEDED = "needed", "pauses a job while it has no followers"
    OWNER = "owner", "stops a job and loses its log when its first follower leaves before the end"


class FanOut(Phrased):
    """Which followers of a job get its new events."""

    ALL = "all", "sends each event to every follower of its job"
    SPLIT = "split", "sends each new event to only one follower of its job, in turn"
    SERIAL = "serial", "serves the followers of a job one after the other"
    FROZEN = "frozen", "answers no requests while a follower is not reading"


class Tenancy(Phrased):
    """When the backend checks that a job belongs to the tenant."""

    CHECKED = "checked", "checks that a job belongs to the tenant"
    IGNORED = "ignored", "gives every token access to every job"
    FIRST_OPEN = "first_open", "does not check the token of a resume"


class Idempotency(Phrased):
    """What the backend does with idempotency keys."""

    KEPT = "kept", "makes one job for each idempotency key"
    IGNORED = "ignored", "ignores idempotency keys"
    RACY = "racy", "makes two jobs if two creates with the same idempotency key overlap"
    ANY_BODY = "any_body", "makes another job if an idempotency key is used with a different body"
    BY_BODY = "by_body", "makes one job for two idempotency keys with the same body"


class Cancelling(Phrased):
    """What the backend does with a cancel."""

    HONOURED = "honoured", "ends a job when it is cancelled"
    IGNORED = "ignored", "accepts a cancel, but the job continues"
    OVERRIDES = "overrides", "turns a job that has already ended into a cancelled one"


class Restart(Phrased):
    """What is left of a job after a restart of the backend."""

    KEPT = "kept", "keeps everything across a restart"
    IDS_AGAIN = "ids_again", "numbers new events from 1 again after a restart"
    LOST = "lost", "loses the two newest events of every unfinished job when it restarts"


@frozen(kw_only=True)
class Tenant:
    """A token of the backend, with its organisation and the projects that it gives access to."""

    token: str = needed(text(1000), "the token", secret=True)
    org: str = needed(text(1000), "the slug of the organisation that the token is for")
    projects: tuple[str, ...] = needed(
        array(text(1000), 1000, least=1), "the slugs of the projects that the token gives access to"
    )
