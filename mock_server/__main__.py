"""The command line: `arkor-mock serve | check`.

It knows arguments, exit codes and the ready line. It refuses to know what a scenario means.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio

from mock_server.codec import scenario_from_file
from mock_server.model import Scenario
from mock_server.server import MockServer
from mock_server.shapes import ScenarioError

_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, 1 for a bad scenario, 2 for bad usage."""
    options = _parser().parse_args(arguments)
    try:
        scenario = Scenario() if options.scenario is None else scenario_from_file(options.scenario)
        if options.command == "check":
            sys.stdout.write(f"{options.scenario}: fine, {len(scenario.rules)} rules\n")
            return 0
        anyio.run(_serve, scenario)
    except ScenarioError as error:
        sys.stderr.write(f"arkor-mock: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"arkor-mock: cannot listen: {error.strerror or error}\n")
        return _USAGE
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="arkor-mock", description="A programmable Arkor backend for tests."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve a scenario until SIGTERM")
    serve.add_argument("scenario", nargs="?", type=Path, help="a .toml or .json file")
    check = commands.add_parser("check", help="read a scenario and say what is wrong with it")
    check.add_argument("scenario", type=Path)
    return parser


async def _serve(scenario: Scenario) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with MockServer(scenario) as mock:
            ready = {"base_url": mock.base_url, "pid": os.getpid()}
            sys.stdout.write(json.dumps(ready) + "\n")
            sys.stdout.flush()
            async for _ in signals:
                return


if __name__ == "__main__":
    sys.exit(main())
