"""One event of an event stream, as a value."""

from attrs import define, field

from arkor_proto._value import Value


@define(weakref_slot=False, repr=False, eq=False)
class ServerSentEvent(Value):
    """One dispatched event. It is not frozen, which would cost as much as parsing it; leave it be.

    `type` is `"message"` where the stream named none. `last_event_id` is the cursor as of this
    event, wherever it was set; `has_id` says whether this very block carried an `id` that counted
    (it is not part of the event's identity). Source: WHATWG HTML §9.2.6.
    """

    type: str
    data: str
    last_event_id: str
    has_id: bool = field(default=False, eq=False)
