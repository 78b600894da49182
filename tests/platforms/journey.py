"""What must work on every platform, tried in one process that pretends to be on another one."""

import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import anyio

import arkor_proto
from arkor_proto import ReconnectPolicy
from arkor_proto.transports.blocking import ArkorClient
from mock_server import MockServer, ScenarioError, scenario_from_toml
from mock_server.durable import AppendOnly, is_locked, read_regular, write_whole
from mock_server.net.kernel import LINGER_ZERO, Peer, peer_of
from mock_server.net.wire import Wire
from mock_server.testing.sync import start_portal

FAULTS = """
schema = 1
[[job]]
id = "job-1"
submitted = true
[[rule]]
on = {route = "stream", attempt = 1}
end = "rst"
after = {frames = 2}
[[rule]]
on = {route = "stream", attempt = 2}
end = "fin"
after = {frames = 1}
listener = "down"
listener_ms = 60
"""


def the_core_reads_a_stream() -> None:
    parser = arkor_proto.EventStreamParser()
    assert len([*parser.feed(b"id: 1\ndata: {}\n\n")]) == 1


def a_job_is_followed_through_a_reset_and_an_outage() -> None:
    with start_portal() as portal:
        mock = MockServer(scenario_from_toml(FAULTS))
        with (
            portal.wrap_async_context_manager(mock),
            ArkorClient(
                mock.base_url, token="t", policy=ReconnectPolicy(initial_delay=0.02)
            ) as client,
        ):
            assert client.attach("job-1").wait().job.status == "completed"


def refusal(act: Callable[[], object]) -> str:
    """Return why something is refused."""
    try:
        act()
    except (ScenarioError, OSError) as error:
        return str(error)
    return ""


def a_fault_that_is_impossible_here_is_refused() -> None:
    faults = scenario_from_toml('[[rule]]\non = {attempt = 1}\nlistener = "blackhole"\n')
    named = f"lacks it on {sys.platform}" if sys.platform != "linux" else ""
    assert refusal(partial(MockServer, faults)).endswith(named)
    mock = MockServer()
    assert (sys.platform in refusal(mock.addresses.blackhole_url)) is bool(named)
    mock.addresses.close()


def the_loop_that_cannot_do_it_is_named() -> None:
    async def serve() -> None:
        async with MockServer():
            pass

    if sys.platform == "win32":
        try:
            anyio.run(serve)
        except RuntimeError as error:
            assert "ProactorEventLoop; use asyncio.SelectorEventLoop" in str(error)  # noqa: PT017
        else:
            raise AssertionError("it was accepted")


def the_end_of_an_unread_connection_is_seen_as_far_as_possible() -> None:
    for linger, seen in ((None, Peer.FIN), (LINGER_ZERO, Peer.RST)):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            client = socket.create_connection(listening.getsockname())
            accepted, _ = listening.accept()
            with accepted:
                client.sendall(b"never read")
                assert peer_of(accepted) is Peer.THERE
                if linger is not None:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                client.close()
                time.sleep(0.05)
                unseen = sys.platform == "win32" and seen is Peer.FIN
                assert peer_of(accepted) is (Peer.THERE if unseen else seen)


def what_was_sent_arrives_before_the_reset() -> None:
    with ExitStack() as inside, start_portal() as portal:
        listening = inside.enter_context(socket.create_server(("127.0.0.1", 0)))
        client = inside.enter_context(socket.create_connection(listening.getsockname()))
        wire = Wire(listening.accept()[0])
        portal.call(wire.send, b"all of it")
        portal.call(wire.drain)
        portal.call(wire.close)
        assert client.recv(100) == b"all of it"


def a_recording_is_locked_while_it_is_written(folder: Path) -> None:
    path = folder / "tape"
    tape = AppendOnly.create(path)
    tape.add(b"a line\n")
    assert tape.is_whole
    assert is_locked(path)
    tape.close()
    assert not is_locked(path)
    assert read_regular(path, 100) == b"a line\n"
    write_whole(path, "another\n")
    assert path.read_bytes() == b"another\n"


if __name__ == "__main__":
    the_core_reads_a_stream()
    a_job_is_followed_through_a_reset_and_an_outage()
    a_fault_that_is_impossible_here_is_refused()
    the_loop_that_cannot_do_it_is_named()
    the_end_of_an_unread_connection_is_seen_as_far_as_possible()
    what_was_sent_arrives_before_the_reset()
    a_recording_is_locked_while_it_is_written(Path(sys.argv[1]))
