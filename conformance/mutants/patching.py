"""What a mutant is, and how one is made out of the real core without the core knowing.

A mutant is a function that replaces parts of `arkor_proto` in the process that calls it, before
any client is opened. It carries the requirements that the result violates: a kit that finds it for
another reason has not understood it.
"""

# Mutants patch private names.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from types import ModuleType
from typing import Final, TypeVar

from attrs import evolve, frozen

from arkor_proto import _reader, _session, _wait, _wire
from arkor_proto._exchange import Pending, Report
from arkor_proto._profile import Profile
from arkor_proto._table import TABLE, Cell, Signal, State
from arkor_proto._types import Endpoint, JobSpec, Request, TrainingEvent
from arkor_proto._wait import Wait
from arkor_proto._walk import JsonObject
from conformance.strict_data import Json, parse_json

T = TypeVar("T")


@frozen
class Mutant:
    """A broken client: which requirements it violates, what it does, how it is made."""

    name: str
    family: str
    breaks: tuple[str, ...]
    what: str
    apply: Callable[[], None]
    follows: tuple[str, ...] = ()
    """Rules that it breaks as well, as a consequence: the kit may cite them, and need not."""


def breaks(
    *requirements: str, follows: tuple[str, ...] = ()
) -> Callable[[Callable[[], None]], Mutant]:
    """Turn a function into a mutant named after it, with its docstring as the description."""

    def made(apply: Callable[[], None]) -> Mutant:
        family = apply.__module__.rpartition(".")[2]
        name = f"{family}.{apply.__name__.replace('_', '-')}"
        what = (apply.__doc__ or "").strip()
        return Mutant(name, family, requirements, what, apply, follows)

    return made


def mutants_in(module: ModuleType) -> tuple[Mutant, ...]:
    """Return the mutants that a module defines, in their order."""
    return tuple(value for value in vars(module).values() if isinstance(value, Mutant))


class ByObject(MutableMapping[object, T]):
    """What a mutant remembers about objects, by identity.

    It keeps them: the number that `id` gives would otherwise be that of another client's soon.
    """

    def __init__(self) -> None:
        self._kept: dict[int, tuple[object, T]] = {}

    def __getitem__(self, owner: object) -> T:
        return self._kept[id(owner)][1]

    def __setitem__(self, owner: object, value: T) -> None:
        self._kept[id(owner)] = owner, value

    def __delitem__(self, owner: object) -> None:
        del self._kept[id(owner)]

    def __iter__(self) -> Iterator[object]:
        return (owner for owner, _ in self._kept.values())

    def __len__(self) -> int:
        return len(self._kept)


def replace(owner: object, name: str, new: object) -> None:
    """Put `new` in the place of an attribute that is there."""
    if not hasattr(owner, name):
        raise AttributeError(f"{owner!r} has no {name}: the mutant is out of date")
    setattr(owner, name, new)


def set_cell(state: State, signal: Signal, cell: Cell) -> None:
    """Change one cell of the table of the machines."""
    row = TABLE[state]
    if isinstance(row, dict):
        row[signal] = cell


def change_profiles(change: Callable[[Profile], Profile], *names: str) -> None:
    """Change the rules of the named profiles; of all without a name."""
    original = Profile.named

    def named(name: str) -> Profile:
        profile = original(name)
        return change(profile) if name in names or not names else profile

    replace(Profile, "named", staticmethod(named))


def edit_create(change: Callable[[Request], Request]) -> None:
    """Change every create request before it is sent."""
    original = _wire.create_request

    def create_request(endpoint: Endpoint, spec: JobSpec, key: str | None) -> Request:
        return change(original(endpoint, spec, key))

    replace(_session, "create_request", create_request)


def edit_stream(change: Callable[[Request], Request]) -> None:
    """Change every request that opens the stream before it is sent."""
    original = _wire.stream_request

    def stream_request(endpoint: Endpoint, job_id: str, cursor: str) -> Request:
        return change(original(endpoint, job_id, cursor))

    replace(_wait, "stream_request", stream_request)


def edit_cancel(change: Callable[[Request], Request]) -> None:
    """Change every cancel request before it is sent."""
    original = _wire.cancel_request

    def cancel_request(endpoint: Endpoint, job_id: str) -> Request:
        return change(original(endpoint, job_id))

    replace(_session, "cancel_request", cancel_request)


def decode_events(decode: Callable[[JsonObject], TrainingEvent | None]) -> None:
    """Read the object of every frame with `decode` instead."""
    for name in ("decode_event", "take_event"):
        replace(_reader, name, decode)


def hear_the_present_stream_alone() -> None:
    """Keep what other exchanges of the wait bring from it: there may be more of them than one."""
    original = Wait.reported

    def reported(wait: Wait, pending: Pending, report: Report, now: float) -> None:
        if pending is wait._exchange:
            original(wait, pending, report, now)

    replace(Wait, "reported", reported)


CURSOR: Final = b"Last-Event-ID"


def cursor_sent(request: Request) -> bytes:
    """Return the cursor that a request carries, nothing if there is none."""
    return next((value for name, value in request.headers if name == CURSOR), b"")


def without(request: Request, name: bytes) -> Request:
    """Return the request without one header."""
    kept = tuple(pair for pair in request.headers if pair[0].lower() != name)
    return evolve(request, headers=kept)


def with_header(request: Request, name: bytes, value: bytes) -> Request:
    """Return the request with one header in the place of any other of that name."""
    rest = without(request, name.lower()).headers
    return evolve(request, headers=(*rest, (name, value)))


def with_body(request: Request, body: bytes) -> Request:
    """Return the request with another body."""
    return evolve(with_header(request, b"Content-Length", b"%d" % len(body)), body=body)


def body_of(request: Request) -> Mapping[str, Json]:
    """Return the JSON object that a request carries."""
    value = parse_json(request.body)
    return value if isinstance(value, Mapping) else {}
