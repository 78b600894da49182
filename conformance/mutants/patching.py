"""Define mutants, and patch the parts of the core that filters cannot change.

A mutant is a function that changes the client code in the process that runs it, before any client
is opened. It declares which requirements the changed client violates, and the kit must cite at
least one of them. Most mutants are filters around the session (`filters.py`); some change the
profile, the policy or one cell of the state table.
"""

import re
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Final, TypeVar

from attrs import evolve, frozen

from arkor_proto import Headers, Profile, Request

# The only private part of the core that mutants use: the state table, whose cells they change.
from arkor_proto._table import (
    TABLE,
    Cell,
    Ignored,
    Job,
    JobSignal,
    Move,
    Signal,
    State,
    Stop,
    StopSignal,
    Stream,
    StreamSignal,
)
from conformance.strict_data import Json, parse_json

__all__ = [
    "CURSOR",
    "WHERE_FAILURES_COUNT",
    "WHERE_THE_CURSOR_SHOWS",
    "ByObject",
    "Ignored",
    "Job",
    "JobSignal",
    "Move",
    "Mutant",
    "Stop",
    "StopSignal",
    "Stream",
    "StreamSignal",
    "body_of",
    "breaks",
    "change_profiles",
    "cursor_sent",
    "header",
    "is_redirect",
    "members",
    "mutants_in",
    "planted",
    "replace",
    "set_cell",
    "with_body",
    "with_cursor",
    "with_header",
    "without",
]

T = TypeVar("T")


@frozen
class Mutant:
    """A broken client: the requirements it violates, what it does wrong, and how to make it."""

    name: str
    family: str
    breaks: tuple[str, ...]
    what: str
    apply: Callable[[], None]
    follows: tuple[str, ...] = ()
    """Rules that the mutant also breaks as a consequence; the kit may cite them but need not."""


WHERE_FAILURES_COUNT: Final = (
    *("ARK-BAK-1", "ARK-BAK-3", "ARK-BAK-4", "ARK-BAK-5", "ARK-BAK-6", "ARK-BAK-9"),
    *("ARK-BAK-10", "ARK-BAK-11", "ARK-BAK-12", "ARK-BUD-3", "ARK-BUD-4", "ARK-BUD-5"),
    *("ARK-BUD-6", "ARK-BUD-9", "ARK-BUD-10", "ARK-BUD-11", "ARK-BUD-12", "ARK-BUD-13"),
    *("ARK-BUD-14", "ARK-BUD-15", "ARK-BUD-16", "ARK-BUD-17", "ARK-BUD-18", "ARK-BUD-19"),
    *("ARK-BUD-20", "ARK-EVT-15", "ARK-SSE-17", "ARK-SSE-20", "ARK-STR-15", "ARK-STR-19"),
)
"""Rules that are judged by the length of the next delay, or by when the client stops reconnecting.

A client that miscounts failures breaks these rules as well.
"""
WHERE_THE_CURSOR_SHOWS: Final = (
    *("ARK-SSE-7", "ARK-RES-3", "ARK-RES-4", "ARK-RES-5", "ARK-RES-6", "ARK-RES-7", "ARK-RES-8"),
)
"""Rules judged by the cursor of the next stream request; most are tested with public vectors."""


def breaks(
    *requirements: str, follows: tuple[str, ...] = ()
) -> Callable[[Callable[[], None]], Mutant]:
    """Return a decorator that turns a function into a mutant, described by its docstring."""

    def made(apply: Callable[[], None]) -> Mutant:
        family = apply.__module__.rpartition(".")[2]
        name = f"{family}.{apply.__name__.replace('_', '-')}"
        what = (apply.__doc__ or "").strip()
        return Mutant(name, family, requirements, what, apply, follows)

    return made


def mutants_in(module: ModuleType) -> tuple[Mutant, ...]:
    """Return the mutants that a module defines, in the order of their definitions."""
    return tuple(value for value in vars(module).values() if isinstance(value, Mutant))


class ByObject(dict[object, T]):
    """A mutant's data, keyed by client or exchange; the keys are compared by identity."""


_undo: Final = list[Callable[[], None]]()
"""Functions that undo the changes that mutants have made in this process, most recent last."""
_ABSENT: Final = object()


@contextmanager
def planted(mutant: Mutant) -> Generator[None]:
    """Apply a mutant within a `with` block; do not use the block's clients after it."""
    before = len(_undo)
    try:
        mutant.apply()
        yield
    finally:
        while len(_undo) > before:
            _undo.pop()()


def replace(owner: object, name: str, new: object) -> None:
    """Replace an attribute; raise AttributeError if there is no such attribute."""
    if not hasattr(owner, name):
        raise AttributeError(f"{owner!r} has no attribute {name}, so the mutant is out of date")
    own: object = vars(owner).get(name, _ABSENT)  # keeps a static method wrapped

    def undo() -> None:
        if own is _ABSENT:
            delattr(owner, name)
        else:
            setattr(owner, name, own)

    _undo.append(undo)
    setattr(owner, name, new)


def set_cell(state: State, signal: Signal, cell: Cell) -> None:
    """Change one cell of the state table."""
    row = TABLE[state]
    if isinstance(row, dict):
        _undo.append(partial(row.__setitem__, signal, row[signal]))
        row[signal] = cell


def change_profiles(change: Callable[[Profile], Profile], *names: str) -> None:
    """Apply `change` to the named profiles, or to all profiles if no names are given."""
    original = Profile.named

    def named(name: str) -> Profile:
        profile = original(name)
        return change(profile) if name in names or not names else profile

    replace(Profile, "named", staticmethod(named))


CURSOR: Final = b"Last-Event-ID"
_MEMBER: Final = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^,])+')
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


def header(headers: Headers, name: bytes) -> str | None:
    """Return the value of a header, or None if it is absent; `name` must be in lower case."""
    values = [value.decode("latin-1").strip(" \t") for key, value in headers if key.lower() == name]
    return ", ".join(values) if values else None


def members(headers: Headers, name: bytes) -> tuple[str, ...]:
    """Return the non-empty members of a list-valued header; `name` must be in lower case."""
    found = (member.strip(" \t") for member in _MEMBER.findall(header(headers, name) or ""))
    return tuple(member for member in found if member)


def is_redirect(status: int, headers: Headers) -> bool:
    """Return whether a response is a redirect with a `Location`."""
    return status in _REDIRECTS and bool(header(headers, b"location"))


def cursor_sent(request: Request) -> bytes:
    """Return the `Last-Event-ID` of a request, or b"" if it has none."""
    return next((value for name, value in request.headers if name == CURSOR), b"")


def with_cursor(request: Request, cursor: str) -> Request:
    """Return the request with this `Last-Event-ID`, or without one if `cursor` is ""."""
    if not cursor:
        return without(request, CURSOR.lower())
    return with_header(request, CURSOR, cursor.encode())


def without(request: Request, name: bytes) -> Request:
    """Return the request without a header; `name` must be in lower case."""
    kept = tuple(pair for pair in request.headers if pair[0].lower() != name)
    return evolve(request, headers=kept)


def with_header(request: Request, name: bytes, value: bytes) -> Request:
    """Return the request with one header set, in place of any headers with that name."""
    rest = without(request, name.lower()).headers
    return evolve(request, headers=(*rest, (name, value)))


def with_body(request: Request, body: bytes) -> Request:
    """Return the request with another body and the matching `Content-Length`."""
    return evolve(with_header(request, b"Content-Length", b"%d" % len(body)), body=body)


def body_of(request: Request) -> Mapping[str, Json]:
    """Return the JSON object in the body of a request, or {} if the body is anything else."""
    value = parse_json(request.body)
    return value if isinstance(value, Mapping) else {}
