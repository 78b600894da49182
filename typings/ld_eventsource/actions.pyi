class Event:
    event: str
    data: str
    id: str | None
    last_event_id: str | None
