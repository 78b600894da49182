"""The failures of the kit's own broken clients, used as hints about faults in other clients.

`python -m conformance.generate.broken_clients` writes the record. For each broken client, the
record gives the mistake, the rules that it breaks, and the plays that fail. A play is one case
under one profile; for each, the record also says how the client first deviates from the reference.
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
# Tested by leaving out each recorded client in turn: with these values, no hint is wrong; with
# a lower value of any of them, some are.
_ALIKE: Final = 0.7
"""The minimum similarity, from 0 to 1, for a broken client to serve as a hint."""
_AHEAD: Final = 0.4
"""The minimum lead in similarity of a hint over all clients that break none of the same rules."""
_LEAST: Final = 3
"""The minimum number of failures, counted by template and profile, to recognise a client."""
_SAME_PLAY: Final = 0.5
"""The weight of a case that both clients fail, but in different ways."""


@frozen
class Fails:
    """How a broken client fails a case under a profile."""

    kind: str
    """The kind of the first deviation from the reference; see `causes.Beginning`."""
    rule: str
    """The first rule that the failure cites; empty if it cites none."""
    warns: bool = False
    """Whether the failure is only a warning."""


@frozen(kw_only=True)
class BrokenClient:
    """One of the kit's broken clients, and how it fails."""

    name: str
    what: str
    """The client's mistake, as a sentence."""
    breaks: tuple[str, ...]
    fails: Mapping[str, Fails]
    """The failures, keyed by template and profile, as in `budget.first@2026-05`."""
    whole: bool = True
    """Whether all cases were played; False if the client hung too often."""


@frozen(kw_only=True)
class Signature:
    """How a client fails, and which cases it passes."""

    fails: Mapping[str, str]
    passes: frozenset[str]

    def likeness(self, other: BrokenClient) -> float:
        """Return the similarity of two clients (0 to 1); cases that only one fails lower it."""
        common = sum(
            (1.0 if self.fails[play] == fails.kind else _SAME_PLAY)
            for play, fails in other.fails.items()
            if play in self.fails
        )
        more = sum(play in self.passes for play in other.fails)
        return common / (len(self.fails) + more) if self.fails else 0.0


def play_of(case: str, profile: str) -> str:
    """Return a case's template and a profile as one key, such as `budget.first@2026-05`."""
    return f"{template_of(case)}@{profile}"


def resembling(
    signature: Signature, rule: str, known: Sequence[BrokenClient]
) -> BrokenClient | None:
    """Return the most similar broken client if it is a clear match and breaks `rule`, else None."""
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
    """Return the recorded clients; raise ReadingError if the record is invalid."""
    return read(RECORD.read_text("utf-8"))


def read(text: str) -> tuple[BrokenClient, ...]:
    """Parse the output of `written`; raise ReadingError if it is invalid."""
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
    """Return the record of these clients as JSON, with one client per line."""
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
