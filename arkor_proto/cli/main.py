"""The command line: `arkor-proto run JOB.toml`, `arkor-proto follow JOB`, `arkor-proto cancel JOB`.

No user sees a traceback: whatever is wrong with the input is reported in one line.
"""

import io
import os
import sys
from collections.abc import Sequence

from arkor_proto.cli.arguments import (
    INTERRUPTED,
    USAGE,
    parser,
    settings_of,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that knows fewer characters than the backend is no reason to stop.
            stream.reconfigure(errors="backslashreplace")
    try:
        settings = settings_of(parser().parse_args(arguments), os.environ)
        # Only here, so that a missing h11 can be told from a broken installation.
        from arkor_proto.cli.commands import carry_out  # noqa: PLC0415

        return carry_out(settings)
    except ModuleNotFoundError as error:
        if error.name != "h11":
            raise
        return _refuse("h11 is not installed; pip install 'arkor-proto[anyio]' brings it")
    except ValueError as error:
        return _refuse(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED


def _refuse(why: str) -> int:
    sys.stderr.write(f"arkor-proto: {why}\n")
    return USAGE
