"""Write rules in Python, one call per key: `mock.on.stream(attempt=1).after(frames=2).end("rst")`.

The rule becomes active as soon as it has a fault, and later calls in the chain change it. The keys
are those of a scenario file; the same code reads them, so the error messages are the same.
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
    """One rule; every call adds to it, and it becomes active as soon as it has a fault."""

    _install: Callable[[int | None, Rule], int] = field(repr=False)
    _words: dict[str, object]
    index: int | None = field(default=None, init=False)
    """The number that the journal uses for the rule; None until the rule is active."""

    def does(self, **words: object) -> "RuleScript":
        """Add keys to the rule, as in `drop=True`; raise ScenarioError if it is then invalid."""
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
        """End the response in one of the ways that the key `end` accepts, such as "rst"."""
        return self.does(end=how)

    def status(self, code: int, *, retry_after: float | None = None) -> "RuleScript":
        """Respond with a status; `retry_after` (in seconds) adds a Retry-After header."""
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
    """Begins rules; each method is for one kind of request and takes the keys of `on`."""

    _install: Callable[[int | None, Rule], int] = field(repr=False)

    def create(self, **select: object) -> RuleScript:
        """Begin a rule for requests that submit a job."""
        return self.route(Route.CREATE, **select)

    def stream(self, **select: object) -> RuleScript:
        """Begin a rule for requests that open the event stream."""
        return self.route(Route.STREAM, **select)

    def cancel(self, **select: object) -> RuleScript:
        """Begin a rule for requests that cancel a job."""
        return self.route(Route.CANCEL, **select)

    def chat(self, **select: object) -> RuleScript:
        """Begin a rule for inference requests."""
        return self.route(Route.CHAT, **select)

    def route(self, route: Route, **select: object) -> RuleScript:
        """Begin a rule for requests to the given route."""
        return RuleScript(self._install, {"on": {"route": route.value, **select}})

    def connection(self, number: int | str | None = None) -> RuleScript:
        """Begin a rule for a connection; add a fault to it, as in `.does(accept="rst")`."""
        on = {} if number is None else {"connection": number}
        return RuleScript(self._install, {"on": on} if on else {})
