"""One event of an event stream, as a value."""

from attrs import define, field

from arkor_proto._value import Value


@define(weakref_slot=False, repr=False, eq=False)
class ServerSentEvent(Value):
    """One dispatched event. Do not modify it; it is mutable only because frozen objects are slower.

    `type` is `"message"` if the stream did not name one. `last_event_id` is the cursor as of this
    event, even if an earlier block set it; `has_id` is true if this block had a valid `id` of its
    own (comparisons ignore it). Source: WHATWG HTML §9.2.6.
    """

    type: str
    data: str
    last_event_id: str
    has_id: bool = field(default=False, eq=False)
