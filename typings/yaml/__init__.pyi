# What the project uses of PyYAML, which ships no types.

from collections.abc import Callable
from typing import TypeVar

class Node: ...

class SafeDumper:
    def ignore_aliases(self, data: object) -> bool: ...
    def represent_scalar(self, tag: str, value: str, style: str | None = ...) -> Node: ...
    @classmethod
    def add_representer(
        cls, data_type: type[_Value], representer: Callable[[_Dumper, _Value], Node]
    ) -> None: ...

_Value = TypeVar("_Value")
_Dumper = TypeVar("_Dumper", bound=SafeDumper)

def dump(
    data: object,
    *,
    Dumper: type[SafeDumper],  # noqa: N803 - PyYAML's own name
    sort_keys: bool = ...,
    allow_unicode: bool = ...,
    width: int = ...,
) -> str: ...
def safe_load(stream: str | bytes) -> object: ...
