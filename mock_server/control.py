"""What the admin can do to one server: scenario, rules, jobs, gates, connections, journal, verify.

It knows routes below one server and JSON bodies. It refuses to know who may use them.
"""

import math
from collections.abc import Sequence
from typing import Final

import anyio
from attrs import define, field

from mock_server.backend import Job, JobEnded, Reply, refuse, reply_json
from mock_server.codec import scenario_from_dict, scenario_from_toml, scenario_to_dict
from mock_server.damage import compact
from mock_server.framing import Frame
from mock_server.heads import Head, phrase_of
from mock_server.journal import Journal, Record, record_to_dict, to_jsonl
from mock_server.model import JOB, Scenario
from mock_server.net.service import Answered
from mock_server.routing import Request, json_of
from mock_server.script import rule_from_words
from mock_server.server import MockServer
from mock_server.shapes import ScenarioError, is_array, is_table
from mock_server.verification import VERIFICATION, problems_of
from mock_server.vocabulary import FRAME, Ending
from mock_server.waiting import MILESTONE, awaited
from mock_server.words import plain

LONGEST_WAIT: Final = 60.0
_TAIL_BATCH: Final = 64


class Refusal(Exception):
    """The answer is a refusal."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.reply = refuse(status, why)


def body_table(request: Request) -> dict[str, object]:
    """Return the JSON object of a request, an empty one for no body; raises Refusal."""
    if not request.body:
        return {}
    found = json_of(request.body)
    if not is_table(found):
        raise Refusal(400, "the body must be a JSON object")
    return dict(found)


def scenario_of(request: Request) -> Scenario:
    """Read a scenario from a body: JSON, or TOML if its Content-Type says so."""
    if "toml" in (request.header("content-type") or ""):
        try:
            return scenario_from_toml(request.body.decode())
        except UnicodeDecodeError as error:
            raise Refusal(400, f"byte {error.start} is not UTF-8; use bytes_hex") from None
    return scenario_from_dict(body_table(request))


async def control(
    server: MockServer, method: str, rest: Sequence[str], request: Request
) -> Reply | Answered:
    """Carry out one request about a server; raises Refusal and ScenarioError."""
    match method, rest[:1]:
        case _, ["scenario"] | ["rules"] | ["reset"]:
            return _program(server, method, list(rest), request)
        case _, ["jobs"]:
            return _jobs(server, method, list(rest), request)
        case "GET", ["journal"]:
            return await _journal(server, list(rest), request)
        case "POST", ["wait"] if len(rest) == 1:
            return await _wait(server, request)
        case _:
            return _live(server, method, list(rest), request)


def _no_route(method: str, rest: Sequence[str]) -> Refusal:
    return Refusal(404, f"no route {method} {'/'.join(rest)!r} below a server")


def _program(server: MockServer, method: str, rest: list[str], request: Request) -> Reply:
    match method, rest:
        case "GET", ["scenario"]:
            return reply_json(200, scenario_to_dict(server.scenario))
        case "PUT", ["scenario"]:
            server.load(scenario_of(request))
        case "POST", ["reset"]:
            server.load(server.scenario)
        case "GET", ["rules"]:
            rules = [
                {"index": index, "acted": acted, "rule": plain(rule)}
                for index, rule, acted in server.rules
            ]
            return reply_json(200, {"rules": rules})
        case "POST", ["rules"]:
            index = server.set_rule(None, rule_from_words(body_table(request)))
            return reply_json(201, {"index": index})
        case "DELETE", ["rules", index] if index.isascii() and index.isdigit():
            if not server.remove_rule(int(index)):
                raise Refusal(404, f"no rule {index}")
        case _:
            raise _no_route(method, rest)
    return reply_json(200, {"ok": True})


def _jobs(server: MockServer, method: str, rest: list[str], request: Request) -> Reply:
    match method, rest:
        case "POST", ["jobs"]:
            job = server.add_job(JOB.read(body_table(request), "job"))
            return reply_json(201, {"job": job.public()})
        case "GET", ["jobs", name]:
            job = _job(server, name)
            return reply_json(200, {"job": job.public(), "events": job.events()})
        case "POST", ["jobs", name, "events"]:
            return _push(_job(server, name), request)
        case _:
            raise _no_route(method, rest)


def _job(server: MockServer, name: str) -> Job:
    try:
        return server.jobs[name]
    except KeyError:
        raise Refusal(404, f"no job {name!r}") from None


def _push(job: Job, request: Request) -> Reply:
    body = json_of(request.body)
    items = body if is_array(body) else [body]
    frames = [FRAME.read(item, f"event {n}") for n, item in enumerate(items, 1)]
    try:
        ids = [job.push(frame).id for frame in frames]
    except JobEnded as error:
        raise Refusal(409, str(error)) from None
    return reply_json(201, {"ids": ids})


def _live(server: MockServer, method: str, rest: list[str], request: Request) -> Reply:
    match method, rest:
        case "POST", ["gates", name, "open" | "shut" as what]:
            _gate(server, name, what)
        case "GET", ["connections"]:
            return reply_json(200, {"connections": server.connections})
        case "POST", ["connections", number, "end"]:
            _end(server, number, body_table(request))
        case "POST", ["verify"]:
            return _verify(server, request)
        case _:
            raise _no_route(method, rest)
    return reply_json(200, {"ok": True})


def _gate(server: MockServer, name: str, what: str) -> None:
    gate = server.gate(name)
    try:
        if what == "open":
            gate.open()
        else:
            gate.shut()
    except ScenarioError as error:
        raise Refusal(404, str(error)) from None


def _end(server: MockServer, number: str, words: dict[str, object]) -> None:
    how = words.pop("how", "rst")
    if words or how not in {"rst", "fin"}:
        raise Refusal(400, 'the body is {"how": "rst"} or {"how": "fin"}')
    try:
        server.end_connection(int(number), Ending(str(how)))
    except (KeyError, ValueError):
        raise Refusal(404, f"no open connection {number!r}") from None


def _verify(server: MockServer, request: Request) -> Reply:
    verification = VERIFICATION.read(body_table(request), "")
    try:
        problems = problems_of(verification, server.verify)
    except ValueError as error:
        raise Refusal(400, str(error)) from None
    if problems:
        return reply_json(409, {"ok": False, "problems": problems})
    return reply_json(200, {"ok": True})


async def _journal(server: MockServer, rest: list[str], request: Request) -> Reply | Answered:
    after = _number(request, "after", 0)
    book = server.record_book
    match rest:
        case ["journal"]:
            wait = min(_number(request, "wait", 0) / 1000, LONGEST_WAIT)
            if wait:
                await _more(book, after, wait)
            return _listed(book, after, request.query.get("format", "json"))
        case ["journal", "tail"]:
            head = Head(200, phrase_of(200), (("Content-Type", "text/event-stream"),))
            return Answered(head, TailSource(book, after))
        case _:
            raise _no_route("GET", rest)


async def _wait(server: MockServer, request: Request) -> Reply:
    milestone = MILESTONE.read(body_table(request), "wait")
    within = min(milestone.within, LONGEST_WAIT)
    try:
        record = await awaited(server.record_book, milestone, within, str(milestone))
    except TimeoutError as late:
        raise Refusal(409, str(late)) from None
    return reply_json(200, {"record": record_to_dict(record)})


def _number(request: Request, name: str, default: int) -> int:
    given = request.query.get(name, str(default))
    if not given.isascii() or not given.isdigit() or len(given) > 15:  # noqa: PLR2004 -- digits
        raise Refusal(400, f"{name}: {given[:40]!r} is no whole number")
    return int(given)


def _listed(book: Journal, after: int, form: str) -> Reply:
    records = book.after(after)
    if form == "jsonl":
        return Reply(200, (("Content-Type", "application/jsonl"),), to_jsonl(records).encode())
    if form != "json":
        raise Refusal(400, f"format: {form[:40]!r} is unknown; json or jsonl")
    listed = [record_to_dict(record) for record in records]
    return reply_json(200, {"records": listed, "dropped": book.dropped})


async def _more(book: Journal, after: int, seconds: float) -> None:
    """Wait until there is a record after this one, at most so long."""
    if book.after(after):
        return
    event = anyio.Event()
    stop = book.listen(lambda _: event.set())
    try:
        with anyio.move_on_after(seconds):
            await event.wait()
    finally:
        stop()


@define(eq=False)
class TailSource:
    """The journal as an endless event stream: one record, one frame, its number as the id."""

    _book: Journal
    _after: int
    end: Ending = field(default=Ending.EOF, init=False)

    async def next(self, limit: int, *, whole: bool = True) -> Sequence[Frame]:
        """Wait for records."""
        del whole
        while not (records := self._book.after(self._after)[:limit]):
            await _more(self._book, self._after, math.inf)
        self._after = records[-1].seq
        return [_framed(record) for record in records]

    async def aclose(self) -> None:
        """Nothing to give back."""


def _framed(record: Record) -> Frame:
    data = compact(record_to_dict(record))
    raw = f"id: {record.seq}\nevent: {type(record).__name__}\ndata: {data}\n\n".encode()
    return Frame(raw, str(record.seq), type(record).__name__)
