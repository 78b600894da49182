"""The mock over HTTP: servers, scenarios, gates, journal and verdicts for tests in any language."""
