"""Judge a bare event-stream parser: bytes in, events out, without HTTP, jobs or time."""
