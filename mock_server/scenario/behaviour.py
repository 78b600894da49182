"""How the backend treats jobs, followers, cursors, keys and tenants: values of words of `[backend]`.

The first value of each list is the default. Most of the others are mistakes of real backends.
"""

from attrs import frozen

from mock_server.scenario.words.declaring import Phrased
from mock_server.strict.shapes import array, text
from mock_server.strict.words import needed


class UnknownCursor(Phrased):
    """What the backend does with a `Last-Event-ID` it never sent, or does not keep any more."""

    REPLAY = "replay", "sends everything again after a Last-Event-ID that it never sent"
    GONE = "gone", "answers 410 to a Last-Event-ID that it never sent"
    LIVE = "live", "sends only what is new after a Last-Event-ID that it never sent"


class AtEnd(Phrased):
    """What the backend does with a resume at the last event of a job that is over."""

    EMPTY = "empty", "sends nothing to a resume at the last event of a job that is over"
    END = "end", "sends an `end` frame to a resume at the last event of a job that is over"
    GONE = "gone", "answers 410 to a resume at the last event of a job that is over"
    NO_CONTENT = "no_content", "answers 204 to a resume at the last event of a job that is over"


class Following(Phrased):
    """What followers are to a job."""

    FREE = "free", "lets its jobs go on without followers"
    NEEDED = "needed", "lets a job stand still while it has no followers"
    OWNER = "owner", "stops a job, and loses its log, when its first follower leaves before the end"


class FanOut(Phrased):
    """Which followers of a job get its new events."""

    ALL = "all", "sends each event to every follower of its job"
    SPLIT = "split", "sends each new event to one follower of its job only, in turn"
    SERIAL = "serial", "serves the followers of a job one after the other"
    FROZEN = "frozen", "answers nothing while a follower does not read what it is sent"


class Tenancy(Phrased):
    """When the backend checks whose job it is."""

    CHECKED = "checked", "checks whose job it is"
    IGNORED = "ignored", "lets every token reach every job"
    FIRST_OPEN = "first_open", "does not check the token of a resume"


class Idempotency(Phrased):
    """What the backend does with idempotency keys."""

    KEPT = "kept", "makes one job for each idempotency key"
    IGNORED = "ignored", "does not look at idempotency keys"
    RACY = "racy", "makes two jobs of two creates with one idempotency key at the same time"
    ANY_BODY = "any_body", "makes another job when an idempotency key comes with another body"
    BY_BODY = "by_body", "makes one job of two idempotency keys with one body"


class Cancelling(Phrased):
    """What the backend does with a cancel."""

    HONOURED = "honoured", "ends a job that is cancelled"
    IGNORED = "ignored", "accepts a cancel, and the job goes on"
    OVERRIDES = "overrides", "turns a job that has already ended into a cancelled one"


class Restart(Phrased):
    """What is left of a job after a restart of the backend."""

    KEPT = "kept", "keeps everything over a restart"
    IDS_AGAIN = "ids_again", "begins the ids of new events at 1 again after a restart"
    LOST = "lost", "loses the newest two events of a job that is not over in a restart"


@frozen(kw_only=True)
class Tenant:
    """Who may use the backend: a token, and the projects that it reaches."""

    token: str = needed(text(1000), "the token", secret=True)
    org: str = needed(text(1000), "the slug of the organisation that it is for")
    projects: tuple[str, ...] = needed(
        array(text(1000), 1000, least=1), "the slugs of the projects that it reaches"
    )
