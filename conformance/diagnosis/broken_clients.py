"""What the kit's own broken clients fail, as a hint to what may be wrong with another client.

The record is written by `python -m conformance.generate.broken_clients`. For each broken client it
names what is wrong, the rules that it breaks, and the plays that it fails. A play is one case under
one profile; the record also says how the client parts from the reference there.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from attrs import frozen

from conformance.casefile.model import template_of
from conformance.strict_data import Json, Table, parse_json

RECORD: Final = Path(__file__).with_name("broken_clients.json")
# With each client on record left out in turn, these three make no hint wrong; less of any of them does.
_ALIKE: Final = 0.7
"""How alike two clients must be for one to be a hint to the other, from 0 to 1."""
_AHEAD: Final = 0.4
"""How much less alike every client must be that breaks none of the same rules."""
_LEAST: Final = 3
"""In how many plays a client must fail to be recognised."""
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
    whole: bool = True
    """Whether it played everything; not if it hung too often."""


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
    return f"{template_of(case)}@{profile}"


def resembling(
    signature: Signature, rule: str, known: Sequence[BrokenClient]
) -> BrokenClient | None:
    """Return the broken client that is most like this one, if it stands out and breaks `rule`."""
    ranked = sorted(((signature.likeness(each), each) for each in known), key=lambda pair: -pair[0])
    if len(signature.fails) < _LEAST or not ranked:
        return None
    if ranked[0][0] < _ALIKE or rule not in ranked[0][1].breaks:
        return None
    best, found = ranked[0]
    rival = next((alike for alike, each in ranked if not set(each.breaks) & set(found.breaks)), 0.0)
    return found if best - rival >= _AHEAD else None


@cache
def broken_clients() -> tuple[BrokenClient, ...]:
    """Return the clients on record; raises ReadingError if the file is not whole."""
    return read(RECORD.read_text("utf-8"))


def read(text: str) -> tuple[BrokenClient, ...]:
    """Return the clients of a record that `written` wrote; raises ReadingError."""
    whole = Table.of(RECORD.name, parse_json(text))
    return tuple(map(_client, whole.tables("clients")))


def _client(entry: Table) -> BrokenClient:
    fails = entry.table("fails")
    return BrokenClient(
        name=entry.text("name"),
        what=entry.text("what"),
        breaks=entry.texts("breaks"),
        fails={play: _fails(fails.table(play)) for play in fails.values},
        whole=not entry.flag("stopped"),
    )


def _fails(entry: Table) -> Fails:
    return Fails(entry.text("kind"), entry.text("rule"), warns=entry.flag("warns"))


def written(clients: Sequence[BrokenClient]) -> str:
    """Return the record of these clients as JSON, one client a line."""
    lines = ",\n".join(_line(_plain(each)) for each in clients)
    return f'{{"clients": [\n{lines}\n]}}\n'


def _line(value: Json) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def _plain(client: BrokenClient) -> Json:
    return {
        "name": client.name,
        "what": client.what,
        "breaks": list(client.breaks),
        **({} if client.whole else {"stopped": True}),
        "fails": {
            play: {"kind": each.kind, "rule": each.rule, **({"warns": True} if each.warns else {})}
            for play, each in sorted(client.fails.items())
        },
    }
