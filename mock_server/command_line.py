"""The command line of the mock: the arguments of each command, and what runs the command."""

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import anyio

from arkor_proto.cli import numbers
from arkor_proto.cli.parser import Parser, commands, some_seconds, typed
from arkor_proto.cli.shell import BAD, OK, UNABLE, CommandError
from mock_server.admin.process import Process, serve
from mock_server.admin.watch import summary
from mock_server.control import CONFORMING
from mock_server.control.process import control
from mock_server.durable import one_line, say
from mock_server.net.kernel import LOOP
from mock_server.net.names.host_names import OddHost, address_of, checked_name, is_loopback
from mock_server.net.tls.throw_away import TlsUnavailable
from mock_server.proxy.origin import ANSWER_TIME, ProxyOrigin, Upstream
from mock_server.proxy.recorder import RecordingOrigin
from mock_server.proxy.recovery import read_tape
from mock_server.proxy.replay import replay_of
from mock_server.proxy.tape import Tape, TapeError
from mock_server.scenario.explain import explain
from mock_server.scenario.files import (
    checked_file,
    scenario_from_file,
    scenario_schema,
    scenario_to_toml,
)
from mock_server.scenario.model import Scenario
from mock_server.strict.shapes import ScenarioError, count_of

_SHORTEST_TOKEN: Final = 16
_PORT: Final = typed(partial(numbers.whole, most=65_535))
_STATUSES: Final = (
    "success, or the server was stopped",
    "check: a scenario has a mistake or cannot be read",
    "a port is taken, a package is missing, or a file cannot be written",
)


def run(given: Sequence[str]) -> int:
    """Run the command and return its exit status; raise CommandError or OSError if it fails."""
    options = _parsed(given)
    action, _, _ = _COMMANDS[options.command]
    try:
        return action(options)
    except ScenarioError as error:
        raise CommandError(summary(error)) from error
    except TapeError as error:
        raise CommandError(str(error)) from error
    except TlsUnavailable as error:
        raise CommandError(str(error), UNABLE) from error


def _parsed(given: Sequence[str]) -> argparse.Namespace:
    sentence = "A programmable Arkor backend, which can also be a proxy that injects faults."
    texts = {name: (text, example) for name, (_, text, example) in _COMMANDS.items()}
    found = commands("arkor-mock", sentence, texts, _STATUSES)
    parsers = found.parsers
    file = "a .toml or .json file"
    maybe = f"{file} [default: no faults]"
    counts = (
        ("serve", "?", maybe),
        ("proxy", "?", maybe),
        ("control", "?", f"{file} [default: a fully conforming backend]"),
        ("check", "+", file),
        ("explain", None, file),
    )
    for name, nargs, text in counts:
        add = parsers[name].add_argument
        add("scenario", nargs=nargs, type=Path, metavar="SCENARIO", help=text)
    text = "the .toml file that was given to `record --out`"
    parsers["recover"].add_argument("recording", type=Path, metavar="RECORDING", help=text)
    text = "the .toml file to write (required)"
    parsers["record"].add_argument(
        "-o", "--out", type=Path, required=True, metavar="FILE", help=text
    )
    for name in ("proxy", "record"):
        _add_upstream(parsers[name])
    for name in ("serve", "proxy", "record"):
        _add_process(parsers[name])
    for name in ("serve", "proxy"):
        text = "reload the scenario when its file changes; this resets all connections and counters"
        parsers[name].add_argument("--watch", action="store_true", help=text)
    return found.parse(given)


def _add_upstream(command: Parser) -> None:
    add = command.add_argument
    text = "the address of the real backend (required)"
    add("--upstream", required=True, metavar="URL", help=text)
    text = "how long to wait for the head of a response [default: %(default)g]"
    add("--upstream-timeout", type=some_seconds, default=ANSWER_TIME, metavar="SECONDS", help=text)


def _add_process(command: Parser) -> None:
    add = command.add_argument
    add("--host", default="127.0.0.1", help="the address to listen on [default: %(default)s]")
    for name, what in (("--port", "backend"), ("--admin-port", "admin API")):
        text = f"the port of the {what} [default: a free one]"
        add(name, type=_PORT, default=0, metavar="PORT", help=text)
    text = "the token for the admin API [default: a random one]"
    add("--admin-token", metavar="TOKEN", help=text)
    text = "allow other machines to connect; needs --admin-token"
    add("--allow-remote", action="store_true", help=text)
    text = (
        "an additional name, or name:port, by which clients reach the admin API; may be repeated "
        "[default: none]"
    )
    add("--allow-host", action="append", default=[], metavar="NAME", help=text)
    text = "serve clients over TLS, with a certificate from a temporary authority"
    add("--tls", action="store_true", help=text)
    text = "turn off the request log, which is printed only on a terminal"
    add("--quiet", action="store_true", help=text)
    text = "exit when the parent process closes standard input"
    add("--exit-on-stdin-eof", action="store_true", help=text)
    text = "exit after this many seconds [default: never]"
    add("--max-lifetime", type=some_seconds, metavar="SECONDS", help=text)


def _process(options: argparse.Namespace) -> Process:
    path: Path | None = getattr(options, "scenario", None)
    watch: bool = getattr(options, "watch", False)
    if watch and path is None:
        raise CommandError("--watch: needs a scenario; give its file")
    return Process(
        host=options.host,
        port=options.port,
        admin_port=options.admin_port,
        token=options.admin_token,
        remote=_is_remote(options),
        exit_on_stdin_eof=options.exit_on_stdin_eof,
        max_lifetime=options.max_lifetime,
        tls=options.tls,
        names=tuple(_named(name) for name in options.allow_host),
        scenario_file=path,
        watch=watch,
        upstream=getattr(options, "upstream", None),
        quiet=options.quiet,
    )


def _named(name: str) -> str:
    try:
        return checked_name(name)
    except OddHost as odd:
        raise CommandError(f"--allow-host {name!r}: {odd}") from None


def _is_remote(options: argparse.Namespace) -> bool:
    """Return whether other machines can reach the server.

    Raise CommandError if the host or the token is invalid, or if other machines could reach the
    server without --allow-remote and a token that is long enough.
    """
    host, token = options.host, options.admin_token
    try:
        address = address_of(host)
    except OddHost as odd:
        raise CommandError(f"--host {host!r}: {odd}") from None
    if token is not None and not re.fullmatch(r"[!-~]+", token):
        raise CommandError("--admin-token: must be printable ASCII without spaces")
    if is_loopback(address):
        return False
    if not options.allow_remote:
        raise CommandError(f"--host {host}: is not a loopback address; add --allow-remote")
    if token is None:
        raise CommandError("--allow-remote: needs --admin-token with a token of your own")
    if len(token) < _SHORTEST_TOKEN:
        raise CommandError(
            f"--admin-token: has {len(token)} characters; with --allow-remote it must have "
            f"{_SHORTEST_TOKEN} or more"
        )
    return True


def _serve(options: argparse.Namespace) -> int:
    process, path = _process(options), options.scenario
    scenario = Scenario() if path is None else scenario_from_file(path)
    upstream = _upstream(options) if options.command == "proxy" else None
    anyio.run(serve, process, scenario, upstream, backend_options=LOOP)
    return OK


def _control(options: argparse.Namespace) -> int:
    path: Path | None = options.scenario
    scenario = CONFORMING if path is None else scenario_from_file(path)
    anyio.run(control, scenario, backend_options=LOOP)
    return OK


def _upstream(options: argparse.Namespace) -> ProxyOrigin:
    try:
        return ProxyOrigin(Upstream.at(options.upstream), answer_time=options.upstream_timeout)
    except ScenarioError as error:
        raise CommandError(f"--{error}") from error


def _record(options: argparse.Namespace) -> int:
    out: Path = options.out
    if out.suffix != ".toml":
        raise CommandError(f"--out {out}: must end in .toml")
    upstream, process = _upstream(options), _process(options)
    tape = Tape.begin(out)  # fails now, not after an hour of recording
    recording = RecordingOrigin(upstream, tape=tape)
    try:
        anyio.run(serve, process, Scenario(), recording, backend_options=LOOP)
    finally:
        if recording.exchanges:
            _finish(tape, recording.scenario())
        else:
            tape.discard()
    _report_recorded(recording.exchanges, out)
    return OK


def _finish(tape: Tape, scenario: Scenario) -> None:
    try:
        tape.finish(scenario_to_toml(scenario))
    except TapeError as error:
        raise CommandError(str(error), UNABLE) from error


def _recover(options: argparse.Namespace) -> int:
    tape = read_tape(options.recording)
    if tape.exchanges:
        tape.replace_by(scenario_to_toml(replay_of(tape.exchanges)))
    _report_recorded(len(tape.exchanges), tape.out)
    return OK


def _report_recorded(count: int, out: Path) -> None:
    say(f"recorded {count_of(count, 'exchange')}, in {out}" if count else "recorded nothing")
    try:
        if count:
            scenario_from_file(out)  # fails now if it cannot be read back, not at the replay
    except ScenarioError as error:
        raise CommandError(str(error), UNABLE) from error


def _check(options: argparse.Namespace) -> int:
    # A list, so that the mistakes of every file are reported.
    fine = [_is_fine(path) for path in options.scenario]
    return OK if all(fine) else BAD


def _is_fine(path: Path) -> bool:
    """Print the mistakes in a file, or else what it contains; return whether the file is valid."""
    name = one_line(str(path))
    try:
        scenario, names_schema = checked_file(path)
    except ScenarioError as error:
        for mistake in error.mistakes:
            say(mistake)
        return False
    counts = [
        count_of(len(found), noun)
        for found, noun in ((scenario.jobs, "job"), (scenario.rules, "rule"))
        if found
    ]
    content = f"fine, {' and '.join(counts)}"
    if scenario == Scenario():
        content = "fine, but it scripts nothing; the backend keeps its default behaviour"
    elif not counts:
        content = "fine, but it has only settings, and no jobs or rules"
    sys.stdout.write(f"{name}: {content}\n")
    if not names_schema:
        sys.stdout.write(f"{name}: the version is missing; write `schema = 1` at the top\n")
    return True


def _explain(options: argparse.Namespace) -> int:
    sys.stdout.write(explain(scenario_from_file(options.scenario)))
    return OK


def _schema(_: argparse.Namespace) -> int:
    sys.stdout.write(json.dumps(scenario_schema(), indent=2) + "\n")
    return OK


def _addon_path(_: argparse.Namespace) -> int:
    sys.stdout.write(f"{Path(__file__).parent / 'mitm' / 'addon.py'}\n")
    return OK


_COMMANDS: Final[Mapping[str, tuple[Callable[[argparse.Namespace], int], str, str]]] = {
    "serve": (
        _serve,
        "Serve a scenario, and the admin API on a separate port.",
        "serve flaky.toml --port 8080",
    ),
    "proxy": (
        _serve,
        "Forward requests to a real backend, and inject the faults of a scenario.",
        "proxy flaky.toml --upstream https://api.example.com",
    ),
    "control": (
        _control,
        "Serve a backend that the conformance kit controls over stdin and stdout.",
        "control broken.toml",
    ),
    "record": (
        _record,
        "Forward requests to a real backend, and save its responses as a scenario.",
        "record --upstream https://api.example.com --out recorded.toml",
    ),
    "recover": (
        _recover,
        "Make a scenario from an interrupted recording.",
        "recover recorded.toml",
    ),
    "check": (_check, "Check scenarios and list all their mistakes.", "check flaky.toml more.toml"),
    "explain": (_explain, "Explain in plain words what a scenario does.", "explain flaky.toml"),
    "schema": (_schema, "Print the JSON Schema of a scenario.", "schema > scenario.schema.json"),
    "addon-path": (
        _addon_path,
        "Print the path of the mitmproxy addon, for `mitmdump -s`.",
        "addon-path",
    ),
}
"""Each command's function, description and example."""
