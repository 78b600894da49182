"""Mistakes in data: each one says where it is, and all of them are reported together."""

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
        """Where the mistake is, such as `rule 2.on.route`."""
        self._more = tuple(more)

    @property
    def each(self) -> "tuple[ScenarioError, ...]":
        """All mistakes, each as a separate error."""
        return (ScenarioError(str(self), at=self.at), *self._more)

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The messages of all mistakes."""
        return tuple(str(each) for each in self.each)

    def rewritten(self, rewrite: "Callable[[ScenarioError], str]") -> "ScenarioError":
        """Return an error with the same mistakes, but with the messages that `rewrite` returns."""
        return together([ScenarioError(rewrite(each), at=each.at) for each in self.each])


def together(errors: "Sequence[ScenarioError]") -> ScenarioError:
    """Return one error with all the mistakes of one or more errors."""
    first, *others = [each for error in errors for each in error.each]
    return ScenarioError(str(first), at=first.at, more=others)


class Mistakes:
    """Collects mistakes, so that all of them can be reported at once."""

    def __init__(self) -> None:
        self._found: list[ScenarioError] = []

    def add(self, error: ScenarioError) -> None:
        """Collect the mistakes of an error; raise ScenarioError once there are too many."""
        self._found += error.each
        if len(self._found) >= _MOST_MISTAKES:
            raise together(self._found[:_MOST_MISTAKES]) from None

    def collected(self) -> "Mistakes":
        """Collect mistakes raised in a `with` block; raise ScenarioError if there are too many."""
        return self

    def __enter__(self) -> None:
        """Begin a block whose mistakes are collected."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        """Collect the mistakes that the block raised; let other exceptions through."""
        if not isinstance(error, ScenarioError):
            return False
        self.add(error)
        return True

    def take(self, read: Callable[[], T], otherwise: U) -> T | U:
        """Return what `read` returns; if it raises mistakes, keep them and return `otherwise`."""
        try:
            return read()
        except ScenarioError as error:
            self.add(error)
        return otherwise

    def settle(self) -> None:
        """Raise ScenarioError with all collected mistakes, if there are any."""
        if self._found:
            raise together(self._found) from None
