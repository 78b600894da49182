"""`arkor-mock`: says in one line what is missing, or runs what `command_line.py` describes."""

import sys
from collections.abc import Sequence

NOT_STARTED = 3
"""The exit status when the command cannot run here at all."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, 1 for a bad scenario or record, 2 for bad usage, else 3."""
    try:
        from mock_server.command_line import run  # noqa: PLC0415 -- it may be what is missing
    except ImportError as error:
        from mock_server.obstacles import missing  # noqa: PLC0415

        if (why := missing(error)) is None:
            raise
        sys.stderr.write(f"arkor-mock: {why}\n")
        return NOT_STARTED
    return run(sys.argv[1:] if arguments is None else list(arguments))


if __name__ == "__main__":
    sys.exit(main())
