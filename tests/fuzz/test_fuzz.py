"""The corpus is replayed, planted faults are found by it, and the command says what it does."""

import json
import os
import signal
import subprocess
import sys
import time
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

import arkor_proto
from arkor_proto import Bounds, Profile
from conformance.casefile import loader
from conformance.verdict import known_failures
from mock_server.admin import control
from mock_server.scenario import files as scenario_files
from mock_server.strict.toml import toml_value
from tests.arkor_proto.session_driver import Trainer
from tests.fuzz.corpus import HERE, TARGETS, Replayed, files_of, inputs_of, replayed, target_of
from tests.fuzz.targets import reading, receive

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = Path(arkor_proto.__file__).with_name("_sse.py").read_text("utf-8")
PLANTED: Final = {
    "the BOM is data": ("return data.removeprefix(_BOM)", "return data"),
    "half a BOM is lost": (
        '            self._block += data\n            return b""',
        '            return b""',
    ),
    "an LF after a CR is a line": (
        '            data = data.removeprefix(b"\\n")',
        "            pass",
    ),
    "a CR at the end of a chunk waits": (
        'self._after_cr = data.endswith(b"\\r")',
        "self._after_cr = False",
    ),
    "an id may have a NUL": ('elif name == "id" and "\\0" not in value', 'elif name == "id"'),
    "the cursor waits for data": (
        "self._cursor = cursor  # even if there is nothing to dispatch (ARK-RES-5)",
        "self._cursor = cursor if events else self._cursor",
    ),
    "retry is any number": ("value.isascii() and value.isdigit()", "value.isdigit()"),
    "retry waits for its block": ('if b"retry" in lines:', "if False:"),
    "one byte over the bound is too late": (
        "stop = start + self._max + 1 - len(self._block)",
        "stop = start + self._max + 2 - len(self._block)",
    ),
    "the bound is not kept": ("if len(self._block) + len(data) > self._max:", "if False:"),
    "a shape takes any line": (
        '_VALUES: Final = {"id": r"([^\\n\\0]*)"',
        '_VALUES: Final = {"id": r"([^\\n]*)"',
    ),
    "an empty type is kept": (
        'kind = value or "message"\n            else',
        "kind = value\n            else",
    ),
    "a field has its space": ('value = value.removeprefix(" ")', "pass"),
    "broken UTF-8 is dropped": (
        'text = blocks.decode(errors="replace")',
        'text = blocks.decode(errors="ignore")',
    ),
    "the last line needs no end": ("return blank + 2", "return last + 1"),
}
"""Faults of the parser: what is replaced by what."""


def replay(name: str) -> Replayed:
    """Replay the corpus and the seeds of a target."""
    target = target_of(name)
    return replayed(target, inputs_of(target))


def is_found(name: str) -> bool:
    """Return whether an input of a target finds something."""
    target = target_of(name)
    return any(replayed(target, [each]).found for each in inputs_of(target))


@pytest.mark.parametrize("name", TARGETS)
def test_all_that_was_kept_is_dealt_with_as_it_should_be(name: str) -> None:
    result = replay(name)
    assert result.found == []
    assert result.inputs > len(files_of(name)), "no seeds"


@pytest.mark.parametrize("name", PLANTED)
def test_a_fault_of_the_parser_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = PLANTED[name]
    assert SOURCE.count(before) == 1, "the source has changed; plant the fault anew"
    broken = types.ModuleType("broken_sse")
    exec(SOURCE.replace(before, after), broken.__dict__)  # noqa: S102 - ours
    monkeypatch.setattr(reading, "EventStreamParser", broken.EventStreamParser)
    assert is_found("parser") or is_found("chunks")


class LosesLineEnds(Trainer):
    """A client whose network loses a line end at the beginning of a chunk."""

    def receive(self, exchange: int, data: bytes) -> Trainer:
        """Take what arrives, without a line end at its beginning."""
        return super().receive(exchange, data.removeprefix(b"\n"))


def losing_line_ends(profile: Profile, *, bounds: Bounds) -> Trainer:
    return LosesLineEnds(profile, bounds=bounds).follow().accept()


def with_other_digits(value: object) -> str:
    return toml_value(value).replace("0", "1")


def fails(*_: object) -> str:
    raise KeyError("a suggestion")


@pytest.mark.parametrize(
    ("name", "module", "attribute", "fault"),
    [
        ("receive", receive, "following", losing_line_ends),
        ("scenario", scenario_files, "toml_value", with_other_digits),
        ("case", loader, "nearest", fails),
        ("kit_files", known_failures, "check_known", fails),
        ("admin", control, "whole_number", int),
    ],
)
def test_a_fault_of_what_else_is_fuzzed_is_found(
    name: str,
    module: types.ModuleType,
    attribute: str,
    fault: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, attribute, fault)
    assert is_found(name)


def test_the_corpus_is_small() -> None:
    files = [path for name in TARGETS for path in files_of(name)]
    assert 0 < len(files) < 400
    assert sum(path.stat().st_size for path in files) < 1_000_000
    assert {path.name for path in (HERE / "corpus").iterdir()} <= {*TARGETS}


def command(*words: str, before: Sequence[Path] = ()) -> subprocess.Popen[str]:
    """Start the command; modules are looked for in `before` before they are in the project."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.fuzz", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [*before, ROOT]))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*words: str, before: Sequence[Path] = ()) -> tuple[int, str, str]:
    """Run the command; return its status and what it has printed to stdout and stderr."""
    with command(*words, before=before) as process:
        output, errors = process.communicate(timeout=100)
    return process.returncode, output, errors


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name a TARGET, or all; the targets are parser, chunks"),
        (("parsr",), "there is no target 'parsr'; the targets are parser, chunks"),
        (
            ("parser", "--seconds", "0"),
            "argument --seconds: '0' is not a whole number from 1 to 604800",
        ),
        (("parser", "--seed", "x"), "argument --seed: 'x' is not a whole number from 1 to"),
        (("parser", "--replay", "none"), "none: No such file or directory"),
        (("parser", "--replay", "tests"), "tests: Is a directory"),
        (("--replay", "none"), "--replay needs the one TARGET that the file is for"),
        (("parser", "--replay", "none", "--replay-all"), "not allowed with argument"),
        (("parser", "--sec", "1"), "unrecognized arguments: --sec"),
    ],
)
def test_a_wrong_command_is_refused_in_one_line(words: Sequence[str], said: str) -> None:
    status, output, errors = run(*words)
    assert (status, output) == (2, "")
    assert errors.startswith("tests.fuzz: ")
    assert errors.count("\n") == 1
    assert said in errors


def test_a_machine_without_atheris_is_told_the_extra(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['atheris'] = None")
    expected = "tests.fuzz: atheris is not installed; run: pip install -e '.[fuzz]'\n"
    assert run("parser", before=[tmp_path]) == (2, "", expected)


def test_one_input_is_replayed(tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"data: a\n\n")
    status, output, errors = run("parser", "--replay", str(path))
    assert (status, errors) == (0, "")
    assert output.startswith("parser: 1 inputs replayed, 0 findings, ")


def test_a_corpus_that_is_not_there_leaves_the_seeds(tmp_path: Path) -> None:
    status, output, errors = run("parser", "chunks", "--replay-all", "--home", str(tmp_path))
    assert (status, errors) == (0, "")
    assert output.splitlines()[-1].startswith("fuzz: 2 targets, ")


def test_a_corpus_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "corpus" / "parser" / "a folder"
    path.mkdir(parents=True)
    expected = (2, "", f"tests.fuzz: {path}: Is a directory\n")
    assert run("parser", "--replay-all", "--home", str(tmp_path)) == expected


STAND_IN: Final = """
import time
from contextlib import nullcontext
from pathlib import Path

HERE = Path(__file__).parent

def instrument_imports(**_):
    return nullcontext()

def Setup(arguments, target):
    global given
    given = dict(each.split("=", 1) for each in arguments if "=" in each)

def Fuzz():
    if "-merge" in given:
        print("MERGE-OUTER: 0 new files with 0 new features added")
        raise SystemExit(0)
    print("stat::number_of_executed_units: 500")
    match (HERE / "mode").read_text():
        case "waits":
            (HERE / "started").touch()
            time.sleep(90)
        case "finds":
            Path(given["-artifact_prefix"] + "crash-1").write_bytes(b"x")
            print(" === Uncaught Python exception: ===\\nAssertionError: it differs")
            raise SystemExit(77)
        case "fails":
            print("it is out of luck")
            raise SystemExit(1)
    raise SystemExit(0)
"""
"""What the command needs of atheris, without its fuzzing."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with a stand-in for atheris and a corpus of one file, which has a name."""
    (tmp_path / "atheris.py").write_text(STAND_IN)
    (tmp_path / "corpus" / "parser").mkdir(parents=True)
    (tmp_path / "corpus" / "parser" / "by-hand").write_bytes(b"data: a\n\n")
    return tmp_path


def fuzz(home: Path, mode: str, *words: str) -> tuple[int, str, str]:
    """Fuzz the parser with the stand-in."""
    (home / "mode").write_text(mode)
    return run("parser", "--seconds", "1", "--home", str(home), *words, before=[home])


def test_the_summary_has_the_figures_and_a_file_with_a_name_is_kept(home: Path) -> None:
    figures = home / "figures.json"
    status, output, errors = fuzz(home, "goes well", "--json", str(figures))
    assert (status, errors) == (0, "")
    first, last = output.splitlines()
    assert first.startswith("parser: 500 executions, ")
    assert "1 files and 9 bytes in the corpus, 0 findings" in first
    assert last.startswith("fuzz: 1 targets, 500 executions, 0 findings, ")
    assert json.loads(figures.read_text())[0]["executions"] == 500


def test_a_finding_is_kept_with_the_command_that_replays_it(home: Path) -> None:
    status, output, errors = fuzz(home, "finds")
    assert (status, errors) == (1, "")
    path = home / "findings" / "parser" / "crash-1"
    assert "  AssertionError: it differs\n" in output
    assert f"  again: python -m tests.fuzz parser --replay {path}\n" in output
    assert path.read_bytes() == b"x"


def test_a_fuzzer_that_fails_is_no_finding(home: Path) -> None:
    expected = "tests.fuzz: parser: the fuzzer ended with status 1: it is out of luck\n"
    assert fuzz(home, "fails") == (2, "", expected)


def test_figures_that_cannot_be_written_are_refused_before_the_fuzzing(home: Path) -> None:
    path = home / "none" / "figures.json"
    expected = (2, "", f"tests.fuzz: --json {path}: No such file or directory\n")
    assert fuzz(home, "goes well", "--json", str(path)) == expected


def test_ctrl_c_ends_the_fuzzer_in_one_line(home: Path) -> None:
    (home / "mode").write_text("waits")
    with command("parser", "--home", str(home), before=[home]) as process:
        while not (home / "started").exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=100)
    assert (process.returncode, output) == (130, "")
    assert errors == "tests.fuzz: interrupted; the corpus is as it was\n"
