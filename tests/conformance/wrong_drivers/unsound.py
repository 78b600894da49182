"""A driver that speaks the protocol correctly except for the one fault that its argument names.

It has no client: every operation succeeds without a request.
"""

import json
import os
import socket
import sys
import time
from collections.abc import Mapping

HAUNTED = 200
"""The case that is played when the first one gets a late request."""
HELLO: Mapping[str, object] = {
    "impl": "unsound",
    "version": "0",
    "profiles": ["2026-05", "2026-07", "hardened"],
    "capabilities": ["clock.virtual", "abort", "cancel", "concurrent", "config.backoff"],
    "declared_gaps": {},
}


def say(message: Mapping[str, object]) -> None:
    write(json.dumps(message) + "\n")


def write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def fault_at_start(fault: str) -> None:
    match fault:
        case "exits-at-once":
            sys.stderr.write("I am going")
            sys.exit(7)
        case "prints-garbage-first":
            write("Welcome to my client, version 3!\n")
        case "prints-a-long-line-first":
            write("x" * 100_000_000)
        case "never-answers":
            time.sleep(600)
        case "closes-stdin-first":
            os.close(0)
            time.sleep(600)
        case _:
            pass


def answer_hello(fault: str, number: object) -> None:
    if fault == "refuses-hello":
        say({"re": number, "error": {"kind": "unsupported", "message": "I speak arkor-drive/9"}})
    elif fault == "says-hello-without-profiles":
        say({"re": number, "ok": {**HELLO, "profiles": []}})
    elif fault == "declares-one-profile":
        say({"re": number, "ok": {**HELLO, "profiles": ["2026-05"]}})
    elif fault == "no-back-off":
        say({"re": number, "ok": {**HELLO, "capabilities": ["clock.virtual"]}})
    elif fault == "claims-unknown-capability":
        say({"re": number, "ok": {**HELLO, "capabilities": ["telepathy"]}})
    else:
        say({"re": number, "ok": HELLO})


def fault_in_case(fault: str, number: int) -> None:  # noqa: C901 - one arm per fault
    match fault:
        case "exits-mid-case":
            sys.stderr.write("Segmentation fault")
            sys.exit(139)
        case "prints-garbage":
            write("DEBUG connecting\n")
        case "prints-a-long-line":
            write("x" * 100_000_000)
        case "never-answers-in-case":
            time.sleep(600)
        case "answers-twice":
            say({"re": number, "ok": {}})
        case "answers-for-another-case":
            say({"re": number + 1000, "ok": {}})
        case "closes-stdin":
            os.close(0)
            say({"re": number, "ok": {}})
            time.sleep(600)
        case "closes-stdout":
            os.close(1)
            time.sleep(600)
        case "talks-without-end":
            while True:
                say({"event": "log", "text": "still here"})
        case "says-an-unknown-event":
            say({"event": "telepathy"})
        case _:
            pass


def haunt(config: Mapping[str, str]) -> None:
    """Send a request for a case that is long over, with the token of that case."""
    host = config["base_url"].removeprefix("http://")
    bearer = f"Authorization: Bearer {config['token']}"
    name, _, port = host.partition(":")
    with socket.create_connection((name, int(port)), 5) as connection:
        connection.sendall(f"POST /v1/jobs HTTP/1.1\r\nHost: {host}\r\n{bearer}\r\n\r\n".encode())
        connection.recv(1)


def main(fault: str) -> None:
    fault_at_start(fault)
    opened: list[Mapping[str, str]] = []
    for line in sys.stdin:
        command = json.loads(line)
        match command["do"]:
            case "open":
                opened.append(command["config"])
                if fault == "haunts-the-first-case" and len(opened) == HAUNTED:
                    haunt(opened[0])
                if fault == "refuses-open":
                    refusal = {"kind": "unsupported", "message": "it follows alone"}
                    say({"re": command["id"], "error": refusal})
                else:
                    say({"re": command["id"], "ok": {}})
            case "hello":
                answer_hello(fault, command["id"])
            case "wake":
                if "id" in command:
                    say({"re": command["id"], "ok": {}})
            case "start":
                fault_in_case(fault, command["id"])
                say({"re": command["id"], "ok": {"job_id": "job-1"}})
            case _:
                say({"re": command["id"], "ok": {}})


if __name__ == "__main__":
    main(sys.argv[1])
