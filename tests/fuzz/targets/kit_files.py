"""What else the kit reads: baselines and saved runs.

An input is one line with the kind, and the file below it. A file is refused in plain words, or survives
being written; a saved run also makes every report.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import mock_server
from conformance.casefile.requirements import load_requirements
from conformance.reports import write_run
from conformance.reports.run_json.saved import as_json, read_saved
from conformance.verdict.known_failures import Known, read_baseline
from conformance.verdict.statuses import Verdict
from mock_server.strict.toml import toml_value
from tests.conformance.sample_run import result, run
from tests.fuzz.targets.files import read_file

LONGEST: Final = 6000
_ROOT: Final = Path(mock_server.__file__).parents[1]
_STARTER: Final = _ROOT / "conformance" / "starters" / "known-failures.toml"
_RULES: Final = load_requirements()
TOKENS: Final = (
    *(b"baseline\n", b"run\n", b"[[known]]\n", b"case = ", b"reason = ", b"rule = "),
    *(
        b"expires = ",
        b'"2026-12-31"',
        b"profile = ",
        b"assertion = ",
        b'"ARK-BUD-1"',
        b'"hardened"',
    ),
    *(b"1e400", b"-1", b"NaN", b"Infinity", b"true", b"null"),
    *(
        b"{}",
        b"[]",
        b'""',
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b",",
        b"0",
        b"\\ud800",
        b"\\u0000",
        b"\xff",
    ),
)


def target(data: bytes) -> None:
    """Read a file of the kit; raise where it is not refused and not kept as it is."""
    kind, _, text = data.partition(b"\n")
    if read := _KINDS.get(kind):
        read(text)


def _baseline(data: bytes) -> None:
    known = read_file("known.toml", data, lambda path: read_baseline(path, _RULES))
    if known is None:
        return
    written = "".join(map(_entry, known)).encode()
    again = read_file("known.toml", written, lambda path: read_baseline(path, _RULES))
    assert again == known, f"{known} was written as {written!r} and read as {again}"


def _entry(known: Known) -> str:
    words = "".join(f"{name} = {toml_value(value)}\n" for name, value in known.plain().items())
    return f"[[known]]\n{words}"


def _run(data: bytes) -> None:
    saved = read_file("run.json", data, read_saved)
    if saved is None:
        return
    again = read_file("run.json", as_json(saved.data).encode(), read_saved)
    assert again is not None, "a saved run was refused when it was saved again"
    assert again.data == saved.data, "a saved run was changed when it was saved again"
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        write_run([Path(folder)], saved.data)


_KINDS: Final[Mapping[bytes, Callable[[bytes], None]]] = {
    b"baseline": _baseline,
    b"run": _run,
}


def seeds() -> Iterator[bytes]:
    """Yield a file of each kind."""
    yield b"baseline\n" + _STARTER.read_bytes()
    yield (
        b"baseline\n[[known]]\ncase = 'budget.ping'\nprofile = ['hardened']\nreason = 'TODO'\n"
        b"assertion = 'requests.stream'\nexpires = '2026-12-31'\n"
        b"[[known]]\nrule = ['ARK-BUD-1', 'ARK-RES-2']\nreason = 'old'\n"
    )
    for verdict in Verdict:
        yield b"run\n" + as_json(run([result(verdict)])).encode()
