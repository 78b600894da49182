"""Faults of a connection: what becomes of one before its first request."""

from collections.abc import Iterable

from attrs import frozen

from mock_server.scenario.rule import Rule
from mock_server.scenario.words.connection import Accepting, TlsFault


@frozen
class ConnectionPlan:
    """What becomes of one connection."""

    accept: Accepting | None = None
    tls: TlsFault | None = None


def connection_plan(rules: Iterable[Rule]) -> ConnectionPlan:
    """Merge what the rules say; the first that names a thing wins."""
    accept: Accepting | None = None
    tls: TlsFault | None = None
    for fault in (rule.connection for rule in rules):
        accept, tls = accept or fault.accept, tls or fault.tls
    return ConnectionPlan(accept, tls)
