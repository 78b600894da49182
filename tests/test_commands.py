"""The three commands have one manner: the same help, errors, statuses and treatment of outputs."""

import importlib
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import arkor_proto
from conformance.reports import write_run
from conformance.verdict.statuses import Verdict
from tests.arkor_proto.blocking.fixtures_blocking import serving
from tests.arkor_proto.cli.command import JOB
from tests.conformance.sample_run import result, run
from tests.forked import CLOSED, HEAD, MAINS, ROOT, Finished, run_forked

SUBCOMMANDS: Final = {
    "arkor-proto": ("run", "follow", "status", "cancel", "demo"),
    "arkor-mock": (
        *("serve", "proxy", "control", "record", "recover"),
        *("check", "explain", "schema", "addon-path"),
    ),
    "arkor-conformance": (
        *("run", "backend", "report", "compare", "list", "show", "init", "smoke", "parser"),
        *("explore", "diff", "simulate", "states", "mutants", "coverage"),
    ),
}
EACH: Final = [(command, sub) for command, subs in SUBCOMMANDS.items() for sub in subs]
HELPS: Final = [*((command, "") for command in SUBCOMMANDS), *EACH]
QUICK: Final = ("run", "--case", "create.start-opens-no-stream", "--profile", "2026-05")
SCENARIO: Final = 'schema = 1\n[[job]]\nid = "ä"\n'
NEEDED: Final = {
    **dict.fromkeys(
        (
            *("serve", "control", "schema", "addon-path", "list", "smoke", "mutants", "coverage"),
            *("backend", "simulate", "states"),
        ),
        (),
    ),
    "demo": (),
    "parser": (),
    "proxy": ("--upstream", "http://127.0.0.1:9"),
    "record": ("--upstream", "http://127.0.0.1:9", "--out", "x.toml"),
    "diff": ("x", "x"),
    "init": ("python", "."),
    "compare": ("run.json", "run.json"),
}
"""What a subcommand cannot do without; where nothing is said, one operand."""
PRINTING: Final = [
    ("arkor-proto", "follow", "ä"),
    ("arkor-proto", "run", "job.toml"),
    ("arkor-mock", "serve", "--max-lifetime", "0.01"),
    ("arkor-mock", "check", "ä.toml"),
    ("arkor-mock", "explain", "ä.toml"),
    ("arkor-mock", "schema"),
    ("arkor-mock", "addon-path"),
    ("arkor-conformance", *QUICK),
    ("arkor-conformance", "backend", "--case", "create.accepted", "--profile", "2026-05"),
    ("arkor-conformance", "report", "run.json", "--report", "ä.md"),
    ("arkor-conformance", "compare", "run.json", "run.json"),
    ("arkor-conformance", "list", "--filter", "create.*"),
    ("arkor-conformance", "show", "create.accepted"),
    ("arkor-conformance", "smoke"),
    ("arkor-conformance", "parser", "--stream", "W01"),
]
"""Commands that print, each in a folder with the files that they name and beside a backend."""
MISSING: Final = [
    ("arkor-proto", "run", "gone", "--base-url", "http://127.0.0.1:9"),
    ("arkor-proto", "follow", "j", "--base-url", "http://127.0.0.1:9", "--token-file", "gone"),
    ("arkor-mock", "serve", "gone.toml"),
    ("arkor-mock", "explain", "gone.toml"),
    ("arkor-mock", "recover", "gone.toml"),
    ("arkor-mock", "record", "--upstream", "http://127.0.0.1:9", "--out", "gone/out.toml"),
    ("arkor-conformance", *QUICK, "--file", "gone.toml"),
    ("arkor-conformance", *QUICK, "--baseline", "gone.toml"),
    ("arkor-conformance", *QUICK, "--report", "gone/run.json"),
    ("arkor-conformance", "report", "gone.json", "--report", "x.md"),
    ("arkor-conformance", "compare", "gone.json", "run.json"),
    ("arkor-conformance", "parser", "--out", "gone/parser.json"),
    ("arkor-conformance", "explore", "--out", "gone/found.toml"),
]


def ran(*words: str, out: str = "", **variables: str) -> Finished:
    """Run a command to its end; whatever happens, there is no traceback."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ARKOR_")}
    environment = {**kept, "COLUMNS": "100", "NO_COLOR": "1", "ARKOR_TOKEN": "t", **variables}
    done = run_forked(words[0], words[1:], environment, out=out)
    assert "Traceback" not in done.out + done.err, done
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files that PRINTING names."""
    folder = tmp_path_factory.mktemp("commands")
    (folder / "ä.toml").write_text(SCENARIO, "utf-8")
    (folder / "job.toml").write_text(JOB.replace('"bot"', '"böt"'), "utf-8")
    write_run([folder / "run.json"], run([result(Verdict.PASS)]))
    return folder


@pytest.fixture(scope="module")
def backend() -> Iterator[str]:
    """Serve a job and return the address."""
    with serving(job=[{"id": "ä", "submitted": True}]) as mock:
        yield mock.base_url


@pytest.fixture(params=PRINTING, ids=" ".join)
def printing(request: pytest.FixtureRequest, folder: Path, backend: str) -> tuple[str, ...]:
    """Return a command that prints, with the place of its files and of its backend."""
    given: tuple[str, ...] = request.param
    files = {path.name: str(path) for path in (*folder.iterdir(), folder / "ä.md")}
    address = ("--base-url", backend) if given[0] == "arkor-proto" else ()
    return (*(files.get(word, word) for word in given), *address)


def options(text: str) -> dict[str, str]:
    """Return the options of a help that take a value, each with what is said about it."""
    found = re.findall(r"^  (-\S.*?)(?:  |\n {8,})((?:.|\n {8,})*)", text, re.MULTILINE)
    return {head: " ".join(said.split()) for head, said in found if re.search(r" [A-Z\[{]", head)}


@pytest.mark.parametrize(("command", "sub"), HELPS)
def test_a_help_has_a_sentence_an_example_and_every_default(command: str, sub: str) -> None:
    done = ran(command, *([sub] if sub else []), "--help")
    assert (done.status, done.err) == (0, "")
    assert re.search(r"^ *[A-Z][^\n]+[.,:;]", done.out.split("\n\n")[1])
    assert re.search(rf"example:\n +{command} {sub}", done.out)
    for option, text in options(done.out).items():
        assert "default: " in text or "required" in text, option


@pytest.mark.parametrize(("command", "sub"), HELPS)
def test_a_help_fits_on_a_terminal_of_80_columns(command: str, sub: str) -> None:
    done = ran(command, *([sub] if sub else []), "--help", COLUMNS="80")
    assert [line for line in done.out.splitlines() if len(line) > 80] == []


def test_help_shows_how_to_write_the_options() -> None:
    shown = options(ran("arkor-mock", "record", "--help").out)
    assert "[default: 127.0.0.1]" in shown["--host HOST"]
    shown = options(ran("arkor-conformance", "explore", "--help").out)
    assert "[default: found.toml]" in shown["-o, --out FILE"]


@pytest.mark.parametrize("command", SUBCOMMANDS)
def test_every_subcommand_is_tried_here(command: str) -> None:
    done = ran(command, "xyzzy")
    assert done.status == 2
    assert done.err.startswith(f"{command}: 'xyzzy' is not a command; ")
    # One that is misspelt is answered with the first dozen, one that is missing with all.
    names = re.findall(r"[a-z-]+", ran(command).err.partition("one of ")[2].partition(";")[0])
    assert sorted(names) == sorted(SUBCOMMANDS[command])


@pytest.mark.parametrize("command", SUBCOMMANDS)
def test_the_version_is_that_of_the_distribution(command: str) -> None:
    expected = Finished(0, f"{command} {arkor_proto.__version__}\n", "")
    assert ran(command, "--version") == expected


@pytest.mark.parametrize("command", SUBCOMMANDS)
def test_a_command_that_is_missing_or_misspelt_is_usage(command: str) -> None:
    near = SUBCOMMANDS[command][0]
    known = ", ".join(SUBCOMMANDS[command])
    for given, said in (
        ((), f"missing command; use one of {known}; see `{command} --help`\n"),
        ((f"{near}x",), f"'{near}x' is not a command; did you mean '{near}'?\n"),
    ):
        done = ran(command, *given)
        assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
        assert done.err.endswith(said)


@pytest.mark.parametrize(("command", "sub"), EACH)
def test_an_unknown_option_is_usage_and_is_named(command: str, sub: str) -> None:
    done = ran(command, sub, *NEEDED.get(sub, ("x",)), "--bogus")
    assert (done.status, done.out) == (2, "")
    assert done.err == f"{command}: --bogus: unknown; see `{command} {sub} --help`\n"


@pytest.mark.parametrize(
    ("command", "sub", "name"),
    [
        ("arkor-proto", "run", "FILE"),
        ("arkor-mock", "explain", "SCENARIO"),
        ("arkor-mock", "proxy", "--upstream"),
        ("arkor-conformance", "show", "CASE"),
        ("arkor-conformance", "diff", "LEFT"),
    ],
)
def test_a_missing_argument_is_usage_and_is_named(command: str, sub: str, name: str) -> None:
    expected = f"{command}: {name}: missing; see `{command} {sub} --help`\n"
    assert ran(command, sub) == Finished(2, "", expected)


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("arkor-proto", "follow", "j", "--max-delay", "x"), "--max-delay"),
        (("arkor-proto", "follow", "j", "--profile", "x"), "--profile"),
        (("arkor-mock", "serve", "--port", "x"), "--port"),
        (("arkor-conformance", "run", "--patience", "x"), "--patience"),
        (("arkor-conformance", "list", "--profile", "x"), "--profile"),
        (("arkor-conformance", "run", "-j", "0"), "--lanes"),
        (("arkor-conformance", "run", "--patience"), "--patience"),
        (("arkor-conformance", "run", "--strict=x"), "--strict"),
    ],
)
def test_a_wrong_value_is_usage_and_its_option_is_named(
    words: tuple[str, ...], option: str
) -> None:
    done = ran(*words)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith(f"{words[0]}: {option}: ")
    assert done.err.endswith(f"; see `{words[0]} {words[1]} --help`\n")


@pytest.mark.parametrize("words", MISSING, ids=" ".join)
def test_a_file_that_cannot_be_used_is_named(words: tuple[str, ...], tmp_path: Path) -> None:
    here = [str(tmp_path / word) if word.startswith("gone") else word for word in words]
    done = ran(*here)
    status = 3 if words[0] == "arkor-conformance" else 2
    assert (done.status, done.out, done.err.count("\n")) == (status, "", 1), done
    assert str(tmp_path / "gone") in done.err


@pytest.mark.parametrize(("command", "sub"), HELPS)
@pytest.mark.parametrize(
    ("out", "status", "said"),
    [
        ("/dev/full", 3, "cannot write to standard output: No space left on device"),
        (CLOSED, 3, "standard output is closed; redirect it to a file or to /dev/null"),
        (HEAD, 141, ""),
    ],
)
def test_a_help_that_cannot_be_printed(
    command: str, sub: str, out: str, status: int, said: str
) -> None:
    done = ran(command, *([sub] if sub else []), "--help", out=out)
    assert done == Finished(status, "", f"{command}: {said}\n" if said else "")


def test_a_full_output_is_told(printing: tuple[str, ...]) -> None:
    done = ran(*printing, out="/dev/full")
    assert done.status == 3
    assert f"{printing[0]}: cannot write to standard output: No space left" in done.err


def test_a_closed_output_is_told(printing: tuple[str, ...]) -> None:
    done = ran(*printing, out=CLOSED)
    assert (done.status, done.err.count("\n")) == (3, 1)
    assert done.err.startswith(f"{printing[0]}: standard output is closed")


def test_a_reader_that_has_left_is_no_error(printing: tuple[str, ...]) -> None:
    done = ran(*printing, out=HEAD)
    assert (done.status, done.err) == (141, "")


def test_an_ascii_output_spells_out_what_it_lacks(printing: tuple[str, ...]) -> None:
    done = ran(*printing, PYTHONIOENCODING="ascii")
    assert (done.status, done.out.isascii(), done.err.isascii()) == (0, True, True), done
    assert done.out


def test_the_installed_scripts_are_functions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert set(project["scripts"]) == set(MAINS)
    for place in project["scripts"].values():
        module, _, name = place.partition(":")
        assert callable(getattr(importlib.import_module(module), name))
