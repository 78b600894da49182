"""Explore one world under one profile, and find the shortest sequence of moves that breaks a promise."""

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from attrs import frozen

from arkor_proto import Done, Profile
from conformance.states.graph import (
    MOST,
    Breach,
    Edge,
    Exploration,
    Graph,
    circles,
    found_in,
    states_that_can_reach,
    without_progress,
)
from conformance.states.promises import CIRCLES, Violated, violated
from conformance.states.world import NotPossible, World
from conformance.states.worlds import Setting

_ROUNDS: Final = 10
"""How many times a loop has to repeat before it counts as endless."""
_STUCK: Final = "from here on, no sequence of moves brings the session to rest"
_ROUND: Final = "these moves can repeat for ever: streams are opened, but no event is delivered"


@frozen(kw_only=True)
class Explored:
    """The result of an exploration: its size, and the promise that was broken, if any."""

    setting: Setting
    profile: Profile
    states: int
    edges: int
    depth: int
    seconds: float
    cut: bool
    breach: Breach | None


def explored(
    setting: Setting,
    profile: Profile,
    *,
    filtered: bool = False,
    most: int = MOST,
    on_state: Callable[[int], None] = lambda _: None,
) -> Explored:
    """Explore a world; pass `filtered=True` if a fault has been planted in the session."""
    began = time.monotonic()

    def make() -> World:
        return setting.world(profile, filtered=filtered)

    graph = Exploration(make, most=most, on_state=on_state).run()
    breach = graph.breach
    if breach is None and not graph.cut:
        breach = _stuck(graph) or going_round(graph, make, setting.spared(profile))
    return Explored(
        setting=setting,
        profile=profile,
        states=len(graph.worlds),
        edges=len(graph.edges),
        depth=max(graph.depth),
        seconds=time.monotonic() - began,
        cut=graph.cut,
        breach=breach,
    )


def played(make: Callable[[], World], trace: Breach) -> Breach | None:
    """Repeat the moves of a trace; return the breach that they cause this time, or None.

    Raise NotPossible at the first move that is no longer possible.
    """
    world = make()
    keys: list[object] = []
    for done, move in enumerate(trace.moves, 1):
        if trace.loop is not None:
            keys.append(world.key())
        try:
            world.try_move(move)
        except NotPossible:
            raise
        except Exception as error:  # noqa: BLE001 - what the session raises is the finding
            found = found_in(error)
            return Breach(trace.moves[:done], found.promise, found.how)
    if trace.loop is not None:
        same = keys[trace.loop] == world.key()
        return trace if same and _goes_round(world, trace.moves[trace.loop :]) else None
    if trace.how == _STUCK:
        return _from_here(make, trace)
    return _misused(world, trace.moves)


def _misused(world: World, moves: tuple[str, ...]) -> Breach | None:
    try:
        if not world.filtered:
            world.check_misuse()
    except Violated as found:
        return Breach(moves, found.promise, found.how)
    return None


def _from_here(make: Callable[[], World], trace: Breach) -> Breach | None:
    def moved() -> World:
        world = make()
        for move in trace.moves:
            world.try_move(move)
        return world

    graph = Exploration(moved).run()
    return trace if graph.breach is None and not _at_rest(graph) else None


def _at_rest(graph: Graph) -> set[int]:
    return {number for number, world in enumerate(graph.worlds) if isinstance(world.rest, Done)}


def _stuck(graph: Graph) -> Breach | None:
    """Return the shortest trace to a state from which the session cannot come to rest."""
    if graph.worlds[0].filtered:  # its states do not include the memory of a broken client
        return None
    can = states_that_can_reach(graph, _at_rest(graph))
    stuck = next((number for number in range(len(graph.worlds)) if number not in can), None)
    if stuck is None:
        return None
    found = violated("ARK-ERR-10", _STUCK)
    return Breach(graph.way_to(stuck), found.promise, found.how)


def going_round(
    graph: Graph, make: Callable[[], World], spared: frozenset[str] | None
) -> Breach | None:
    """Return the shortest trace to a loop of moves that opens streams but makes no progress."""
    if spared is None:
        return None
    edges = without_progress(graph, spared)
    for edge in sorted(circles(edges), key=lambda edge: graph.depth[edge.start]):
        if (back := _way(edges, edge.end, edge.start)) is not None:
            way = graph.way_to(edge.start)
            found = Breach((*way, edge.move, *back), CIRCLES, _ROUND, loop=len(way))
            if played(make, found) == found:
                return found
    return None


def _way(edges: list[Edge], start: int, end: int) -> tuple[str, ...] | None:
    """Return the shortest sequence of moves along these edges from `start` to `end`, or None."""
    after: dict[int, list[Edge]] = {}
    for edge in edges:
        after.setdefault(edge.start, []).append(edge)
    ways: dict[int, tuple[str, ...]] = {start: ()}
    queue = deque([start])
    while queue and end not in ways:
        state = queue.popleft()
        for edge in after.get(state, []):
            if edge.end not in ways:
                ways[edge.end] = (*ways[state], edge.move)
                queue.append(edge.end)
    return ways.get(end)


def _goes_round(world: World, moves: tuple[str, ...]) -> bool:
    for _ in range(_ROUNDS):
        opened, heard = world.facts.opened, world.facts.heard
        try:
            for move in moves:
                world.try_move(move)
        except (NotPossible, Violated):
            return False
        if world.facts.opened == opened or world.facts.heard > heard:
            return False
    return True
