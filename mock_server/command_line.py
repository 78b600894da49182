"""The command line: `serve | proxy | record | recover | check | explain | schema | addon-path`.

Arguments, exit statuses and what is said; what a scenario means is elsewhere.
"""

import argparse
import io
import json
import math
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import anyio

from arkor_proto import __version__
from mock_server.admin.process import Process, serve
from mock_server.durable import one_line, reason_of, say
from mock_server.net.host_names import OddHost, address_of, checked_name, is_loopback
from mock_server.net.tls import TlsUnavailable
from mock_server.proxy.origin import ANSWER_TIME, ProxyOrigin, Upstream
from mock_server.proxy.recorder import RecordingOrigin
from mock_server.proxy.replay import transcribed
from mock_server.proxy.tape import Tape, TapeError, read_tape
from mock_server.scenario.explain import explain
from mock_server.scenario.files import (
    checked_file,
    scenario_from_file,
    scenario_schema,
    scenario_to_toml,
)
from mock_server.scenario.model import Scenario
from mock_server.scenario.words.declaring import count_of
from mock_server.strict.shapes import ScenarioError, nearest

_SHORTEST_TOKEN = 16


class UsageError(Exception):
    """The command line asks for something that is not right."""


class Wrong(Exception):
    """Something is not right, and that was said."""


def run(  # noqa: PLR0911 -- one for each way to end
    given: Sequence[str],
) -> int:
    """Run the command; returns 0, 1 for a bad scenario or record, 2 for bad usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may know ASCII only
    commands: Mapping[str, Callable[[argparse.Namespace], None]] = {
        "serve": _serve,
        "proxy": _proxy,
        "record": _record,
        "recover": _recover,
        "check": _check,
        "explain": _explain,
        "schema": _schema,
        "addon-path": _addon_path,
    }
    try:
        _check_command(given, commands)
        options = _parser().parse_args(given)
        commands[options.command](options)
        sys.stdout.flush()
    except Wrong:
        return 1
    except (ScenarioError, TapeError) as error:
        return _ended_with(1, _more_than(error) if isinstance(error, ScenarioError) else str(error))
    except (UsageError, TlsUnavailable) as error:
        return _ended_with(2, str(error))
    except BrokenPipeError:
        return _without_reader()
    except OSError as error:
        return _ended_with(2, reason_of(error))
    except KeyboardInterrupt:
        return 130
    return 0


def _ended_with(status: int, why: str) -> int:
    say(why)
    return status


def _more_than(error: ScenarioError) -> str:
    others = len(error.mistakes) - 1
    more = f" (and {count_of(others, 'more mistake')}; `arkor-mock check` lists them)"
    return f"{error}{more if others else ''}"


def _without_reader() -> int:
    """End quietly, as `| head` wants it: nobody reads what is still to be said."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return 0


def _check_command(given: Sequence[str], known: Iterable[str]) -> None:
    if given and not given[0].startswith("-") and given[0] not in known:
        raise UsageError(f"{given[0]!r} is no command; {nearest(given[0], known)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="arkor-mock", description="A programmable Arkor backend, and faults before a real one."
    )
    parser.add_argument("--version", action="version", version=f"arkor-mock {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve_ = commands.add_parser("serve", help="serve a scenario, and the admin on its own port")
    serve_.add_argument("scenario", nargs="?", type=Path, help="a .toml or .json file")
    _add_process_options(serve_)
    proxy = commands.add_parser("proxy", help="put a scenario in front of a real backend")
    proxy.add_argument("scenario", nargs="?", type=Path, help="a .toml or .json file")
    record = commands.add_parser("record", help="write a real backend's answers as a scenario")
    record.add_argument("--out", type=Path, required=True, help="the .toml file to write")
    for command in (proxy, record):
        command.add_argument("--upstream", required=True, help="the URL of the real backend")
        command.add_argument(
            "--upstream-timeout",
            type=_seconds,
            default=ANSWER_TIME,
            metavar="SECONDS",
            help="until the head of an answer; default: %(default)g",
        )
        _add_process_options(command)
    recover = commands.add_parser("recover", help="make a scenario of a recording that was killed")
    recover.add_argument("recording", type=Path, help="the .toml file that was being recorded")
    check = commands.add_parser("check", help="read scenarios and say all that is wrong with them")
    check.add_argument("scenario", type=Path, nargs="+")
    explain_ = commands.add_parser("explain", help="say in plain words what a scenario will do")
    explain_.add_argument("scenario", type=Path)
    commands.add_parser("schema", help="print the JSON Schema of a scenario")
    commands.add_parser("addon-path", help="print what goes after `mitmdump -s`")
    return parser


def _whole(text: str) -> int:
    """Read a whole number in plain digits."""
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(text)


def _seconds(text: str) -> float:
    """Read a number of seconds, more than none."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 < found < math.inf:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of seconds; it must be more than 0"
        )
    return found


def _add_process_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_whole, default=0, help="default: one that is free")
    parser.add_argument("--admin-port", type=_whole, default=0, help="default: one that is free")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument("--token", help="the admin's token; default: a new one")
    parser.add_argument(
        "--allow-remote", action="store_true", help="listen beyond the loopback (needs --token)"
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name, or name:port, by which clients reach the admin; may be repeated",
    )
    parser.add_argument("--tls", action="store_true", help="speak TLS, with a throw-away authority")
    parser.add_argument(
        "--exit-on-stdin-eof", action="store_true", help="end when the parent closes stdin"
    )
    parser.add_argument("--max-lifetime", type=float, help="end after so many seconds")


def _process(options: argparse.Namespace) -> Process:
    remote = _is_remote(options)
    for name in ("port", "admin_port"):
        port: int = getattr(options, name)
        if not 0 <= port <= 65_535:  # noqa: PLR2004 -- the ports that exist
            raise UsageError(f"--{name.replace('_', '-')}: {port} is no port, 0 to 65535 are")
    if options.max_lifetime is not None and not options.max_lifetime > 0:
        raise UsageError("--max-lifetime: must be more than 0 seconds")
    return Process(
        host=options.host,
        port=options.port,
        admin_port=options.admin_port,
        token=options.token,
        remote=remote,
        exit_on_stdin_eof=options.exit_on_stdin_eof,
        max_lifetime=options.max_lifetime,
        tls=options.tls,
        names=tuple(_named(name) for name in options.allow_host),
    )


def _named(name: str) -> str:
    try:
        return checked_name(name)
    except OddHost as odd:
        raise UsageError(f"--allow-host {name!r}: {odd}") from None


def _is_remote(options: argparse.Namespace) -> bool:
    """Tell whether others than this machine can reach the server, and refuse what is unsafe then."""
    host, token = options.host, options.token
    try:
        address = address_of(host)
    except OddHost as odd:
        raise UsageError(f"--host {host!r}: {odd}") from None
    if token is not None and not re.fullmatch(r"[!-~]+", token):
        raise UsageError("--token: must be printable ASCII without blanks, as a header carries it")
    if is_loopback(address):
        return False
    if not options.allow_remote:
        raise UsageError(f"--host {host}: is not the loopback; --allow-remote permits it")
    if token is None:
        raise UsageError("--allow-remote: needs a --token of your own")
    if len(token) < _SHORTEST_TOKEN:
        raise UsageError(
            f"--token: has {len(token)} characters; with --allow-remote it must have "
            f"{_SHORTEST_TOKEN} or more"
        )
    return True


def _scenario(options: argparse.Namespace) -> Scenario:
    return Scenario() if options.scenario is None else scenario_from_file(options.scenario)


def _serve(options: argparse.Namespace) -> None:
    anyio.run(serve, _process(options), _scenario(options))


def _proxy(options: argparse.Namespace) -> None:
    anyio.run(serve, _process(options), _scenario(options), _upstream(options))


def _upstream(options: argparse.Namespace) -> ProxyOrigin:
    return ProxyOrigin(Upstream.at(options.upstream), answer_time=options.upstream_timeout)


def _record(options: argparse.Namespace) -> None:
    out: Path = options.out
    if out.suffix != ".toml":
        raise UsageError(f"--out {out}: must end in .toml")
    upstream, process = _upstream(options), _process(options)
    try:
        tape = Tape.begin(out)  # told now, not after an hour of recording
    except TapeError as error:
        raise UsageError(str(error)) from None
    recording = RecordingOrigin(upstream, tape=tape)
    try:
        anyio.run(serve, process, Scenario(), recording)
    finally:
        if recording.exchanges:
            tape.finish(scenario_to_toml(recording.scenario()))
        else:
            tape.discard()
    _say_recorded(recording.exchanges, out)


def _recover(options: argparse.Namespace) -> None:
    tape = read_tape(options.recording)
    if tape.heard:
        tape.replace_by(scenario_to_toml(transcribed(tape.heard)))
    _say_recorded(len(tape.heard), tape.out)


def _say_recorded(count: int, out: Path) -> None:
    said = f"{count_of(count, 'exchange')}, in {out}" if count else "nothing"
    say(f"recorded {said}")
    if count:
        scenario_from_file(out)  # what cannot be read back is told now, not at the replay


def _check(options: argparse.Namespace) -> None:
    wrong = [path for path in options.scenario if not _is_fine(path)]
    if wrong:
        raise Wrong


def _is_fine(path: Path) -> bool:
    """Say everything that is wrong with a file, or what is in it."""
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
    says = f"fine, {' and '.join(counts)}"
    if scenario == Scenario():
        says = "nothing is scripted; the backend answers everything by itself"
    elif not counts:
        says = "fine, but no job and no rule; only settings"
    sys.stdout.write(f"{one_line(str(path))}: {says}\n")
    if not names_schema:
        sys.stdout.write(
            f"{one_line(str(path))}: the version is missing; `schema = 1` at its top says it\n"
        )
    return True


def _explain(options: argparse.Namespace) -> None:
    sys.stdout.write(explain(scenario_from_file(options.scenario)))


def _addon_path(options: argparse.Namespace) -> None:
    del options
    sys.stdout.write(f"{Path(__file__).parent / 'mitm' / 'addon.py'}\n")


def _schema(options: argparse.Namespace) -> None:
    del options
    sys.stdout.write(json.dumps(scenario_schema(), indent=2) + "\n")
