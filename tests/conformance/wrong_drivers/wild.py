"""A driver that prints too much, does not exit, or prints nonsense: `wild.py FAULT [FILE [READY]]`.

It has no client: every operation succeeds without a request.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

HELLO: Mapping[str, object] = {
    "impl": "wild",
    "version": "0",
    "profiles": ["2026-05"],
    "capabilities": ["clock.virtual", "abort", "cancel", "concurrent", "config.backoff"],
}
LINES: Mapping[str, bytes] = {
    "deep": b'{"event": "log", "text": ' + b"[" * 5_000 + b"]" * 5_000 + b"}\n",
    "very-deep": b"[" * 100_000 + b"\n",
    "deep-data": b'{"event": "callback", "name": "log", "data": '
    + b'{"a":' * 5_000
    + b"1"
    + b"}" * 5_001
    + b"\n",
    "huge-re": b'{"re": ' + b"9" * 400 + b', "ok": {}}\n',
    "huger-re": b'{"re": ' + b"9" * 5_000 + b', "ok": {}}\n',
    "huge-n": b'{"event": "sleep", "n": ' + b"9" * 400 + b', "ms": 1}\n',
    "boolean-ms": b'{"event": "sleep", "n": 1, "ms": true}\n',
    "bad-utf-8": b'{"event": "log", "text": "\xff"}\n',
    "nul": b"\0\0\0\n",
    "byte-order-mark": b'\xef\xbb\xbf{"event": "log", "text": "x"}\n',
    "utf-16": '{"event": "log"}\n'.encode("utf-16"),
    "long": b'{"event": "log", "text": "' + b"x" * (17 * 2**20) + b'"}\n',
}
"""Invalid lines, printed when the kit calls `start`."""


def say(message: Mapping[str, object]) -> None:
    write(json.dumps(message).encode() + b"\n")


def write(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def fault_at_start(fault: str, file: str) -> None:  # noqa: C901 - one arm per fault
    match fault:
        case "logs-before-hello":
            while True:
                say({"event": "log", "text": "still loading"})
                time.sleep(0.02)
        case "floods-before-hello":
            while True:
                write(b'{"event": "log", "text": "still loading"}\n' * 1_000)
        case "floods-stderr-before-hello":
            while True:
                sys.stderr.write("still loading\n" * 1_000)
        case "tells-much-and-dies":
            sys.stderr.write("the first line\n" + "a line\n" * 20_000 + "the last line\n")
            sys.exit(3)
        case "leaves-a-child-and-dies":
            child = subprocess.Popen(
                [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
            )
            Path(file).write_text(str(child.pid))
            sys.exit(9)
        case "is-stubborn" | "dies-with-a-child" | "drops-the-mark":
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            environment: dict[str, str] | None = {} if fault == "drops-the-mark" else None
            child = subprocess.Popen(
                [sys.executable, "-c", "import time; time.sleep(600)"],
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
            Path(file).write_text(f"{os.getpid()} {child.pid}")
        case _:
            pass


def hello(fault: str) -> Mapping[str, object]:
    match fault:
        case "has-a-surrogate-in-its-name":
            return {**HELLO, "impl": "wi\ud800ld\x1b[31m"}
        case "declares-an-unknown-gap":
            return {**HELLO, "declared_gaps": {"create.acceptedd": "not yet"}}
        case "hangs-where-it-says-so":
            known = {f"create.accepted[{status}]": "hangs" for status in (200, 201, 202)}
            return {**HELLO, "declared_gaps": known}
        case "announces-undeclared" | "waits-undeclared":
            return {**HELLO, "capabilities": ["abort", "cancel", "concurrent", "config.backoff"]}
        case _:
            return HELLO


def fault_in_start(fault: str) -> None:  # noqa: C901, PLR0912 - one arm per fault
    if fault in LINES:
        write(LINES[fault])
    if fault.startswith("sleeps "):
        write(b'{"event": "sleep", "n": 1, "ms": ' + fault.split()[1].encode() + b"}\n")
    match fault:
        case "logs-without-end":
            while True:
                say({"event": "log", "text": "still here"})
                time.sleep(0.02)
        case "calls-back-fast-without-end":
            while True:
                say({"event": "callback", "name": "log", "data": {}})
        case "logs-much":
            for _ in range(30):
                write(b'{"event": "log", "text": "' + b"x" * 15_000_000 + b'"}\n')
        case "calls-back-much":
            for _ in range(30):
                data = b'{"a": "' + b"x" * 4_000_000 + b'"}'
                write(b'{"event": "callback", "name": "log", "data": ' + data + b"}\n")
        case "calls-back-without-end":
            while True:
                say({"event": "callback", "name": "log", "data": {}})
                time.sleep(0.02)
        case "sleeps-without-end":
            for n in range(1, 1_000_000):
                say({"event": "sleep", "n": n, "ms": 1})
                time.sleep(0.02)
        case "spins":
            while True:
                pass
        case "ends-lines-with-crlf":
            write(b'{"event": "log", "text": "x"}\r\n')
        case "announces-undeclared" | "waits-undeclared":
            say({"event": "sleep", "n": 1, "ms": 1_000})
            if fault == "waits-undeclared":
                time.sleep(600)
            say({"event": "sleep_end", "n": 1, "why": "woken"})
        case "crashes":
            sys.exit(139)
        case "ends-by-a-signal-without-a-name":
            os.kill(os.getpid(), 40)
        case "hangs" | "hangs-where-it-says-so":
            time.sleep(600)
        case _:
            pass


def main(fault: str, file: str = "", ready: str = "") -> None:
    fault_at_start(fault, file)
    for line in sys.stdin:
        command = json.loads(line)
        number = command.get("id")
        match command["do"]:
            case "hello":
                say({"re": number, "ok": hello(fault)})
            case "start":
                fault_in_start(fault)
                say({"re": number, "ok": {"job_id": "job-1"}})
            case "wait" | "cancel" if fault == "is-stubborn" and ready:
                # This is never answered; the test may tell the kit to end now.
                Path(ready).write_text("waits")
            case _ if number is not None:
                say({"re": number, "ok": {}})
            case _:
                pass
    if fault == "is-stubborn":
        time.sleep(600)


if __name__ == "__main__":
    main(*sys.argv[1:])
