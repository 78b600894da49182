"""One event of an event stream, as a value.

It knows what the standard gives an event. It refuses to know how it was written and what it means.
"""

from attrs import field, frozen


class EventDraft:
    """An event being filled.

    The generated `__init__` of a frozen class goes through `object.__setattr__` and alone takes
    as long as parsing the event did. A draft is filled by plain stores and then becomes a
    `ServerSentEvent`, which adds no slot: from there on it is as frozen as any other.
    """

    __slots__ = ("data", "has_id", "last_event_id", "type")

    type: str
    data: str
    last_event_id: str
    has_id: bool


@frozen(weakref_slot=False)
class ServerSentEvent(EventDraft):
    """One dispatched event.

    `type` is `"message"` where the stream named none. `last_event_id` is the cursor as of this
    event, wherever it was set; `has_id` says whether this very block carried an `id` that counted
    (it is no part of the event's identity). Source: WHATWG HTML §9.2.6.
    """

    type: str
    data: str
    last_event_id: str
    has_id: bool = field(default=False, eq=False, kw_only=True)
