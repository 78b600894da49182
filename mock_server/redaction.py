"""Remove secrets from what the mock records: header fields, targets, URLs, bodies, frames.

A secret is a value of any type whose name is one such as `token`. Names are decoded and compared
without regard to case or punctuation. A body that cannot be parsed may contain a secret anywhere,
so only its length is recorded.
"""

import json
import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Final
from urllib.parse import unquote_plus

from mock_server.secret_names import EXACT, NOT_SECRET, PARTS, REDACTED, flattened, is_secret_name
from mock_server.sse import fields_of
from mock_server.strict.json import parsed_json
from mock_server.strict.shapes import count_of

LONGEST: Final = 2048
"""The maximum length, in characters, of a text in a record; an id of 1,024 bytes fits."""
_SCHEMES: Final = frozenset({"basic", "bearer", "digest", "negotiate"})
_NUMBER: Final = re.compile(r"-?[0-9.]+(?:[eE][+-]?[0-9]+)?")

_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_COLON: Final = re.compile(r"[ \t\r\n]*+:[ \t\r\n]*+")
_BRACKETS: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_SCALAR: Final = re.compile(r"[^,\]}\s]*+")
_LINE: Final = re.compile(rb"[^\r\n]+(?:\r\n|\r|\n)?|\r\n|\r|\n")

# Every pattern must take linear time for any text, because peers choose the text.
_PAIR: Final = re.compile(
    r"""(?<![^\s=&;?#,"'<>/\\:()\[\]{}])([^\s=&;?#,"'<>/\\:()\[\]{}]++)=("[^"]*+"?|[^\s&;,#"'<>]*+)"""
)
_USERINFO: Final = re.compile(r"([/\\]{2})[^\s\"'<>/\\?#]*@")
_ODD_USERINFO: Final = re.compile(r"(:[/\\]{2})[^\s\"'<>/\\?#@]{0,256}:[^\s\"'<>@]{0,256}@")
_FIELD: Final = re.compile(
    r"(authorization[\"']?\s*+[:=]\s*+[\"']?)(?:(\w++)[ \t]++)?[^\s\"',;]+", re.IGNORECASE
)
_BEARER: Final = re.compile(r"\b(bearer)[ \t]++[^\s,;]++", re.IGNORECASE)
_NAMED: Final = re.compile(
    rf"(?:{PARTS.pattern}|\b(?:{'|'.join(sorted(EXACT))}))"
    r"[\w-]{0,64}(?:[\"'\\]{0,4}\s{0,64}[:=>][\"'\s]{0,64}[^\"'\s&;]|[\"']\s+value)"
)
_ESCAPED: Final = re.compile(r"\\u00([0-7][0-9a-fA-F])|%([0-7][0-9a-fA-F])")
_DEEPEST_TEXT: Final = 3
"""How many levels of JSON nested in JSON strings are searched for secrets."""


def _hides(name: str, value: str, *, in_target: bool = False) -> bool:
    """Return whether a value must be hidden; a number whose name ends in `tokens` is a count."""
    if not value or value == "null":
        return False
    counted = flattened(name).endswith("tokens") and _NUMBER.fullmatch(value)
    return not counted and is_secret_name(name, in_target=in_target)


def redacted_headers(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Hide the secrets in header fields; authentication schemes such as `Bearer` stay readable."""
    return tuple((name, redacted_value(name, value)) for name, value in headers)


def redacted_value(name: str, value: str) -> str:
    """Hide the secrets in the value of one header field."""
    scheme, blank, _ = value.partition(" ")
    if blank and scheme.lower() in _SCHEMES and not name.lower().endswith("-authenticate"):
        return f"{scheme} {REDACTED}"  # credentials, whatever the name
    if _hides(name, value):
        return REDACTED
    if name.lower() == "host" and "@" in value:
        return REDACTED + value[value.rindex("@") :]
    return redacted_text(_BEARER.sub(rf"\1 {REDACTED}", value) if " " in value else value)


def redacted_target(target: str) -> str:
    """Hide the secrets in the userinfo, path and parameters of a request target or a URL."""
    if not target.startswith("/") and "@" in target.partition("?")[0] and "://" not in target:
        target = REDACTED + target[target.partition("?")[0].rindex("@") :]  # CONNECT
    found = redacted_text(_ODD_USERINFO.sub(rf"\1{REDACTED}@", target))
    path, mark, query = found.partition("?")
    pairs = [";".join(map(_pair, part.split(";"))) for part in query.split("&")]
    return "/".join(map(_encoded, path.split("/"))) + mark + "&".join(pairs)


def _encoded(part: str) -> str:
    """Return a part of a URL decoded and without its secrets, or unchanged if it has none."""
    plain = unquote_plus(part) if "%" in part else part
    shown = redacted_text(plain)
    return part if shown == plain else shown


def _pair(pair: str) -> str:
    name, mark, value = pair.partition("=")
    hidden = mark and _hides(unquote_plus(name), value, in_target=True)
    return f"{name}={REDACTED}" if hidden else name + mark + _encoded(value)


def quoted(target: str) -> str:
    """Quote text, such as a request target, for a message; shorten it and hide its secrets."""
    return repr(shortened(redacted_target(target), 200))


def shortened(text: str, most: int = LONGEST) -> str:
    """If text has more than `most` characters, shorten it and add a digest that identifies it."""
    if len(text) <= most:
        return text
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{text[: most // 2]}… ({len(text)} characters, SHA-256 {digest}…)"


def redacted_text(text: str) -> str:
    """Hide secrets in plain text: in `name=value`, after `Authorization:`, in a URL's userinfo."""
    if "/" in text or "\\" in text:
        text = _USERINFO.sub(rf"\1{REDACTED}@", text)
    if "=" in text or ":" in text:
        text = _FIELD.sub(_without_credentials, text)
    return _PAIR.sub(_without_value, text) if "=" in text else text


def _without_credentials(match: re.Match[str]) -> str:
    known = (match[2] or "").lower() in _SCHEMES
    return f"{match[1]}{match[2]} {REDACTED}" if known else f"{match[1]}{REDACTED}"


def _without_value(match: re.Match[str]) -> str:
    before = match.string[match.start() - 1 : match.start()]
    name = unquote_plus(match[1])
    hidden = _hides(name, match[2].strip('"'), in_target=before in {"?", "&", "#"})
    return f"{match[1]}={REDACTED}" if hidden else match[0]


def redacted_json(text: str) -> str:
    """Hide every value in JSON text whose name marks it as a secret; leave the rest as it is.

    This covers duplicate members and JSON inside strings. Raise ValueError if the text is not JSON
    (RFC 8259) or is nested too deeply.
    """
    parsed_json(text)
    return redacted_members(text)


def redacted_members(text: str, level: int = 0) -> str:
    """Hide the secrets in valid JSON text; `level` is how many JSON strings it is nested in."""
    found: list[str] = []
    position = 0
    while (token := _STRING.search(text, position)) is not None:
        found.append(text[position : token.start()])
        position = token.end()
        colon = _COLON.match(text, position)
        if colon is None:
            found.append(_string(token[0], level))
            continue
        found.append(text[token.start() : colon.end()])
        end = _value_end(text, colon.end())
        position = colon.end()
        if _hides(_decoded(token[0]), text[position:end].strip('"')):
            found.append(f'"{REDACTED}"')
            position = end
    return "".join([*found, text[position:]])


def _value_end(text: str, start: int) -> int:
    """Return the end of the JSON value that begins at `start`, or the end of the text."""
    first = text[start : start + 1]
    if first not in {"{", "["}:
        shape = _STRING if first == '"' else _SCALAR
        match = shape.match(text, start)
        return len(text) if match is None else match.end()
    depth = 0
    for each in _BRACKETS.finditer(text, start):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(each[0], 0)
        if depth == 0:
            return each.end()
    return len(text)


def _decoded(token: str) -> str:
    return token[1:-1] if "\\" not in token else str(json.loads(token))


def _string(token: str, level: int) -> str:
    """Hide the secrets in a JSON string, whether it contains plain text, URLs or more JSON."""
    if not ("\\" in token or ":" in token or "=" in token or "@" in token):
        return token
    value = _decoded(token)
    shown = redacted_text(value)
    if level < _DEEPEST_TEXT and shown.lstrip()[:1] in {"{", "["}:
        try:
            parsed_json(shown)
        except ValueError:
            shown = (
                _dropped(len(shown.encode(errors="replace"))) if names_a_secret(shown) else shown
            )
        else:
            shown = redacted_members(shown, level + 1)
    return token if shown == value else json.dumps(shown)


def redacted_body(body: bytes, kind: str) -> bytes:
    """Return what is safe to record of a body; `kind` is its Content-Type.

    In JSON and in forms, only the secrets are hidden. Any other body is replaced by a note that
    gives its length.
    """
    if not body:
        return b""
    try:
        text = body.decode()
        try:
            return redacted_json(text).encode()
        except ValueError:
            return _form(text, kind).encode()
    except ValueError:
        return _dropped(len(body)).encode()


def _form(text: str, kind: str) -> str:
    """Hide the secrets in a form; raise ValueError if the text is not a form or secrets remain."""
    found = "&".join(map(_pair, redacted_text(text).split("&")))
    if "form-urlencoded" not in kind.lower() or names_a_secret(found):
        raise ValueError("neither JSON nor a form")
    return found


def redacted_answer(body: bytes, kind: str = "") -> bytes:
    """Return what is safe to replay of a body: the same bytes, unless it contains a secret.

    In text that is neither JSON nor a form, the secrets that are recognised are hidden. If the
    result still seems to contain a secret, a note that gives the body's length replaces all of it.
    """
    try:
        return redacted_json(body.decode()).encode()
    except ValueError:
        if "form-urlencoded" in kind.lower():
            return redacted_body(body, kind)
        text = redacted_text(body.decode("latin-1"))
        return _dropped(len(body)).encode() if names_a_secret(text) else text.encode("latin-1")


def redacted_frame(raw: bytes) -> bytes:
    """Return what is safe to replay of a frame, which can be complete or cut off.

    The bytes stay the same unless the frame contains a secret. If its data contains one, the data
    becomes a single line.
    """
    data = fields_of(raw).data
    shown = None if data is None else redacted_answer(data.encode()).decode()
    if shown == data:
        return b"".join(line if _is_data(line) else _line(line) for line in _LINE.findall(raw))
    found: list[bytes] = []
    for line in _LINE.findall(raw):
        if not _is_data(line):
            found.append(_line(line))
        elif shown is not None:
            end = line[len(line.rstrip(b"\r\n")) :]
            found.append(b"data: " + " ".join(shown.splitlines()).encode() + end)
            shown = None  # this line has all of the data
    return b"".join(found)


def _line(line: bytes) -> bytes:
    said = line.rstrip(b"\r\n")
    return redacted_answer(said) + line[len(said) :]


def _is_data(line: bytes) -> bool:
    return line.removeprefix(b"\xef\xbb\xbf").partition(b":")[0].rstrip(b"\r\n") == b"data"


def names_a_secret(text: str) -> bool:
    """Return whether text in an unknown format gives a value to a name such as `token`."""
    plain = _ESCAPED.sub(lambda match: chr(int(match[1] or match[2], 16)), text)
    plain = NOT_SECRET.sub("", re.sub(r"[-_.]", "", plain.replace(REDACTED, "").casefold()))
    return _NAMED.search(plain) is not None


def _dropped(size: int) -> str:
    return f"[dropped: {count_of(size, 'byte')} that could not be parsed]"
