"""The `arkor-proto` command, with `run`, `follow`, `status`, `cancel` and `demo`."""

import os
import sys
from collections.abc import Sequence

from arkor_proto.cli import shell
from arkor_proto.cli.arguments import parsed
from arkor_proto.cli.settings import refusal, settings_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    return shell.run("arkor-proto", lambda: _carry_out(given))


def _carry_out(given: Sequence[str]) -> int:
    arguments = parsed(given)
    if arguments.command == "demo":
        return _demo()
    try:
        settings = settings_of(arguments, os.environ)
    except ValueError as error:
        raise refusal(error) from error
    try:
        # Imported only here, to distinguish a missing h11 from a broken installation.
        from arkor_proto.cli.commands import carry_out  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        if error.name != "h11":
            raise
        why = "h11 is not installed; pip install 'arkor-proto[anyio]'"
        raise shell.CommandError(why, shell.UNABLE) from error
    return carry_out(settings)


def _demo() -> int:
    try:
        from arkor_proto.cli.demo import demo  # noqa: PLC0415 - needs the `mock` extra
    except ImportError as error:
        from mock_server.obstacles import missing  # noqa: PLC0415 - imported only when needed

        if (why := missing(error)) is None:
            raise
        raise shell.CommandError(why, shell.UNABLE) from error
    return demo()
