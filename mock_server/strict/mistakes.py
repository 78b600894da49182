"""Mistakes in data: each with its place, and all of them reported at once."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

T = TypeVar("T")
U = TypeVar("U")

_MOST_MISTAKES: Final = 100


class ScenarioError(ValueError):
    """The data is not valid: the message names the place, the mistake and the remedy.

    There may be several mistakes: the message is that of the first.
    """

    def __init__(self, message: str, *, at: str = "", more: "Sequence[ScenarioError]" = ()) -> None:
        super().__init__(message)
        self.at = at or message.partition(": ")[0]
        """The place, such as `rule 2.on.route`."""
        self._more = tuple(more)

    @property
    def each(self) -> "tuple[ScenarioError, ...]":
        """Every mistake on its own."""
        return (ScenarioError(str(self), at=self.at), *self._more)

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The message of every mistake."""
        return tuple(str(each) for each in self.each)

    def rewritten(self, rewrite: "Callable[[ScenarioError], str]") -> "ScenarioError":
        """Return the same mistakes in other words."""
        return together([ScenarioError(rewrite(each), at=each.at) for each in self.each])


def together(errors: "Sequence[ScenarioError]") -> ScenarioError:
    """Make one error of several, at least one."""
    first, *others = [each for error in errors for each in error.each]
    return ScenarioError(str(first), at=first.at, more=others)


class Mistakes:
    """Mistakes that are collected, so that all of them can be reported at once."""

    def __init__(self) -> None:
        self._found: list[ScenarioError] = []

    def add(self, error: ScenarioError) -> None:
        """Keep the mistakes of an error; raises ScenarioError when there are many."""
        self._found += error.each
        if len(self._found) >= _MOST_MISTAKES:
            raise together(self._found[:_MOST_MISTAKES]) from None

    def collected(self) -> "Mistakes":
        """Keep the mistakes that come up in a `with`; raises ScenarioError when there are many."""
        return self

    def __enter__(self) -> None:
        """Begin a part that may have mistakes."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        """Keep the mistakes of the part."""
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
        """Raise ScenarioError with all of them, if there are any."""
        if self._found:
            raise together(self._found) from None
