"""Faults of a connection: what happens to it before its first request."""

from collections.abc import Iterable

from mock_server.scenario.rule import Rule, merged
from mock_server.scenario.words.connection import ConnectionFault


def connection_fault(rules: Iterable[Rule]) -> ConnectionFault:
    """Return the fault that these rules together inject into a connection."""
    return merged(ConnectionFault, (rule.connection for rule in rules))
