"""Values in `[backend]`: how the backend treats jobs, followers, cursors, keys and tenants.

The first value of each enum is the default. Most others are mistakes that real backends make.
"""

from attrs import frozen

from mock_server.scenario.words.declaring import Phrased
from mock_server.strict.shapes import array, text
from mock_server.strict.words import needed


class UnknownCursor(Phrased):
    """What the backend does if the `Last-Event-ID` of a request is not in the job's log."""

    REPLAY = "replay", "sends every event again if the Last-Event-ID is not in the job's log"
    GONE = "gone", "answers 410 if the Last-Event-ID is not in the job's log"
    LIVE = "live", "sends only new events if the Last-Event-ID is not in the job's log"


class AtEnd(Phrased):
    """How the backend responds to a resume from the last event of a job that has ended."""

    EMPTY = "empty", "sends nothing on a resume from the last event of a job that has ended"
    END = "end", "sends an `end` frame on a resume from the last event of a job that has ended"
    GONE = "gone", "answers 410 to a resume from the last event of a job that has ended"
    NO_CONTENT = "no_content", "answers 204 to a resume from the last event of a job that has ended"


class Following(Phrased):
    """How a job depends on its followers."""

    FREE = "free", "lets its jobs continue without followers"
    NEEDED = "needed", "pauses a job while it has no followers"
    OWNER = (
        "owner",
        "stops a job and loses its log if its first follower leaves before the job ends",
    )


class FanOut(Phrased):
    """Which followers of a job get its new events."""

    ALL = "all", "sends each event to every follower of its job"
    SPLIT = (
        "split",
        "sends each new event to only one follower of its job, a different one each time",
    )
    SERIAL = (
        "serial",
        "serves a job's followers one after another, so that a slow one delays the rest",
    )
    FROZEN = "frozen", "answers no requests while any follower is not reading its stream"


class Tenancy(Phrased):
    """When the backend checks that a job belongs to the token's tenant."""

    CHECKED = "checked", "checks that a job belongs to the token's tenant"
    IGNORED = "ignored", "gives every token access to every job"
    FIRST_OPEN = "first_open", "does not check the token of a request that resumes a stream"


class Idempotency(Phrased):
    """What the backend does with idempotency keys."""

    KEPT = "kept", "makes one job for each idempotency key"
    IGNORED = "ignored", "ignores idempotency keys"
    RACY = "racy", "makes two jobs if two create requests with the same idempotency key overlap"
    ANY_BODY = "any_body", "makes another job if an idempotency key is reused with a different body"
    BY_BODY = "by_body", "makes one job for each body, even if the idempotency keys differ"


class Cancelling(Phrased):
    """What the backend does with a cancel."""

    HONOURED = "honoured", "ends a job when it is cancelled"
    IGNORED = "ignored", "accepts a cancel but lets the job continue"
    OVERRIDES = "overrides", "marks a job as cancelled even if it has already ended"


class Restart(Phrased):
    """What is left of a job after the backend restarts."""

    KEPT = "kept", "keeps everything across a restart"
    IDS_AGAIN = "ids_again", "numbers new events from 1 again after a restart"
    LOST = "lost", "loses the two newest events of every unfinished job when it restarts"


@frozen(kw_only=True)
class Tenant:
    """A token of the backend, with its organisation and the projects that it gives access to."""

    token: str = needed(text(1000), "the token", secret=True)
    org: str = needed(text(1000), "the slug of the organisation that the token belongs to")
    projects: tuple[str, ...] = needed(
        array(text(1000), 1000, least=1), "the slugs of the projects that the token gives access to"
    )
