"""Decide which active rules act on a connection or an exchange; count how often each fires."""

import random
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final

from attrs import define, field

from mock_server.faults.actions import Exchange
from mock_server.faults.connection import connection_fault
from mock_server.faults.plan import ExchangePlan, MatchedRule
from mock_server.faults.request import slow_read_of
from mock_server.redaction import shortened
from mock_server.requests import header_matches
from mock_server.scenario.rule import Rule
from mock_server.scenario.vocabulary import Route, Select
from mock_server.scenario.words.connection import ConnectionFault

_MOST_ATTEMPTS: Final = 50_000
_LONGEST: Final = 200


@define
class _Live:
    """An active rule, and how often it has fired."""

    index: int
    rule: Rule
    fired: int = 0

    @property
    def exhausted(self) -> bool:
        return self.rule.on.times is not None and self.fired >= self.rule.on.times


@define
class Rules:
    """The rules of one server; `on_fired` gets the index (from 1) of every rule that fires."""

    seed: int
    on_fired: Callable[[int], None]
    _rules: list[_Live] = field(factory=list[_Live], init=False)
    _attempts: dict[tuple[Route, str | None], int] = field(
        factory=dict[tuple[Route, str | None], int], init=False
    )
    """Counts requests by route, and by route and job.

    Clients can make up job ids. To bound memory use, only the latest jobs keep their counts.
    """
    _added: int = field(default=0, init=False)

    def load(self, rules: Iterable[Rule]) -> None:
        """Replace all rules and forget all counts of attempts."""
        self._rules.clear()
        self._attempts.clear()
        self._added = 0
        for rule in rules:
            self.add(rule)

    def add(self, rule: Rule) -> int:
        """Add a rule; return its index, from 1."""
        self._added += 1
        self._rules.append(_Live(self._added, rule))
        return self._added

    def replace(self, index: int, rule: Rule) -> None:
        """Replace an active rule, but keep the count of how often it has fired."""
        for live in self._rules:
            if live.index == index:
                live.rule = rule

    def remove(self, index: int) -> bool:
        """Remove a rule; return False if no rule has this index."""
        before = len(self._rules)
        self._rules = [live for live in self._rules if live.index != index]
        return len(self._rules) != before

    @property
    def in_force(self) -> list[tuple[int, Rule, int]]:
        """The active rules: for each, its index, the rule itself, and how often it has fired."""
        return [(live.index, live.rule, live.fired) for live in self._rules]

    def connection(self, number: int) -> ConnectionFault:
        """Return the faults of the `number`-th connection, counting from 1."""
        acting: list[Rule] = []
        for live in self._rules:
            on = live.rule.on
            if not live.rule.is_about_connections or live.exhausted:
                continue
            if on.connection is not None and number not in on.connection:
                continue
            if self._random(f"{live.index}/connection/{number}").random() < on.probability:
                self._fire(live)
                acting.append(live.rule)
        return connection_fault(acting)

    def exchange(
        self,
        route: Route,
        job: str | None,
        method: str,
        headers: tuple[tuple[str, str], ...],
    ) -> ExchangePlan:
        """Count a request and return the plan for its exchange."""
        about = self._next(route, job, method, headers)
        self._count((route, None), about.attempt)
        if job is not None:
            self._count(_key(route, job), about.job_attempt)
        matched: list[MatchedRule] = []
        for live, rng in self._taking_part(about):
            if not live.rule.on.picks_frames and live.rule.end.after is None:
                self._fire(live)
            matched.append(MatchedRule(live.rule, rng, partial(self._try, live)))
        return ExchangePlan(about, matched)

    def reading_rate(
        self,
        route: Route,
        job: str | None,
        method: str,
        headers: tuple[tuple[str, str], ...],
    ) -> int | None:
        """Return the `slow_read` rate for a request, or None; do not count the request."""
        about = self._next(route, job, method, headers)
        return slow_read_of(live.rule for live, _ in self._taking_part(about))

    def _next(
        self, route: Route, job: str | None, method: str, headers: tuple[tuple[str, str], ...]
    ) -> Exchange:
        """Return the `Exchange` for the next request to a route, without counting the request."""
        attempt = self._attempts.get((route, None), 0) + 1
        job_attempt = attempt if job is None else self._attempts.get(_key(route, job), 0) + 1
        return Exchange(route, job, method, headers, attempt, job_attempt)

    def _taking_part(self, about: Exchange) -> Iterator[tuple[_Live, random.Random]]:
        for live in self._rules:
            rule = live.rule
            if live.exhausted or not _selects(rule.on, about) or rule.is_about_connections:
                continue
            rng = self._random(f"{live.index}/{about.route.value}/{about.job}/{about.attempt}")
            if not rule.on.picks_frames and rng.random() >= rule.on.probability:
                continue
            yield live, rng

    def _count(self, key: tuple[Route, str | None], count: int) -> None:
        if key[1] is not None:
            self._attempts.pop(key, None)  # so that the latest job is last
        self._attempts[key] = count
        if len(self._attempts) > _MOST_ATTEMPTS:
            stale = next(each for each in self._attempts if each[1] is not None)
            del self._attempts[stale]

    def forget(self, job: str) -> None:
        """Forget the counts of a job that no longer exists."""
        for route in Route:
            self._attempts.pop(_key(route, job), None)

    def _random(self, where: str) -> random.Random:
        return random.Random(f"{self.seed}/{where}")  # noqa: S311 - seeded on purpose

    def _try(self, live: _Live) -> bool:
        if live.exhausted:
            return False
        self._fire(live)
        return True

    def _fire(self, live: _Live) -> None:
        live.fired += 1
        self.on_fired(live.index)


def _key(route: Route, job: str) -> tuple[Route, str]:
    return route, shortened(job, _LONGEST)


def _selects(on: Select, about: Exchange) -> bool:
    attempt = about.attempt if on.job is None else about.job_attempt
    return (
        (on.route is None or on.route is about.route)
        and (on.job is None or on.job == about.job)
        and (on.method is None or on.method == about.method)
        and (on.attempt is None or attempt in on.attempt)
        and all(
            header_matches(wanted, [value for key, value in about.headers if key == name.lower()])
            for name, wanted in (on.header or {}).items()
        )
    )
