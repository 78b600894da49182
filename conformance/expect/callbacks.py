"""Expectations about callbacks and about the results of operations."""

from collections.abc import Mapping
from typing import Final

from attrs import frozen

from conformance.expect.mismatch import Divergence, difference
from conformance.strict_data import Json
from conformance.trace.events import CallbackRan, Settled, Trace

ANY_KIND: Final = "any"
"""The value of `Result.error` in a case that accepts any kind of failure."""


@frozen
class Expected:
    """One expected callback; of its argument, only the members named in `data` are compared."""

    name: str
    data: Mapping[str, Json]

    def __str__(self) -> str:
        return f"{self.name} {dict(self.data)!r}" if self.data else self.name


@frozen
class Callbacks:
    """Expects exactly these callbacks, in this order."""

    expected: tuple[Expected, ...]
    word: str = "callbacks"

    @property
    def awaited(self) -> tuple[str, ...]:
        """The last expected callback; nothing if no callback is expected."""
        return (f"callback#{len(self.expected)}",) if self.expected else ()

    def judge(self, trace: Trace) -> Divergence | None:
        """Compare the callbacks that ran with the expected ones."""
        seen = list(trace.of(CallbackRan))
        for n, (event, fact) in enumerate(seen):
            if n >= len(self.expected):
                return Divergence(self._all(), f"one callback too many: {fact.name}", event)
            want = self.expected[n]
            if want.name != fact.name:
                return Divergence(self._all(), f"callback {n + 1} is {fact.name}", event)
            if found := difference(want.data, fact.data):
                return Divergence(f"callback {n + 1}: {want}", found, event)
        if len(seen) < len(self.expected):
            missing = self.expected[len(seen)]
            return Divergence(self._all(), f"callback {len(seen) + 1}, {missing}, never ran")
        return None

    def _all(self) -> str:
        return ", ".join(expected.name for expected in self.expected) or "no callback"


@frozen
class Calls:
    """Expects exactly these calls to one callback, in this order; ignores other callbacks."""

    name: str
    expected: tuple[Mapping[str, Json], ...]

    @property
    def word(self) -> str:
        """The expectation's key in a case file, such as `calls.log`."""
        return f"calls.{self.name}"

    @property
    def awaited(self) -> tuple[str, ...]:
        """The last expected call."""
        return (f"callback.{self.name}#{len(self.expected)}",)

    def judge(self, trace: Trace) -> Divergence | None:
        """Compare the calls with the expected ones; ignore members that these do not name."""
        seen = [(event, fact) for event, fact in trace.of(CallbackRan) if fact.name == self.name]
        expected = f"{self.name} called with {', '.join(str(dict(each)) for each in self.expected)}"
        for n, (event, fact) in enumerate(seen):
            if n >= len(self.expected):
                return Divergence(expected, f"call {n + 1} with {fact.data!r}", event)
            if found := difference(self.expected[n], fact.data):
                return Divergence(expected, f"call {n + 1}: {found}", event)
        if len(seen) < len(self.expected):
            return Divergence(expected, f"call {len(seen) + 1} was never made")
        return None


@frozen
class Result:
    """Expects an operation to settle with this result, or with this kind of failure.

    `job_absent` names members that must be absent or null in the result's job.
    """

    operation: str
    ok: Mapping[str, Json] | None
    error: str | None = None
    code: int | None = None
    job_absent: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """The expectation's key in a case file, such as `result.wait`."""
        return f"result.{self.operation}"

    @property
    def awaited(self) -> tuple[str, ...]:
        """The event that the operation settled."""
        return (f"{self.operation}.settled",)

    def judge(self, trace: Trace) -> Divergence | None:
        """Compare the result or failure of the operation with the expected one."""
        event = trace.first(f"{self.operation}.settled")
        if event is None or not isinstance(event.fact, Settled):
            return Divergence(self._expected(), "it never settled")
        found = self._difference(event.fact)
        return Divergence(self._expected(), found, event) if found else None

    def _difference(self, settled: Settled) -> str | None:
        failure = settled.failure
        if failure is not None:
            code = "" if failure.code is None else f" {failure.code}"
            actual = f"it failed: {failure.kind}{code} ({failure.message})"
            if self.ok is not None or self.error not in (ANY_KIND, failure.kind):
                return actual
            return None if self.code in (None, failure.code) else actual
        if self.ok is None:
            return f"it succeeded: {dict(settled.ok)!r}"
        return difference(self.ok, settled.ok) or self._excess(settled.ok.get("job"))

    def _excess(self, job: Json) -> str | None:
        members: Mapping[str, Json] = job if isinstance(job, Mapping) else {}
        found = [name for name in self.job_absent if members.get(name) is not None]
        return f"job.{found[0]} is {members[found[0]]!r}" if found else None

    def _expected(self) -> str:
        if self.ok is not None:
            without = "".join(f", and no job.{name}" for name in self.job_absent)
            given = f" with {dict(self.ok)!r}" if self.ok else ""
            return f"{self.operation} succeeds{given}{without}"
        return f"{self.operation} fails: {self.error}" + (f" {self.code}" if self.code else "")


@frozen
class Equal:
    """Expects several operations to return the same result."""

    operations: tuple[str, ...]

    @property
    def word(self) -> str:
        """The expectation and its operations, such as `equal(wait, wait2)`."""
        return f"equal({', '.join(self.operations)})"

    @property
    def awaited(self) -> tuple[str, ...]:
        """For each operation, the event that it settled."""
        return tuple(f"{operation}.settled" for operation in self.operations)

    def judge(self, trace: Trace) -> Divergence | None:
        """Compare every result with the first."""
        expected = f"{' and '.join(self.operations)} return the same result"
        events = [trace.first(f"{operation}.settled") for operation in self.operations]
        answers: list[Json] = []
        for event in events:
            if event is None or not isinstance(event.fact, Settled) or event.fact.failure:
                return Divergence(expected, "not all of them succeeded", event)
            answers.append(dict(event.fact.ok))
        if all(answer == answers[0] for answer in answers):
            return None
        return Divergence(expected, " / ".join(map(repr, answers)), events[-1])
