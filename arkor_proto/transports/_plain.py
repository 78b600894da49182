"""Checks that the functions given to a blocking client are not async.

The result of an async function does nothing until an event loop runs it, and a blocking client has
no event loop. An async function is reported at once, or as soon as a returned value reveals it.
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
            "pass a plain one, or use arkor_proto.transports.anyio"
        )


def check_plain(name: str, function: object) -> None:
    """Raise TypeError if `function` is known to be async: itself, as a partial, by `__call__`."""
    while isinstance(function, partial):
        function = function.func
    wrapped: object = getattr(function, "__func__", function)
    called: object = getattr(type(function), "__call__", None)  # noqa: B004 - what is it made of
    if any(iscoroutinefunction(each) or isasyncgenfunction(each) for each in (wrapped, called)):
        raise AsyncCallbackError(name)


def check_done(name: str, returned: object) -> None:
    """Raise TypeError if a returned value shows that the function is async after all."""
    if returned is None:
        return  # as nearly all do; the question takes its time
    if isawaitable(returned) or _is_async_generator(returned):
        if _is_coroutine(returned):
            returned.close()  # it never runs, and need not complain about that
        raise AsyncCallbackError(name)


def _is_coroutine(value: object) -> TypeGuard[Coroutine[object, object, object]]:
    return isinstance(value, Coroutine)


def _is_async_generator(value: object) -> TypeGuard[AsyncGenerator[object, object]]:
    return isinstance(value, AsyncGenerator)
