"""Write rules in Python, one call per key: `mock.on.stream(attempt=1).after(frames=2).end("rst")`.

The rule is active as soon as it has a fault, and later calls in the chain change it. The keys are
those of a scenario file, and are read by the same code, which gives the same error messages.
"""

from collections.abc import Callable

from attrs import define, field, frozen

from mock_server.scenario.checks import check_rule
from mock_server.scenario.rule import RULE, Rule
from mock_server.scenario.vocabulary import Route


def rule_from_words(words: dict[str, object]) -> Rule:
    """Read a rule table, as found in a scenario file; raise ScenarioError if it is invalid."""
    rule = RULE.read(words, "rule")
    check_rule(rule, "rule")
    return rule


@define
class RuleScript:
    """One rule, to which every call adds; it is active as soon as it has a fault."""

    _install: Callable[[int | None, Rule], int] = field(repr=False)
    _words: dict[str, object]
    index: int | None = field(default=None, init=False)
    """The number of the rule once it is active, as the journal shows it."""

    def does(self, **words: object) -> "RuleScript":
        """Add any keys of a rule, such as `drop=True`; raise ScenarioError if one is invalid."""
        merged = {**self._words, **words}
        rule = rule_from_words(merged)
        self._words = merged
        self.index = self._install(self.index, rule)
        return self

    def after(
        self,
        *,
        frames: int | None = None,
        bytes: int | None = None,  # noqa: A002 - the word of the vocabulary
        id: str | None = None,  # noqa: A002 - the word of the vocabulary
        event: str | None = None,
    ) -> "RuleScript":
        """Set the point at which the next `end` or `stall` takes effect."""
        words = {"frames": frames, "bytes": bytes, "id": id, "event": event}
        self._words["after"] = {key: value for key, value in words.items() if value is not None}
        return self

    def end(self, how: str) -> "RuleScript":
        """End the response with one of the values of `end`, such as "rst"."""
        return self.does(end=how)

    def status(self, code: int, *, retry_after: float | None = None) -> "RuleScript":
        """Respond with a status, and with a Retry-After in seconds if given."""
        more = {} if retry_after is None else {"retry_after": retry_after}
        return self.does(status=code, **more)

    def frames(self, *frames: dict[str, object]) -> "RuleScript":
        """Respond with these frames instead of the backend's."""
        return self.does(frames=list(frames))

    def stall(self, *, ms: float | None = None, gate: str | None = None) -> "RuleScript":
        """Pause for `ms` milliseconds, or until a gate opens."""
        return self.does(stall={"ms": ms} if gate is None else {"gate": gate})

    def lose(self, which: str, *, end: str = "rst") -> "RuleScript":
        """Lose the "request" or the "response", and end the connection."""
        return self.does(lose=which, end=end)


@frozen
class On:
    """Begins rules: one method for each kind of request, with the keys of `on` as arguments."""

    _install: Callable[[int | None, Rule], int] = field(repr=False)

    def create(self, **select: object) -> RuleScript:
        """Begin a rule about submitting a job."""
        return self.route(Route.CREATE, **select)

    def stream(self, **select: object) -> RuleScript:
        """Begin a rule about the event stream."""
        return self.route(Route.STREAM, **select)

    def cancel(self, **select: object) -> RuleScript:
        """Begin a rule about cancelling a job."""
        return self.route(Route.CANCEL, **select)

    def chat(self, **select: object) -> RuleScript:
        """Begin a rule about inference."""
        return self.route(Route.CHAT, **select)

    def route(self, route: Route, **select: object) -> RuleScript:
        """Begin a rule about any route."""
        return RuleScript(self._install, {"on": {"route": route.value, **select}})

    def connection(self, number: int | str | None = None) -> RuleScript:
        """Begin a rule about a connection, such as `.does(accept="rst")`."""
        on = {} if number is None else {"connection": number}
        return RuleScript(self._install, {"on": on} if on else {})
