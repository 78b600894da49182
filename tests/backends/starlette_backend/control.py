"""The control program of this backend (`arkor-control/1`): JSON lines on stdin and stdout.

python -m tests.backends.starlette_backend.control [--naive]
"""

import asyncio
import json
import secrets
import socket
import struct
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from tests.backends.starlette_backend.app import Backend, Where
from tests.backends.starlette_backend.log import Log
from tests.backends.starlette_backend.server import open_streams, server

Message = dict[str, object]
OURS: Final[Where] = ("acme", "demo")
THEIRS: Final[Where] = ("other", "demo")
NOTE: Final = "käfer 𝄞"
"""Not ASCII, so that a proxy that cuts characters is noticed."""
RESET: Final = struct.pack("ii", 1, 0)
"""Makes a close send RST instead of FIN."""


class Control:
    """The backend that runs, and what may be done to it: a method for each command."""

    def __init__(self, file: Path, *, naive: bool) -> None:
        self._file, self._naive = file, naive
        self._listener = socket.create_server(("127.0.0.1", 0))  # keeps the port over a restart
        self._tokens: dict[str, set[Where]] = {
            secrets.token_hex(): {OURS},
            secrets.token_hex(): {THEIRS},
        }
        self._armed: set[str] = set()
        self._held: dict[str, tuple[asyncio.Event, asyncio.Event]] = {}
        words = (self.job, self.emit, self.finish, self.fail, self.drop, self.rotate, self.forget)
        self.words = [word.__name__ for word in (*words, self.hold, self.revoke)]
        parts = (self.hello, *words, self.hold, self.held, self.release, self.revoke)
        self.commands: dict[str, Callable[[Message], Awaitable[Message]]] = {
            command.__name__: command for command in parts
        }

    async def start(self) -> None:
        """Serve, with the log as it is in the file."""
        self._backend = Backend(Log(self._file), self._tokens, naive=self._naive)
        self._backend.before_live = self._gate
        self._server = server(self._backend)
        self._serving = asyncio.create_task(self._server.serve([self._listener.dup()]))
        while not self._server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Stop serving and cut what is still connected, such as a client that does not read."""
        self._server.should_exit = True
        await self._serving
        for connection in self._server.server_state.connections:
            connection.transport.abort()
        self._backend.log.close()

    async def hello(self, _: Message) -> Message:
        """Introduce the backend."""
        token, other = self._tokens
        port = self._listener.getsockname()[1]
        where = {"base_url": f"http://127.0.0.1:{port}", "org": OURS[0], "project": OURS[1]}
        where |= {"other_org": THEIRS[0], "other_project": THEIRS[1]}
        impl = "starlette-naive" if self._naive else "starlette"
        more = {"words": self.words, "token": token, "other_token": other, "keep": 10**6}
        return {"impl": impl, "version": "1", **where, **more}

    async def job(self, _: Message) -> Message:
        """Add a job that does nothing by itself."""
        return {"id": self._backend.log.create(OURS, "controlled", "{}", None, works=False).id}

    async def emit(self, asked: Message) -> Message:
        """Add events one by one; streams are served between them."""
        job, note = str(asked["job"]), NOTE + "x" * _number(asked, "bytes")
        ids = list[str]()
        for _ in range(_number(asked, "n")):
            step = self._backend.log.last(job)
            kind = "training.log" if step else "training.started"
            ids.append(self._append(job, {"type": kind, "step": step, "note": note}))
            await asyncio.sleep(0)
        return {"ids": ids}

    async def finish(self, asked: Message) -> Message:
        """Complete a job."""
        return {"id": self._append(str(asked["job"]), {"type": "training.completed"})}

    async def fail(self, asked: Message) -> Message:
        """Let a job fail."""
        event = {"type": "training.failed", "error": asked.get("error", NOTE)}
        return {"id": self._append(str(asked["job"]), event)}

    async def drop(self, asked: Message) -> Message:
        """Cut the streams of a job, without a last chunk."""
        streams = open_streams(self._server, str(asked["job"]))
        for transport in streams:
            if asked["how"] == "rst":
                plug = transport.get_extra_info("socket")
                plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            transport.abort()
        await asyncio.sleep(0)  # asyncio closes a socket in the next turn of its loop
        return {"dropped": len(streams)}

    async def rotate(self, _: Message) -> Message:
        """Restart."""
        await self.stop()
        await self.start()
        return {}

    async def forget(self, asked: Message) -> Message:
        """Delete all but the newest events of a job."""
        self._backend.log.forget(str(asked["job"]), _number(asked, "keep"))
        return {}

    async def hold(self, asked: Message) -> Message:
        """Arm the gate between the replay and the live phase of the next stream of a job."""
        self._held[str(asked["job"])] = asyncio.Event(), asyncio.Event()
        self._armed.add(str(asked["job"]))
        return {}

    async def held(self, asked: Message) -> Message:
        """Wait until a stream is at the gate."""
        await self._held[str(asked["job"])][0].wait()
        return {}

    async def release(self, asked: Message) -> Message:
        """Open the gate."""
        self._held[str(asked["job"])][1].set()
        self._armed.discard(str(asked["job"]))
        return {}

    async def revoke(self, asked: Message) -> Message:
        """No longer accept a token."""
        del self._tokens[str(asked["token"])]
        self._backend.wake_all()
        return {}

    def _append(self, job: str, event: Message) -> str:
        ident = self._backend.append(job, event)
        if ident is None:
            raise ValueError(f"{job}: the job is over or does not exist")
        return ident

    async def _gate(self, job: str) -> None:
        if job in self._armed:
            self._armed.remove(job)
            arrived, opened = self._held[job]
            arrived.set()
            await opened.wait()


def _number(asked: Message, name: str) -> int:
    value = asked.get(name, 0)
    if not isinstance(value, int):
        raise ValueError(f"{name}: {value!r} is not a number")  # noqa: TRY004 - what they sent
    return value


async def _main(*, naive: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        control = Control(Path(folder) / "log.sqlite", naive=naive)
        await control.start()

        async def answer(asked: Message) -> None:
            try:
                reply: Message = {"ok": await control.commands[str(asked["do"])](asked)}
            except (KeyError, ValueError) as error:
                reply = {"error": {"message": repr(error)}}
            print(json.dumps({"re": asked["id"], **reply}), flush=True)  # noqa: T201 - the protocol

        lines = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(lines)
        await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
        answers = set[asyncio.Task[None]]()
        while line := await lines.readline():
            asked = json.loads(line)
            if asked["do"] == "bye":
                print(json.dumps({"re": asked["id"], "ok": {}}), flush=True)  # noqa: T201
                break
            answers.add(asyncio.create_task(answer(asked)))
        for each in answers:
            each.cancel()
        await control.stop()


if __name__ == "__main__":
    asyncio.run(_main(naive="--naive" in sys.argv[1:]))
