"""Printing what a client may have said: characters that cannot be seen are spelled out.

`terminal.Screen` does the same for what rich lays out.
"""

import sys

from conformance.plain import visible


def say(text: str = "", *, err: bool = False) -> None:
    """Print a line on standard output, or on standard error; raises OSError if it cannot."""
    print(visible(text), file=sys.stderr if err else sys.stdout, flush=True)
