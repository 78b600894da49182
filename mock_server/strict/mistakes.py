"""Mistakes in data: each names its place, and all of them are reported together."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

T = TypeVar("T")
U = TypeVar("U")

_MOST_MISTAKES: Final = 100


class ScenarioError(ValueError):
    """The data is not valid; the message names the place, the mistake and the remedy.

    If there are several mistakes, the message describes the first.
    """

    def __init__(self, message: str, *, at: str = "", more: "Sequence[ScenarioError]" = ()) -> None:
        super().__init__(message)
        self.at = at or message.partition(": ")[0]
        """The place, such as `rule 2.on.route`."""
        self._more = tuple(more)

    @property
    def each(self) -> "tuple[ScenarioError, ...]":
        """Every mistake as a separate error."""
        return (ScenarioError(str(self), at=self.at), *self._more)

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The message of every mistake."""
        return tuple(str(each) for each in self.each)

    def rewritten(self, rewrite: "Callable[[ScenarioError], str]") -> "ScenarioError":
        """Return the same mistakes with messages changed by `rewrite`."""
        return together([ScenarioError(rewrite(each), at=each.at) for each in self.each])


def together(errors: "Sequence[ScenarioError]") -> ScenarioError:
    """Combine one or more errors into one."""
    first, *others = [each for error in errors for each in error.each]
    return ScenarioError(str(first), at=first.at, more=others)


class Mistakes:
    """Collects mistakes, so that all of them can be reported at once."""

    def __init__(self) -> None:
        self._found: list[ScenarioError] = []

    def add(self, error: ScenarioError) -> None:
        """Keep the mistakes of an error; raise ScenarioError once there are too many."""
        self._found += error.each
        if len(self._found) >= _MOST_MISTAKES:
            raise together(self._found[:_MOST_MISTAKES]) from None

    def collected(self) -> "Mistakes":
        """Collect mistakes raised inside a `with`; raise ScenarioError once there are too many."""
        return self

    def __enter__(self) -> None:
        """Begin a block that may raise mistakes."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        """Collect the mistakes of the block."""
        if not isinstance(error, ScenarioError):
            return False
        self.add(error)
        return True

    def take(self, read: Callable[[], T], otherwise: U) -> T | U:
        """Return what `read` returns; if it raises, keep the mistakes and return `otherwise`."""
        try:
            return read()
        except ScenarioError as error:
            self.add(error)
        return otherwise

    def settle(self) -> None:
        """Raise ScenarioError with all collected mistakes, if there are any."""
        if self._found:
            raise together(self._found) from None
