"""The repr, comparison and hashing that all values share.

attrs can generate these methods for each class, but doing so for fifty classes takes as long as
importing the rest of this package.
"""

from typing import ClassVar

from attrs import Attribute


class Value:
    """The base class of all values; the `repr=` and `eq=` options of attrs fields still apply.

    A subclass without fields need not be an attrs class.
    """

    __slots__ = ()
    __attrs_attrs__: ClassVar[tuple["Attribute[object]", ...]] = ()

    def __repr__(self) -> str:
        shown = (f"{each.name}={_shown(self, each)}" for each in self.__attrs_attrs__ if each.repr)
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _compared(self) == _compared(other)

    def __hash__(self) -> int:
        return hash((type(self), _compared(self)))


def _shown(value: Value, field: "Attribute[object]") -> str:
    inner: object = getattr(value, field.name)
    return field.repr(inner) if callable(field.repr) else repr(inner)


def _compared(value: Value) -> tuple[object, ...]:
    return tuple(getattr(value, each.name) for each in value.__attrs_attrs__ if each.eq)
