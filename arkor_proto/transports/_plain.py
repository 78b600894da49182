"""Checks that the functions given to a blocking client are not async.

An async function does nothing until an event loop runs it, and a blocking client has no event loop.
Such a function is reported when it is given or, at the latest, when it returns an awaitable.
"""

from collections.abc import AsyncGenerator, Coroutine
from functools import partial
from inspect import isasyncgenfunction, isawaitable, iscoroutinefunction
from typing import TypeGuard


class AsyncCallbackError(TypeError):
    """A blocking client was given an async function."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name}: the blocking client cannot run an async function; "
            "pass a plain function, or use the client in arkor_proto.transports.anyio"
        )


def check_plain(name: str, function: object) -> None:
    """Raise TypeError if `function`, its `__call__` or the function in a partial is async."""
    while isinstance(function, partial):
        function = function.func
    wrapped: object = getattr(function, "__func__", function)
    called: object = getattr(type(function), "__call__", None)  # noqa: B004 - to inspect it
    if any(iscoroutinefunction(each) or isasyncgenfunction(each) for each in (wrapped, called)):
        raise AsyncCallbackError(name)


def check_done(name: str, returned: object) -> None:
    """Raise TypeError if the returned value shows that the function is async."""
    if returned is None:
        return  # nearly always so, and the check below is slow
    if isawaitable(returned) or _is_async_generator(returned):
        if _is_coroutine(returned):
            returned.close()  # otherwise Python warns that it was never awaited
        raise AsyncCallbackError(name)


def _is_coroutine(value: object) -> TypeGuard[Coroutine[object, object, object]]:
    return isinstance(value, Coroutine)


def _is_async_generator(value: object) -> TypeGuard[AsyncGenerator[object, object]]:
    return isinstance(value, AsyncGenerator)
