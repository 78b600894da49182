"""Encode the frames of a scenario as the bytes to send."""

import re
from typing import Final

from arkor_proto import encode_event
from mock_server.scenario.vocabulary import ScriptedFrame
from mock_server.sse import Frame, frame_of
from mock_server.strict.json import compact

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


def render(scripted: ScriptedFrame) -> Frame:
    """Encode a scripted frame as the bytes to send."""
    if scripted.bytes_hex is not None:
        raw = scripted.bytes_hex
    elif scripted.raw is not None:
        raw = scripted.raw.encode()
    elif scripted.comment is not None:
        lines = _LINE_END.split(scripted.comment.encode())
        raw = b"".join(b": " + line + b"\n" for line in lines) + b"\n"
    else:
        raw = _encoded(scripted)
    return frame_of(raw, delay=scripted.delay, gate=scripted.gate)


def _encoded(scripted: ScriptedFrame) -> bytes:
    if scripted.json is None and scripted.data is None:
        return _fields_only(scripted)
    data = compact(scripted.json) if scripted.data is None else scripted.data
    return encode_event(
        data, type=scripted.event or "message", id=scripted.id, retry=scripted.retry
    )


def _fields_only(scripted: ScriptedFrame) -> bytes:
    """Encode a frame without data, which can move the cursor but dispatches no event."""
    named = {"event": scripted.event, "id": scripted.id, "retry": scripted.retry}
    lines = [f"{key}: {value}\n" for key, value in named.items() if value is not None]
    return ("".join(lines) + "\n").encode()
