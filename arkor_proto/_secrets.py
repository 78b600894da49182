"""Hides secrets in reprs, in JSON that is shown to the user, and in what a backend echoes.

The secrets are the token and every string in a job's configuration whose name marks it as secret.
"""

from collections.abc import Collection, Iterable
from typing import Final

from attrs import define, field

from arkor_proto._walk import JsonObject, rebuilt

_SECRET_NAMES: Final = frozenset({"authorization", "cookie", "set-cookie", "token"})
# A shorter token is a placeholder, and removing it would garble the backend's messages.
_LEAST_SECRET: Final = 8
# Tokens are valid for minutes, so a backend echoes only the latest few.
_MOST_LEARNED: Final = 8


def masked(value: object) -> object:
    """Return `value` with `***` in place of every member whose name marks it as a secret."""
    return rebuilt(value, _masked_member)


def _masked_member(name: str, value: object) -> object:
    return "***" if str(name).lower() in _SECRET_NAMES else value


def masked_repr(value: object) -> str:
    """Return the repr of a JSON value, with its secrets replaced by `***`."""
    return repr(masked(value))


def hidden_repr(_: object) -> str:
    """Return a repr that does not show the value."""
    return "'***'"


def headers_repr(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the repr of header fields, with their secrets replaced by `***`."""
    return masked_repr({name.decode("latin-1"): value for name, value in headers})


def secrets_in(value: object) -> set[str]:
    """Return the string members of `value` whose names, such as `token`, mark them as secrets."""
    found: set[str] = set()

    def note(name: str, inner: object) -> object:
        if str(name).lower() in _SECRET_NAMES and isinstance(inner, str):
            found.add(inner)
        return inner

    rebuilt(value, note)
    return found


@define(repr=False, eq=False)
class Hider:
    """Replaces the secrets in what a backend echoes (ARK-SEC), unless they are too short."""

    _given: tuple[str, ...] = ()
    _learned: tuple[str, ...] = field(default=(), init=False)
    _secrets: tuple[str, ...] = field(init=False)
    """All secrets, longest first, because one may be a prefix of another."""

    def __attrs_post_init__(self) -> None:
        self._sort()

    @classmethod
    def of(cls, secrets: Collection[str]) -> "Hider":
        """Return a Hider for `secrets`, leaving out those that are too short."""
        return cls(tuple(secret for secret in secrets if len(secret) >= _LEAST_SECRET))

    def learn(self, secret: str) -> None:
        """Also hide `secret`; of the secrets added here, only the eight most recent are kept."""
        if len(secret) >= _LEAST_SECRET:
            others = tuple(each for each in self._learned if each != secret)
            self._learned = (*others, secret)[-_MOST_LEARNED:]
            self._sort()

    def text(self, text: str) -> str:
        """Return `text` with the secrets replaced by `***`."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def mapping(self, source: JsonObject) -> dict[str, object]:
        """Return a JSON object with the secrets in its keys and values replaced by `***`."""
        return {self.text(name): self.value(inner) for name, inner in source.items()}

    def value(self, value: object) -> object:
        """Return a JSON value with the secrets in it replaced by `***`."""
        return rebuilt(self._member("", value), self._member, rename=self.text)

    def _member(self, _: str, value: object) -> object:
        return self.text(value) if isinstance(value, str) else value

    def _sort(self) -> None:
        self._secrets = tuple(sorted(self._given + self._learned, key=len, reverse=True))
