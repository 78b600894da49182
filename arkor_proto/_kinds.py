"""Arguments of a wrong type: a TypeError that names the argument and says what to pass instead."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from attrs import Attribute

Kinds: TypeAlias = type | tuple[type, ...]
Value = TypeVar("Value")
Validator: TypeAlias = Callable[[object, "Attribute[Value]", Value], None]


def wrong_kind(name: str, value: object, right: str) -> TypeError:
    """Return the error for `value`, of which only the type is shown: it may be a secret."""
    kind = type(value).__name__
    article = "an" if kind[:1].lower() in {*"aeiou"} else "a"
    shown = "None" if value is None else f"{article} {kind}"
    return TypeError(f"{name}: it is {shown}; pass {right}")


def check_kind(name: str, value: object, kinds: Kinds, right: str) -> None:
    """Raise TypeError unless `value` is of one of `kinds`; a bool is no number here."""
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise wrong_kind(name, value, right)


def of_kind(kinds: Kinds, right: str) -> Validator[Value]:
    """Return an attrs validator that does what `check_kind` does, under the field's own name."""

    def check(_: object, attribute: "Attribute[Value]", value: Value) -> None:
        check_kind(attribute.name.lstrip("_"), value, kinds, right)

    return check
