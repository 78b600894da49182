# ruff: noqa: RUF009 - Fault declares an attribute, as attrs.field() does
"""Frame faults: they change the bytes, number or order of frames, or cut frames into pieces."""

from typing import Final

from attrs import frozen

from mock_server.scenario.frames import render
from mock_server.scenario.vocabulary import FRAME, FRAMES, Capability, ScriptedFrame
from mock_server.scenario.words.declaring import (
    Fault,
    Phrased,
    Told,
    quoted,
)
from mock_server.strict.alternatives import converted
from mock_server.strict.shapes import choice, count_of, either, flag, integer
from mock_server.strict.words import table, word


class Damage(Phrased):
    """How the bytes of a frame are corrupted."""

    BITS = "bits", "flips a bit in"
    UTF8 = "utf8", "puts a byte that is not valid UTF-8 into"
    JSON = "json", "cuts off the last byte of"


class SliceAt(Phrased):
    """Where a frame is cut into pieces, if not after every n bytes."""

    MID_UTF8 = "mid_utf8", "between the bytes of each non-ASCII character"
    MID_CRLF = "mid_crlf", "between CR and LF"
    RANDOM = "random", "at random places"


class LineEnding(Phrased):
    """How the lines of a frame end."""

    LF = "lf", "LF"
    CRLF = "crlf", "CR LF"
    CR = "cr", "CR"


@frozen(kw_only=True)
class Insert:
    """Frames to insert before and after a selected frame."""

    before: tuple[ScriptedFrame, ...] = word(FRAMES, "frames before it", default=())
    after: tuple[ScriptedFrame, ...] = word(FRAMES, "frames after it", default=())


_INSERT: Final = table(Insert, "{before = [...], after = [...]}")


_INSERTION: Final = converted(
    either(FRAMES, _INSERT),
    lambda found, _: found if isinstance(found, Insert) else Insert(before=found),
)
_COPIES: Final = converted(
    either(flag(), integer(0, 1000)),
    lambda count, _: int(count),
    "true (which means 1) or a whole number",
)


def _replace(scripted: ScriptedFrame, told: Told) -> str:
    raw = render(scripted).raw.decode("utf-8", "backslashreplace")
    return f"replaces {told.frames} with {quoted(raw)}"


def _inject(insert: Insert, told: Told) -> str:
    parts = [
        f"sends {count_of(len(frames), 'extra frame')} {where} {told.frames}"
        for frames, where in ((insert.before, "before"), (insert.after, "after"))
        if frames
    ]
    return " and ".join(parts)


def _slice(how: int | SliceAt, told: Told) -> str:
    if isinstance(how, SliceAt):
        return f"cuts {told.frames} {how.phrase}"
    return f"sends {told.frames} in pieces of {count_of(how, 'byte')}"


@frozen(kw_only=True)
class FrameFault:
    """What happens to all frames of a response, or only to the ones that `on` picks."""

    bom: bool = Fault(
        flag(),
        "whether the stream begins with a byte order mark",
        needs=Capability.FRAME,
        example='on = {route = "stream"}\nbom = true',
        phrase=lambda _, __: "begins the stream with a byte order mark",
        not_with=("lose",),
        rewrites=True,
    ).default(value=False)
    drop: bool = Fault(
        flag(),
        "whether the frame is dropped instead of sent",
        needs=Capability.FRAME,
        example='on = {route = "stream", id = "3"}\ndrop = true',
        phrase=lambda _, told: f"drops {told.frames}",
        per_frame=True,
        rewrites=True,
    ).default(value=False)
    duplicate: int = Fault(
        _COPIES,
        "how many extra copies of the frame are sent",
        needs=Capability.FRAME,
        example='on = {route = "stream", id = "3"}\nduplicate = 2',
        phrase=lambda count, told: f"sends {told.frames} {count_of(count, 'time')} more",
        per_frame=True,
        rewrites=True,
    ).default(0)
    reorder: int = Fault(
        _COPIES,
        "how many of the following frames are sent before this one",
        needs=Capability.FRAME,
        example='on = {route = "stream", frame = 2}\nreorder = true',
        phrase=lambda count, told: f"holds {told.frames} back for {count_of(count, 'other frame')}",
        per_frame=True,
    ).default(0)
    corrupt: Damage | None = Fault(
        choice(Damage),
        "how the frame's data is damaged; for bits and utf8, the seed determines the position",
        needs=Capability.FRAME,
        example='on = {route = "stream", frame = 2}\ncorrupt = "json"',
        phrase=lambda damage, told: f"{damage.phrase} {told.frames}'s data",
        per_frame=True,
        rewrites=True,
    ).optional()
    replace: ScriptedFrame | None = Fault(
        FRAME,
        "the frame to send instead of the original one",
        needs=Capability.FRAME,
        example='on = {route = "stream", last = true}\nreplace = {event = "end", data = "{}"}',
        phrase=_replace,
        per_frame=True,
        rewrites=True,
    ).optional()
    inject: Insert | None = Fault(
        _INSERTION,
        "frames to send before or after the frame; a plain array is sent before it",
        needs=Capability.FRAME,
        example='on = {route = "stream", frame = 2}\ninject = [{comment = "keep-alive"}]',
        phrase=_inject,
        per_frame=True,
        rewrites=True,
    ).optional()
    strip_id: bool = Fault(
        flag(),
        "whether the id field of the frame is removed",
        needs=Capability.FRAME,
        example='on = {route = "stream", frame = "1-"}\nstrip_id = true',
        phrase=lambda _, told: f"removes the id from {told.frames}",
        per_frame=True,
        rewrites=True,
    ).default(value=False)
    line_ending: LineEnding | None = Fault(
        choice(LineEnding),
        "how each line of the frame ends",
        needs=Capability.FRAME,
        example='on = {route = "stream", frame = "1-"}\nline_ending = "cr"',
        phrase=lambda ending, told: f"ends each line of {told.frames} with {ending.phrase}",
        per_frame=True,
        rewrites=True,
    ).optional()
    slice: int | SliceAt | None = Fault(
        either(integer(1, 1 << 20), choice(SliceAt)),
        "how the frame is split: into pieces of n bytes, between the bytes of each non-ASCII "
        "character, between CR and LF, or at random places",
        needs=Capability.FRAME,
        example='on = {route = "stream", frame = "1-"}\nslice = "mid_utf8"',
        phrase=_slice,
        per_frame=True,
        paces=True,
    ).optional()
    coalesce: int | None = Fault(
        integer(2, 10_000),
        "how many frames are sent in one write",
        needs=Capability.FRAME,
        example='on = {route = "stream"}\ncoalesce = 10',
        phrase=lambda count, _: f"sends {count} frames in one write",
    ).optional()
    hold_bytes: int | None = Fault(
        integer(1, 1 << 30),
        "how many bytes to collect before sending them, as a buffering proxy does; the end "
        "of the body flushes the buffer, but a pause between frames does not",
        needs=Capability.FRAME,
        example='on = {route = "stream"}\nhold_bytes = 4096',
        phrase=lambda size, _: (
            f"buffers the body and sends at least {count_of(size, 'byte')} at a time"
        ),
    ).optional()
    rate: int | None = Fault(
        integer(1, 1 << 30),
        "the maximum number of bytes of the body that are sent per second",
        needs=Capability.FRAME,
        example='on = {route = "stream"}\nrate = 1000',
        phrase=lambda rate, _: f"sends at most {count_of(rate, 'byte')} per second",
        paces=True,
    ).optional()
