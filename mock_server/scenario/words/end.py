# ruff: noqa: RUF009 - Fault declares an attribute, as attrs.field() does
"""Faults at a point in a stream, at its end and after it; the fields hold times in seconds."""

from typing import Final

from attrs import frozen

from mock_server.scenario.vocabulary import MANY, Capability
from mock_server.scenario.words.declaring import (
    Fault,
    Phrased,
    Told,
    needs_of_values,
    quoted,
    time_of,
)
from mock_server.strict.shapes import ScenarioError, choice, count_of, integer, text
from mock_server.strict.values import hex_bytes, milliseconds
from mock_server.strict.words import table, word

NEVER: Final = "never"
"""A gate that never opens, for a stall that should last forever."""


class Ending(Phrased):
    """How the server ends a response, from the most to the least orderly."""

    EOF = "eof", "ends the response normally"
    FIN = "fin", "closes the connection without ending the response (FIN)", Capability.RAW
    RST = "rst", "resets the connection (RST)", Capability.RAW
    HALF_CLOSE = (
        "half_close",
        "closes its half of the connection and continues to read",
        Capability.RAW,
    )
    BAD_CHUNK = (
        "bad_chunk",
        "sends a chunk whose size is not a number and closes the connection",
        Capability.RAW,
    )
    SHORT_CHUNK = "short_chunk", "closes the connection in the middle of a chunk", Capability.RAW
    GARBAGE = (
        "garbage",
        "sends bytes that are neither HTTP nor TLS (even over TLS), and closes the connection",
        Capability.RAW,
    )
    TLS_ALERT = "tls_alert", "ends the TLS session with a fatal alert", Capability.TLS_RAW
    HANG = "hang", "stops sending and leaves the connection open", Capability.RAW


class Outage(Phrased):
    """What happens to the port for some time after an exchange."""

    DOWN = "down", "afterwards the port refuses connections"
    BLACKHOLE = (
        "blackhole",
        "afterwards the port leaves connection attempts unanswered",
        Capability.FULL_QUEUE,
    )


class IdleEnd(Phrased):
    """How an idle kept-alive connection ends."""

    FIN = "fin", "closes the idle connection (FIN)"
    RST = "rst", "resets the idle connection (RST)"
    TIMEOUT = "408", "sends an unsolicited 408 on the idle connection"


@frozen(kw_only=True)
class After:
    """The point in a stream at which a rule stalls or ends it."""

    frames: int = word(integer(0, MANY), "once this many frames have been sent", default=0)
    bytes: int = word(
        integer(0, 1 << 30), "once this many bytes of the next frame have been sent", default=0
    )
    id: str | None = word(text(), "once the frame with this id has been sent", default=None)
    event: str | None = word(
        text(), "once a frame whose event field has this value has been sent", default=None
    )


@frozen(kw_only=True)
class Stall:
    """A pause in a stream, either for a fixed time or until a gate opens."""

    seconds: float = word(milliseconds(), "for this long", default=0.0, name="ms")
    gate: str | None = word(
        text(100), "until this gate opens; a gate called `never` never opens", default=None
    )


def _check_stall(stall: Stall, where: str) -> None:
    """Refuse a stall that does not have exactly one of `ms` and `gate`."""
    if (stall.gate is None) == (stall.seconds == 0):
        raise ScenarioError(f"{where}: a stall needs either ms or gate, not both")


def point_of(after: After | None) -> str:
    """Describe the point that `after` names; return an empty string if there is no `after`."""
    if after is None:
        return ""
    parts = [f"{count_of(after.frames, 'frame')}"] if after.frames or after == After() else []
    parts += [f"{count_of(after.bytes, 'byte')} of the next"] if after.bytes else []
    parts += [f"the frame with the id {after.id!r}"] if after.id is not None else []
    parts += [f"a frame with the event {after.event!r}"] if after.event is not None else []
    return f"after {' and '.join(parts)} "


def _stall(stall: Stall, told: Told) -> str:
    where = told.point or f"before the {'' if told.picks_frames else 'first '}frame "
    if stall.gate is not None:
        until = "for good" if stall.gate == NEVER else f"until the gate {stall.gate!r} opens"
        return f"{where}stalls {until}"
    return f"{where}stalls for {time_of(stall.seconds)}"


def _end(how: Ending, told: Told) -> str:
    if told.point and "stall" in told.words:
        return f"then {how.phrase}"
    return f"{told.point}{how.phrase}"


def _idle_end(how: IdleEnd, told: Told) -> str:
    idle = told.seconds("idle_ms")
    when = f"after {time_of(idle)} without a request" if idle else "right after the response"
    return f"{when} {how.phrase}"


_OUTAGE_TIME: Final = 0.3


@frozen(kw_only=True)
class EndFault:
    """Where and how a stream stalls or ends, and what happens afterwards."""

    stall: Stall | None = Fault(
        table(Stall, "{ms = n} or {gate = 'name'}", _check_stall),
        "a pause at the point that `after` names, before each frame that `on` picks, or, with "
        "neither, before the first frame",
        needs=Capability.FRAME,
        example='on = {route = "stream"}\nafter = {frames = 2}\nstall = {gate = "mid"}',
        phrase=_stall,
        per_frame=True,
        at_point=True,
        paces=True,
    ).optional()
    after: After | None = Fault(
        table(After, "a point in the stream, such as {frames = 2}"),
        "the point at which `end` or `stall` happens; by default, `end` happens at the end of the "
        "stream, and `stall` at its start",
        needs=Capability.FRAME,
        example='on = {route = "stream"}\nafter = {frames = 1, bytes = 20}\nend = "rst"',
        alone=False,
        paces=True,
    ).optional()
    end: Ending | None = Fault(
        choice(Ending),
        f"how the response ends; {needs_of_values(Ending)}",
        example='on = {route = "stream", attempt = 1}\nafter = {frames = 2}\nend = "short_chunk"',
        phrase=_end,
        at_point=True,
        leaves_no_place="`end` says how the connection ends, so {} cannot be combined with it",
    ).optional()
    extra: str | None = Fault(
        text(1 << 20),
        "text to send after the end of the response",
        needs=Capability.RAW,
        example='on = {route = "me"}\nextra = "stray bytes"',
        phrase=lambda extra, _: f"sends {quoted(extra)} after the end of the response",
        one_of=("extra",),
    ).optional()
    extra_hex: bytes | None = Fault(
        hex_bytes(),
        "bytes to send after the end of the response, in hexadecimal",
        needs=Capability.RAW,
        example='on = {route = "me"}\nextra_hex = "00ff"',
        phrase=lambda extra, _: (
            f"sends {count_of(len(extra), 'byte')} after the end of the response"
        ),
        one_of=("extra",),
    ).optional()
    listener: Outage | None = Fault(
        choice(Outage),
        "what happens to the port after the exchange: it refuses connection attempts or leaves "
        "them unanswered",
        needs=Capability.LISTENER,
        example='on = {route = "stream", attempt = 1}\nlistener = "down"',
        phrase=lambda outage, told: (
            f"{outage.phrase} for {time_of(told.seconds('listener_ms', _OUTAGE_TIME))}"
        ),
    ).optional()
    listener_for: float = Fault(
        milliseconds(),
        "how long the outage that `listener` causes lasts",
        name="listener_ms",
        example='on = {attempt = 1}\nlistener = "blackhole"\nlistener_ms = 500',
        alone=False,
    ).default(_OUTAGE_TIME)
    idle_end: IdleEnd | None = Fault(
        choice(IdleEnd),
        "how the server ends a kept-alive connection that stays idle after a complete response; a "
        "request that arrives before then is still answered",
        needs=Capability.LISTENER,
        example='on = {route = "create"}\nidle_end = "408"\nidle_ms = 50',
        phrase=_idle_end,
        not_with=("end", "lose"),
    ).optional()
    idle: float = Fault(
        milliseconds(),
        "how long the connection must be idle before `idle_end` happens",
        name="idle_ms",
        example='on = {route = "create"}\nidle_end = "rst"\nidle_ms = 1000',
        alone=False,
    ).default(0.0)
