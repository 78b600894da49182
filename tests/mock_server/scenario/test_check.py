"""`arkor-mock check`: every mistake of every file in one line, with its line; odd files too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mock_server import ScenarioError, scenario_from_json, scenario_from_toml
from mock_server.__main__ import main
from mock_server.strict.lines import json_lines, line_of, toml_lines

MISTAKEN = '''# a comment with [[rule]] in it
schema = 1
seed = "seven"
name = """
[[rule]]
"""
bakend = 1

[limits]
connections = 0
recrods = 5

[[job]]
id = "a"
status = "done"

[[job]]
id = "a"   # twice

[[rule]]   # nothing in it

[[rule]]
on = {route = "steam", attempt = "4-2"}
frames = [
  {data = "fine"},   # [
  {id = "1", raw = "x", data = 'y'},

  {bytes_hex = "xyz"},
]

[[rule]]
end = "rts"
[rule.on]
rout = "stream"
header = {"x-a" = 7}

[[rule]]
"stal" = 1
stall.gaet = "x"
'''
TOLD = [
    "seed: 'seven' (string) is not a whole number from 0 to 9223372036854775808 (line 3)",
    "'bakend' is unknown; did you mean 'backend'? (line 7)",
    "limits.connections: 0 (integer) is not a whole number from 1 to 100000 (line 10)",
    "limits: 'recrods' is unknown; did you mean 'records'? (line 11)",
    "job 1: status: 'done' is unknown; write one of completed, failed, running (line 15)",
    "rule 2: on.route: 'steam' is unknown; did you mean 'stream'? (line 23)",
    "rule 2: on.attempt: '4-2' (string) is not a positive whole number or a range such as '2-4' or '3-' (line 23)",
    "rule 2: frames 2: data and raw cannot be combined; keep one (line 26)",
    "rule 2: frames 3.bytes_hex: 'xyz' (string) is not bytes in hexadecimal, such as 'ff00' (line 28)",
    "rule 3: end: 'rts' is unknown; did you mean 'rst'? (line 32)",
    "rule 3: on: 'rout' is unknown; did you mean 'route'? (line 34)",
    "rule 3: on.header.x-a: 7 (integer) is not a string (line 35)",
    "rule 4: 'stal' is unknown; did you mean 'stall'? (line 38)",
    "rule 4: stall: 'gaet' is unknown; did you mean 'gate'? (line 39)",
]


def told_of(path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Check a file that is not right; return what is told of it, without its name."""
    assert main(["check", str(path)]) == 1
    lines = capsys.readouterr().err.splitlines()
    return [line.removeprefix(f"arkor-mock: {path}: ") for line in lines]


def test_every_mistake_of_a_file_is_told_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.toml"
    path.write_text(MISTAKEN)
    assert main(["check", str(path)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert sorted(lines) == sorted(f"arkor-mock: {path}: {line}" for line in TOLD)


def test_mistakes_that_only_a_whole_scenario_shows_are_all_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.toml"
    path.write_text(
        '[[job]]\nid = "a"\n[[job]]\nid = "a"\n[[rule]]\n[[rule]]\n'
        'body = "x"\njson = 1\nafter = {frames = 1}\n[[rule]]\nstall = {ms = 80000000}\n'
    )
    assert told_of(path, capsys) == [
        "rule 1: does nothing; give it a fault, such as end = 'rst' (line 5)",
        "rule 2: body and json cannot be combined; keep one (line 6)",
        "rule 2: `after` needs an `end` or a `stall` (line 6)",
        "rule 3: pauses for 80000 s; limits.stall_ms allows at most 600 s (line 10)",
        "job 2: the id 'a' is given twice; ids must be unique (line 3)",
    ]


def test_the_same_mistakes_in_json_have_their_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.json"
    path.write_text(
        '{\n"schema": 1,\n"rule": [\n{"end": "rst"},\n{"on":\n{"route": "steam"},\n'
        '"frames": [{"data": "a\\"]"},\n{}]}\n], "jbo": []}'
    )
    assert told_of(path, capsys) == [
        "rule 2: on.route: 'steam' is unknown; did you mean 'stream'? (line 6)",
        "rule 2: frames 2: is an empty frame; add data, json, raw, bytes_hex or comment (line 8)",
        "'jbo' is unknown; did you mean 'job'? (line 9)",
    ]


def test_several_files_are_checked_in_one_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad, worse = (tmp_path / name for name in ("good.toml", "bad.toml", "worse.toml"))
    good.write_text('schema = 1\n[[rule]]\nend = "rst"\n')
    bad.write_text('[[rule]]\nend = "rts"\n')
    paths = [str(path) for path in (bad, good, worse)]
    assert main(["check", *paths]) == 1
    said = capsys.readouterr()
    assert said.out == f"{good}: fine, 1 rule\n"
    assert [line.partition(": ")[2] for line in said.err.splitlines()] == [
        f"{bad}: rule 1: end: 'rts' is unknown; did you mean 'rst'? (line 2)",
        f"{worse}: No such file or directory",
    ]
    assert main(["check", str(good), str(good)]) == 0


ODD: dict[str, tuple[str, bytes, str]] = {
    "digits": ("s.toml", b"seed = " + b"9" * 5000, "TOML: a number or a date is out of range"),
    "digits in JSON": ("s.json", b'{"seed": ' + b"9" * 5000 + b"}", "JSON: a number has too many"),
    "hexadecimal": ("s.toml", b"seed = 0x" + b"f" * 9000, "seed: a very long number"),
    "a count of digits": (
        "s.toml",
        b"[[rule]]\non.attempt = '" + b"9" * 5000 + b"'",
        "is not a positive whole number or a range",
    ),
    "a huge count": (
        "s.toml",
        b"[[rule]]\non.attempt = 0x" + b"f" * 9000,
        "is not a positive whole number or a range",
    ),
    "a huge duration": ("s.toml", b"[[rule]]\ndelay_ms = 0x" + b"f" * 9000, "is not a number from"),
    "a huge float": ("s.toml", b"[[rule]]\ndelay_ms = 1e999", "inf (number) is not"),
    "a huge number inside": (
        "s.toml",
        b"[[rule]]\njson = 0x" + b"f" * 9000,
        "has thousands of digits",
    ),
    "arrays": (
        "s.toml",
        b"[[rule]]\njson = " + b"[" * 250 + b"]" * 250,
        "nested more than 100 levels deep",
    ),
    "deep arrays": (
        "s.toml",
        b"[[rule]]\njson = " + b"[" * 9000 + b"]" * 9000,
        "nested too deeply",
    ),
    "deep keys": (
        "s.toml",
        b"[[rule]]\njson" + b".a" * 5000 + b" = 1",
        "nested more than 100 levels deep",
    ),
    "deep JSON": (
        "s.json",
        b'{"rule": [{"json": ' + b"[" * 500 + b"]" * 500 + b"}]}",
        "nested more than 100 levels deep",
    ),
    "a byte order mark": ("s.toml", b"\xef\xbb\xbfschema = 1", "the byte order mark of UTF-8"),
    "a mark in JSON": ("s.json", b"\xef\xbb\xbf{}", "the byte order mark of UTF-8"),
    "UTF-16": ("s.toml", "\ufeffschema = 1".encode("utf-16-le"), "the byte order mark of UTF-16"),
    "UTF-32": ("s.toml", "\ufeffschema = 1".encode("utf-32-le"), "the byte order mark of UTF-32"),
    "Latin-1": ("s.toml", b'schema = 1\nname = "\xe9"', "the byte at offset 19 is not UTF-8"),
    "a NUL": ("s.toml", b"schema = 1\0", "TOML: "),
    "a key of control bytes": ("s.json", b'{"a\\u001b[2J\\n": 1}', "is unknown"),
    "a long key": ("s.json", b'{"' + b"a" * 100_000 + b'": 1}', "is unknown"),
    "a surrogate": ("s.json", b'{"name": "\\ud800"}', "is not encodable as UTF-8"),
    "a surrogate as a key": ("s.json", b'{"\\ud800": 1}', "is unknown"),
    "a key twice": ("s.json", b'{"rule": [{"end": "rst", "end": "fin"}]}', "'end' is given twice"),
    "NaN": ("s.json", b'{"rule": [{"delay_ms": NaN}]}', "nan (number) is not"),
    "a date": ("s.toml", b"[[rule]]\njson = 2026-01-01", "is not a JSON value"),
    "nothing but a value": ("s.json", b"7", "JSON: must be an object"),
}


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize(("name", "content", "said"), ODD.values(), ids=ODD)
def test_an_odd_file_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    for command, status in (("check", 1), ("explain", 2), ("serve", 2)):
        assert main([command, str(path)]) == status
        message = capsys.readouterr().err
        assert message.startswith(f"arkor-mock: {path}: ")
        assert said in message
        assert (message.count("\n"), "\x1b" in message, len(message) < 1000) == (1, False, True)


def test_what_is_no_file_is_one_line_and_never_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "zero.toml").symlink_to("/dev/zero")
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    (tmp_path / "directory.toml").mkdir()
    for path, said in {
        Path("/dev/zero"): "is a device",
        tmp_path / "zero.toml": "is a device",
        tmp_path / "pipe.toml": "is a named pipe",
        tmp_path / "directory.toml": "is a directory",
        tmp_path / "loop.toml": "Too many levels of symbolic links",
        tmp_path / "none.toml": "No such file or directory",
        tmp_path / ("x" * 300 + ".toml"): "File name too long",
        tmp_path / "a\nb\x1b.toml": "No such file or directory",
        Path(): "is a directory",
    }.items():
        assert main(["check", str(path)]) == 1
        message = capsys.readouterr().err
        assert said in message, path
        assert (message.count("\n"), "\x1b" in message) == (1, False)


def test_a_name_that_is_no_text_is_shown(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff.toml"
    Path(os.fsdecode(path)).write_text("schema = 1\n")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "mock_server", "check", path],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\udcff.toml: fine, but it scripts nothing" in done.stdout


def test_what_is_served_names_the_first_mistake_and_how_many_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.toml"
    path.write_text("a = 1\nb = 2\nc = 3\n")
    assert main(["serve", str(path)]) == 2
    message = capsys.readouterr().err
    assert "'a' is unknown" in message
    assert message.endswith("(line 1) (and 2 more mistakes; `arkor-mock check` lists them all)\n")


def test_a_flood_of_mistakes_is_cut_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.toml"
    path.write_text("".join(f"a{n} = 1\n" for n in range(5000)))
    assert main(["check", str(path)]) == 1
    assert capsys.readouterr().err.count("\n") == 100


def test_whoever_reads_text_gets_every_mistake_too() -> None:
    with pytest.raises(ScenarioError) as toml:
        scenario_from_toml("a = 1\nb = 2\n")
    with pytest.raises(ScenarioError) as json:
        scenario_from_json('{"a": 1,\n"b": 2}')
    for caught in (toml, json):
        assert [message[-8:] for message in caught.value.mistakes] == ["(line 1)", "(line 2)"]
        assert str(caught.value) == caught.value.mistakes[0]


def test_every_place_of_a_document_has_its_line() -> None:
    lines = toml_lines(
        'a.b = """x\n"""\n[t.u]\nk = [\n [1], # ]\n {"q r" = 2},\n]\n[[t.list]]\nx = 1\n'
        "[[t.list]]\n[t.list.sub]\ny = '''\n'''\nz = 1979-05-27 07:32:00\n"
    )
    assert {place: lines[place] for place in ("a", "a.b", "t.u", "t.u.k", "t.u.k 1")} == {
        "a": 1,
        "a.b": 1,
        "t.u": 3,
        "t.u.k": 4,
        "t.u.k 1": 5,
    }
    assert lines["t.u.k 2.q r"] == 6
    assert (lines["t.list 1.x"], lines["t.list 2"], lines["t.list 2.sub.y"]) == (9, 10, 12)
    assert lines["t.list 2.sub.z"] == 14
    assert line_of("t.list 2.sub.nowhere.x", lines) == 11
    assert line_of("nowhere", lines) is None
    deep = '{"a": ' + "[" * 99 + '"]"' + "]" * 99 + ',\n"b": 1}'
    assert json_lines(deep)["b"] == 2
    assert json_lines('{"a":\n[1,\n{"b": 2}]}') == {"a": 1, "a 1": 2, "a 2": 3, "a 2.b": 3}


@pytest.mark.parametrize("broken", ["", "[[", "a", "a = ", "a = [", "{", '"', "a = {b"])
def test_a_document_that_is_none_has_no_lines_and_no_accident(broken: str) -> None:
    assert isinstance(toml_lines(broken), dict)
    assert isinstance(json_lines(broken), dict)
