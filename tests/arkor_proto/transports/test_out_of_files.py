"""A process that has no file descriptor left: every call raises the library's own error."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import pytest
from anyio import to_thread

from arkor_proto import GaveUp, TransportError
from arkor_proto._calls import chat_request
from arkor_proto.transports import anyio as asynchronous
from arkor_proto.transports import blocking
from mock_server import ConnectionOpened
from tests.arkor_proto.blocking import fixtures_blocking
from tests.arkor_proto.transports import fixtures_anyio
from tests.arkor_proto.transports.peer import refused
from tests.arkor_proto.wire_samples import ENDPOINT
from tests.few_files import few_files

CHAT: Final = chat_request(ENDPOINT, [], job_id="j", step=1)
SPARE: Final = pytest.mark.parametrize("spare", range(5))
"""How many more files there may be: each step of a call meets the limit in one of these."""

BLOCKING: Final[Mapping[str, Callable[[blocking.ArkorClient], object]]] = {
    "job": lambda client: client.job("j"),
    "me": lambda client: client.me(),
    "chat": lambda client: client.chat(CHAT, None),
    "start": lambda client: fixtures_blocking.trainer_of(client).start(),
    "wait": lambda client: client.attach("j").wait(),
    "cancel": lambda client: client.attach("j").cancel(),
}
ASYNCHRONOUS: Final[Mapping[str, Callable[[asynchronous.ArkorClient], Awaitable[object]]]] = {
    "job": lambda client: client.job("j"),
    "me": lambda client: client.me(),
    "chat": lambda client: client.chat(CHAT, None),
    "start": lambda client: fixtures_anyio.trainer_of(client).start(),
    "wait": lambda client: client.attach("j").wait(),
    "cancel": lambda client: client.attach("j").cancel(),
}


@SPARE
@pytest.mark.parametrize("call", BLOCKING)
def test_a_blocking_call_without_a_file_left_is_a_lost_connection(call: str, spare: int) -> None:
    with (
        fixtures_blocking.client_of(refused(), max_attempts=0) as client,
        few_files(spare),
        pytest.raises((TransportError, GaveUp), match=r"Too many open files|Connection refused"),
    ):
        BLOCKING[call](client)


@SPARE
@pytest.mark.anyio
@pytest.mark.usefixtures("nothing_is_left")
@pytest.mark.parametrize("call", ASYNCHRONOUS)
async def test_an_asynchronous_call_without_a_file_left_is_a_lost_connection(
    call: str, spare: int
) -> None:
    async with fixtures_anyio.client_of(refused(), max_attempts=0) as client:
        with (
            few_files(spare),
            pytest.raises((TransportError, GaveUp), match=r"Too many open|Connection refused"),
        ):
            await ASYNCHRONOUS[call](client)


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["anyio", "blocking"])
async def test_a_connection_is_used_again_without_a_file_left(kind: str) -> None:
    async with fixtures_anyio.serve(job=[{"id": "j", "submitted": True}]) as mock:
        if kind == "anyio":
            async with fixtures_anyio.client_of(mock.base_url) as client:
                await client.job("j")
                with few_files(0):
                    assert (await client.job("j")).id == "j"
        else:
            await to_thread.run_sync(_ask_twice, mock.base_url)
        opened = [each for each in mock.journal if isinstance(each, ConnectionOpened)]
        assert len(opened) == 1


def _ask_twice(base_url: str) -> None:
    with fixtures_blocking.client_of(base_url) as client:
        client.job("j")
        with few_files(
            12
        ):  # a call waits at a place of its own, and the backend is in this process
            assert client.job("j").id == "j"
