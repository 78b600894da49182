"""Control the mock over HTTP from tests in any language: servers, rules, gates, journal, checks."""
