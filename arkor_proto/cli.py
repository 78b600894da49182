"""The command line: `arkor-proto run JOB.toml`, `arkor-proto follow JOB`, `arkor-proto cancel JOB`.

It knows that no traceback is for a user: what is wrong with the input it says in one line. It
refuses to know the arguments (`_cli_settings.py`), what a command does (`_cli_follow.py`) and how
that reads (`_cli_report.py`).
"""

import io
import os
import sys
from collections.abc import Sequence

from arkor_proto._cli_settings import INTERRUPTED, USAGE, parser, settings_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that knows fewer characters than the backend is no reason to stop.
            stream.reconfigure(errors="backslashreplace")
    try:
        settings = settings_of(parser().parse_args(arguments), os.environ)
        # Only here, so that a missing h11 can be told from a broken installation.
        from arkor_proto._cli_follow import carry_out  # noqa: PLC0415

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


if __name__ == "__main__":
    sys.exit(main())
