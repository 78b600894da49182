"""A worker whose parser misbehaves at its second stream.

`python -m tests.benchmarks.planted_parser DEED`, where DEED is raise, hang, end or print.
"""

import os
import sys
import time
from collections.abc import Iterable

from tests.benchmarks.peers.parsers import Parser, Row, ours
from tests.benchmarks.peers.worker import serve_parser

STREAMS = iter(range(100))


def _rows(chunks: Iterable[bytes], cursor: str) -> list[Row]:
    if next(STREAMS) == 1:
        match sys.argv[1]:
            case "raise":
                raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "as some do")
            case "hang":
                time.sleep(600)
            case "end":
                os._exit(3)
            case _:
                sys.stdout.write("as some do\n")
    return ours().rows(chunks, cursor)


if __name__ == "__main__":
    serve_parser(Parser("planted", "1", ours().read, _rows, resumes=True))
