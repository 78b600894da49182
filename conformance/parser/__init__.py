"""Judge an event-stream parser on its own: feed it bytes and check its events, without HTTP or jobs."""
