"""The process of one peer: it reads commands and writes replies, each a line of JSON.

`python -m tests.benchmarks.peers.worker parser NAME` runs a parser, `... client NAME` a client. A
peer may raise, hang or take all memory; this affects only its own process.
"""

import gc
import json
import logging
import os
import sys
import time
import tracemalloc
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TextIO, TypeAlias

from tests.benchmarks.peers import chunk_file
from tests.benchmarks.peers.known import parser_named
from tests.benchmarks.peers.parsers import Parser
from tests.benchmarks.peers.readers import Reader, readers

Answer: TypeAlias = Mapping[str, object]
Command: TypeAlias = Mapping[str, str]
_MOST_KEPT: Final = 2**25 - 2**16
"""The size of a block to free first. After that, glibc keeps the memory of smaller freed blocks;
otherwise only the largest streams would need new pages each time, and the curve would be too
steep."""
_LONGEST: Final = 70
"""The maximum number of characters of an error message."""


def _answer_of_the_parser(parser: Parser) -> Callable[[Command], Answer]:
    kept: dict[str, list[bytes]] = {}

    def chunks(path: str) -> list[bytes]:
        if path not in kept:
            kept.clear()
            kept[path] = chunk_file.read(Path(path))
            gc.collect()
        return kept[path]

    def answer(command: Command) -> Answer:
        match command["do"]:
            case "rows":
                given = [b64decode(chunk) for chunk in command["chunks"].split(",")]
                return {"rows": parser.rows(given, command["cursor"])}
            case "count":
                return {"events": len(parser.rows(chunks(command["path"]), ""))}
            case "settle":
                return {"bytes": len(bytes(_MOST_KEPT))}
            case "peak":
                return {"bytes": _peak(lambda: parser.read(chunks(command["path"])))}
            case _:
                stream = chunks(command["path"])
                began = time.thread_time()
                parser.read(stream)
                return {"seconds": time.thread_time() - began}

    return answer


def _answer_of_the_client(read: Reader) -> Callable[[Command], Answer]:
    def answer(command: Command) -> Answer:
        url = command["url"]
        if command["do"] == "peak":
            return {"bytes": _peak(lambda: read(url))}
        began, worked = time.perf_counter(), time.process_time()
        seen = read(url)
        cpu = time.process_time() - worked
        return {"seen": seen, "wall": time.perf_counter() - began, "cpu": cpu}

    return answer


def _peak(work: Callable[[], object]) -> int:
    """Return the peak of allocated bytes while `work` runs."""
    work()  # imports and caches of the first run must not count
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def serve(hello: Answer, answer: Callable[[Command], Answer]) -> None:
    """Write the greeting `hello`, then a reply to each line of standard input."""
    logging.disable()
    for text in _conversation(hello):
        try:
            told = answer(json.loads(text.line))
        except Exception as error:  # noqa: BLE001 - a peer may raise anything
            told = {"error": _in_a_line(error)}
        text.tell(told)


def _in_a_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    short = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    return f"{type(error).__name__}: {short}" if short else type(error).__name__


class _Line:
    """One command line, and the stream for its reply."""

    def __init__(self, line: str, out: TextIO) -> None:
        self.line = line
        self._out = out

    def tell(self, answer: Answer) -> None:
        self._out.write(json.dumps(answer) + "\n")
        self._out.flush()


def _conversation(hello: Answer) -> Iterator[_Line]:
    """Yield each command; what a peer prints goes to standard error instead of standard output."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as out:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        _Line("", out).tell(hello)
        for line in sys.stdin:
            yield _Line(line, out)


def serve_parser(parser: Parser) -> None:
    """Run the worker of this parser."""
    hello = {"version": parser.version, "resumes": parser.resumes, "counts_memory": True}
    serve(hello, _answer_of_the_parser(parser))


def main(arguments: Sequence[str]) -> None:
    """Run the worker of the peer that the arguments name."""
    kind, name = arguments
    if kind == "parser":
        serve_parser(parser_named(name))
    else:
        serve({}, _answer_of_the_client(readers()[name]))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
