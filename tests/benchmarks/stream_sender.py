"""A process that sends the same event stream on every connection.

`python -m tests.benchmarks.stream_sender NAME SIZE PAUSE` prints its port, then sends the workload
NAME of SIZE bytes on each connection, with PAUSE seconds between two chunks.
"""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from attrs import frozen

from tests.benchmarks.workloads import Workload, workloads

HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
END: Final = b'id: end\ndata: {"type":"training.completed"}\n\n'


@frozen
class Stream:
    """The stream to send: a workload, its size in bytes, and the seconds between its chunks."""

    workload: str
    size: int
    pause: float = 0.0

    def load(self) -> Workload:
        """Return the workload."""
        return next(each for each in workloads(self.size) if each.name == self.workload)

    @property
    def events(self) -> int:
        """The number of events before the one that ends the job."""
        return self.load().events


@contextmanager
def sending(stream: Stream) -> Generator[str, None, None]:
    """Run a process that sends `stream` on every connection, and yield its base URL."""
    arguments = [stream.workload, str(stream.size), str(stream.pause)]
    command = [sys.executable, "-m", "tests.benchmarks.stream_sender", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sender:
        try:
            assert sender.stdout is not None  # asked for above
            yield f"http://127.0.0.1:{int(sender.stdout.readline())}"
        finally:
            sender.kill()


def _chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _answer(accepted: socket.socket, chunks: Sequence[bytes], pause: float) -> None:
    with accepted, suppress(ConnectionError):  # the reader may close early
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        accepted.recv(65_536)
        accepted.sendall(HEAD)
        for piece in chunks:
            accepted.sendall(piece)
            if pause:
                time.sleep(pause)
        accepted.sendall(_chunk(END) + b"0\r\n\r\n")
        accepted.shutdown(socket.SHUT_WR)
        accepted.recv(65_536)


def main(stream: Stream) -> None:
    """Send until killed."""
    chunks = [_chunk(piece) for piece in stream.load().chunks]
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            accepted, _ = listener.accept()
            answering = (accepted, chunks, stream.pause)
            threading.Thread(target=_answer, args=answering, daemon=True).start()


if __name__ == "__main__":
    main(Stream(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
