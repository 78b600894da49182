"""Trace files: a counter-example as a world, its moves, and the promise that they break."""

import json
from pathlib import Path
from typing import Final

from attrs import frozen

from conformance.casefile.requirements import PROFILE_NAMES
from conformance.states.graph import Breach
from conformance.states.promises import ALL
from conformance.states.world import MOVES
from conformance.states.worlds import WORLDS
from conformance.strict_data import UsageError
from mock_server.strict.files import read_json
from mock_server.strict.shapes import (
    ScenarioError,
    array,
    integer,
    is_table,
    one_of,
    text,
)
from mock_server.strict.words import needed, table, word

FORMAT: Final = "arkor-states/1"
_MOST_MOVES: Final = 1000
_PROMISES: Final = {promise.key: promise for promise in ALL}


@frozen(kw_only=True)
class TraceFile:
    """The contents of a trace file."""

    format: str = needed(text(), "the version of this format")
    world: str = needed(one_of(tuple(WORLDS)), "the world")
    profile: str = needed(one_of(PROFILE_NAMES), "the profile")
    mutant: str = word(
        text(), "the name of the broken client; empty for the library's own session", default=""
    )
    promise: str = needed(one_of(tuple(_PROMISES)), "the promise that is broken")
    how: str = needed(text(), "how the promise is broken")
    loop: int | None = word(
        integer(0, _MOST_MOVES), "how many moves come before the loop", default=None
    )
    moves: tuple[str, ...] = needed(array(one_of(tuple(sorted(MOVES))), _MOST_MOVES), "the moves")

    @property
    def breach(self) -> Breach:
        """The breach that the file records."""
        return Breach(self.moves, _PROMISES[self.promise], self.how, self.loop)

    @classmethod
    def of(cls, world: str, profile: str, mutant: str | None, breach: Breach) -> "TraceFile":
        """Return the trace file for a breach."""
        return cls(
            format=FORMAT,
            world=world,
            profile=profile,
            mutant=mutant or "",
            promise=breach.promise.key,
            how=breach.how,
            loop=breach.loop,
            moves=breach.moves,
        )

    @property
    def text(self) -> str:
        """The trace as JSON."""
        words: dict[str, object] = {
            "format": self.format,
            "world": self.world,
            "profile": self.profile,
            **({"mutant": self.mutant} if self.mutant else {}),
            "promise": self.promise,
            "how": self.how,
            **({} if self.loop is None else {"loop": self.loop}),
            "moves": list(self.moves),
        }
        return json.dumps(words, indent=2, ensure_ascii=False) + "\n"


_FILE: Final = table(TraceFile, "a trace from `arkor-conformance states`")


def _read(found: object) -> TraceFile:
    stated = found.get("format") if is_table(found) else None
    if stated != FORMAT:
        known = f"this version reads only {FORMAT!r}"
        if stated is None:
            raise ScenarioError(f"is not a trace from `arkor-conformance states`; {known}")
        raise ScenarioError(f"has the format {stated!r}; {known}")
    trace = _FILE.read(found, "")
    if trace.loop is not None and trace.loop >= len(trace.moves):
        raise ScenarioError(
            f"'loop' is {trace.loop}, but it must be less than the number of moves "
            f"({len(trace.moves)})"
        )
    return trace


def read_trace(path: Path) -> TraceFile:
    """Read a trace file; raise UsageError if it is not valid."""
    try:
        return read_json(path, _read)
    except ScenarioError as error:
        problem = str(error).partition("\n")[0].removeprefix(f"{path}: ")
        raise UsageError(f"--replay {path}", problem) from error
