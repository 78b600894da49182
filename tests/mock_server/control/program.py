"""`arkor-mock control` as a process, and clients of the backend that it serves."""

import json
import socket
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Self
from urllib.parse import urlsplit

from attrs import define, field

from mock_server.strict.shapes import is_table
from tests.mock_server.rawclient import Answer, request_bytes

COMMAND = [sys.executable, "-m", "mock_server", "control"]
PATIENCE = 20


@define
class Program:
    """One process, as its parent sees it."""

    process: subprocess.Popen[bytes]
    _asked: int = field(default=0, init=False)
    hello: Mapping[str, object] = field(factory=dict[str, object], init=False)

    def say(self, line: str | bytes) -> None:
        """Write one line to its stdin."""
        assert self.process.stdin is not None
        data = line.encode() if isinstance(line, str) else line
        self.process.stdin.write(data + b"\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, object]:
        """Read one line of its stdout."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the program has ended"
        found: dict[str, object] = json.loads(line)
        return found

    def send(self, do: str, **words: object) -> int:
        """Send a command; return its id."""
        self._asked += 1
        self.say(json.dumps({"id": self._asked, "do": do, **words}))
        return self._asked

    def ask(self, do: str, **words: object) -> Mapping[str, object]:
        """Send a command and return its answer, which must be `ok`."""
        number = self.send(do, **words)
        answer = self.hear()
        assert answer["re"] == number
        assert "ok" in answer, answer
        found = answer["ok"]
        assert is_table(found)
        return found

    def refused(self, do: str, **words: object) -> str:
        """Send a command that must fail; return the message."""
        number = self.send(do, **words)
        answer = self.hear()
        assert answer["re"] == number
        return message_of(answer)

    def greet(self) -> Mapping[str, object]:
        """Say hello, and keep the answer."""
        self.hello = self.ask("hello", protocol="arkor-control/1")
        return self.hello

    def job(self) -> str:
        """Make a job."""
        return str(self.ask("job")["id"])

    def ended(self) -> int:
        """Wait for the end; return the exit status."""
        return self.process.wait(PATIENCE)

    def stream(self, job: str, **headers: str) -> "Client":
        """Open the stream of a job."""
        client = Client.of(self)
        client.send(f"/v1/jobs/{job}/events/stream", headers)
        return client

    def get(self, path: str, **headers: str) -> Answer:
        """Send a GET on a connection of its own, and read the answer to its end."""
        with Client.of(self) as client:
            client.send(path, {"Connection": "close", **headers})
            return client.answer()


def message_of(answer: Mapping[str, object]) -> str:
    """Return the message of an answer that is an error."""
    error = answer["error"]
    assert is_table(error)
    assert set(answer) == {"re", "error"}
    assert set(error) == {"message"}
    return str(error["message"])


@contextmanager
def program(*arguments: str) -> Generator[Program]:
    """Start the program, and stop it after the test; it must not have written to stderr."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        try:
            yield Program(process)
            if process.stdin is not None:
                process.stdin.close()
            assert process.wait(PATIENCE) is not None
            assert process.stderr is not None
            assert process.stderr.read() == b""
        finally:
            process.kill()


@define
class Client:
    """One connection to the backend of a program."""

    _of: Program
    _socket: socket.socket
    _buffer: bytes = field(default=b"", init=False)

    @classmethod
    def of(cls, program: Program) -> Self:
        """Connect."""
        address = urlsplit(str(program.hello["base_url"]))
        return cls(program, socket.create_connection((address.hostname, address.port), PATIENCE))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, path: str, headers: Mapping[str, str]) -> None:
        """Send a GET, by the tenant of the program unless the headers name another."""
        hello = self._of.hello
        given = {"Authorization": f"Bearer {hello['token']}"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        query = f"?orgSlug={hello['org']}&projectSlug={hello['project']}"
        self._socket.sendall(request_bytes("GET", path + query, given))

    def until(self, mark: bytes) -> bytes:
        """Read up to a mark."""
        while mark not in self._buffer:
            data = self._socket.recv(65_536)
            assert data, f"the connection ended before {mark!r}: {self._buffer!r}"
            self._buffer += data
        found, _, self._buffer = self._buffer.partition(mark)
        return found + mark

    def rest(self) -> tuple[bytes, str]:
        """Read to the end; return also whether it was FIN or RST."""
        found, self._buffer = self._buffer, b""
        while True:
            try:
                data = self._socket.recv(65_536)
            except ConnectionResetError:
                return found, "rst"
            if not data:
                return found, "fin"
            found += data

    def answer(self) -> Answer:
        """Read an answer to the end of the connection."""
        head, mark, body = self.rest()[0].partition(b"\r\n\r\n")
        return Answer((head + mark).decode(), body, None)
