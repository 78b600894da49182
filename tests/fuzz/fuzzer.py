"""The process that fuzzes: atheris on one target, until its time is up or something is found.

`python -m tests.fuzz.fuzzer TARGET ARGUMENT…`, where the arguments are libFuzzer's own. libFuzzer ends
the process that it runs in, so `python -m tests.fuzz` starts this as another one.
"""

import shlex
import sys
from importlib import import_module
from typing import Final

from tests.fuzz.corpus import target_of

INSTRUMENTED: Final = ["arkor_proto", "mock_server", "conformance", "h11", "tomllib"]
"""Where it counts what was reached."""


def main(name: str, *arguments: str) -> None:
    """Fuzz one target; does not return."""
    atheris = import_module("atheris")
    with atheris.instrument_imports(include=INSTRUMENTED, enable_loader_override=False):
        target = target_of(name)
    # libFuzzer starts itself again by this text, in a shell, when it merges a corpus.
    again = shlex.join([sys.executable, "-P", "-m", "tests.fuzz.fuzzer", name])
    atheris.Setup([again, *arguments], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
