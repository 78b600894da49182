"""Apply faults to the bytes of a frame, and cut a frame into pieces."""

import random
import re
from itertools import pairwise
from typing import Final

from attrs import evolve

from mock_server.scenario.frames import render
from mock_server.scenario.words.frame import Damage, FrameFault, LineEnding, SliceAt
from mock_server.sse import Frame, fields_of

_LINE: Final = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)?")
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_ID_LINE: Final = re.compile(rb"id(:.*)?", re.DOTALL)
_ENDINGS: Final = {LineEnding.LF: b"\n", LineEnding.CRLF: b"\r\n", LineEnding.CR: b"\r"}


def recast(fault: FrameFault, frame: Frame, rng: random.Random) -> Frame:
    """Make every change that a rule asks for in a frame's bytes; `rng` picks what to damage."""
    if fault.replace is not None:
        frame = render(fault.replace)
    raw = frame.raw
    if fault.strip_id:
        lines: list[bytes] = _LINE.findall(raw)
        raw = b"".join(x for x in lines if not _ID_LINE.fullmatch(x.rstrip(b"\r\n")))
    if fault.corrupt is not None:
        raw = _corrupted(fault.corrupt, raw, rng)
    if fault.line_ending is not None:
        ending = _ENDINGS[fault.line_ending]
        raw = _LINE_END.sub(lambda _: ending, raw)
    if raw is frame.raw:
        return frame
    return evolve(frame, raw=raw, id=fields_of(raw).id)


def _corrupted(damage: Damage, raw: bytes, rng: random.Random) -> bytes:
    """Damage the data of a frame without changing its line structure."""
    body = raw.rstrip(b"\r\n")
    start = max(body.rfind(b"\ndata:"), body.rfind(b"\rdata:")) + 1
    start = start + len(b"data:") if body.startswith(b"data:", start) else 0
    if start >= len(body):
        return raw
    at = rng.randrange(start, len(body))
    match damage:
        case Damage.UTF8:
            return raw[:at] + b"\xff" + raw[at:]
        case Damage.JSON:
            return body[:-1] + raw[len(body) :]
        case Damage.BITS:
            flips = [body[at] ^ (1 << bit) for bit in range(7)]
            flipped = rng.choice([byte for byte in flips if byte not in b"\r\n\0"])
            return raw[:at] + bytes([flipped]) + raw[at + 1 :]


def pieces_of(how: int | SliceAt, rng: random.Random, raw: bytes) -> tuple[bytes, ...]:
    """Cut a frame into the pieces in which it is sent."""
    if isinstance(how, int):
        return tuple(raw[at : at + how] for at in range(0, len(raw), how)) or (raw,)
    cuts = [0, *_cuts(how, raw, rng), len(raw)]
    return tuple(raw[a:b] for a, b in pairwise(cuts) if a < b) or (raw,)


def _cuts(how: SliceAt, raw: bytes, rng: random.Random) -> list[int]:
    match how:
        case SliceAt.MID_UTF8:
            return [at for at, byte in enumerate(raw) if byte & 0xC0 == 0x80]  # noqa: PLR2004 - RFC 3629
        case SliceAt.MID_CRLF:
            return [match.start() + 1 for match in re.finditer(rb"\r\n", raw)]
        case SliceAt.RANDOM:
            return sorted(at for at in range(1, len(raw)) if rng.random() < 0.2)  # noqa: PLR2004
