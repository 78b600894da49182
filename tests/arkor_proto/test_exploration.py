"""The whole session, explored: every move in every joint state that can be reached.

`state_space.py` checks each step; here the graph of all states is built breadth first, and what can only
be seen on the whole of it is checked: that every wait can come to an end, and that no way goes
round in circles without spending the budget or hearing an event.
"""

from collections import deque
from functools import cache

import pytest
from attrs import Factory, define, frozen

from arkor_proto import HARDENED, PROFILE_2026_05, PROFILE_2026_07, PROFILES, Done, Profile
from tests.arkor_proto.state_space import APPLICATION, World, world

everywhere = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
mostly_thorough = pytest.mark.parametrize(
    "profile",
    [
        pytest.param(profile, marks=() if profile is HARDENED else pytest.mark.thorough)
        for profile in PROFILES
    ],
    ids=lambda profile: profile.name,
)
"""For the largest graphs: one profile in every run, the others in a thorough one."""
ALL = tuple(APPLICATION)
NO_PROGRESS_SINCE_THE_AMENDMENT = {"stream ping", "stream noise"}


@frozen
class Edge:
    """One step between two states; what it did for the world."""

    start: int
    end: int
    move: str
    opened: bool
    heard: bool


@define
class Graph:
    """All states that can be reached, by number, and all steps between them."""

    worlds: list[World] = Factory(list[World])
    edges: list[Edge] = Factory(list[Edge])
    cause: list[tuple[int, str]] = Factory(list[tuple[int, str]])

    def way_to(self, state: int) -> list[str]:
        """Return the moves that led to a state first."""
        way: list[str] = []
        while state:
            state, move = self.cause[state]
            way.insert(0, move)
        return way


def explore(first: World) -> Graph:
    """Return everything that can come of `first`."""
    graph = Graph([first], cause=[(0, "")])
    numbers = {first.key(): 0}
    queue = deque([0])
    while queue:
        state = queue.popleft()
        before = graph.worlds[state]
        before.check_misuse()
        for move, after in zip(before.moves(), before.copies(), strict=False):
            opened, heard = after.opened, after.heard
            try:
                after.move(move)
            except Exception as error:
                error.add_note(f"on the way {graph.way_to(state)}, then {move!r}")
                raise
            number = numbers.setdefault(after.key(), len(graph.worlds))
            if number == len(graph.worlds):
                graph.worlds.append(after)
                graph.cause.append((state, move))
                queue.append(number)
            edge = Edge(state, number, move, after.opened > opened, after.heard > heard)
            graph.edges.append(edge)
    return graph


@cache
def graph_of_following(profile: Profile, *, remembers: bool = True) -> Graph:
    """Return everything that can come of following a job that exists."""
    return explore(world(profile, "job-1", says=("follow",), remembers=remembers))


def states_that_can_reach(graph: Graph, ends: set[int]) -> set[int]:
    """Return all states from which one of `ends` can be reached."""
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
    """Return the edges that lie on, or lead into and out of, circles that open streams."""
    found = [edge for edge in edges if edge.start != edge.end or edge.opened]
    while True:
        starts, ends = {edge.start for edge in found}, {edge.end for edge in found}
        kept = [edge for edge in found if edge.end in starts and edge.start in ends]
        if len(kept) == len(found):
            return [edge for edge in kept if edge.opened]
        found = kept


def without_progress(graph: Graph, spared: set[str]) -> list[Edge]:
    """Return the edges that neither the application asked for nor an event went along."""
    passive = [edge for edge in graph.edges if edge.move not in {*ALL, *spared}]
    return [edge for edge in passive if not edge.heard]


@mostly_thorough
def test_the_life_of_a_job_holds_every_promise(profile: Profile) -> None:
    graph = explore(world(profile, says=("start", "follow", "abort")))
    assert len(graph.worlds) > 200


@everywhere
def test_the_cancel_of_a_job_holds_every_promise(profile: Profile) -> None:
    graph = explore(world(profile, says=("start", "cancel")))
    assert len(graph.worlds) > 10


@mostly_thorough
def test_everything_at_once_on_a_job_that_exists_holds_every_promise(profile: Profile) -> None:
    graph = explore(world(profile, "job-1", says=("follow", "leave", "abort")))
    assert len(graph.worlds) > 200


@everywhere
def test_from_every_state_the_session_can_come_to_rest(profile: Profile) -> None:
    graph = graph_of_following(profile)
    done = {n for n, state in enumerate(graph.worlds) if isinstance(state.rest, Done)}
    assert states_that_can_reach(graph, done) == set(range(len(graph.worlds)))


@pytest.mark.parametrize("profile", [PROFILE_2026_07, HARDENED], ids=lambda p: p.name)
def test_no_way_goes_round_in_circles_since_the_amendment(profile: Profile) -> None:
    graph = graph_of_following(profile)
    assert circles(without_progress(graph, set())) == []


def test_only_pings_and_noise_go_round_in_circles_in_the_founding_document() -> None:
    graph = graph_of_following(PROFILE_2026_05)
    assert circles(without_progress(graph, set()))
    assert circles(without_progress(graph, NO_PROGRESS_SINCE_THE_AMENDMENT)) == []


@pytest.mark.thorough
def test_a_backend_that_forgets_goes_round_in_circles_before_hardening() -> None:
    graph = graph_of_following(PROFILE_2026_07, remembers=False)
    assert circles(without_progress(graph, set()))


def test_a_backend_that_forgets_does_not_go_round_in_circles_when_hardened() -> None:
    graph = graph_of_following(HARDENED, remembers=False)
    assert circles(without_progress(graph, set())) == []
