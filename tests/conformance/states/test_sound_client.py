"""The model of a client that keeps every promise agrees with the session in every state."""

import pytest

from arkor_proto import HARDENED, PROFILES, Operation, Profile
from conformance.states.as_case.sound_client import SoundClient
from conformance.states.graph import Exploration
from conformance.states.world import APPLICATION, World
from conformance.states.worlds import WORLDS, Setting

_VERBS = {Operation.START: "start", Operation.FOLLOW: "wait", Operation.CANCEL: "cancel"}
_EVERY = [(setting, profile) for setting in WORLDS.values() for profile in PROFILES]
_FEW = {("cancel", HARDENED.name), ("follow", HARDENED.name)}


def seen_of(world: World) -> object:
    """Return what can be seen of a session from outside."""
    facts = world.facts
    verbs = {_VERBS[each] for each in facts.asked}
    return (facts.calls, verbs, facts.aborted, facts.is_busy, set(world.moves()) - {*APPLICATION})


def seen_in(client: SoundClient) -> object:
    """Return the same of the model."""
    verbs = {verb for verb, names in client.asked.items() if names}
    return (frozenset(client.open), verbs, client.aborted, client.is_busy, set(client.moves()))


@pytest.mark.parametrize(
    ("setting", "profile"),
    [
        pytest.param(
            setting,
            profile,
            id=f"{setting.name}-{profile.name}",
            marks=() if (setting.name, profile.name) in _FEW else pytest.mark.thorough,
        )
        for setting, profile in _EVERY
    ],
)
def test_the_model_does_what_the_session_does_in_every_state(
    setting: Setting, profile: Profile
) -> None:
    graph = Exploration(lambda: setting.world(profile)).run()
    for state, world in enumerate(graph.worlds):
        way = graph.way_to(state)
        if "leave" in way:
            continue
        client = SoundClient(profile, setting.attached, setting.remembers)
        for move in way:
            client.move(move)
        assert seen_in(client) == seen_of(world), way
        if setting.remembers:
            assert client.heard == world.facts.heard, way
