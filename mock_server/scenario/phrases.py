"""What every fault does, in plain words.

It knows a phrase for each word of a rule. It refuses to know how the faults are done.
"""

from collections.abc import Callable, Mapping
from typing import Final

from mock_server.scenario.frames import render
from mock_server.scenario.gates import NEVER
from mock_server.scenario.model import Rule
from mock_server.scenario.vocabulary import (
    Accepting,
    After,
    Damage,
    Ending,
    Framing,
    Insert,
    LineEnding,
    Lost,
    Outage,
    Resume,
    ScriptedFrame,
    Shift,
    SliceAt,
    Stall,
    TlsFault,
)
from mock_server.strict.json import compact

_SHOWN: Final = 60
_ACCEPT: Final = {
    Accepting.RST: "resets the connection as soon as it is accepted",
    Accepting.FIN: "closes the connection as soon as it is accepted",
    Accepting.HANG: "accepts the connection and never says a word",
    Accepting.GARBAGE: "answers the connection with bytes that are no HTTP",
}
_TLS: Final = {
    TlsFault.HANG: "never answers the TLS handshake",
    TlsFault.GARBAGE: "answers the TLS handshake with bytes that are no TLS",
    TlsFault.NO_CLOSE_NOTIFY: "ends TLS without close_notify",
    TlsFault.BAD_CERTIFICATE: "shows a certificate that nobody vouches for",
}
_OUTAGE: Final = {
    Outage.DOWN: "afterwards the port refuses connections",
    Outage.BLACKHOLE: "afterwards the port swallows connections",
}
_LOST: Final = {
    Lost.REQUEST: "loses the request before it reaches the backend",
    Lost.RESPONSE: "lets the backend act on the request and loses its answer",
}
_FRAMING: Final = {
    Framing.CHUNKED: "sends the body in chunks",
    Framing.CLOSE: "tells the end of the body by closing the connection alone",
}
_DAMAGE: Final = {
    Damage.BITS: "flips a bit in the data of",
    Damage.UTF8: "puts a byte that is no UTF-8 into the data of",
    Damage.JSON: "cuts off the last character of the data of",
}
_CUT: Final = {
    SliceAt.MID_UTF8: "inside of its characters beyond ASCII",
    SliceAt.MID_CRLF: "between CR and LF",
    SliceAt.RANDOM: "at random places",
}
_LINE_ENDING: Final = {LineEnding.LF: "LF", LineEnding.CRLF: "CR LF", LineEnding.CR: "CR"}
_END: Final = {
    Ending.EOF: "ends the response politely",
    Ending.FIN: "closes the connection without ending the response (FIN)",
    Ending.RST: "resets the connection (RST)",
    Ending.HALF_CLOSE: "closes its half of the connection and goes on reading",
    Ending.BAD_CHUNK: "sends a chunk whose size is no number and closes the connection",
    Ending.SHORT_CHUNK: "closes the connection within a chunk",
    Ending.HANG: "says nothing more and leaves the connection open",
}


def count_of(number: int, noun: str) -> str:
    """Say a number of things."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def time_of(seconds: float) -> str:
    """Say a duration."""
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"


def quoted(text: str) -> str:
    """Show a text, its middle left out when it is long."""
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…")


def _frames(rule: Rule) -> str:
    return "the frame" if rule.on.picks_frames else "every frame"


def _delay(rule: Rule) -> str:
    spread = f", give or take {time_of(rule.jitter)}," if rule.jitter else ""
    return f"waits {time_of(rule.delay)}{spread} before the {_unit(rule)}"


def _jitter(rule: Rule) -> str:
    return "" if rule.delay else f"waits up to {time_of(rule.jitter)} before the {_unit(rule)}"


def _unit(rule: Rule) -> str:
    return "frame" if rule.on.picks_frames else "head"


def _headers(rule: Rule) -> str:
    headers = (rule.headers or {}).items()
    return " and ".join(_header(name, value) for name, value in headers)


def _header(name: str, value: str | tuple[str, ...]) -> str:
    values = (value,) if isinstance(value, str) else value
    if not values:
        return f"sends no header {name}"
    return " and ".join(f"sends the header {name}: {quoted(each)}" for each in values)


def _frame(scripted: ScriptedFrame) -> str:
    return quoted(render(scripted).raw.decode("utf-8", "backslashreplace"))


def _inject(rule: Rule) -> str:
    insert = rule.inject or Insert()
    parts = [
        f"sends {count_of(len(frames), 'frame')} of its own {where} {_frames(rule)}"
        for frames, where in ((insert.before, "before"), (insert.after, "after"))
        if frames
    ]
    return " and ".join(parts)


def _slice(rule: Rule) -> str:
    if isinstance(rule.slice, SliceAt):
        return f"cuts {_frames(rule)} {_CUT[rule.slice]}"
    return f"sends {_frames(rule)} in pieces of {count_of(rule.slice or 0, 'byte')}"


def _resume(rule: Rule) -> str:
    match rule.resume:
        case Shift(overlap=overlap, gap=0):
            return f"resumes {count_of(overlap, 'frame')} too early"
        case Shift(overlap=0, gap=gap):
            return f"skips {count_of(gap, 'frame')} at the resume"
        case Shift(overlap=overlap, gap=gap):
            return f"resumes {gap} frames too late and {overlap} too early"
        case Resume.IGNORE:
            return "ignores Last-Event-ID and sends everything again"
        case _:
            return "resumes strictly after Last-Event-ID"


def _point(after: After | None) -> str:
    if after is None:
        return ""
    parts = [f"{count_of(after.frames, 'frame')}"] if after.frames or after == After() else []
    parts += [f"{count_of(after.bytes, 'byte')} of the next"] if after.bytes else []
    parts += [f"the frame with the id {after.id!r}"] if after.id is not None else []
    parts += [f"a frame with the event {after.event!r}"] if after.event is not None else []
    return f"after {' and '.join(parts)} "


def _stall(rule: Rule) -> str:
    stall = rule.stall or Stall()
    where = _point(rule.after)
    if not where:
        where = "before the frame " if rule.on.picks_frames else "before the first frame "
    if stall.gate is not None:
        until = "for good" if stall.gate == NEVER else f"until the gate {stall.gate!r} opens"
        return f"{where}stalls {until}"
    return f"{where}stalls for {time_of(stall.seconds)}"


def _end(rule: Rule) -> str:
    how = _END[rule.end] if rule.end is not None else ""
    if rule.stall is not None and rule.after is not None:
        return f"then {how}"
    return f"{_point(rule.after)}{how}"


PHRASES: Final[Mapping[str, Callable[[Rule], str]]] = {
    "accept": lambda rule: _ACCEPT[rule.accept] if rule.accept else "",
    "tls": lambda rule: _TLS[rule.tls] if rule.tls else "",
    "lose": lambda rule: _LOST[rule.lose] if rule.lose else "",
    "slow_read": lambda rule: f"reads the request's body at {rule.slow_read} bytes per second",
    "delay_ms": _delay,
    "jitter_ms": _jitter,
    "early": lambda rule: f"sends early heads first: {', '.join(map(str, rule.early))}",
    "status": lambda rule: f"answers with the status {rule.status}",
    "reason": lambda rule: f"gives the reason {quoted(rule.reason or '')}",
    "redirect": lambda rule: f"sends the client on to {rule.redirect}",
    "retry_after": lambda rule: f"asks it to wait {rule.retry_after or 0:g} s (Retry-After)",
    "headers": _headers,
    "content_type": lambda rule: f"says that the body is {quoted(rule.content_type or '')}",
    "content_length": lambda rule: (
        f"says that the body has {' and '.join(map(str, rule.content_length))} bytes, true or not"
    ),
    "raw_head": lambda rule: f"sends this as the head: {quoted(rule.raw_head or '')}",
    "raw_head_hex": lambda rule: f"sends {len(rule.raw_head_hex or b'')} bytes as the head",
    "framing": lambda rule: _FRAMING[rule.framing] if rule.framing else "",
    "body": lambda rule: f"sends the body {quoted(rule.body or '')}",
    "body_hex": lambda rule: f"sends a body of {count_of(len(rule.body_hex or b''), 'byte')}",
    "json": lambda rule: f"sends the JSON {compact(rule.json)[:_SHOWN]}",
    "frames": lambda rule: (
        f"sends {count_of(len(rule.frames or ()), 'frame')} of its own, not the backend's"
    ),
    "resume": _resume,
    "bom": lambda _: "opens the stream with a byte order mark",
    "drop": lambda rule: f"drops {_frames(rule)}",
    "duplicate": lambda rule: f"sends {_frames(rule)} {count_of(rule.duplicate, 'time')} more",
    "reorder": lambda rule: (
        f"holds {_frames(rule)} back until {count_of(rule.reorder, 'other')} passed"
    ),
    "corrupt": lambda rule: f"{_DAMAGE[rule.corrupt]} {_frames(rule)}" if rule.corrupt else "",
    "replace": lambda rule: (
        f"replaces {_frames(rule)} by {_frame(rule.replace)}" if rule.replace else ""
    ),
    "inject": _inject,
    "strip_id": lambda rule: f"takes the id out of {_frames(rule)}",
    "line_ending": lambda rule: (
        f"ends the lines of {_frames(rule)} in {_LINE_ENDING[rule.line_ending or LineEnding.LF]}"
    ),
    "slice": _slice,
    "coalesce": lambda rule: f"sends {rule.coalesce} frames in one write",
    "rate": lambda rule: f"sends {rule.rate} bytes per second at most",
    "stall": _stall,
    "end": _end,
    "extra": lambda rule: f"sends {quoted(rule.extra or '')} after the end",
    "extra_hex": lambda rule: f"sends {count_of(len(rule.extra_hex or b''), 'byte')} after the end",
    "listener": lambda rule: (
        f"{_OUTAGE[rule.listener]} for {time_of(rule.listener_for)}" if rule.listener else ""
    ),
}
"""Every fault with its phrase, in the order in which the faults happen."""

FOLDED: Final = frozenset({"on", "name", "after", "listener_ms"})
"""Words that are said as a part of others."""


def acts_of(rule: Rule, said: Mapping[str, object]) -> list[str]:
    """Say what a rule does, one phrase for each fault that it names."""
    phrases = [phrase(rule) for word, phrase in PHRASES.items() if word in said]
    return [phrase for phrase in phrases if phrase]
