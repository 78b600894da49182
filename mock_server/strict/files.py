"""Read TOML and JSON from files or text; report every mistake with its line number."""

import json
import re
import reprlib
import tomllib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar

from mock_server.durable import OddFile, read_regular, reason_of
from mock_server.strict.lines import json_lines, line_of, toml_lines
from mock_server.strict.shapes import ScenarioError, is_table

T = TypeVar("T")
_Data = Mapping[str, object]
_MOST: Final = 1 << 30
_HALF: Final = re.compile(r"[A-Za-z0-9.+-]*")
"""Matches an incomplete number or literal at the end of JSON that was cut off."""
_MOST_LOCATED: Final = 1 << 22
"""The longest text, in characters, in which line numbers are found; that takes 1 s per MiB."""
# UTF-32 comes before UTF-16, because its marks begin like those of UTF-16.
_MARKS: Final = (
    (BOM_UTF8, "UTF-8"),
    (BOM_UTF32_LE, "UTF-32"),
    (BOM_UTF32_BE, "UTF-32"),
    (BOM_UTF16_LE, "UTF-16"),
    (BOM_UTF16_BE, "UTF-16"),
)


def read_toml(path: Path, read: Callable[[_Data], T]) -> T:
    """Parse a TOML file and return the result of calling `read` on the parsed data.

    Raise ScenarioError for mistakes; each message begins with the path and ends with the line number.
    """
    return _read_file(path, from_toml, read)


def read_json(path: Path, read: Callable[[_Data], T]) -> T:
    """Do what `read_toml` does, for a JSON file that holds one object; raise ScenarioError."""
    return _read_file(path, from_json, read)


def _read_file(
    path: Path,
    parse: Callable[[str, Callable[[_Data], T]], T],
    read: Callable[[_Data], T],
) -> T:
    try:
        return parse(text_of(path), read)
    except ScenarioError as error:
        raise error.rewritten(lambda mistake: f"{path}: {mistake}") from None


def from_toml(source: str, read: Callable[[_Data], T]) -> T:
    """Parse TOML and return the result of `read`; raise ScenarioError with line numbers."""
    try:
        data = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"TOML: {error}") from None
    except RecursionError:
        raise ScenarioError("TOML: nested too deeply") from None
    except ValueError:  # Python refuses numbers of more than 4,300 digits, and 30 February
        raise ScenarioError("TOML: a number or a date is out of range") from None
    return _located(data, source, toml_lines, read)


def from_json(source: str, read: Callable[[_Data], T]) -> T:
    """Parse a JSON object and return the result of `read`; raise ScenarioError with line numbers."""
    try:
        data: object = json.loads(source, object_pairs_hook=_once_each)
    except ScenarioError:
        raise
    except json.JSONDecodeError as error:
        raise ScenarioError(f"JSON: {_json_mistake(error)}") from None
    except RecursionError:
        raise ScenarioError("JSON: nested too deeply") from None
    except ValueError:
        raise ScenarioError("JSON: a number has too many digits") from None
    if not is_table(data):
        raise ScenarioError('JSON: must be an object, such as {"schema": 1}')
    return _located(data, source, json_lines, read)


def _json_mistake(error: json.JSONDecodeError) -> str:
    """Explain a JSON error; in most cases the file was truncated."""
    end = len(error.doc.rstrip())
    if end == 0:
        return "the file is empty"
    ends = error.pos >= end or (error.pos > 0 and _HALF.fullmatch(error.doc, error.pos, end))
    if ends or error.msg.startswith("Unterminated string"):
        why = error.msg.removesuffix(" starting at")
        return f"the file is cut off on line {error.lineno}: {why}"
    return str(error)


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Make a table of an object; raise ScenarioError for a duplicate key: a value would be lost."""
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ScenarioError(f"JSON: {reprlib.repr(key)} is given twice in one object; keep one")
        found[key] = value
    return found


def _located(
    data: _Data,
    source: str,
    lines_of: Callable[[str], Mapping[str, int]],
    read: Callable[[_Data], T],
) -> T:
    try:
        return read(data)
    except ScenarioError as error:
        if len(source) > _MOST_LOCATED:
            raise
        lines = lines_of(source)

        def with_line(mistake: ScenarioError) -> str:
            line = line_of(mistake.at, lines)
            return str(mistake) if line is None else f"{mistake} (line {line})"

        raise error.rewritten(with_line) from None


def text_of(path: Path, most: int = _MOST) -> str:
    """Return the text of a regular UTF-8 file; raise a ScenarioError that does not name the path.

    The file may have at most `most` bytes. Follow symbolic links, but never wait for a named pipe
    or a device.
    """
    try:
        content = read_regular(path, most)
    except OddFile as odd:
        raise ScenarioError(f"{odd}; give a .toml or .json file") from None
    except (OSError, ValueError) as error:
        raise ScenarioError(reason_of(error)) from None
    for mark, coding in _MARKS:
        if content.startswith(mark):
            raise ScenarioError(
                f"begins with the byte order mark of {coding}; save it as UTF-8 without one"
            )
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ScenarioError(
            f"the byte at offset {error.start} is not UTF-8; to send such bytes, use bytes_hex "
            f"(line {line})"
        ) from None
