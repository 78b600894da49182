"""A control program with one mistake: `python -m … MISTAKE [URL]`; without a URL, no backend is there."""

import json
import sys
import time
from typing import Final

HELLO: Final[dict[str, object]] = {
    "impl": "wrong",
    "version": "1",
    "words": ["job", "emit"],
    "base_url": "http://127.0.0.1:9",
    "token": "tok-of-a-wrong-control-program",
}
WRONG: Final[dict[str, dict[str, object]]] = {
    "no impl": {"version": "1", "words": []},
    "strange word": {**HELLO, "words": ["fly"]},
    "no token": {**HELLO, "token": ""},
    "token with a space": {**HELLO, "token": "two words"},
    "wrong base_url": {**HELLO, "base_url": "ftp://x"},
    "no base_url": {**HELLO, "base_url": ""},
    "away": HELLO,
}

GARBAGE: Final = {"garbage": "Server started!", "a list": "[1]"}
ANSWERS: Final[dict[str, dict[str, object]]] = {
    "refuses": {"error": {"message": "no such job"}},
    "no ok": {"fine": {}},
}


def main(mistake: str, url: str = "") -> None:
    """Answer each command, with the mistake."""
    if mistake == "dies at once":
        sys.exit("no module named backend")
    here = {"base_url": url} if url else {}
    for line in sys.stdin:
        command = json.loads(line)
        number, do = command["id"], command["do"]
        if do == "hello":
            if mistake in GARBAGE:
                say(GARBAGE[mistake])
            say(json.dumps({"re": number, "ok": {**WRONG.get(mistake, HELLO), **here}}))
        elif do == "bye":
            say(json.dumps({"re": number, "ok": {}}))
            return
        else:
            answer(number, mistake)


def answer(number: int, mistake: str) -> None:
    """Answer a command that is neither hello nor bye."""
    if mistake == "dies":
        sys.stderr.write("first line\n")
        sys.exit("out of memory")
    if mistake == "hangs":
        time.sleep(60)
    if mistake == "late":
        time.sleep(0.3)
    say(json.dumps({"re": number, **ANSWERS.get(mistake, {"ok": HELLO})}))


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
