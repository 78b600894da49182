"""The entry point of `arkor-mock`: runs a command, or reports a missing dependency."""

import sys
from collections.abc import Sequence

NOT_STARTED = 3
"""The exit status if the command cannot start, for example because a package is missing."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    try:
        from arkor_proto.cli import shell  # noqa: PLC0415 - this import may fail
        from mock_server.command_line import run  # noqa: PLC0415 - this import may fail
    except ImportError as error:
        from mock_server.obstacles import missing  # noqa: PLC0415 - this import may fail

        if (why := missing(error)) is None:
            raise
        sys.stderr.write(f"arkor-mock: {why}\n")
        return NOT_STARTED
    given = sys.argv[1:] if arguments is None else arguments
    return shell.run("arkor-mock", lambda: run(given))


if __name__ == "__main__":
    sys.exit(main())
