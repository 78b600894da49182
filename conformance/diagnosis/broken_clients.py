"""What the kit's own broken clients fail, as a hint to what may be wrong with another client.

The record is written by `arkor-conformance mutants --record`. It names for each broken client what
is wrong with it, the rules that it breaks, and the plays that it fails: one case of each template
under one profile, and how it parts from the reference there.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from attrs import frozen

from conformance.strict_data import Json, Table, parse_json

RECORD: Final = Path(__file__).with_name("broken_clients.json")
_ALIKE: Final = 0.6
"""How alike two clients must be for one to be a hint to the other, from 0 to 1."""
_AHEAD: Final = 0.1
"""How much less alike every client must be that breaks none of the same rules."""
_SAME_PLAY: Final = 0.5
"""What a play counts that both fail, but in another way."""


@frozen
class Fails:
    """How a broken client fails a play."""

    kind: str
    """How the failure begins."""
    rule: str
    """The rule that it cites first; empty if it cites none."""
    warns: bool = False
    """Whether it is a warning only."""


@frozen(kw_only=True)
class BrokenClient:
    """A broken client of the kit, and how it fails."""

    name: str
    what: str
    """What is wrong with it, as a sentence."""
    breaks: tuple[str, ...]
    fails: Mapping[str, Fails]
    """By play, such as `budget.first@2026-05`."""


@frozen(kw_only=True)
class Signature:
    """How a client fails, and the plays that it passes."""

    fails: Mapping[str, str]
    passes: frozenset[str]

    def likeness(self, other: BrokenClient) -> float:
        """Return how alike the two are, from 0 to 1; every play that one of them passes counts."""
        common = sum(
            (1.0 if self.fails[play] == fails.kind else _SAME_PLAY)
            for play, fails in other.fails.items()
            if play in self.fails
        )
        more = sum(play in self.passes for play in other.fails)
        return common / (len(self.fails) + more) if self.fails else 0.0


def play_of(case: str, profile: str) -> str:
    """Return the name of a play: the template of the case, and the profile."""
    return f"{case.partition('[')[0]}@{profile}"


def resembling(
    signature: Signature, rule: str, known: Sequence[BrokenClient]
) -> BrokenClient | None:
    """Return the broken client that is most like this one, if it stands out and breaks `rule`."""
    ranked = sorted(((signature.likeness(each), each) for each in known), key=lambda pair: -pair[0])
    if not ranked or ranked[0][0] < _ALIKE or rule not in ranked[0][1].breaks:
        return None
    best, found = ranked[0]
    rival = next((alike for alike, each in ranked if not set(each.breaks) & set(found.breaks)), 0.0)
    return found if best - rival >= _AHEAD else None


@cache
def broken_clients() -> Sequence[BrokenClient]:
    """Return the clients on record."""
    return tuple(_read(RECORD.read_text("utf-8")))


def _read(text: str) -> Iterator[BrokenClient]:
    record = Table.of(RECORD.name, parse_json(text))
    for each in record.tables("clients"):
        fails = each.table("fails")
        yield BrokenClient(
            name=each.text("name"),
            what=each.text("what"),
            breaks=each.texts("breaks"),
            fails={play: _fails(fails.table(play)) for play in fails.values},
        )


def _fails(entry: Table) -> Fails:
    return Fails(entry.text("kind"), entry.text("rule"), warns=entry.flag("warns"))


def written(clients: Sequence[BrokenClient]) -> str:
    """Return the record of these clients, one of them a line."""
    lines = [
        json.dumps(_plain(each), ensure_ascii=False, separators=(",", ":")) for each in clients
    ]
    return '{"clients":[\n' + ",\n".join(lines) + "\n]}\n"


def _plain(client: BrokenClient) -> Json:
    return {
        "name": client.name,
        "what": client.what,
        "breaks": list(client.breaks),
        "fails": {
            play: {"kind": each.kind, "rule": each.rule, **({"warns": True} if each.warns else {})}
            for play, each in sorted(client.fails.items())
        },
    }
