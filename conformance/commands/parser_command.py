"""`arkor-conformance parser`: judge an event-stream parser on its own."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import anyio
import click

from conformance.casefile.requirements import PROFILE_NAMES, Level, Requirement, load_requirements
from conformance.commands import options
from conformance.drive.process import DriverUnusable
from conformance.drivers import own
from conformance.parser.protocol import REPORTS, Introduction
from conformance.parser.run import ParserRun
from conformance.parser.streams import Parsed, Stream, load_streams
from conformance.plain import one_line, say, shortened
from conformance.reports import check_file, write_file
from conformance.strict_data import Json, UsageError
from conformance.verdict.statuses import Exit
from mock_server.net.kernel import LOOP
from mock_server.strict.shapes import nearest

OWN: Final = own("drivers.python.parse")
_PATIENCE: Final = 10.0
_FORMAT: Final = "arkor-parser/1"
_SHOWN: Final = 400
_MOST_CHUNKS: Final = 6


@click.command()
@click.option(
    "--stream",
    "ids",
    multiple=True,
    metavar="ID",
    show_default="all",
    help="Judge only this stream of spec/vectors/sse.json; may be repeated.",
)
@click.option(
    "--chunkings",
    default=20,
    metavar="N",
    type=options.CHUNKINGS,
    help="How many random splits of each stream to try.",
)
@options.seed
@options.patience(_PATIENCE)
@click.option("--strict", is_flag=True, help="Let proposed rules affect the verdict as well.")
@click.option(
    "-o",
    "--out",
    metavar="FILE",
    type=options.FILE,
    show_default="none",
    help="Write the result as JSON.",
)
@options.driver
def command(
    *,
    ids: Sequence[str],
    chunkings: int,
    seed: int,
    patience: float,
    strict: bool,
    out: Path | None,
    driver: Sequence[str],
) -> int:
    """Judge an event-stream parser on its own: this project's, or the one given after --.

    The parser receives every stream of spec/vectors/sse.json whole, in the chunks that the file
    lists, and split at random; it also receives short streams byte by byte and split in two at
    every point. Section 14 of the driver guide specifies what the parser must print.

    \b
    example:
      arkor-conformance parser -- node my-parser.mjs
    """  # noqa: D301 - \b is click's mark for lines to keep
    rules = load_requirements()
    if out is not None:
        check_file(out, "--out")
    run = ParserRun(driver or OWN, _chosen(ids), patience, seed, chunkings)
    try:
        anyio.run(run.play, backend_options=LOOP)
    except DriverUnusable as error:
        say(f"arkor-conformance: no verdict: {error}", err=True)
        return Exit.UNUSABLE
    judgement = _Judgement(run, rules, strict=strict)
    for line in judgement.lines():
        say(line)
    if out is not None:
        write_file(out, json.dumps(judgement.as_json(), indent=2) + "\n", "--out")
        say(f"The report: {out}")
    if not driver:
        say("To judge your own parser: arkor-conformance parser -- node my-parser.mjs")
    if not run.passed and not run.failures:
        return Exit.NOTHING_RAN
    return Exit.FAILED if judgement.broken else Exit.OK


def _chosen(ids: Sequence[str]) -> Sequence[Stream]:
    streams = load_streams()
    known = [stream.id for stream in streams]
    for each in ids:
        if each not in known:
            raise UsageError(f"--stream {each}", f"no such stream; {nearest(each, known)}")
    return [stream for stream in streams if not ids or stream.id in ids]


class _Judgement:
    """The result of judging a parser. `broken` lists the broken rules that affect the verdict."""

    def __init__(self, run: ParserRun, rules: Mapping[str, Requirement], *, strict: bool) -> None:
        self._run = run
        self._rules = rules
        self._strict = strict
        found = dict.fromkeys(rule for each in run.failures for rule in each.rules)
        self.broken = tuple(rule for rule in found if self._counts(rule))
        self.advised = tuple(rule for rule in found if not self._counts(rule))
        kept = dict.fromkeys(rule for each in run.passed for rule in each.requires)
        self.kept = tuple(rule for rule in kept if rule not in found)

    def lines(self) -> Iterator[str]:
        """Yield the lines to print: the first failure of each rule in full, then the verdict."""
        for rule in (*self.broken, *self.advised):
            yield from self._rule(rule)
        run = self._run
        judged = len(run.passed) + len(run.failures)
        if run.introduced is not None:
            yield one_line(f"{_name(run.introduced)} {self.verdict}.")
        yield (
            f"{judged} stream{'s' * (judged != 1)}, split in {run.parses} "
            f"way{'s' * (run.parses != 1)} (seed {run.seed}): {len(run.passed)} right, "
            f"{len(run.failures)} wrong, {len(run.left_out)} not judged. "
            f"Rules: {len(self.kept)} hold, {len(self.broken)} broken"
            + (f", {len(self.advised)} broken but not counted" if self.advised else "")
            + "."
        )

    @property
    def verdict(self) -> str:
        """The verdict as text; if the parser conforms, this lists what it does not report."""
        if not self._run.passed and not self._run.failures:
            return "was not judged: none of the streams applies to it"
        if self.broken:
            return f"does not conform: it breaks {', '.join(self.broken)}"
        reports = self._run.introduced.reports if self._run.introduced else frozenset[str]()
        missing = [name for name in REPORTS if name not in reports]
        if not missing:
            return "conforms"
        holds = ", ".join(["events", *(name for name in REPORTS if name in reports)])
        return f"conforms for: {holds} (no {', no '.join(missing)})"

    def as_json(self) -> Mapping[str, Json]:
        """Return the result as plain data."""
        introduced = self._run.introduced
        return {
            "format": _FORMAT,
            "parser": {
                "impl": introduced.implementation if introduced else "",
                "version": introduced.version if introduced else "",
                "reports": sorted(introduced.reports) if introduced else [],
            },
            "seed": self._run.seed,
            "verdict": self.verdict,
            "rules": {
                "hold": list(self.kept),
                "broken": list(self.broken),
                "broken_but_not_counted": list(self.advised),
            },
            "passed": [stream.id for stream in self._run.passed],
            "not_judged": dict(self._run.left_out),
            "failures": [
                {
                    "stream": each.stream.id,
                    "source": each.stream.source,
                    "rules": list(each.rules),
                    "problem": each.difference.problem,
                    "chunks_hex": [chunk.hex() for chunk in each.chunks],
                    "expected": _events(each.stream.expected),
                    "actual": None if each.actual is None else _events(each.actual),
                }
                for each in self._run.failures
            ],
        }

    def _counts(self, rule: str) -> bool:
        requirement = self._rules[rule]
        counts = requirement.counts(PROFILE_NAMES[0], strict=self._strict)
        return requirement.level is Level.MUST and counts

    def _rule(self, rule: str) -> Iterator[str]:
        requirement = self._rules[rule]
        first, *others = [f for f in self._run.failures if rule in f.rules]
        kind = "FAIL" if rule in self.broken else "WARN"
        yield f"{kind} {rule} {requirement.level.value}  {requirement.text}"
        yield f"  source    {requirement.source}"
        yield f"  stream    {first.stream.id}: {first.stream.source}"
        yield from _cut(first.chunks)
        yield f"  expected  {_told(first.stream.expected)}"
        yield f"  actual    {'nothing' if first.actual is None else _told(first.actual)}"
        yield f"  wrong     {one_line(first.difference.problem)}"
        if others:
            names = ", ".join(each.stream.id for each in others)
            yield f"  and {len(others)} more: {names}"
        yield ""


def _cut(chunks: Sequence[bytes]) -> Iterator[str]:
    if len(chunks) == 1:
        yield f"  input     {shortened(repr(chunks[0]), _SHOWN)}"
        return
    for number, chunk in enumerate(chunks[:_MOST_CHUNKS]):
        yield f"  chunk {number:<3} {shortened(repr(chunk), _SHOWN)}"
    if len(chunks) > _MOST_CHUNKS:
        yield f"  and {len(chunks) - _MOST_CHUNKS} more chunks"


def _told(parsed: Parsed) -> str:
    told = one_line("; ".join(map(str, parsed.events)) or "no event")
    error = f"; {one_line(parsed.error)}" if parsed.error else ""
    return f"{shortened(told, _SHOWN)}{error}"


def _events(parsed: Parsed) -> Json:
    return {
        "events": [
            {"type": e.type, "data": e.data, "last_event_id": e.last_event_id}
            for e in parsed.events
        ],
        "last_event_id": parsed.last_event_id,
        "retry": parsed.retry,
        "error": parsed.error,
    }


def _name(introduced: Introduction) -> str:
    return f"{introduced.implementation} {introduced.version}"
