# ruff: noqa: RUF009 - Fault declares an attribute, as attrs.field() does
"""Faults in the head and the body of a response. Durations in this module are in seconds."""

from collections.abc import Mapping
from typing import Final

from attrs import frozen

from mock_server.scenario.vocabulary import FRAMES, MANY, Capability, ScriptedFrame
from mock_server.scenario.words.declaring import (
    Fault,
    Phrased,
    Told,
    phrased,
    quoted,
    time_of,
)
from mock_server.strict.json import compact
from mock_server.strict.shapes import (
    ScenarioError,
    anything,
    array,
    choice,
    count_of,
    either,
    integer,
    number,
    text,
)
from mock_server.strict.values import (
    header_fields,
    header_name,
    header_text,
    hex_bytes,
    milliseconds,
)
from mock_server.strict.words import table, word

_IN_HEAD: Final = ("raw_head", "raw_head_hex", "lose")
_IN_ANSWER: Final = ("lose",)
_RAW: Final = "a raw head is sent verbatim, so {} cannot be combined with it"


class Framing(Phrased):
    """How the end of a stream's body is marked."""

    CHUNKED = "chunked", "sends the body with the chunked transfer coding"
    CLOSE = "close", "marks the end of the body only by closing the connection"


class Gzip(Phrased):
    """When the body of a response is compressed with gzip."""

    ACCEPTED = "accepted", "compresses the body with gzip if Accept-Encoding allows it"
    ALWAYS = "always", "compresses the body with gzip, whatever Accept-Encoding says"


class Resume(Phrased):
    """How the backend treats `Last-Event-ID`, unless a `Shift` makes it resume elsewhere."""

    HONOUR = "honour", "resumes right after the event that Last-Event-ID names"
    IGNORE = "ignore", "ignores Last-Event-ID and sends everything again"


@frozen(kw_only=True)
class Shift:
    """A resume that starts too early or too late."""

    overlap: int = word(integer(0, MANY), "how many frames are sent again", default=0)
    gap: int = word(integer(0, MANY), "how many frames are skipped", default=0)


@frozen(kw_only=True)
class Handoff:
    """A mistake at the transition from the replay of a stream to its live phase."""

    lose: int = word(integer(0, MANY), "how many events are lost", default=0)
    repeat: int = word(integer(0, MANY), "how many events are sent twice", default=0)


def _check_handoff(handoff: Handoff, where: str) -> None:
    """Refuse a handoff that neither loses nor repeats events."""
    if not handoff.lose and not handoff.repeat:
        raise ScenarioError(f"{where}: must set lose or repeat to at least 1")


def _delay(delay: float, told: Told) -> str:
    jitter = told.seconds("jitter_ms")
    spread = f", give or take {time_of(jitter)}," if jitter else ""
    return f"waits {time_of(delay)}{spread} before the {told.unit}"


def _jitter(jitter: float, told: Told) -> str:
    if "delay_ms" in told.words:
        return ""
    return f"waits up to {time_of(jitter)} before the {told.unit}"


def _headers(headers: Mapping[str, str | tuple[str, ...]], _: Told) -> str:
    return " and ".join(_header(name, value) for name, value in headers.items())


def _header(name: str, value: str | tuple[str, ...]) -> str:
    values = (value,) if isinstance(value, str) else value
    if not values:
        return f"sends no header {name}"
    return " and ".join(f"sends the header {name}: {quoted(each)}" for each in values)


def _resume(resume: Resume | Shift, _: Told) -> str:
    match resume:
        case Shift(overlap=overlap, gap=0):
            return f"resumes {count_of(overlap, 'frame')} too early"
        case Shift(overlap=0, gap=gap):
            return f"skips {count_of(gap, 'frame')} when it resumes"
        case Shift(overlap=overlap, gap=gap):
            return (
                f"goes back {count_of(overlap, 'frame')} and then skips {count_of(gap, 'frame')} "
                "when it resumes"
            )
        case Resume():
            return resume.phrase


def _handoff(handoff: Handoff, _: Told) -> str:
    done = [
        f"{verb} {number}"
        for verb, number in (("loses", handoff.lose), ("repeats", handoff.repeat))
        if number
    ]
    return f"{' and '.join(done)} of the events that are added during the replay"


@frozen(kw_only=True)
class HeadFault:
    """What happens to the head of a response, and which body follows it."""

    delay: float = Fault(
        milliseconds(),
        "a pause before the response head, or before each frame that the rule picks",
        name="delay_ms",
        example='on = {route = "stream", frame = 3}\ndelay_ms = 250',
        phrase=_delay,
        per_frame=True,
        paces=True,
    ).default(0.0)
    jitter: float = Fault(
        milliseconds(),
        "the maximum random time that is added to `delay_ms` or subtracted from it",
        name="jitter_ms",
        example='on = {route = "stream", frame = "1-"}\ndelay_ms = 20\njitter_ms = 10',
        phrase=_jitter,
        alone=False,
        per_frame=True,
        paces=True,
    ).default(0.0)
    early: tuple[int, ...] = Fault(
        array(integer(100, 199), 16),
        "the statuses of the informational (1xx) heads to send before the response, such as 103",
        needs=Capability.RAW,
        example='on = {route = "stream"}\nearly = [103]',
        phrase=lambda codes, _: (
            f"first sends {count_of(len(codes), 'informational head')}: "
            f"{', '.join(map(str, codes))}"
        ),
        not_with=_IN_ANSWER,
    ).default(())
    status: int | None = Fault(
        integer(200, 999),
        "the status of the response",
        example='on = {route = "stream", attempt = "1-2"}\nstatus = 503',
        phrase=lambda status, _: f"responds with status {status}",
        not_with=_IN_HEAD,
    ).optional()
    reason: str | None = Fault(
        header_text(),
        "the reason phrase in the response's status line",
        example='on = {route = "me"}\nstatus = 500\nreason = "Out Of Coffee"',
        phrase=lambda reason, _: f"sends the reason phrase {quoted(reason)}",
        alone=False,
        not_with=_IN_HEAD,
    ).optional()
    redirect: str | None = Fault(
        header_text(),
        "the Location header of a redirect; the status is 307 unless `status` sets another",
        example='on = {route = "stream"}\nredirect = "https://elsewhere.invalid/"',
        phrase=lambda where, _: f"redirects the client to {where}",
        not_with=_IN_HEAD,
    ).optional()
    retry_after: float | None = Fault(
        number(0, 86_400),
        "the value of a Retry-After header, in seconds",
        example='on = {route = "stream", attempt = 1}\nstatus = 429\nretry_after = 2',
        phrase=lambda seconds, _: f"asks the client to wait {seconds:g} s (Retry-After)",
        not_with=_IN_HEAD,
    ).optional()
    headers: Mapping[str, str | tuple[str, ...]] | None = Fault(
        header_fields(),
        "headers to add or replace; an array sends the header once per item, and an empty array "
        "removes the header",
        example='on = {route = "me"}\nheaders = {Deprecation = "true"}',
        phrase=_headers,
        not_with=_IN_HEAD,
    ).optional()
    headers_twice: tuple[str, ...] = Fault(
        array(header_name(), 64),
        "names of header fields to send twice with the same value, whether a rule or the backend "
        "sets them; a field that is not in the head is not added",
        example='on = {route = "stream"}\nheaders_twice = ["Content-Type"]',
        phrase=lambda names, _: f"sends the header {' and the header '.join(names)} twice",
        not_with=_IN_HEAD,
    ).default(())
    content_type: str | None = Fault(
        header_text(),
        "the Content-Type header",
        example='on = {route = "stream"}\ncontent_type = "text/html"',
        phrase=lambda kind, _: f"sends the Content-Type {quoted(kind)}",
        not_with=_IN_HEAD,
    ).optional()
    content_length: tuple[int, ...] = Fault(
        array(integer(0, 1 << 40), 8),
        "the values of one or more Content-Length headers, sent as given even if they are wrong",
        needs=Capability.RAW,
        example='on = {route = "me"}\ncontent_length = [5, 7]',
        phrase=lambda lengths, _: (
            f"sends Content-Length {' and '.join(map(str, lengths))}, "
            "whatever the length of the body"
        ),
        not_with=_IN_HEAD,
    ).default(())
    raw_head: str | None = Fault(
        text(1 << 16),
        "the whole head, including the blank line that ends it; it is sent as given",
        needs=Capability.RAW,
        example='on = {route = "me"}\nraw_head = "HTTP/1.1 200 OK\\r\\nX: y\\r\\n\\r\\n"',
        phrase=lambda head, _: f"sends this as the head: {quoted(head)}",
        one_of=("raw head",),
        not_with=_IN_ANSWER,
        leaves_no_place=_RAW,
    ).optional()
    raw_head_hex: bytes | None = Fault(
        hex_bytes(),
        "the whole head in hexadecimal, including the blank line that ends it; the bytes are sent "
        "as given",
        needs=Capability.RAW,
        example='on = {route = "me"}\nraw_head_hex = "485454502f39ff0d0a0d0a"',
        phrase=lambda head, _: f"sends {count_of(len(head), 'byte')} as the head",
        one_of=("raw head",),
        not_with=_IN_ANSWER,
        leaves_no_place=_RAW,
    ).optional()
    framing: Framing | None = Fault(
        choice(Framing),
        "how the end of a stream's body is marked",
        needs=Capability.RAW,
        example='on = {route = "stream"}\nframing = "close"',
        phrase=phrased,
        not_with=_IN_ANSWER,
    ).optional()
    gzip: Gzip | None = Fault(
        choice(Gzip),
        "when the body is compressed with gzip: if Accept-Encoding allows it, or always; the "
        "compressor is flushed after each frame, a body that is already compressed is not changed, "
        "and `after` and `rate` count uncompressed bytes",
        needs=Capability.RAW,
        example='on = {route = "stream"}\ngzip = "accepted"',
        phrase=phrased,
        not_with=_IN_HEAD,
        rewrites=True,
    ).optional()
    body: str | None = Fault(
        text(1 << 24),
        "the body, as text",
        example='on = {route = "me"}\nstatus = 502\nbody = "<html>Bad Gateway</html>"',
        phrase=lambda body, _: f"sends the body {quoted(body)}",
        one_of=("body",),
        not_with=_IN_ANSWER,
    ).optional()
    body_hex: bytes | None = Fault(
        hex_bytes(),
        "the bytes of the body, in hexadecimal; no Content-Type is added",
        example='on = {route = "me"}\nbody_hex = "1f8b0800ff"',
        phrase=lambda body, _: f"sends a body of {count_of(len(body), 'byte')}",
        one_of=("body",),
        not_with=_IN_ANSWER,
    ).optional()
    json: object = Fault(
        anything(),
        "the body, as JSON",
        example='on = {route = "me"}\nstatus = 426\njson = {error = "too old", upgrade = "npm i"}',
        phrase=lambda value, _: f"sends the JSON {compact(value)[:60]}",
        one_of=("body",),
        not_with=_IN_ANSWER,
    ).optional()
    frames: tuple[ScriptedFrame, ...] | None = Fault(
        FRAMES,
        "the frames to send instead of the backend's",
        example='on = {route = "stream"}\nframes = [{event = "ping", data = "{}"}]',
        phrase=lambda frames, _: f"sends {count_of(len(frames), 'frame')} instead of the backend's",
        one_of=("body", "frames of a response that is lost"),
    ).optional()
    resume: Resume | Shift | None = Fault(
        either(choice(Resume), table(Shift, "{overlap = n} or {gap = n}")),
        "how the backend treats Last-Event-ID",
        needs=Capability.BACKEND,
        example='on = {route = "stream", attempt = 2}\nresume = {overlap = 1}',
        phrase=_resume,
    ).optional()
    handoff: Handoff | None = Fault(
        table(Handoff, "{lose = n} or {repeat = n}", _check_handoff),
        "how many events are lost or repeated, out of those that are added to the log after a "
        "stream is opened and before its replay has been sent; a `delay_ms` leaves more time for "
        "such events to be added",
        needs=Capability.BACKEND,
        example='on = {route = "stream", attempt = "2-"}\nhandoff = {lose = 1}',
        phrase=_handoff,
    ).optional()
