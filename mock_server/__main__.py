"""The command line: `arkor-mock serve | proxy | record | check | explain | schema | addon-path`.

It knows arguments, exit codes and the ready line. It refuses to know what a scenario means.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import anyio

from arkor_proto import __version__
from mock_server.codec import (
    names_its_schema,
    scenario_from_file,
    scenario_schema,
    scenario_to_toml,
)
from mock_server.explain import explain
from mock_server.model import Scenario
from mock_server.net.tls import TlsUnavailable
from mock_server.phrasing import count_of
from mock_server.process import Process, serve
from mock_server.proxy import ProxyOrigin, Upstream
from mock_server.recording import RecordingOrigin
from mock_server.shapes import ScenarioError, nearest

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class UsageError(Exception):
    """The command line asks for something that is not right."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, 1 for a bad scenario or record, 2 for bad usage."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    commands: Mapping[str, Callable[[argparse.Namespace], None]] = {
        "serve": _serve,
        "proxy": _proxy,
        "record": _record,
        "check": _check,
        "explain": _explain,
        "schema": _schema,
        "addon-path": _addon_path,
    }
    try:
        _check_command(given, commands)
        options = _parser().parse_args(given)
        commands[options.command](options)
    except ScenarioError as error:
        sys.stderr.write(f"arkor-mock: {error}\n")
        return 1
    except (UsageError, TlsUnavailable) as error:
        sys.stderr.write(f"arkor-mock: {error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"arkor-mock: {error.strerror or error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
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
        _add_process_options(command)
    for name, says in (
        ("check", "read a scenario and say what is wrong with it"),
        ("explain", "say in plain words what a scenario will do"),
    ):
        commands.add_parser(name, help=says).add_argument("scenario", type=Path)
    commands.add_parser("schema", help="print the JSON Schema of a scenario")
    commands.add_parser("addon-path", help="print what goes after `mitmdump -s`")
    return parser


def _add_process_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=0, help="default: one that is free")
    parser.add_argument("--admin-port", type=int, default=0, help="default: one that is free")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument("--token", help="the admin's token; default: a new one")
    parser.add_argument(
        "--allow-remote", action="store_true", help="listen beyond the loopback (needs --token)"
    )
    parser.add_argument("--tls", action="store_true", help="speak TLS, with a throw-away authority")
    parser.add_argument(
        "--exit-on-stdin-eof", action="store_true", help="end when the parent closes stdin"
    )
    parser.add_argument("--max-lifetime", type=float, help="end after so many seconds")


def _process(options: argparse.Namespace) -> Process:
    remote = options.host not in _LOOPBACK
    if remote and not options.allow_remote:
        raise UsageError(f"--host {options.host}: is not the loopback; --allow-remote permits it")
    if remote and not options.token:
        raise UsageError("--allow-remote: needs a --token of your own")
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
    )


def _scenario(options: argparse.Namespace) -> Scenario:
    return Scenario() if options.scenario is None else scenario_from_file(options.scenario)


def _serve(options: argparse.Namespace) -> None:
    anyio.run(serve, _process(options), _scenario(options))


def _proxy(options: argparse.Namespace) -> None:
    origin = ProxyOrigin(Upstream.at(options.upstream))
    anyio.run(serve, _process(options), _scenario(options), origin)


def _record(options: argparse.Namespace) -> None:
    out: Path = options.out
    if out.suffix != ".toml":
        raise UsageError(f"--out {out}: must end in .toml")
    recording = RecordingOrigin(ProxyOrigin(Upstream.at(options.upstream)))
    process = _process(options)
    is_new = not out.exists()
    with out.open("a"):
        pass  # a file that cannot be written is told now, not after an hour of recording
    try:
        anyio.run(serve, process, Scenario(), recording)
    finally:
        if recording.exchanges:
            out.write_text(scenario_to_toml(recording.scenario()), encoding="utf-8")
        elif is_new:
            out.unlink()
    count = recording.exchanges
    said = f"{count_of(count, 'exchange')}, in {out}" if count else "nothing"
    sys.stderr.write(f"arkor-mock: recorded {said}\n")
    if count:
        scenario_from_file(out)  # what cannot be read back is told now, not at the replay


def _check(options: argparse.Namespace) -> None:
    path: Path = options.scenario
    scenario = scenario_from_file(path)
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
    sys.stdout.write(f"{path}: {says}\n")
    if not names_its_schema(path):
        sys.stdout.write(f"{path}: the version is missing; `schema = 1` at its top says it\n")


def _explain(options: argparse.Namespace) -> None:
    sys.stdout.write(explain(scenario_from_file(options.scenario)))


def _addon_path(options: argparse.Namespace) -> None:
    del options
    sys.stdout.write(f"{Path(__file__).with_name('mitm_addon.py')}\n")


def _schema(options: argparse.Namespace) -> None:
    del options
    sys.stdout.write(json.dumps(scenario_schema(), indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
