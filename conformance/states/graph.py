"""The graph of all reachable states, built breadth-first, and functions that search it."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from attrs import Factory, define, frozen

from conformance.states.promises import CRASHES, MISUSE, Promise, Violated
from conformance.states.world import APPLICATION, World

MOST: Final = 100_000


@frozen
class Edge:
    """A move from one state to another, and whether it opened a stream or delivered an event."""

    start: int
    end: int
    move: str
    opened: bool
    heard: bool


@frozen
class Breach:
    """A broken promise, and the shortest sequence of moves that breaks it.

    If the sequence ends in a loop, `loop` is the number of moves before the loop.
    """

    moves: tuple[str, ...]
    promise: Promise
    how: str
    loop: int | None = None


@define
class Graph:
    """The reachable states, numbered in the order of discovery, and all moves between them."""

    worlds: list[World] = Factory(list[World])
    edges: list[Edge] = Factory(list[Edge])
    cause: list[tuple[int, str]] = Factory(list[tuple[int, str]])
    depth: list[int] = Factory(list[int])
    """For each state, the length of the shortest sequence of moves that leads to it."""
    breach: Breach | None = None
    cut: bool = False
    """Whether the exploration reached its limit before it had seen every state."""

    def way_to(self, state: int) -> tuple[str, ...]:
        """Return the shortest sequence of moves that leads to a state."""
        way: list[str] = []
        while state:
            state, move = self.cause[state]
            way.append(move)
        return tuple(reversed(way))


@frozen
class Exploration:
    """Explores up to `most` of the states reachable from the world that `make` returns.

    Copying a world does not copy the memory of a broken client planted in it. A world with a broken
    client (`filtered`) is therefore not copied but replayed from the start before each move that is
    tried. It is not given invalid inputs.
    """

    make: Callable[[], World]
    most: int = MOST
    on_state: Callable[[int], None] = lambda _: None

    def run(self) -> Graph:
        """Explore until no new states turn up or a promise is broken."""
        first = self.make()
        graph = Graph([first], cause=[(0, "")], depth=[0])
        numbers = {first.key(): 0}
        queue = deque([0])
        while queue and graph.breach is None:
            state = queue.popleft()
            self.on_state(state)
            self._expand(graph, state, numbers, queue)
        return graph

    def _expand(
        self, graph: Graph, state: int, numbers: dict[object, int], queue: deque[int]
    ) -> None:
        before = graph.worlds[state]
        move = ""
        try:
            if not before.filtered:
                before.check_misuse()
            for move, after in zip(before.moves(), self._copies(graph, state), strict=False):
                opened, heard = after.facts.opened, after.facts.heard
                after.move(move)
                key = after.key()
                number = numbers.get(key)
                if number is None:
                    if len(graph.worlds) == self.most:
                        graph.cut = True
                        continue
                    number = numbers[key] = len(graph.worlds)
                    graph.worlds.append(after)
                    graph.cause.append((state, move))
                    graph.depth.append(graph.depth[state] + 1)
                    queue.append(number)
                now = after.facts
                graph.edges.append(
                    Edge(state, number, move, now.opened > opened, now.heard > heard)
                )
        except Exception as error:  # noqa: BLE001 - what the session raises is the finding
            found = found_in(error)
            own = () if found.promise is MISUSE else (move,)
            graph.breach = Breach((*graph.way_to(state), *own), found.promise, found.how)

    def _copies(self, graph: Graph, state: int) -> Iterator[World]:
        if not graph.worlds[state].filtered:
            yield from graph.worlds[state].copies()
        way = graph.way_to(state)
        while True:
            again = self.make()
            for move in way:
                again.move(move)
            yield again


def found_in(error: Exception) -> Violated:
    """Return an exception raised during a move as a violation: a session must never raise."""
    if isinstance(error, Violated):
        return error
    return Violated(CRASHES, f"{type(error).__name__}: {error}")


def states_that_can_reach(graph: Graph, ends: set[int]) -> set[int]:
    """Return all states from which at least one of `ends` can be reached."""
    before: dict[int, set[int]] = {}
    for edge in graph.edges:
        before.setdefault(edge.end, set()).add(edge.start)
    found, queue = set(ends), deque(ends)
    while queue:
        for state in before.get(queue.popleft(), set()) - found:
            found.add(state)
            queue.append(state)
    return found


def circles(edges: list[Edge]) -> list[Edge]:
    """Return the edges that open a stream and lie on a loop, or on a path between two loops."""
    found = [edge for edge in edges if edge.start != edge.end or edge.opened]
    while True:
        starts, ends = {edge.start for edge in found}, {edge.end for edge in found}
        kept = [edge for edge in found if edge.end in starts and edge.start in ends]
        if len(kept) == len(found):
            return [edge for edge in kept if edge.opened]
        found = kept


def without_progress(graph: Graph, spared: frozenset[str] = frozenset()) -> list[Edge]:
    """Return the edges that deliver no event, except the application's calls and `spared` moves."""
    passive = [edge for edge in graph.edges if edge.move not in {*APPLICATION, *spared}]
    return [edge for edge in passive if not edge.heard]
