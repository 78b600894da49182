"""Request faults: how fast a request is read, and whether it or its response is lost."""

from collections.abc import Iterable

from mock_server.faults.actions import End
from mock_server.scenario.rule import Rule
from mock_server.scenario.words.end import Ending
from mock_server.scenario.words.request import Lost


def slow_read_of(rules: Iterable[Rule]) -> int | None:
    """Return how fast a body may be read, in bytes per second; None if no rule limits it."""
    return next((rate for rule in rules if (rate := rule.request.slow_read)), None)


def loss_of(rules: Iterable[Rule]) -> tuple[Lost, End] | None:
    """Return which message is lost, and how the connection then ends; None if none is lost."""
    return next(
        (
            (lost, End(rule.end.end or Ending.RST))
            for rule in rules
            if (lost := rule.request.lose) is not None
        ),
        None,
    )
