"""A proxy between the kit and a real driver, which it starts: `between.py WAY DRIVER…`.

It hides what the client does wrong, or inserts text that a terminal must not receive.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

Value: TypeAlias = "str | float | bool | list[Value] | dict[str, Value] | None"
Message: TypeAlias = dict[str, Value]
HOSTILE: Final = "\x1b[2J\x1b]0;pwned\x07\x9b31m\x00\x08\r\u202eabc\u2066\u200b\u2028\ufeff\ud800\U000e0041\u3164"
"""Clears the screen, sets the window title, rings the bell, reverses text and hides some of it."""


class Between:
    """Passes lines on in both directions, and changes some of them."""

    def __init__(self, way: str, command: Sequence[str]) -> None:
        self.way, _, self.what = way.partition(":")
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.asked: dict[Value, str] = {}
        self.case = ""
        self.lock = threading.Lock()

    def run(self) -> None:
        """Pass lines on until the kit is done."""
        reader = threading.Thread(target=self.back, daemon=True)
        reader.start()
        assert self.child.stdin is not None
        for line in sys.stdin.buffer:
            message: Message = json.loads(line)
            self.asked[message.get("id")] = str(message["do"])
            if message["do"] == "open":
                self.case = str(message["case"])
            if (refusal := self.refusal(message)) is not None:
                self.say({"re": message["id"], "error": refusal})
                continue
            self.child.stdin.write(line)
            self.child.stdin.flush()
        self.child.stdin.close()
        reader.join(5)

    def refusal(self, message: Message) -> Message | None:
        """Return the refusal of a command, if it is refused."""
        does = str(message["do"])
        if self.way == "unsupported" and does == self.what:
            return {"kind": "unsupported", "message": "not here"}
        if self.way == "supports-nothing" and does in {"start", "wait", "cancel", "abort"}:
            return {"kind": "unsupported", "message": "not here"}
        if self.way == "opens-no" and does == "open" and self.what in self.case:
            return {"kind": "other", "message": "this one I do not like"}
        if self.way == "dies-in" and does == self.what:
            self.child.kill()
            sys.exit(9)
        return None

    def back(self) -> None:
        """Pass on what the driver prints."""
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self.say(self.changed(json.loads(line)))

    def changed(self, message: Message) -> Message:
        """Return what the kit gets instead of a message."""
        asked = self.asked.get(message.get("re"))
        ok = message.get("ok")
        if asked == "hello" and isinstance(ok, dict):
            return {**message, "ok": self.hello(ok)}
        if self.way == "unsupported-in-the-end" and asked == "close" and "cancel" in self.case:
            return {"re": message["re"], "error": {"kind": "unsupported", "message": "after all"}}
        return self.hostile(message) if self.way == "hostile" else message

    def hello(self, ok: Mapping[str, Value]) -> Message:
        """Return the changed answer to `hello`."""
        capabilities = ok["capabilities"]
        assert isinstance(capabilities, list)
        match self.way:
            case "declares-no":
                return {**ok, "capabilities": [c for c in capabilities if c != self.what]}
            case "declares-nothing":
                return {**ok, "capabilities": []}
            case "declares-one-profile":
                return {**ok, "profiles": ["2026-05"]}
            case "declares-gaps":
                gaps: Message = dict.fromkeys(self.what.split(","), "known")
                return {**ok, "declared_gaps": gaps}
            case "hostile":
                gaps = {f"gap.{HOSTILE}": HOSTILE}
                names = {"impl": f"x\n2026-05  CONFORMS {HOSTILE}", "version": HOSTILE}
                return {**ok, **names, "declared_gaps": gaps}
            case _:
                return dict(ok)

    def hostile(self, message: Message) -> Message:
        """Return a message with control characters in every text."""
        sys.stderr.write(ascii(HOSTILE) + "\x1b[31m\x9b\x07\n")
        sys.stderr.flush()
        self.say({"event": "log", "text": HOSTILE})
        asked = self.asked.get(message.get("re"))
        if asked in {"wait", "start", "cancel"}:
            if self.what == "fails":
                return {"re": message["re"], "error": {"kind": "other", "message": HOSTILE}}
            return {**message, "ok": {"job_id": HOSTILE, "job": {"id": HOSTILE, HOSTILE: HOSTILE}}}
        if message.get("event") == "callback":
            return {**message, "data": {HOSTILE: HOSTILE}}
        return message

    def say(self, message: Mapping[str, Value]) -> None:
        """Print one message."""
        with self.lock:
            sys.stdout.write(json.dumps(message) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    Between(sys.argv[1], sys.argv[2:]).run()
