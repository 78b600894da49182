"""The routes of the admin API for one server, such as its scenario, jobs, gates and journal.

`server.py` checks the token before it calls these routes.
"""

import re
from functools import partial
from typing import Final

from anyio import to_thread

from mock_server.admin.faults import faults_of
from mock_server.admin.journal import LONGEST_WAIT, Polls, journal
from mock_server.admin.requests import (
    Refusal,
    body_table,
    no_route,
    shown_word,
    whole_number,
)
from mock_server.backend.answers import JSON_TYPE, Reply, listed, reply_json
from mock_server.backend.jobs import Job, JobEnded
from mock_server.journal.records import record_to_dict
from mock_server.journal.verification import VERIFICATION, problems_of
from mock_server.journal.waiting import MILESTONE, awaited
from mock_server.net.origin import Answered, answered_with
from mock_server.redaction import redacted_members
from mock_server.requests import Request, json_of
from mock_server.scenario.builder import rule_from_words
from mock_server.scenario.explain import what_it_does, whom_it_is_about
from mock_server.scenario.files import scenario_from_dict, scenario_from_toml, scenario_to_dict
from mock_server.scenario.model import JOB, Scenario
from mock_server.scenario.rule import RULE, Rule
from mock_server.scenario.vocabulary import FRAME
from mock_server.scenario.words.end import NEVER, Ending
from mock_server.secret_names import REDACTED
from mock_server.server import MockServer
from mock_server.strict.json import compact, parsed_json
from mock_server.strict.shapes import ScenarioError, is_array
from mock_server.strict.words import plain_table

_BELOW: Final = " below a server"
_LONGEST_TOML: Final = 1 << 20
_MANY_DOTS: Final = re.compile(r"""(?:[\w"' \t-]{1,100}\.){64}""")


async def scenario_of(request: Request) -> Scenario:
    """Read a scenario from a request body: TOML if the Content-Type contains `toml`, else JSON.

    Parse in a thread, because TOML takes seconds per megabyte. May raise Refusal or ScenarioError.
    """
    read = partial(_from_json, request)
    if "toml" in (request.header("content-type") or ""):
        if len(request.body) > _LONGEST_TOML:
            raise Refusal(
                413, f"the TOML is longer than {_LONGEST_TOML >> 20} MiB; send JSON instead"
            )
        read = partial(_from_toml, request)
    found = await to_thread.run_sync(read)
    backend = found.backend
    if REDACTED in {backend.token, *(tenant.token for tenant in backend.tenants)}:
        where = "backend.tenants" if backend.tenants else "backend.token"
        raise ScenarioError(
            f"{where}: {REDACTED!r} is what the admin API shows instead of a token; set the real token"
        )
    return found


def _from_json(request: Request) -> Scenario:
    return scenario_from_dict(body_table(request))


def _from_toml(request: Request) -> Scenario:
    try:
        source = request.body.decode()
    except UnicodeDecodeError as error:
        raise Refusal(
            400, f"the byte at offset {error.start} is not UTF-8; use bytes_hex"
        ) from None
    if _MANY_DOTS.search(source):
        # `tomllib` takes quadratic time in the number of parts of a dotted key.
        raise Refusal(400, "TOML: a dotted key has more than 64 parts; use fewer")
    return scenario_from_toml(source)


async def control(
    server: MockServer, method: str, rest: list[str], request: Request, polls: Polls
) -> Reply | Answered:
    """Handle one request about a server; may raise Refusal or ScenarioError."""
    match method, rest:
        case _, ["scenario" | "rules" | "reset", *_]:
            return await _plan(server, method, rest, request)
        case _, ["jobs", *_]:
            return _jobs(server, method, rest, request)
        case "GET", ["journal"] | ["journal", "tail"]:
            return await journal(server.record_book, request, polls, tail="tail" in rest)
        case "POST", ["wait"]:
            return await _wait(server, request, polls)
        case "POST", ["verify"]:
            return await _verify(server, request)
        case _:
            return _live(server, method, rest, request)


def _hidden(value: dict[str, object]) -> Reply:
    """Return a JSON response in which the tokens of the scenario are redacted."""
    return Reply(200, JSON_TYPE, redacted_members(compact(value)).encode())


async def _plan(server: MockServer, method: str, rest: list[str], request: Request) -> Reply:
    match method, rest:
        case "GET", ["scenario"]:
            return _hidden(scenario_to_dict(server.scenario))
        case "PUT", ["scenario"]:
            server.load(await scenario_of(request))
        case "POST", ["reset"]:
            server.load(server.scenario)
        case "GET", ["rules"]:
            return _hidden({"rules": [_rule(*each) for each in server.rules]})
        case "POST", ["rules"]:
            index = server.set_rule(None, rule_from_words(body_table(request)))
            return reply_json(201, {"index": index})
        case "DELETE", ["rules", index]:
            number = whole_number(index)
            if number is None or not server.remove_rule(number):
                raise Refusal(404, f"no rule {shown_word(index)}")
        case _:
            raise no_route(method, rest, _BELOW)
    return reply_json(200, {"ok": True})


def _rule(index: int, rule: Rule, fired: int) -> dict[str, object]:
    words = parsed_json(redacted_members(compact(plain_table(rule))))
    told = RULE.read(words, "rule")  # secrets are removed first: phrases quote values
    about, does = whom_it_is_about(told), what_it_does(told)
    return {"index": index, "acted": fired, "about": about, "does": does, "rule": words}


def _jobs(server: MockServer, method: str, rest: list[str], request: Request) -> Reply | Answered:
    match method, rest:
        case "POST", ["jobs"]:
            job = server.add_job(JOB.read(body_table(request), "job"))
            return reply_json(201, {"job": job.public()})
        case "GET", ["jobs", name]:
            return answered_with(listed(_job(server, name)))
        case "POST", ["jobs", name, "events"]:
            return _push(server, _job(server, name), request)
        case _:
            raise no_route(method, rest, _BELOW)


def _job(server: MockServer, name: str) -> Job:
    try:
        return server.jobs[name]
    except KeyError:
        raise Refusal(404, f"no job {shown_word(name)}") from None


def _push(server: MockServer, job: Job, request: Request) -> Reply:
    body = json_of(request.body)
    items = body if is_array(body) else [body]
    frames = [FRAME.read(item, f"event {n}") for n, item in enumerate(items, 1)]
    try:
        ids = [server.push_to(job, frame).id for frame in frames]
    except JobEnded as error:
        raise Refusal(409, str(error)) from None
    return reply_json(201, {"ids": ids})


def _live(server: MockServer, method: str, rest: list[str], request: Request) -> Reply:
    match method, rest:
        case "POST", ["gates", name, "open" | "shut" as what]:
            _gate(server, name, what)
        case "GET", ["gates"]:
            return reply_json(200, {"gates": [_shown_gate(server, n) for n in _gates(server)]})
        case "GET", ["faults"]:
            return reply_json(200, {"faults": faults_of(server)})
        case "GET", ["connections"]:
            return reply_json(200, {"connections": server.connections})
        case "POST", ["connections", number, "end"]:
            _end(server, number, body_table(request))
        case _:
            raise no_route(method, rest, _BELOW)
    return reply_json(200, {"ok": True})


def _gates(server: MockServer) -> list[str]:
    return sorted(server.gate_names - {NEVER})


def _shown_gate(server: MockServer, name: str) -> dict[str, object]:
    gates = server.gates
    return {
        "name": name,
        "open": gates.is_open(name),
        "waiting": gates.waiting[name],
        "waited_at": name in gates.waited_at,
    }


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
    if words or not isinstance(how, str) or how not in {"rst", "fin"}:
        raise Refusal(400, 'the body must be {"how": "rst"} or {"how": "fin"}')
    try:
        server.end_connection(whole_number(number) or 0, Ending(how))
    except KeyError:
        raise Refusal(404, f"no open connection {shown_word(number)}") from None


async def _verify(server: MockServer, request: Request) -> Reply:
    """Run the checks in a thread, because checking a long journal takes time."""
    verification = VERIFICATION.read(body_table(request), "")
    try:
        problems = await to_thread.run_sync(problems_of, verification, server.verify)
    except ValueError as error:
        raise Refusal(400, str(error)) from None
    if problems:
        return reply_json(409, {"ok": False, "problems": problems})
    return reply_json(200, {"ok": True})


async def _wait(server: MockServer, request: Request, polls: Polls) -> Reply:
    milestone = MILESTONE.read(body_table(request), "wait")
    within = min(milestone.within, LONGEST_WAIT)
    try:
        with polls.one_more():
            record = await awaited(server.record_book, milestone, within, str(milestone))
    except TimeoutError as late:
        raise Refusal(409, str(late)) from None
    return reply_json(200, {"record": record_to_dict(record)})
