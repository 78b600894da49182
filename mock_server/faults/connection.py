"""Connection faults: what happens to a connection before its first request."""

from collections.abc import Iterable

from mock_server.scenario.rule import Rule, merged
from mock_server.scenario.words.connection import ConnectionFault


def connection_fault(rules: Iterable[Rule]) -> ConnectionFault:
    """Return the connection faults of these rules, merged into one."""
    return merged(ConnectionFault, (rule.connection for rule in rules))
